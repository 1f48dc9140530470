// The page is complete without this. It adds a field to search the columns by name and a choice of their order.
"use strict";
const table = document.querySelector("#columns table"), body = table.tBodies[0], rows = [...body.rows];
const made = (kind, text) => Object.assign(document.createElement(kind), { textContent: text });
const bar = made("p", ""), field = made("input", ""), order = made("select", ""), count = made("span", "");
bar.className = "find";
field.type = "search";
count.setAttribute("role", "status");
for (const [value, text] of [["", "drifted columns first"], ["name", "name"], ["p", "p, smallest first"], ["psi", "PSI"], ["importance", "importance"]]) {
  order.append(Object.assign(made("option", text), { value }));
}
for (const [text, control] of [["Name contains ", field], ["Order ", order]]) {
  const label = made("label", text);
  label.append(control);
  bar.append(label);
}
bar.append(count);
table.before(bar);
const name = (row) => row.querySelector(".name").textContent;
const number = (row, key, none) => (row.dataset[key] === "" ? none : Number(row.dataset[key]));
const orders = {
  "": (a, b) => rows.indexOf(a) - rows.indexOf(b),
  name: (a, b) => name(a).localeCompare(name(b)),
  p: (a, b) => number(a, "p", 2) - number(b, "p", 2),
  psi: (a, b) => number(b, "psi", -1) - number(a, "psi", -1),
  importance: (a, b) => number(b, "importance", -1) - number(a, "importance", -1),
};
function show() {
  const wanted = field.value.trim().toLowerCase();
  const found = [...rows].sort(orders[order.value]);
  body.append(...found);
  for (const row of rows) row.hidden = !name(row).toLowerCase().includes(wanted);
  count.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} columns`;
}
field.addEventListener("input", show);
order.addEventListener("change", show);
addEventListener("keydown", (event) => {
  if (event.key === "Escape" && location.hash) location.hash = "#columns";
});
show();
