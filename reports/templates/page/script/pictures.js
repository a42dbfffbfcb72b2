/* Pictures: a button shows one larger, with all of its text. */
const viewer = document.getElementById("viewer");
for (const button of document.querySelectorAll("button.enlarge")) {
  button.addEventListener("click", () => {
    const picture = button.querySelector("img"), item = button.closest("[data-id]");
    const large = viewer.querySelector("img");
    large.src = picture.src;
    large.alt = picture.alt;
    viewer.querySelector("p").textContent = item ? item.dataset.text || "" : "";
    viewer.querySelector("h2").textContent = item ? item.dataset.id : picture.alt;
    viewer.showModal();
  });
}
if (viewer) viewer.addEventListener("click", (event) => { if (event.target === viewer) viewer.close(); });
