/**
 * What is compared with what. Ratios are made of values of one rotation, so that whatever else the machine did meets both
 * sides; then the median is taken. Pure.
 */
import type { Series } from "../recorder.ts";
import { median, quantile } from "../statistics.ts";
import { blockingLoop, noQueue, rulesAlone, type Variant } from "../variants.ts";

export interface RatioSpec {
  readonly name: string;
  readonly title: string;
  readonly part: string;
  readonly metric: string;
  /** Chooses the variant below the line. */
  readonly over: (variant: Variant) => boolean;
  /** Whose ratio is of interest. */
  readonly of: (variant: Variant) => boolean;
  /** Both sides less the value without a queue: what is added to it. */
  readonly isAdded?: boolean;
  readonly better: "lower" | "higher";
}

export interface Ratio {
  readonly name: string;
  readonly title: string;
  readonly placement: string;
  readonly variant: string;
  readonly over: string;
  readonly better: "lower" | "higher";
  /** One for each rotation. */
  readonly values: readonly number[];
  readonly median: number;
  readonly p1: number;
  readonly p99: number;
}

const named =
  ({ name }: Variant) =>
  (variant: Variant): boolean =>
    variant.name === name;
const overC = named(blockingLoop);
const overNone = named(noQueue);
const servers = ({ kind }: Variant): boolean => kind !== "none" && kind !== "rules";
const all = (): boolean => true;
const isEngine = ({ kind }: Variant): boolean => kind === "engine";
const smallest = ({ dataset }: Variant): boolean => dataset?.policies === 10 && dataset.endpoints === 100;

export const ratioSpecs: readonly RatioSpec[] = [
  ...(["back-to-back", "sparse"] as const).flatMap((mode): RatioSpec[] => {
    const words = mode === "sparse" ? "2 ms apart" : "back to back";
    const spec = { part: "rtt", over: overC, of: servers, better: "lower" } as const;
    return [
      {
        ...spec,
        name: `added.${mode}`,
        title: `added round trip p50, ${words} ÷ C's`,
        metric: `${mode}.p50`,
        isAdded: true,
      },
      { ...spec, name: `p99.${mode}`, title: `round trip p99, ${words} ÷ C's`, metric: `${mode}.p99` },
      {
        ...spec,
        name: `one-way.${mode}`,
        title: `added one-way latency p50, ${words} ÷ C's`,
        metric: `${mode}.one-way.p50`,
        isAdded: true,
      },
    ];
  }),
  {
    name: "flows",
    title: "new flows a second and core ÷ C's",
    part: "capacity",
    metric: "flood.flows",
    over: overC,
    of: servers,
    better: "higher",
  },
  {
    name: "verdicts",
    title: "verdicts a second and core, queue preloaded ÷ C's",
    part: "capacity",
    metric: "preloaded.verdicts",
    over: overC,
    of: servers,
    better: "higher",
  },
  {
    name: "size",
    title: "CPU time a packet ÷ at 10 policies and 100 endpoints",
    part: "capacity",
    metric: "flood.cost",
    over: smallest,
    of: isEngine,
    better: "lower",
  },
  ...[8, 1].flatMap((threads): RatioSpec[] => {
    const words = `TCP connections a second, ${threads} ${threads === 1 ? "thread" : "threads"}`;
    const spec = { part: "connect", metric: `threads-${threads}.rate`, better: "higher" } as const;
    return [
      { ...spec, name: `connect-${threads}.none`, title: `${words} ÷ no queue's`, over: overNone, of: all },
      { ...spec, name: `connect-${threads}.c`, title: `${words} ÷ C's`, over: overC, of: servers },
    ];
  }),
  {
    name: "throughput",
    title: "established throughput ÷ the same rules without a queue",
    part: "throughput",
    metric: "rate",
    over: named(rulesAlone),
    of: isEngine,
    better: "higher",
  },
];

/** Of every variant, in every placement, over the one that the specification names. */
export function computeRatios(series: readonly Series[], variants: readonly Variant[]): Ratio[] {
  return ratioSpecs.flatMap((spec) => {
    const base = variants.find(spec.over);
    if (base === undefined) return [];
    const mine = series.filter((s) => s.part === spec.part && s.metric === spec.metric);
    const find = (placement: string, variant: string): Series | undefined =>
      mine.find((s) => s.placement === placement && s.variant === variant);
    return mine
      .filter(({ variant }) => variant !== base.name && variants.some((v) => v.name === variant && spec.of(v)))
      .flatMap((above) => {
        const below = find(above.placement, base.name);
        const none = find(above.placement, noQueue.name);
        if (below === undefined || (spec.isAdded && none === undefined)) return [];
        const values = above.values
          .map((value, i) => {
            const less = spec.isAdded ? (none?.values[i] ?? Number.NaN) : 0;
            return (value - less) / ((below.values[i] ?? Number.NaN) - less);
          })
          // Where the base itself added nothing, there is nothing to divide by.
          .filter((value) => Number.isFinite(value) && value > 0);
        if (values.length === 0) return [];
        const { name, title, better } = spec;
        const numbers = { values, median: median(values), p1: quantile(values, 0.01), p99: quantile(values, 0.99) };
        return [
          { name, title, placement: above.placement, variant: above.variant, over: base.name, better, ...numbers },
        ];
      });
  });
}
