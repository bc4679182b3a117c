"use strict";
// The rows are in the page, so that they can be read without this script. It takes them out, and puts back those that
// are asked for, a few hundred at a time. It moves elements and sets texts; it never makes markup of data.

// The script runs before the rows are read, and hides them until it has taken them out: a browser needs half a minute
// to lay out 50,000 rows that arrive piece by piece.
document.documentElement.classList.add("loading");
addEventListener("DOMContentLoaded", () => {
  try {
    start();
  } finally {
    document.documentElement.classList.remove("loading");
  }
});

function start() {
  const PAGE = 200;
  scrollable();
  const table = document.getElementById("documents");
  if (!table) return;
  const heading = document.getElementById("all-documents");
  const form = document.getElementById("filters");
  const fields = form.elements;
  const pager = document.getElementById("pager");
  const [back, on] = pager.querySelectorAll("button");
  const shown = document.getElementById("shown");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const place = (name) => heads.findIndex((head) => head.dataset.column === name);
  const plain = (text) => text.normalize("NFC").toLowerCase();
  // Numbers in texts count as such: scan-9 before scan-10, and a confidence, which always has two digits, as it should.
  const collator = new Intl.Collator(undefined, { numeric: true });
  const count = (number) => number.toLocaleString("en");

  // A type may be called "no match" as well; the mark distinguishes it from a document without a match.
  const text = (cell) => cell.textContent.trim();
  const name = (cell) => text(cell).replace(/^[✓✗] /, "");
  const key = (cell) => (cell.classList.contains("without") ? "-" : "+") + name(cell);
  const selects = ["type", "status", "label"].filter((column) => place(column) >= 0);
  const columns = selects.map(place);

  const all = [...body.rows].map((row, nth) => {
    const cells = [...row.cells].map(text);
    return { row, nth, cells, keys: columns.map((column) => key(row.cells[column])), text: plain(cells.join("\n")) };
  });
  body.replaceChildren();
  let chosen = all;
  let page = 0;
  let sorted = { column: -1, direction: "none" };
  let pairs = [];

  const show = () => {
    const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const from = page * PAGE;
    const rows = chosen.slice(from, from + PAGE);
    body.replaceChildren(...rows.map((entry) => entry.row));
    const range = pages > 1 ? `${count(from + 1)} to ${count(from + rows.length)} of ` : "";
    const whole = chosen.length < all.length ? ` (of ${count(all.length)})` : "";
    shown.textContent = `${range}${count(chosen.length)} ${chosen.length === 1 ? "document" : "documents"}${whole}`;
    back.hidden = on.hidden = pages === 1;
    const focused = document.activeElement;
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
    // A button that is disabled loses the focus.
    if (focused === back && back.disabled) on.focus();
    if (focused === on && on.disabled) back.focus();
  };

  const compare = (one, other) => {
    const { column, direction } = sorted;
    const [left, right] = [one.cells[column], other.cells[column]];
    // What is empty comes last either way, and equals keep their order.
    if (left === "" || right === "") return (left === "") - (right === "") || one.nth - other.nth;
    const order = collator.compare(left, right);
    return (direction === "descending" ? -order : order) || one.nth - other.nth;
  };

  const choose = () => {
    const words = plain(fields.text.value.trim());
    const wanted = selects.map((column) => fields[column].value);
    const has = (entry, field, mark) => !fields[field]?.checked || entry.row.classList.contains(mark);
    chosen = all.filter((entry) =>
      entry.text.includes(words) && wanted.every((value, nth) => value === "" || entry.keys[nth] === value)
      && has(entry, "review", "review") && has(entry, "mistakes", "mistake"));
    if (sorted.direction !== "none") chosen.sort(compare);
    for (const { button, label, type } of pairs) {
      button.setAttribute("aria-pressed", fields.label.value === label && fields.type.value === type);
    }
    page = 0;
    show();
  };

  const clear = () => {
    for (const field of fields) {
      if (field.type === "checkbox") field.checked = false;
      else if (field.type !== "button") field.value = "";
    }
  };

  const sort = (column) => {
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const direction = next[sorted.column === column ? sorted.direction : "none"];
    sorted = { column, direction };
    heads.forEach((head, nth) => head.setAttribute("aria-sort", nth === column ? direction : "none"));
    choose();
  };

  // Makes a button of the content of a cell.
  const button = (cell, press) => {
    const made = document.createElement("button");
    made.type = "button";
    made.append(...cell.childNodes);
    made.addEventListener("click", press);
    cell.append(made);
    return made;
  };

  heads.forEach((head, nth) => {
    button(head, () => sort(nth));
    head.setAttribute("aria-sort", "none");
  });
  selects.forEach((column, nth) => {
    const texts = new Map(all.map((entry) => [entry.keys[nth], name(entry.row.cells[columns[nth]]) || "none"]));
    const options = [...texts].sort(([, one], [, other]) => collator.compare(one, other));
    for (const [value, words] of options) fields[column].add(new Option(words, value));
  });

  // A number of the confusion matrix shows the documents that it counts; a second press shows all again.
  const matrix = document.querySelector("table.matrix");
  if (matrix) {
    const results = [...matrix.tHead.rows[0].cells];
    pairs = [...matrix.tBodies[0].rows].flatMap((row) => [...row.cells].map((cell, nth) => {
      if (cell.tagName !== "TD" || cell.classList.contains("none")) return null;
      const [label, type] = [key(row.cells[0]), key(results[nth])];
      const number = text(cell);
      const made = button(cell, () => {
        const isPressed = made.getAttribute("aria-pressed") === "true";
        clear();
        if (!isPressed) [fields.label.value, fields.type.value] = [label, type];
        choose();
        if (isPressed) return;
        heading.focus({ preventScroll: true });
        heading.scrollIntoView({ block: "start" });
      });
      made.setAttribute("aria-label", `${number} ${number === "1" ? "document" : "documents"}: label ${text(row.cells[0])}, result ${text(results[nth])}`);
      made.setAttribute("aria-pressed", "false");
      return { button: made, label, type };
    })).filter(Boolean);
    document.getElementById("matrix-hint").hidden = false;
  }

  let wait;
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(choose, all.length > 2000 ? 150 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  document.getElementById("clear").addEventListener("click", () => {
    clear();
    choose();
  });
  const turn = (by) => {
    page += by;
    show();
    table.scrollIntoView({ block: "start" });
  };
  back.addEventListener("click", () => turn(-1));
  on.addEventListener("click", () => turn(1));
  // On paper there is nothing to click.
  addEventListener("beforeprint", () => body.replaceChildren(...chosen.map((entry) => entry.row)));
  addEventListener("afterprint", show);
  form.hidden = pager.hidden = false;
  show();
}

// A table that is wider than the screen can be scrolled with the keyboard.
function scrollable() {
  const update = (box) => {
    const table = box.querySelector("table");
    const isWide = box.scrollWidth > box.clientWidth;
    const values = { tabindex: "0", role: "group", "aria-labelledby": table.getAttribute("aria-labelledby") };
    for (const [attribute, value] of Object.entries(values)) {
      if (isWide) box.setAttribute(attribute, value);
      else box.removeAttribute(attribute);
    }
  };
  const observer = new ResizeObserver((entries) => entries.forEach((entry) => update(entry.target.closest(".scroll"))));
  for (const box of document.querySelectorAll(".scroll")) {
    observer.observe(box);
    observer.observe(box.querySelector("table"));
  }
}
