/**
 * The matrix as one page that needs nothing else: a heat map whose cells say in words why, on hover and on focus. It
 * works from a file, offline, with the keyboard, in light and dark.
 */
import { formatProtocol, hasPorts, isIcmp } from "../../net/protocol.ts";
import type { EndpointNames } from "../render-explain-names.ts";
import { noAnswerMeaning, wordOf } from "./cell-words.ts";
import { type EndpointGroup, flowFamilies, pairOf } from "./groups.ts";
import { matrixScript } from "./html/script.ts";
import { matrixStyle } from "./html/style.ts";
import { cellOf, isClosedToAll, type Matrix, type MatrixColumn } from "./matrix.ts";
import { formatFamily } from "./render-matrix-json.ts";
import type { Service } from "./services.ts";

/** More cells than browsers like. */
export const maxHtmlCells = 150_000;

/** `directories` are named in the commands that the page shows. */
export function renderMatrixHtml(matrix: Matrix, names: EndpointNames, directories: readonly string[]): string {
  const texts = new TextPool();
  const rows = renderRows(matrix, names, texts);
  const title = `Who reaches whom: ${directories.join(", ")}`;
  const data = {
    texts: texts.items,
    rows: matrix.groups.map((group) => ({ name: group.name, members: group.members.map((m) => m.name) })),
    columns: matrix.columns.map((column) => ({ to: column.destination, label: column.label, flags: flagsOf(column) })),
    references: matrix.groups.map((group) => group.members.slice(0, 2).map((member) => member.reference)),
    directories,
  };
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(title)}</title>
<style>${matrixStyle}</style>
</head>
<body>
<header>
<h1>Who reaches whom</h1>
<p class="where">${escapeHtml(directories.join(", "))}</p>
${renderLegend(matrix)}
<form class="tools">
<label>Find <input id="find" type="search" placeholder="part of a name" autocomplete="off"></label>
<label><input id="closed" type="checkbox"> show what nobody reaches</label>
</form>
</header>
<main>
<div class="scroll" tabindex="-1">
<table id="matrix" role="grid" aria-label="Sources in rows, destinations in columns">
${renderHead(matrix)}
<tbody>
${rows}
</tbody>
</table>
</div>
</main>
<aside id="why" aria-live="polite"><p>Point at a cell, or move through the cells with the arrow keys, to read why.</p></aside>
<script type="application/json" id="data">${JSON.stringify(data).replaceAll("<", "\\u003c")}</script>
<script>${matrixScript}</script>
</body>
</html>
`;
}

function renderHead(matrix: Matrix): string {
  const spans: { destination: number; columns: MatrixColumn[] }[] = [];
  for (const column of matrix.columns) {
    const last = spans.at(-1);
    if (last?.destination === column.destination) last.columns.push(column);
    else spans.push({ destination: column.destination, columns: [column] });
  }
  const groups = spans.map(({ destination, columns }) => {
    const name = matrix.groups[destination]?.name ?? "";
    return `<th scope="colgroup" colspan="${columns.length}" data-to="${destination}">${escapeHtml(name)}</th>`;
  });
  const services = matrix.columns.map((column, i) => {
    const first = spans.some((span) => span.columns[0] === column) ? " first" : "";
    const closed = isClosedToAll(matrix, column) ? " shut" : "";
    return `<th scope="col" class="service${first}${closed}" data-c="${i}"><span>${escapeHtml(column.label)}</span></th>`;
  });
  return `<thead>
<tr><th class="corner" rowspan="2">from \\ to</th>${groups.join("")}</tr>
<tr>${services.join("")}</tr>
</thead>`;
}

function renderRows(matrix: Matrix, names: EndpointNames, texts: TextPool): string {
  const heads = new Set<MatrixColumn>();
  matrix.columns.forEach((column, i) => {
    if (matrix.columns[i - 1]?.destination !== column.destination) heads.add(column);
  });
  const closed = new Set(matrix.columns.filter((column) => isClosedToAll(matrix, column)));
  return matrix.groups
    .map((group, source) => {
      const cells = matrix.columns.map((column, c) => {
        const { text, tone } = wordOf(matrix, column, source);
        const classes = `${tone}${heads.has(column) ? " first" : ""}${closed.has(column) ? " shut" : ""}`;
        const why = tone === "none" ? "" : ` data-w="${texts.add(describeCell(matrix, names, column, source))}"`;
        return `<td class="${classes}" data-c="${c}"${why} tabindex="-1">${escapeHtml(text)}</td>`;
      });
      return `<tr data-r="${source}"><th scope="row">${escapeHtml(group.name)}</th>${cells.join("")}</tr>`;
    })
    .join("\n");
}

/** `explain`'s words; once for families that are decided alike. */
function describeCell(matrix: Matrix, names: EndpointNames, column: MatrixColumn, source: number): string {
  const from = matrix.groups[source] as EndpointGroup;
  const pair = pairOf(from, matrix.groups[column.destination] as EndpointGroup);
  const numbers = cellOf(column, source);
  const service = column.services[0];
  if (pair === null || !service) return "";
  const isOne = new Set(numbers.filter((number) => number >= 0)).size === 1;
  const parts: string[] = [];
  flowFamilies.forEach((family, f) => {
    if ((numbers[f] as number) < 0 || (isOne && parts.length > 0)) return;
    const lines = matrix.judge.describe(pair[0], pair[1], service, family, names);
    parts.push(...(isOne ? lines : lines.map((line, i) => (i === 0 ? `${formatFamily(family)}: ${line}` : line))));
  });
  return parts.join("\n");
}

/** What `explain` needs to be asked about the column's first service. */
function flagsOf({ services, cells }: MatrixColumn): string {
  const { protocol, port, icmpType, icmpCode, isEcho } = services[0] as Service;
  // A ping is of the first family that there is.
  if (isEcho && cells.every((cell, i) => cell < 0 || i % flowFamilies.length > 0)) return "--protocol icmpv6";
  if (isEcho) return "--protocol icmp";
  const name = `--protocol ${formatProtocol(protocol)}`;
  if (hasPorts(protocol)) return `${name} --port ${port}`;
  return isIcmp(protocol) ? `${name} --icmp-type ${icmpType} --icmp-code ${icmpCode}` : name;
}

function renderLegend(matrix: Matrix): string {
  const meanings = new Map<string, string>();
  let isHalf = false;
  for (const column of matrix.columns) {
    matrix.groups.forEach((_, source) => {
      const { text, meaning } = wordOf(matrix, column, source);
      if (meaning !== null) meanings.set(text.replace("!", ""), meaning);
      if (text.endsWith("!")) isHalf = true;
    });
  }
  const closers = [...meanings].map(([word, meaning]) => `<b>${escapeHtml(word)}</b> ${escapeHtml(meaning)}`);
  const parts = [
    `<li><i class="good">open</i></li>`,
    ...(closers.length > 0 ? [`<li><i class="bad">word</i> closed by ${closers.join(", ")}</li>`] : []),
    ...(isHalf ? [`<li><i class="half">word!</i> ${noAnswerMeaning}</li>`] : []),
  ];
  return `<ul class="legend">${parts.join("")}</ul>`;
}

/** Equal texts once. */
class TextPool {
  readonly items: string[] = [];
  readonly #numbers = new Map<string, number>();

  add(text: string): number {
    const known = this.#numbers.get(text);
    if (known !== undefined) return known;
    const number = this.items.push(text) - 1;
    this.#numbers.set(text, number);
    return number;
  }
}

const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => entities[character] ?? "");
}
