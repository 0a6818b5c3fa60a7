/**
 * The matrix for a terminal: rows are sources, columns are what a destination offers; a word names who closes it. A
 * large one is a list of destinations.
 */
import type { ExplainStyle } from "../render-explain.ts";
import { type CellWord, noAnswerMeaning, wordOf } from "./cell-words.ts";
import { isClosedToAll, type Matrix, type MatrixColumn } from "./matrix.ts";
import { renderMatrixList } from "./render-matrix-list.ts";

const tones = { good: "good", bad: "bad", half: null, none: "dim" } as const;

/** Tables with more rows than a screen has are lists. */
const maxTableGroups = 40;

/** Lines of at most `width` characters where the names allow it, each with its newline. */
export function renderMatrixText(matrix: Matrix, style: ExplainStyle, width: number): string {
  const { groups, columns } = matrix;
  const shown = columns.filter((column) => !isClosedToAll(matrix, column));
  const nameWidth = Math.max(0, ...groups.map((group) => group.name.length));
  const cells = shown.map((column) => groups.map((_, source) => wordOf(matrix, column, source)));
  const lines: string[] = groups.length > maxTableGroups ? renderMatrixList(matrix, shown, style) : [];
  const blocks = groups.length > maxTableGroups ? [] : cutBlocks(matrix, shown, cells, width - nameWidth);
  for (const block of blocks) {
    if (lines.length > 0) lines.push("");
    lines.push(...renderBlock(matrix, shown, cells, block, nameWidth, style));
  }
  if (shown.length === 0) lines.push("Nobody reaches anybody.");
  lines.push("", ...renderNotes(matrix, shown, cells.flat(), style));
  return `${lines.join("\n")}\n`;
}

/** Columns that stand side by side: whole destinations as far as they fit. */
function cutBlocks(
  matrix: Matrix,
  shown: readonly MatrixColumn[],
  cells: readonly (readonly CellWord[])[],
  width: number,
): readonly (readonly number[])[] {
  const blocks: number[][] = [];
  let used = 0;
  for (const span of spansOf(
    shown.map((_, i) => i),
    shown,
  )) {
    const own = span.reduce((sum, i) => sum + widthOf(shown, cells, i) + 2, 0);
    const needed = Math.max(own, nameOf(matrix, shown, span).length + 2);
    const last = blocks.at(-1);
    if (last && used + needed <= width) {
      last.push(...span);
      used += needed;
    } else {
      blocks.push([...span]);
      used = needed;
    }
  }
  return blocks;
}

/** Neighbours with one destination. */
function spansOf(indexes: readonly number[], shown: readonly MatrixColumn[]): readonly (readonly number[])[] {
  const spans: number[][] = [];
  for (const i of indexes) {
    const last = spans.at(-1);
    if (last && shown[last[0] as number]?.destination === shown[i]?.destination) last.push(i);
    else spans.push([i]);
  }
  return spans;
}

function widthOf(shown: readonly MatrixColumn[], cells: readonly (readonly CellWord[])[], i: number): number {
  return Math.max(shown[i]?.label.length ?? 0, ...(cells[i] ?? []).map((cell) => cell.text.length));
}

function nameOf(matrix: Matrix, shown: readonly MatrixColumn[], span: readonly number[]): string {
  const column = shown[span[0] as number];
  return column ? (matrix.groups[column.destination]?.name ?? "") : "";
}

function renderBlock(
  matrix: Matrix,
  shown: readonly MatrixColumn[],
  cells: readonly (readonly CellWord[])[],
  block: readonly number[],
  nameWidth: number,
  style: ExplainStyle,
): string[] {
  const widths = new Map(block.map((i) => [i, widthOf(shown, cells, i)]));
  let head = "".padEnd(nameWidth);
  for (const span of spansOf(block, shown)) {
    const name = nameOf(matrix, shown, span);
    const own = span.reduce((sum, i) => sum + (widths.get(i) ?? 0) + 2, 0) - 2;
    const last = span.at(-1) as number;
    // A long name widens its last column.
    if (name.length > own) widths.set(last, (widths.get(last) ?? 0) + name.length - own);
    head += `  ${name.padEnd(Math.max(own, name.length))}`;
  }
  const labels = block.map((i) => `  ${(shown[i]?.label ?? "").padEnd(widths.get(i) ?? 0)}`).join("");
  const lines = [style.bold(head.trimEnd()), style.dim(`${"from".padEnd(nameWidth)}${labels}`.trimEnd())];
  matrix.groups.forEach((group, source) => {
    const row = block.map((i) => {
      const { text, tone } = (cells[i] as readonly CellWord[])[source] as CellWord;
      const tint = tones[tone];
      return `  ${tint === null ? text : style[tint](text)}${" ".repeat((widths.get(i) ?? 0) - text.length)}`;
    });
    lines.push(`${group.name.padEnd(nameWidth)}${row.join("")}`.trimEnd());
  });
  return lines;
}

function renderNotes(
  matrix: Matrix,
  shown: readonly MatrixColumn[],
  cells: readonly CellWord[],
  style: ExplainStyle,
): string[] {
  const meanings = new Map(cells.flatMap(({ text, meaning }) => (meaning ? [[text.replace("!", ""), meaning]] : [])));
  const closers = [...meanings].map(([word, meaning]) => `${word} ${meaning}`);
  const notes: string[] = [];
  if (closers.length > 0) notes.push(`A word says who closes it: ${closers.join(", ")}.`);
  if (cells.some(({ text }) => text.endsWith("!"))) notes.push(`With !, ${noAnswerMeaning}.`);
  const hidden = matrix.columns.length - shown.length;
  if (hidden > 0) {
    notes.push(
      `Not shown: what nobody reaches (${hidden === 1 ? "1 column" : `${hidden} columns`}; --json and --html have them).`,
    );
  }
  const several = matrix.groups.filter((group) => group.members.length > 1);
  if (matrix.groups.length > maxTableGroups) {
    if (several.length > 0) notes.push("A name with +N stands for N more like it; --json has their names.");
    return notes.map((note) => style.dim(note));
  }
  return [
    ...notes.map((note) => style.dim(note)),
    ...several.map((group) => style.dim(`${group.name}: ${listNames(group.members.map((member) => member.name))}`)),
  ];
}

function listNames(names: readonly string[]): string {
  return names.length <= 12 ? names.join(", ") : `${names.slice(0, 12).join(", ")} and ${names.length - 12} more`;
}
