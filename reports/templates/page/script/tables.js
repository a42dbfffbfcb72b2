/* Tables: a heading sorts, the best first; what has no value goes last both ways. */
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

function orderAfter(heading) {
  const first = heading.dataset.best === "high" ? "descending" : "ascending";
  const second = first === "ascending" ? "descending" : "ascending";
  return heading.getAttribute("aria-sort") === first ? second : first;
}

function sortBy(table, heading, order) {
  for (const other of table.tHead.querySelectorAll("[aria-sort]")) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", order);
  const body = table.tBodies[0], column = heading.cellIndex, direction = order === "ascending" ? 1 : -1;
  const keyed = [...body.rows].map((row) => [valueOf(row, column), row]);
  keyed.sort((a, b) => compare(a[0], b[0], direction));
  body.append(...keyed.map((pair) => pair[1]));
  cut(body);
}

for (const table of document.querySelectorAll("table.sortable")) {
  for (const button of table.tHead.querySelectorAll("button")) {
    const heading = button.closest("th");
    button.addEventListener("click", () => { sortBy(table, heading, orderAfter(heading)); showView(); });
  }
}

/* Long lists and tables: the first of them, and a button that shows the others. */
function cut(list) {
  const first = list.dataset.all === "shown" ? Infinity : Number(list.dataset.first || Infinity);
  let number = 0;
  for (const item of list.children) item.classList.toggle("beyond", !item.hidden && ++number > first);
  const button = document.getElementById("more-" + list.id);
  if (button) button.hidden = number <= first;
}

for (const list of document.querySelectorAll("[data-first]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "more";
  button.id = "more-" + list.id;
  button.textContent = list.dataset.of ? "Show all " + list.children.length + " " + list.dataset.of
    : "Show " + (list.children.length - Number(list.dataset.first)) + " more";
  button.addEventListener("click", () => {
    const next = list.querySelector(":scope > .beyond");
    list.dataset.all = "shown";
    cut(list);
    hint();
    const target = next.querySelector("button, a") || next;
    if (target === next) next.tabIndex = -1;
    target.focus({preventScroll: true});
  });
  const table = list.closest(".table");
  if (table) table.append(button); else list.after(button);
  cut(list);
}

/* Filter: every word must occur in the cell's name; baselines stay in sight. */
const filter = document.getElementById("filter"), board = document.getElementById("cells");

function applyFilter() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const row of document.querySelectorAll("table.filtered > tbody > tr")) {
    const name = row.querySelector("th").dataset.value.toLowerCase();
    row.hidden = !row.classList.contains("baseline") && !words.every((word) => name.includes(word));
  }
  for (const body of document.querySelectorAll("table.filtered > tbody")) cut(body);
  const rows = [...board.tBodies[0].rows], shown = rows.filter((row) => !row.hidden).length;
  document.getElementById("filtered").textContent = words.length ? shown + " of " + rows.length + " cells" : "";
}

/* The view of the leaderboard is in the address, so that a link shows it again. */
const PREFIX = "#leaderboard?";

function showView() {
  if (!filter) return;
  const view = new URLSearchParams(), sorted = board.tHead.querySelector("[aria-sort]");
  if (filter.value.trim()) view.set("filter", filter.value.trim());
  if (sorted && (sorted.dataset.key !== "rank" || sorted.getAttribute("aria-sort") !== "ascending")) {
    view.set("sort", sorted.dataset.key);
    view.set("order", sorted.getAttribute("aria-sort"));
  }
  const text = view.toString(), link = document.getElementById("view");
  link.hidden = !text;
  link.href = text ? PREFIX + text : "#leaderboard";
  if (text || location.hash.startsWith(PREFIX)) history.replaceState(null, "", link.href);
}

function readView() {
  if (!filter || !location.hash.startsWith(PREFIX)) return;
  const view = new URLSearchParams(location.hash.slice(PREFIX.length));
  filter.value = view.get("filter") || "";
  applyFilter();
  const headings = [...board.tHead.rows[0].cells];
  const heading = headings.find((cell) => cell.dataset.key === (view.get("sort") || "rank"));
  const order = view.get("order") === "descending" ? "descending" : "ascending";
  if (heading) sortBy(board, heading, order);
  showView();
  document.getElementById("leaderboard").scrollIntoView();
}

if (filter) {
  for (const tools of document.querySelectorAll(".tools")) tools.hidden = false;
  filter.addEventListener("input", () => { applyFilter(); showView(); });
}

/* Tables and lists as CSV: what is shown, in the order it is shown. */
function quoted(text) {
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}

