"use strict";
// Tables of class "sortable": the head of a column sorts by it, and again the other way round.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const value = (line, place) => {
    const cell = line.cells[place];
    const number = Number(cell.dataset.value ?? cell.textContent);
    return Number.isNaN(number) ? cell.textContent.trim() : number;
  };
  const compare = (a, b) =>
    typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));

  const sort = (head, direction) => {
    for (const each of head.parentElement.cells) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", direction);
    const sign = direction === "ascending" ? 1 : -1;
    const place = head.cellIndex;
    const lines = [...body.rows].map((line) => [value(line, place), line]);
    lines.sort((one, other) => sign * compare(one[0], other[0]));
    body.append(...lines.map((pair) => pair[1]));
  };

  for (const head of table.tHead.rows[0].cells) {
    if (head.classList.contains("plain")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "descending";
      sort(head, falling ? "ascending" : "descending");
      table.dispatchEvent(new CustomEvent("sorted"));
    });
  }
}
