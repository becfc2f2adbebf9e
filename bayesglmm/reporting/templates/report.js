"use strict";
(() => {
  document.documentElement.classList.add("js");
  const key = (row, at) => {
    const text = row.cells[at].textContent.trim();
    return text !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
  };
  const compare = (a, b) => (typeof a !== typeof b ? (typeof a === "number" ? -1 : 1) : a < b ? -1 : a > b ? 1 : 0);
  const sort = (head) => {
    const body = head.closest("table").tBodies[0], sign = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
    body.append(...[...body.rows].sort((a, b) => sign * compare(key(a, head.cellIndex), key(b, head.cellIndex))));
  };
  for (const head of document.querySelectorAll(".sortable thead th")) {
    head.tabIndex = 0;
    head.addEventListener("click", () => sort(head));
    head.addEventListener("keydown", (event) => { if (event.key === "Enter") sort(head); });
  }
  const folds = [...document.querySelectorAll("details")], button = document.getElementById("fold");
  const open = (all) => folds.forEach((fold) => { fold.open = all; });
  button.hidden = false;
  button.addEventListener("click", () => open(folds.some((fold) => !fold.open)));
  addEventListener("beforeprint", () => open(true));
})();
