/** Which plots a result has: distributions, ratios, and how figures grow with the size of the inventory. Pure. */
import { formatTick, formatValue } from "./format.ts";
import type { BenchResult, Distribution } from "./result.ts";
import { type Bar, linearScale, logScale, nameScale, ninesScale, renderBars, renderLines, type Scale } from "./svg.ts";

export interface Plot {
  readonly title: string;
  readonly note: string;
  readonly svg: string;
}

/** A variant's colour is its place in the list, everywhere on the page. */
export function colorOf(result: BenchResult, variant: string): number {
  return Math.max(
    0,
    result.variants.findIndex((v) => v.name === variant),
  );
}

export function distributionPlots(result: BenchResult): Plot[] {
  // Round trips first, those of one placement together.
  const order = ({ part, placement }: Distribution): string =>
    `${part === "rtt" ? 0 : 1} ${placement === "free" ? 1 : 0}`;
  const sorted = [...result.distributions].sort((a, b) => (order(a) < order(b) ? -1 : order(a) > order(b) ? 1 : 0));
  const groups = groupBy(sorted, groupOf);
  return [...groups.values()].map((group) => {
    const [first] = group as [Distribution];
    const values = group.flatMap((d) => d.points.map(([, value]) => value));
    const nines = Math.max(...group.map((d) => Math.log10(Math.max(10, d.count))));
    return {
      title: titleOf(first),
      note: `share of ${Math.min(...group.map((d) => d.count)).toLocaleString("en")} or more samples that took no longer`,
      svg: renderLines({
        label: titleOf(first),
        x: logScale(Math.min(...values), Math.max(...values), (v) => formatTick(v, "ns")),
        y: ninesScale(nines),
        xTitle: "time",
        hasDots: false,
        lines: group.map((d) => ({
          color: colorOf(result, d.variant),
          name: result.variants.find((v) => v.name === d.variant)?.title ?? d.variant,
          points: d.points.map(([share, value]) => [value, share] as const),
        })),
      }),
    };
  });
}

export function ratioPlots(result: BenchResult): Plot[] {
  const groups = groupBy(result.ratios, (r) => `${r.title} ${r.placement}`);
  return [...groups.values()].map((ratios) => {
    const [{ title, placement, better }] = ratios as [(typeof ratios)[number]];
    const bars = ratios.map((r): Bar => {
      const name = result.variants.find((v) => v.name === r.variant)?.title ?? r.variant;
      const text = formatValue(r.median, "ratio");
      return { name, color: colorOf(result, r.variant), value: r.median, low: r.p1, high: r.p99, text };
    });
    return { title, note: `${placement} · ${better} is better`, svg: renderBars(title, bars) };
  });
}

interface Growth {
  readonly title: string;
  readonly part: string;
  readonly metric: string;
  readonly isLog?: boolean;
}

const growths: readonly Growth[] = [
  { title: "CPU time a new flow", part: "capacity", metric: "flood.cost" },
  { title: "round trip of a first packet, back to back, p50", part: "rtt", metric: "back-to-back.p50" },
  { title: "a policy's change met by packets, p50", part: "update", metric: "policy.packets.p50", isLog: true },
  { title: "start until enforced", part: "start", metric: "ready", isLog: true },
  { title: "resident memory after the start", part: "start", metric: "memory" },
];

/** Over the sizes that have Kubernetes policies alone, so that nothing else grows. */
export function growthPlots(result: BenchResult): Plot[] {
  const sizes = result.variants.filter((v) => v.kind === "engine" && v.dataset?.kinds === "kubernetes");
  const names = sizes.map((v) => v.name.replace(/^v-/, "").replace("-", " / "));
  return growths.flatMap(({ title, part, metric, isLog = false }) => {
    const found = result.figures.filter((f) => f.part === part && f.metric === metric);
    const placement = found[0]?.placement;
    const points = sizes.flatMap(({ name }, i) => {
      const figure = found.find((f) => f.variant === name && f.placement === placement);
      return figure === undefined || !Number.isFinite(figure.median) ? [] : [[i, figure.median] as const];
    });
    const unit = found[0]?.unit;
    if (points.length < 2 || unit === undefined) return [];
    const values = points.map(([, value]) => value);
    const format = (value: number): string => formatTick(value, unit);
    const y: Scale = isLog
      ? logScale(10 ** Math.floor(Math.log10(Math.min(...values))), Math.max(...values) * 1.1, format)
      : linearScale(Math.max(...values) * 1.05, format);
    const lines = [{ color: 4, name: "verdictd", points }];
    const svg = renderLines(
      { label: title, x: nameScale(names), y, xTitle: "policies / endpoints", lines, hasDots: true },
      200,
    );
    return [{ title, note: `${placement} · medians`, svg }];
  });
}

function groupOf({ part, metric, placement }: Distribution): string {
  return `${part} ${metric} ${placement}`;
}

function titleOf({ part, metric, placement }: Distribution): string {
  if (part !== "rtt") return `a change of one object: ${changeTitles[metric] ?? metric}`;
  return `round trip of a first packet, ${metric === "sparse" ? "2 ms apart" : "back to back"} · ${placement}`;
}

const changeTitles: Readonly<Record<string, string>> = {
  "policy.packets": "a policy, until packets meet it",
  "policy.event": "a policy, until the engine says so",
  "pod.packets": "a pod's label, until packets meet it",
  "pod.event": "a pod's label, until the engine says so",
  "elsewhere.event": "a pod elsewhere, until the engine says so",
};

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) groups.set(keyOf(item), [...(groups.get(keyOf(item)) ?? []), item]);
  return groups;
}
