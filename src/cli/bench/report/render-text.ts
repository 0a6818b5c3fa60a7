/** A result on the screen: ratios first, then goals, then the absolutes. Pure. */
import type { Style } from "../../demo/style.ts";
import type { BenchResult, RunFacts } from "./result.ts";
import { figureTables, goalTable, ratioTables, type Table } from "./tables.ts";

export function renderText(result: BenchResult, style: Style): string {
  const { run } = result;
  const lines = [style.bold(headline(result)), ...factLines(result), ""];
  lines.push(style.bold("Ratios"), style.dim(` medians of ${rotationsOf(run)}, and their range`), "");
  for (const table of ratioTables(result)) lines.push(...tableLines(table, style), "");
  if (result.goals.length > 0) lines.push(...tableLines(goalTable(result), style), "");
  lines.push(style.bold("Absolutes"), style.dim(` medians of ${rotationsOf(run)}`), "");
  for (const table of figureTables(result)) lines.push(...tableLines(table, style), "");
  return lines.join("\n");
}

export function headline({ program, run }: BenchResult): string {
  return `verdictd ${program.version} (${program.commit}) · ${run.form} form · ${run.begun}`;
}

export function factLines({ machine, run }: BenchResult): string[] {
  const where = run.placements.map((p) =>
    p.name === "free"
      ? "free: all of it where the scheduler likes"
      : `pinned: traffic on CPU ${p.traffic}, the server on CPU ${p.server}`,
  );
  const shortened = run.rotations < 5 ? " (fewer than the five that figures to quote need)" : "";
  return [
    ` ${machine.cpus} × ${machine.cpu}, ${Math.round(machine.memoryBytes / 2 ** 30)} GiB · Linux ${machine.kernel} · Node ${machine.node} · queue by ${machine.queueRule} · load before ${machine.loadBefore.toFixed(2)}`,
    ` ${rotationsOf(run)}${shortened}, turns of ${run.seconds} s, ${Math.round(run.elapsedSeconds)} s in all · ${where.join("; ")}`,
    ...(machine.loadBefore > machine.cpus / 4
      ? [
          ` others were at work on these CPUs when it began (load ${machine.loadBefore.toFixed(1)}): don't quote these figures`,
        ]
      : []),
    ...(run.engineFlags.length > 0 ? [` run ${run.engineFlags.join(" ")}`] : []),
    ...(run.peer === null ? [] : [` peer: ${run.peer.join(" ")}`]),
  ];
}

function rotationsOf({ rotations, isCut }: RunFacts): string {
  if (isCut) return `up to ${rotations} rotations`;
  return rotations === 1 ? "one rotation" : `${rotations} rotations`;
}

function tableLines({ title, columns, rows }: Table, style: Style): string[] {
  const all = [columns, ...rows.map((row) => row.cells)];
  const widths = columns.map((_, i) => Math.max(...all.map((cells) => cells[i]?.length ?? 0)));
  const headWidth = Math.max(title.length, ...rows.map((row) => row.head.length + 2));
  const line = (cells: readonly string[]): string => cells.map((cell, i) => cell.padStart(widths[i] ?? 0)).join("  ");
  return [
    ` ${style.bold(title.padEnd(headWidth))}  ${style.dim(line(columns))}`.trimEnd(),
    ...rows.map((row) =>
      paint(style, row.cells[0] ?? "")(` ${`  ${row.head}`.padEnd(headWidth)}  ${line(row.cells)}`.trimEnd()),
    ),
  ];
}

function paint(style: Style, word: string): (text: string) => string {
  return word === "ok" ? style.good : word === "missed" ? style.bad : (text) => text;
}
