(function () {
  const losses = document.querySelector(".switch");
  if (losses) {
    losses.hidden = false;
    const variants = Array.from(document.querySelectorAll(".variants > .plot"));
    const show = () => {
      const fits = (plot) => plot.dataset.axis === losses.elements.axis.value
        && plot.dataset.smoothing === losses.elements.smoothing.value;
      const chosen = variants.find(fits) || variants[0];
      variants.forEach((plot) => { plot.hidden = plot !== chosen; });
    };
    losses.addEventListener("input", show);
    losses.addEventListener("submit", (event) => event.preventDefault());
    show();
  }
  const form = document.querySelector(".words");
  if (!form) return;
  const pager = document.querySelector(".pager");
  const size = Number(pager.dataset.size);
  form.hidden = false;
  const worst = Array.from(document.querySelectorAll(".read tbody tr"));
  const evaluated = worst.slice().sort((one, other) => one.dataset.place - other.dataset.place);
  const texts = new Map(worst.map((row) => [row, row.textContent.toLowerCase()]));
  const field = (name) => (form.elements[name] ? form.elements[name].value : "");
  const body = document.querySelector(".read tbody");
  let page = 0;
  const show = () => {
    const words = field("words").toLowerCase().split(/\s+/).filter(Boolean);
    const rows = field("order") ? evaluated : worst;
    const fits = rows.filter((row) => ["task", "grade", "routed"].every((name) => !field(name) || row.dataset[name] === field(name))
      && words.every((word) => texts.get(row).includes(word)));
    const pages = Math.max(Math.ceil(fits.length / size), 1);
    page = Math.min(Math.max(page, 0), pages - 1);
    const first = page * size;
    const seen = fits.slice(first, first + size);
    seen.forEach((row) => { row.hidden = false; });
    // Only the rows of this page are in the document.
    body.replaceChildren(...seen);
    form.querySelector("output").textContent = fits.length + " of " + rows.length;
    pager.hidden = pages < 2;
    pager.querySelector("output").textContent = (first + 1) + "–" + (first + seen.length) + " of " + fits.length;
    pager.querySelector("[data-by='-1']").disabled = page === 0;
    pager.querySelector("[data-by='1']").disabled = page === pages - 1;
  };
  pager.addEventListener("click", (event) => {
    const by = Number(event.target.dataset.by);
    if (!by) return;
    page += by;
    show();
    document.getElementById("predictions").scrollIntoView();
  });
  form.addEventListener("input", () => { page = 0; show(); });
  form.addEventListener("submit", (event) => event.preventDefault());
  const open = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (target && target.matches("details.preamble")) target.open = true;
  };
  window.addEventListener("hashchange", open);
  open();
  show();
})();