function ofTable(table) {
  const headings = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  const rows = [...table.tBodies[0].rows].filter((row) => !row.hidden && !row.classList.contains("beyond"));
  const plain = (cell) => "csv" in cell.dataset ? cell.dataset.csv.split("|")
    : ["value" in cell.dataset ? cell.dataset.value : cell.textContent.trim()];
  return [headings.flatMap((cell) => (cell.dataset.csv || cell.textContent.trim()).split("|")),
          ...rows.map((row) => [...row.cells].flatMap(plain))];
}

function ofCases(list) {
  const cases = [...list.querySelectorAll(".case:not(.beyond)")];
  const heading = ["kind", "id", "text", "label"];
  for (const vote of cases[0] ? cases[0].querySelectorAll(".votes li") : []) {
    heading.push("predicted_by_" + vote.dataset.who, "probability_by_" + vote.dataset.who);
  }
  return [heading, ...cases.map((item) => [
    item.parentNode.dataset.kind, item.dataset.id, item.dataset.text, item.dataset.label,
    ...[...item.querySelectorAll(".votes li")].flatMap((vote) => [vote.dataset.predicted, vote.dataset.probability]),
  ])];
}

for (const button of document.querySelectorAll("button.csv")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    const source = document.getElementById(button.dataset.source);
    const rows = source.tHead ? ofTable(source) : ofCases(source);
    const text = rows.map((row) => row.map(quoted).join(",")).join("\r\n") + "\r\n";
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob(["\ufeff", text], {type: "text/csv"}));
    link.download = button.dataset.file;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  });
}

/* On a phone a table shows the first of its columns, as many as fit, and a button for all of them. */
const phone = window.matchMedia("(max-width: 34rem)");
const FEWEST = 2;  // columns that always stay

/* Cells of a table's part with the first column that each covers, and how many it does. */
function laidOut(rows) {
  const taken = [...rows].map(() => []), cells = [];
  [...rows].forEach((row, number) => {
    let column = 0;
    for (const cell of row.cells) {
      while (taken[number][column]) column += 1;
      if (!("span" in cell.dataset)) cell.dataset.span = cell.colSpan;
      const wide = Number(cell.dataset.span);
      for (let below = number; below < Math.min(number + cell.rowSpan, taken.length); below += 1) {
        for (let next = column; next < column + wide; next += 1) taken[below][next] = true;
      }
      cells.push([cell, column, wide]);
      column += wide;
    }
  });
  return cells;
}

function leaveOut(cells, hidden) {
  for (const [cell, first, wide] of cells) {
    let seen = 0;
    for (let column = first; column < first + wide; column += 1) seen += hidden.has(column) ? 0 : 1;
    cell.classList.toggle("off", seen === 0);
    if (wide > 1 && seen) cell.colSpan = seen;
  }
}

function fit(region) {
  const frame = region.closest(".table"), table = region.querySelector("table");
  if (!frame || !table || !region.clientWidth) return;
  const isWide = () => region.scrollWidth > region.clientWidth + 1;
  const whole = !phone.matches || frame.dataset.columns === "all", button = frame.querySelector("button.columns");
  if (whole && !("fitted" in frame.dataset)) return;
  const head = laidOut(table.tHead.rows);
  const cells = [...head, ...[...table.tBodies, table.tFoot].filter(Boolean).flatMap((part) => laidOut(part.rows))];
  const number = Math.max(...head.map(([, first, wide]) => first + wide)), hidden = new Set();
  const important = new Set(head.filter(([cell]) => "keep" in cell.dataset).map(([, first]) => first));
  const last = [...Array(number).keys()].slice(FEWEST).reverse();
  const order = [...last.filter((column) => !important.has(column)), ...last.filter((column) => important.has(column))];
  leaveOut(cells, hidden);
  if (!whole) {
    for (const column of order) {
      if (!isWide()) break;
      hidden.add(column);
      leaveOut(cells, hidden);
    }
  }
  frame.dataset.fitted = hidden.size;
  offer(frame, button, hidden.size, number);
}

/* The button of a table that shows all columns, or again those that fit. */
function offer(frame, button, left, number) {
  if (!button && !left) return;
  const shown = button || document.createElement("button");
  if (!button) {
    shown.type = "button";
    shown.className = "more columns";
    shown.addEventListener("click", () => {
      frame.dataset.columns = frame.dataset.columns === "all" ? "fitting" : "all";
      hint();
    });
    frame.append(shown);
  }
  shown.hidden = !phone.matches;
  shown.textContent = left ? "Show all " + number + " columns" : "Show the first columns only";
}

/* Tables that are wider than the page all the same say that they can be scrolled. */
function hint() {
  for (const region of document.querySelectorAll(".scroll")) {
    fit(region);
    region.classList.toggle("wider", region.scrollWidth > region.clientWidth + 1);
  }
}
hint();
let resized = 0;
window.addEventListener("resize", () => {
  clearTimeout(resized);
  resized = setTimeout(hint, 150);
});
