/* A collapsed section opens when something in it is asked for; the contents show where one is. */
function unfold(element) {
  for (let details = element && element.closest("details"); details; details = details.parentNode.closest("details")) {
    details.open = true;
  }
}

function followHash() {
  if (location.hash.startsWith(PREFIX)) return readView();
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return undefined;
  const folded = target.tagName === "SECTION" ? target.querySelector("details.folded") : target.closest("details");
  if (folded) { unfold(folded.firstElementChild); target.scrollIntoView(); }
  return undefined;
}

function openAll() {
  for (const frame of document.querySelectorAll(".table")) frame.dataset.columns = "all";
  hint();
  for (const details of document.querySelectorAll("details")) details.open = true;
  for (const list of document.querySelectorAll("[data-first]")) { list.dataset.all = "shown"; cut(list); }
}

for (const details of document.querySelectorAll("details")) {
  details.addEventListener("toggle", hint);
}
window.addEventListener("hashchange", followHash);
window.addEventListener("beforeprint", openAll);
if (location.hash === "#print") openAll(); else followHash();

const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
const inSight = new Set();
const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) inSight[entry.isIntersecting ? "add" : "delete"](entry.target.id);
  const first = [...links.keys()].find((id) => inSight.has(id));
  for (const [id, link] of links) {
    if (id !== first) { link.removeAttribute("aria-current"); continue; }
    if (link.hasAttribute("aria-current")) continue;
    link.setAttribute("aria-current", "true");
    const strip = link.closest("ul");
    strip.scrollTo({left: link.offsetLeft - strip.clientWidth / 3});
  }
}, {rootMargin: "-25% 0px -60% 0px"});
for (const section of document.querySelectorAll("main > section")) observer.observe(section);
