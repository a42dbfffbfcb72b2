"use strict";
// What the theme leaves out for those who use a keyboard or a screen reader: code and tables that
// are wider than the page can be reached and scrolled, and what looks alike has names of its own.
(function () {
  function named(selector, name) {
    document.querySelectorAll(selector).forEach(function (place) { place.setAttribute("aria-label", name); });
  }
  function reach() {
    document.querySelectorAll("article pre, article .table-wrapper, article .cell_output > .output")
      .forEach(function (box) {
        if (box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight) {
          box.setAttribute("tabindex", "0");
        } else {
          box.removeAttribute("tabindex");
        }
      });
  }
  named(".sidebar-drawer", "Pages");
  named(".toc-drawer", "On this page");
  // the corner of a data frame heads nothing
  document.querySelectorAll("table.dataframe th:empty").forEach(function (corner) {
    corner.replaceWith(document.createElement("td"));
  });
  reach();
  window.addEventListener("load", reach);  // with the fonts that the page is read in
  window.addEventListener("resize", reach);
})();
