"use strict";
// Sorts and filters the rows that are in the page; nothing is fetched.
const body = document.querySelector("tbody");
const rows = [...body.rows];
const heads = [...document.querySelectorAll("th")];
const filters = [...document.querySelectorAll(".filter")];
const search = document.getElementById("search");
const empty = document.getElementById("empty");

function show() {
  const state = filters.find((button) => button.getAttribute("aria-pressed") === "true").dataset.state;
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = (state && row.dataset.state !== state) || !words.every((word) => text.includes(word));
    shown += !row.hidden;
  }
  empty.hidden = shown > 0;
}

function value(row, column) {
  const cell = row.cells[column];
  return "value" in cell.dataset ? Number(cell.dataset.value) : cell.textContent.toLowerCase();
}

function compare(a, b) {
  return typeof a === "number" ? a - b : a.localeCompare(b, undefined, { numeric: true });
}

function sort(column) {
  const head = heads[column];
  const down = head.getAttribute("aria-sort") === "ascending";
  heads.forEach((other) => other.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  // What has no value comes last, whichever way the others are sorted.
  const known = rows.filter((row) => value(row, column) !== "");
  known.sort((a, b) => compare(value(a, column), value(b, column)) * (down ? -1 : 1));
  body.append(...known, ...rows.filter((row) => value(row, column) === ""));
}

heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
for (const button of filters) {
  button.addEventListener("click", () => {
    filters.forEach((other) => other.setAttribute("aria-pressed", String(other === button)));
    show();
  });
}
search.addEventListener("input", show);
