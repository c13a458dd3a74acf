"use strict";
(function () {
  const form = document.querySelector(".filter");
  if (!form) return;
  form.hidden = false;
  const rows = Array.from(document.querySelectorAll(".read tbody tr"));
  const texts = rows.map((row) => row.textContent.toLowerCase());
  const field = (name) => (form.elements[name] ? form.elements[name].value : "");
  const show = () => {
    const words = field("words").toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    rows.forEach((row, at) => {
      const fits = ["task", "grade", "routed"].every((name) => !field(name) || row.dataset[name] === field(name));
      row.hidden = !(fits && words.every((word) => texts[at].includes(word)));
      if (!row.hidden) shown += 1;
    });
    form.querySelector("output").textContent = shown + " of " + rows.length;
  };
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
