"use strict";
(function () {
  // Tooltips: the <title> of the shape under the pointer, shown at once and on touch screens too.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  tip.setAttribute("role", "tooltip");
  document.body.append(tip);
  let shown = null;
  const hide = () => {
    tip.hidden = true;
    if (shown) shown.spot.prepend(shown.title);
    shown = null;
  };
  const place = (event) => {
    const [width, height] = [tip.offsetWidth, tip.offsetHeight];
    const left = Math.min(Math.max(event.clientX - width / 2, 6), document.documentElement.clientWidth - width - 6);
    const above = event.clientY - height - 14;
    tip.style.left = left + "px";
    tip.style.top = (above > 4 ? above : event.clientY + 18) + "px";
  };
  document.addEventListener("pointerover", (event) => {
    const spot = event.target.closest ? event.target.closest(".spot") : null;
    if (shown && shown.spot === spot) return;
    hide();
    const title = spot && spot.querySelector("title");
    if (!title) return;
    tip.textContent = title.textContent;
    // The browser would show the title a second time.
    title.remove();
    shown = { spot, title };
    tip.hidden = false;
    place(event);
  });
  document.addEventListener("pointermove", (event) => { if (shown) place(event); });
  document.addEventListener("scroll", hide, { capture: true, passive: true });
  document.documentElement.addEventListener("pointerleave", hide);

  // Save buttons: SVG with the colours of the current scheme, CSV as the page holds it.
  const slug = (text) => text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60);
  const save = (text, type, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const standalone = (svg) => {
    const copy = svg.cloneNode(true);
    const page = getComputedStyle(document.documentElement);
    const value = (text) => text.replace(/var\((--[\w-]+)\)/g, (_, name) => page.getPropertyValue(name).trim());
    copy.querySelectorAll("*").forEach((part) => {
      for (const name of ["fill", "stroke"]) {
        if (part.hasAttribute(name)) part.setAttribute(name, value(part.getAttribute(name)));
      }
    });
    const [, , width, height] = copy.getAttribute("viewBox").split(" ");
    copy.removeAttribute("style");
    copy.setAttribute("width", width);
    copy.setAttribute("height", height);
    copy.setAttribute("font-family", "sans-serif");
    const ground = document.createElementNS(svg.namespaceURI, "rect");
    ground.setAttribute("width", width);
    ground.setAttribute("height", height);
    ground.setAttribute("fill", page.getPropertyValue("--card").trim());
    copy.prepend(ground);
    return new XMLSerializer().serializeToString(copy);
  };
  const button = (text, title, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.title = title;
    made.addEventListener("click", () => act(made));
    return made;
  };
  const page = slug(document.querySelector("h1").textContent) || "report";
  document.querySelectorAll("[data-csv]").forEach((part) => {
    const holder = part.closest("figure, .panel, .small > div") || part.parentElement;
    const head = (part.closest(".small > div") || holder).querySelector("h3");
    const name = page + "-" + (slug(head ? head.textContent : "") || "figure");
    const bar = document.createElement("div");
    bar.className = "save";
    if (part.querySelector("svg")) {
      bar.append(button("SVG", "Save this figure as SVG", () => {
        hide();
        save(standalone(part.querySelector(".plot:not([hidden]) svg, :scope > svg")), "image/svg+xml", name + ".svg");
      }));
    }
    bar.append(button("CSV", "Save these numbers as CSV", () => save(part.dataset.csv, "text/csv", name + ".csv")));
    part.after(bar);
  });

  // Copy and save buttons of text blocks.
  document.querySelectorAll("[data-file]").forEach((block) => {
    const bar = document.createElement("div");
    bar.className = "save";
    bar.append(button("Copy", "Copy this text", async (made) => {
      let done = true;
      try {
        await navigator.clipboard.writeText(block.textContent);
      } catch {
        getSelection().selectAllChildren(block);
        done = document.execCommand("copy");
      }
      made.textContent = done ? "Copied" : "Press Ctrl+C";
      setTimeout(() => { made.textContent = "Copy"; }, 1500);
    }));
    bar.append(button("Save", "Save this text as a file", () => save(block.textContent, "text/plain", block.dataset.file)));
    block.before(bar);
  });

  // Scroll hints: wide tables and plots fade at the side where more follows.
  const parts = Array.from(document.querySelectorAll(".scroll, .plot"));
  const hint = (part) => {
    const rest = part.scrollWidth - part.clientWidth;
    part.classList.toggle("wider", rest > 1);
    part.classList.toggle("more", rest > 1 && part.scrollLeft < rest - 2);
  };
  const sizes = new ResizeObserver((entries) => entries.forEach((entry) => hint(entry.target)));
  parts.forEach((part) => {
    const text = document.createElement("p");
    text.className = "hint";
    text.textContent = "Scroll sideways for more →";
    part.before(text);
    sizes.observe(part);
    part.addEventListener("scroll", () => hint(part), { passive: true });
    hint(part);
  });
  document.addEventListener("toggle", (event) => event.target.querySelectorAll(".scroll, .plot").forEach(hint), true);
})();
