/** The matrix as a list, where a table would be too large to read: for each destination, who reaches what. */
import type { ExplainStyle } from "../render-explain.ts";
import { wordOf } from "./cell-words.ts";
import type { Matrix, MatrixColumn } from "./matrix.ts";

/** Names that are listed one by one. */
const shownNames = 8;

/** Lines of the columns given, in their order. */
export function renderMatrixList(matrix: Matrix, shown: readonly MatrixColumn[], style: ExplainStyle): string[] {
  const lines: string[] = [];
  const labelWidth = Math.min(40, Math.max(0, ...shown.map((column) => column.label.length)));
  shown.forEach((column, i) => {
    if (shown[i - 1]?.destination !== column.destination) {
      if (lines.length > 0) lines.push("");
      lines.push(style.bold(`to ${matrix.groups[column.destination]?.name}`));
    }
    lines.push(`  ${column.label.padEnd(labelWidth)}  ${describeSources(matrix, column, style)}`);
  });
  return lines;
}

/** `open to everybody`, `open to a, b; nacl to 3 others`. */
function describeSources(matrix: Matrix, column: MatrixColumn, style: ExplainStyle): string {
  const byWord = new Map<string, string[]>();
  matrix.groups.forEach((group, source) => {
    const { text, tone } = wordOf(matrix, column, source);
    if (tone !== "none") byWord.set(text, [...(byWord.get(text) ?? []), group.name]);
  });
  const total = [...byWord.values()].reduce((sum, names) => sum + names.length, 0);
  const words = [...byWord].sort(([a], [b]) => rank(a) - rank(b));
  const parts = words.map(([word, names], i) => {
    const tint = rank(word) === 0 ? style.good : rank(word) === 2 ? style.bad : (text: string) => text;
    if (names.length === total) return `${tint(word)} to everybody`;
    // The closed rest is what is left; few who are left out are named.
    const isRest = i === words.length - 1 && names.length > shownNames;
    return `${tint(word)} to ${isRest ? `the ${names.length} others` : listNames(names)}`;
  });
  return parts.join("; ");
}

/** Open first, then what is half open, then closed. */
function rank(word: string): number {
  return word === "open" ? 0 : word.endsWith("!") || word.endsWith(" only") || word === "mixed" ? 1 : 2;
}

function listNames(names: readonly string[]): string {
  if (names.length <= shownNames) return names.join(", ");
  return `${names.slice(0, shownNames).join(", ")} and ${names.length - shownNames} more`;
}
