/* Charts: drawn in the page's own text colour, again whenever the colour scheme or the width changes. */
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const NARROW = 520, LETTER = 6.6;

/* The drawing library is kept compressed: the page is then a third smaller. */
let library = null;
function loaded() {
  library = library || (async () => {
    const packed = atob(document.getElementById("vega").textContent.trim());
    const bytes = Uint8Array.from(packed, (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const script = document.createElement("script");
    script.textContent = await new Response(stream).text();
    document.head.append(script);
    if (!window.vegaEmbed) throw new Error("the drawing library does not run here");
  })();
  return library;
}

function configFor(spec, width) {
  const style = getComputedStyle(document.documentElement);
  const text = style.getPropertyValue("--text-2").trim();
  const axis = (spec.config || {}).axis || {};
  const guides = {labelColor: text, titleColor: text, gridColor: text, labelSeparation: 5};
  // On a phone the names take at most two fifths of the width, and are cut rather than push the marks away.
  const narrow = width < NARROW ? {labelLimit: Math.round(width * 0.42), labelFontSize: 10.5} : {};
  return Object.assign({}, spec.config, {
    font: style.fontFamily, aria: false, background: "transparent", lineBreak: "\n",
    axis: Object.assign({}, axis, guides, narrow),
    text: {color: style.getPropertyValue("--text").trim()}, rule: {color: text},
    rect: {color: style.getPropertyValue("--image").trim()},
    // In the order of the kinds: picture only, text only, fusion, baseline.
    legend: {labelColor: text, symbolStrokeColor: text},
    range: {category: ["--image", "--text-only", "--fusion", "--baseline"].map((tone) => style.getPropertyValue(tone).trim())},
  });
}

/* A title of the horizontal axis that is longer than the plot goes on in a second line. */
function broken(title, most) {
  const lines = [""];
  for (const word of title.split(" ")) {
    const line = lines[lines.length - 1];
    if (line && line.length + word.length + 1 > most) lines.push(word);
    else lines[lines.length - 1] = line ? line + " " + word : word;
  }
  return lines.join("\n");
}

function breakTitles(node, most) {
  if (node.encoding && node.encoding.x && typeof node.encoding.x.title === "string") {
    node.encoding.x.title = broken(node.encoding.x.title, most);
  }
  for (const layer of node.layer || []) breakTitles(layer, most);
}

/* The page lists the lines of such a chart beside it. */
function withoutLegend(node) {
  if (node.encoding && node.encoding.strokeDash) node.encoding.strokeDash.legend = null;
  for (const layer of node.layer || []) withoutLegend(layer);
}

async function draw(place) {
  const width = place.clientWidth;
  if (!width || place.closest("details:not([open])")) return;  // until it is asked for
  place.dataset.width = width;
  try {
    await loaded();
    const spec = JSON.parse(document.getElementById("chart-" + place.dataset.chart).textContent);
    if ("listed" in place.dataset) withoutLegend(spec);
    if (width < NARROW) breakTitles(spec, Math.floor((width - 80) / LETTER));
    Object.assign(spec, {width, config: configFor(spec, width), autosize: {type: "fit-x", contains: "padding"}});
    await window.vegaEmbed(place, spec, {
      actions: false, renderer: "svg", tooltip: {theme: dark.matches ? "dark" : "light"},
    });
    place.querySelector("svg").setAttribute("aria-hidden", "true");
  } catch (error) {
    place.textContent = "This chart could not be drawn (" + error.message + "); its figures are in the table.";
  }
}

const places = [...document.querySelectorAll(".drawing")];
function drawWithin(root) {
  for (const place of places) {
    if (root.contains(place) && place.clientWidth !== Number(place.dataset.width || 0)) draw(place);
  }
}
drawWithin(document.body);
for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", () => drawWithin(details));
}
dark.addEventListener("change", () => places.forEach(draw));
let waiting = 0;
window.addEventListener("resize", () => {
  clearTimeout(waiting);
  waiting = setTimeout(() => drawWithin(document.body), 150);
});
