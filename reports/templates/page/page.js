"use strict";

/* Tables: a heading sorts; what has no value goes last both ways. */
function valueOf(row, column) {
  const cell = row.cells[column];
  const text = "value" in cell.dataset ? cell.dataset.value : cell.textContent.trim();
  if (text === "") return null;
  return Number.isNaN(Number(text)) ? text : Number(text);
}

function compare(a, b, direction) {
  if (a === null || b === null) return (a === null) - (b === null);
  if (typeof a === "number" && typeof b === "number") return direction * (a - b);
  return direction * String(a).localeCompare(String(b), undefined, {numeric: true});
}

function sortBy(table, heading) {
  const ascending = heading.getAttribute("aria-sort") !== "ascending";
  for (const other of heading.parentNode.cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const body = table.tBodies[0], column = heading.cellIndex, direction = ascending ? 1 : -1;
  const keyed = [...body.rows].map((row) => [valueOf(row, column), row]);
  keyed.sort((a, b) => compare(a[0], b[0], direction));
  body.append(...keyed.map((pair) => pair[1]));
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => sortBy(table, button.closest("th")));
  }
}

/* Filter: every word must occur in the cell's name; baselines stay in sight. */
const filter = document.getElementById("filter");
if (filter) {
  const rows = [...document.querySelectorAll("table.filtered > tbody > tr")];
  const cells = document.getElementById("cells").tBodies[0].rows;
  filter.parentNode.hidden = false;
  filter.addEventListener("input", () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows) {
      const name = row.querySelector("th").dataset.value.toLowerCase();
      row.hidden = !row.classList.contains("baseline") && !words.every((word) => name.includes(word));
    }
    const shown = [...cells].filter((row) => !row.hidden).length;
    document.getElementById("filtered").textContent = words.length ? shown + " of " + cells.length + " cells" : "";
  });
}

/* Tables wider than the page say that they can be scrolled. */
const regions = [...document.querySelectorAll(".scroll")];
function hint() {
  for (const region of regions) region.classList.toggle("wider", region.scrollWidth > region.clientWidth + 1);
}
hint();
for (const details of document.querySelectorAll("details")) details.addEventListener("toggle", hint);

/* Charts: drawn in the page's own text colour, again whenever the colour scheme or the width changes. */
const dark = window.matchMedia("(prefers-color-scheme: dark)");

function configFor(spec, width) {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--text-2").trim();
  const axis = (spec.config || {}).axis || {};
  const guides = {labelColor: text, titleColor: text, gridColor: text};
  // On a phone the names take at most two fifths of the width, and are cut rather than push the marks away.
  const narrow = width < 520 ? {labelLimit: Math.round(width * 0.42), labelFontSize: 10.5} : {};
  return Object.assign({}, spec.config, {
    font: style.fontFamily, background: "transparent",
    axis: Object.assign({}, axis, guides, narrow),
    text: {color: style.getPropertyValue("--text").trim()}, rule: {color: text},
    rect: {color: style.getPropertyValue("--image").trim()},
    // In the order of the kinds: picture only, text only, fusion, baseline.
    legend: {labelColor: text, symbolStrokeColor: text},
    range: {category: ["--image", "--text-only", "--fusion", "--baseline"].map((tone) => style.getPropertyValue(tone).trim())},
  });
}

function draw(place) {
  const spec = JSON.parse(document.getElementById("chart-" + place.dataset.chart).textContent);
  const width = place.clientWidth;
  place.dataset.width = width;
  Object.assign(spec, {width, config: configFor(spec, width), autosize: {type: "fit-x", contains: "padding"}});
  vegaEmbed(place, spec, {
    actions: false, renderer: "svg", tooltip: {theme: dark.matches ? "dark" : "light"},
  }).then(() => place.querySelector("svg").setAttribute("aria-hidden", "true"), (error) => {
    place.textContent = "This chart could not be drawn (" + error.message + "); its figures are in the table.";
  });
}

const places = [...document.querySelectorAll(".drawing")];
places.forEach(draw);
dark.addEventListener("change", () => places.forEach(draw));
let waiting = 0;
window.addEventListener("resize", () => {
  hint();
  clearTimeout(waiting);
  waiting = setTimeout(() => places.filter((p) => p.clientWidth !== Number(p.dataset.width)).forEach(draw), 150);
});
