(function () {
  const number = (cell) => {
    const text = cell.dataset.v || (cell.firstChild ? cell.firstChild.textContent : "");
    const found = text.replace(/−/g, "-").replace(/,/g, "").match(/^\s*[-+]?\d[\d.]*(e[-+]?\d+)?/i);
    return found ? parseFloat(found[0]) : null;
  };
  const compare = (one, other, way) => {
    const [a, b] = [number(one), number(other)];
    if (a === null && b === null) return one.textContent.localeCompare(other.textContent) * way;
    // Missing values come last in both directions.
    if (a === null) return 1;
    if (b === null) return -1;
    return (a - b) * way;
  };
  document.querySelectorAll("table.sorted").forEach((table) => {
    const heads = Array.from(table.tHead.rows[0].cells);
    heads.forEach((head, at) => {
      head.tabIndex = 0;
      const sort = () => {
        const way = head.getAttribute("aria-sort") === "descending" ? 1 : -1;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", way === 1 ? "ascending" : "descending");
        const rows = Array.from(table.tBodies[0].rows);
        rows.sort((one, other) => compare(one.cells[at], other.cells[at], way));
        table.tBodies[0].append(...rows);
      };
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(); });
    });
  });
  document.querySelectorAll(".pick").forEach((pick) => {
    pick.hidden = false;
    const choices = Array.from(pick.parentElement.querySelectorAll("[data-choice]"));
    const show = () => choices.forEach((part) => { part.hidden = part.dataset.choice !== pick.elements.choice.value; });
    pick.addEventListener("input", show);
    pick.addEventListener("submit", (event) => event.preventDefault());
    show();
  });
  const form = document.querySelector(".words");
  const groups = Array.from(document.querySelectorAll(".points tbody"));
  const texts = groups.map((group) => group.textContent.toLowerCase());
  const filter = () => {
    const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    groups.forEach((group, at) => {
      group.hidden = !words.every((word) => texts[at].includes(word));
      if (!group.hidden) shown += 1;
    });
    form.querySelector("output").textContent = shown + " of " + groups.length + " settings";
  };
  form.hidden = false;
  form.addEventListener("input", filter);
  form.addEventListener("submit", (event) => event.preventDefault());
  // A link to a hidden group clears the filter.
  window.addEventListener("hashchange", () => {
    const group = document.getElementById(location.hash.slice(1));
    if (group && group.hidden) { form.reset(); filter(); group.scrollIntoView(); }
  });
  filter();
})();
