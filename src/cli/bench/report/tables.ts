/** A result cut into tables, for the screen and for the page alike. Pure. */
import { type PartName, parts } from "../parts/parts.ts";
import { formatValue } from "./format.ts";
import type { BenchResult, Figure } from "./result.ts";

export interface Table {
  readonly title: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly head: string; readonly cells: readonly string[] }[];
}

/** One for each comparison: variants in rows, placements in columns; medians, and their range over the rotations. */
export function ratioTables({ ratios, variants, run }: BenchResult): Table[] {
  const titles = [...new Set(ratios.map((r) => r.title))];
  return titles.map((title) => {
    const mine = ratios.filter((r) => r.title === title);
    const placements = run.placements.map((p) => p.name).filter((name) => mine.some((r) => r.placement === name));
    const rows = variants
      .filter((v) => mine.some((r) => r.variant === v.name))
      .map((v) => ({
        head: v.title,
        cells: placements.map((placement) => {
          const ratio = mine.find((r) => r.variant === v.name && r.placement === placement);
          if (ratio === undefined) return "";
          if (ratio.values.length === 1) return formatValue(ratio.median, "ratio");
          return `${formatValue(ratio.median, "ratio")} (${formatValue(ratio.p1, "ratio")} – ${formatValue(ratio.p99, "ratio")})`;
        }),
      }));
    return { title, columns: placements, rows };
  });
}

/** The absolutes: one for each part, placement and group of metrics, variants in rows. */
export function figureTables({ figures, variants }: BenchResult): Table[] {
  const groups = new Map<string, Figure[]>();
  for (const figure of figures) {
    const dot = figure.metric.indexOf(".");
    const group = dot < 0 ? "" : figure.metric.slice(0, dot);
    const key = [figure.part, figure.placement, group].join(" ");
    groups.set(key, [...(groups.get(key) ?? []), figure]);
  }
  return [...groups].map(([key, mine]) => {
    const [part = "", placement = "", group = ""] = key.split(" ");
    const metrics = [...new Set(mine.map((f) => f.metric))];
    const title = [parts[part as PartName]?.title ?? part, group, placement].filter((word) => word !== "").join(" · ");
    const rows = variants
      .filter((v) => mine.some((f) => f.variant === v.name))
      .map((v) => ({
        head: v.title,
        cells: metrics.map((metric) => {
          const figure = mine.find((f) => f.metric === metric && f.variant === v.name);
          return figure === undefined ? "" : formatValue(figure.median, figure.unit);
        }),
      }));
    return { title, columns: metrics.map((metric) => (group === "" ? metric : metric.slice(group.length + 1))), rows };
  });
}

export function goalTable({ goals }: BenchResult): Table {
  const rows = goals.map((goal) => ({
    head: goal.title,
    cells: [
      goal.isMet === null ? "not measured" : goal.isMet ? "ok" : "missed",
      goal.value === null ? "" : formatValue(goal.value, goal.unit),
      `${goal.isAtMost ? "≤" : "≥"} ${formatValue(goal.bound, goal.unit)}`,
      goal.variant,
    ],
  }));
  return { title: "goals", columns: ["", "measured", "goal", "of"], rows };
}
