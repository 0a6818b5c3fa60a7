/**
 * What the matrix's page does: shows why on hover and focus, moves with the arrow keys, finds names. It makes text
 * only, never markup, from what the input says.
 */
export const matrixScript = `
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const table = document.getElementById("matrix");
const why = document.getElementById("why");
const find = document.getElementById("find");
const closed = document.getElementById("closed");
const rows = [...table.tBodies[0].rows];
const groupHeads = [...table.tHead.rows[0].cells].slice(1);
const columnHeads = [...table.tHead.rows[1].cells];
let focused = null;
let lit = null;

function line(tag, text, name) {
  const element = document.createElement(tag);
  element.textContent = text;
  if (name) element.className = name;
  return element;
}

function show(cell) {
  const row = Number(cell.parentNode.dataset.r);
  const column = data.columns[Number(cell.dataset.c)];
  const from = data.rows[row];
  const to = data.rows[column.to];
  const parts = [line("h2", from.name + " \\u2192 " + to.name + "  " + column.label)];
  if (cell.dataset.w === undefined) {
    const isSelf = row === column.to;
    parts.push(line("p", isSelf ? "An endpoint always reaches itself." : "No such flow: they share no address family, or both are outside.", "dim"));
  } else {
    for (const text of data.texts[Number(cell.dataset.w)].split("\\n")) parts.push(line("p", text));
    const source = data.references[row][0];
    const destination = data.references[column.to][row === column.to ? 1 : 0];
    const dirs = data.directories.map((dir) => "--dir " + quote(dir)).join(" ");
    const command = line("p", "", "dim");
    command.append("ask again: ", line("code", "verdictd explain " + dirs + " --from " + quote(source) + " --to " + quote(destination) + " " + column.flags));
    parts.push(command);
  }
  for (const group of from === to ? [from] : [from, to]) {
    if (group.members.length > 1) parts.push(line("p", group.name + ": " + group.members.slice(0, 40).join(", ") + (group.members.length > 40 ? " \\u2026" : ""), "dim"));
  }
  why.replaceChildren(...parts);
}

function quote(text) {
  return /^[\\w@%+=:,./-]+$/.test(text) ? text : "'" + text.replaceAll("'", "'\\\\''") + "'";
}

function light(cell) {
  if (lit) lit.classList.remove("lit");
  lit = cell;
  if (cell) cell.classList.add("lit");
}

function cellAt(event) {
  return event.target instanceof Element ? event.target.closest("td") : null;
}

function enter(cell) {
  if (focused) focused.tabIndex = -1;
  focused = cell;
  cell.tabIndex = 0;
}

table.addEventListener("mouseover", (event) => {
  const cell = cellAt(event);
  if (!cell) return;
  light(cell);
  show(cell);
});
table.addEventListener("mouseleave", () => {
  light(null);
  if (focused && document.activeElement === focused) show(focused);
});
table.addEventListener("focusin", (event) => {
  const cell = cellAt(event);
  if (!cell) return;
  enter(cell);
  show(cell);
});
table.addEventListener("click", (event) => cellAt(event)?.focus());

const isSeen = (element) => element.getClientRects().length > 0;
table.addEventListener("keydown", (event) => {
  const cell = cellAt(event);
  if (!cell) return;
  const seenRows = rows.filter(isSeen);
  const cells = [...cell.parentNode.cells].filter((c) => c.tagName === "TD" && isSeen(c));
  const at = cells.indexOf(cell);
  const down = (step) => seenRows[seenRows.indexOf(cell.parentNode) + step]?.cells[cell.cellIndex];
  const next = {
    ArrowRight: () => cells[at + 1],
    ArrowLeft: () => cells[at - 1],
    ArrowDown: () => down(1),
    ArrowUp: () => down(-1),
    Home: () => cells[0],
    End: () => cells.at(-1),
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest", inline: "nearest" });
});

function update() {
  table.classList.toggle("all", closed.checked);
  const wanted = find.value.trim().toLowerCase();
  const has = (group) => group.name.toLowerCase().includes(wanted) || group.members.some((m) => m.toLowerCase().includes(wanted));
  const found = data.rows.map((group) => wanted === "" || has(group));
  const any = found.some(Boolean);
  // A name stands for its row and its columns.
  const shown = data.columns.map((column, c) => closed.checked || !columnHeads[c].classList.contains("shut"));
  rows.forEach((row, r) => {
    for (const cell of [...row.cells].slice(1)) {
      const column = data.columns[Number(cell.dataset.c)];
      cell.classList.toggle("faded", any && !found[r] && !found[column.to]);
    }
    row.classList.toggle("gone", any && !found[r] && !data.columns.some((column, c) => shown[c] && found[column.to]));
  });
  for (const head of groupHeads) {
    const own = data.columns.filter((column, c) => column.to === Number(head.dataset.to) && shown[c]).length;
    head.classList.toggle("gone", own === 0);
    if (own > 0) head.colSpan = own;
  }
  const first = rows.flatMap((row) => [...row.cells].slice(1)).find(isSeen);
  if (first && (!focused || !isSeen(focused))) enter(first);
}
find.addEventListener("input", update);
closed.addEventListener("change", update);
document.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
update();
`;
