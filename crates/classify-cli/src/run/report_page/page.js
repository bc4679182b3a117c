"use strict";
// The rows are in the page, so that they can be read without this script. It takes them out, and puts back those that
// are asked for, a few hundred at a time. It moves elements and sets texts; it never makes markup of data.
(() => {
  const PAGE = 200;
  const table = document.getElementById("documents");
  if (!table) return;
  const form = document.getElementById("filters");
  const pager = document.getElementById("pager");
  const [back, on] = pager.querySelectorAll("button");
  const shown = document.getElementById("shown");
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const place = (name) => heads.findIndex((head) => head.dataset.column === name);
  const plain = (text) => text.normalize("NFC").toLowerCase();
  // Numbers in texts count as such: scan-9 before scan-10, and a confidence, which always has two digits, as it should.
  const collator = new Intl.Collator(undefined, { numeric: true });

  const all = [...body.rows].map((row, nth) => {
    const cells = [...row.cells].map((cell) => cell.textContent.trim());
    return { row, nth, cells, text: plain(cells.join("\n")) };
  });
  let chosen = all;
  let page = 0;
  let sorted = { column: -1, direction: "none" };

  const show = () => {
    const pages = Math.max(1, Math.ceil(chosen.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    const from = page * PAGE;
    const rows = chosen.slice(from, from + PAGE);
    body.replaceChildren(...rows.map((entry) => entry.row));
    const count = (number) => number.toLocaleString("en");
    const range = pages > 1 ? `${count(from + 1)} to ${count(from + rows.length)} of ` : "";
    const whole = chosen.length < all.length ? ` (of ${count(all.length)})` : "";
    shown.textContent = `${range}${count(chosen.length)} ${chosen.length === 1 ? "document" : "documents"}${whole}`;
    back.hidden = on.hidden = pages === 1;
    back.disabled = page === 0;
    on.disabled = page === pages - 1;
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
    const text = plain(form.elements.text.value.trim());
    const is = (entry, name) => {
      const wanted = form.elements[name].value;
      return wanted === "" || entry.cells[place(name)] === wanted;
    };
    const has = (entry, name, mark) => !form.elements[name]?.checked || entry.row.classList.contains(mark);
    chosen = all.filter((entry) =>
      entry.text.includes(text) && is(entry, "type") && is(entry, "status")
      && has(entry, "review", "review") && has(entry, "mistakes", "mistake"));
    if (sorted.direction !== "none") chosen.sort(compare);
    page = 0;
    show();
  };

  const sort = (column) => {
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const direction = next[sorted.column === column ? sorted.direction : "none"];
    sorted = { column, direction };
    heads.forEach((head, nth) => head.setAttribute("aria-sort", nth === column ? direction : "none"));
    choose();
  };

  heads.forEach((head, nth) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    button.addEventListener("click", () => sort(nth));
    head.append(button);
    head.setAttribute("aria-sort", "none");
  });
  for (const name of ["type", "status"]) {
    const texts = new Set(all.map((entry) => entry.cells[place(name)]));
    for (const text of [...texts].sort(collator.compare)) form.elements[name].add(new Option(text, text));
  }
  let wait;
  form.addEventListener("input", () => {
    clearTimeout(wait);
    wait = setTimeout(choose, all.length > 2000 ? 150 : 0);
  });
  form.addEventListener("submit", (event) => event.preventDefault());
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
})();
