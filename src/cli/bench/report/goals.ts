/** What this engine is meant to reach, beside what was measured. Pure. */
import { streams } from "../parts/throughput.ts";
import type { SampleSet, Series } from "../recorder.ts";
import { median, quantile } from "../statistics.ts";
import { isReference, type Variant } from "../variants.ts";
import type { Ratio } from "./ratios.ts";

export interface Goal {
  readonly title: string;
  /** Of which variant. */
  readonly variant: string;
  readonly bound: number;
  readonly isAtMost: boolean;
  readonly unit: "ratio" | "ms" | "bytes" | "share" | "packets";
  /** Null where it wasn't measured. */
  readonly value: number | null;
  readonly isMet: boolean | null;
}

/** Everything that a goal may be about. */
export interface Measured {
  readonly variants: readonly Variant[];
  readonly ratios: readonly Ratio[];
  readonly series: readonly Series[];
  readonly sampleSets: readonly SampleSet[];
}

const isLarge = ({ dataset }: Variant): boolean => dataset?.policies === 10_000 && dataset.endpoints === 100_000;

export function judgeGoals(measured: Measured): Goal[] {
  const { variants, ratios, series, sampleSets } = measured;
  const reference = variants.find(isReference)?.name ?? "";
  const large = variants.find(isLarge)?.name ?? "";
  const goal = (
    title: string,
    variant: string,
    sign: "≤" | "≥",
    bound: number,
    unit: Goal["unit"],
    value?: number,
  ): Goal => {
    const known = value === undefined || Number.isNaN(value) ? null : value;
    const isMet = known === null ? null : sign === "≤" ? known <= bound : known >= bound;
    return { title, variant, bound, isAtMost: sign === "≤", unit, value: known, isMet };
  };
  const ratio = (name: string, placement: string | null, variant: string): number | undefined =>
    ratios.find((r) => r.name === name && (placement === null || r.placement === placement) && r.variant === variant)
      ?.median;
  const values = (part: string, metric: string, variant: string): readonly number[] =>
    series.find((s) => s.part === part && s.metric === metric && s.variant === variant)?.values ?? [];
  const middle = (part: string, metric: string, variant: string): number => median(values(part, metric, variant));
  const samples = (metric: string, variant: string, share: number): number => {
    const set = sampleSets.find((s) => s.part === "update" && s.metric === metric && s.variant === variant);
    return quantile(set?.samples ?? [], share) / 1e6;
  };
  return [
    goal(
      "added round trip p50 ÷ C's, back to back, pinned",
      reference,
      "≤",
      0.6,
      "ratio",
      ratio("added.back-to-back", "pinned", reference),
    ),
    goal(
      "added round trip p50 ÷ C's, 2 ms apart, pinned",
      reference,
      "≤",
      1.3,
      "ratio",
      ratio("added.sparse", "pinned", reference),
    ),
    goal(
      "round trip p99 ÷ C's, back to back, pinned",
      reference,
      "≤",
      1,
      "ratio",
      ratio("p99.back-to-back", "pinned", reference),
    ),
    goal(
      "added round trip p50 ÷ C's, back to back, free",
      reference,
      "≤",
      1.3,
      "ratio",
      ratio("added.back-to-back", "free", reference),
    ),
    goal(
      "added round trip p50 ÷ C's, 2 ms apart, free",
      reference,
      "≤",
      1.3,
      "ratio",
      ratio("added.sparse", "free", reference),
    ),
    goal("new flows a second and core ÷ C's", reference, "≥", 1.3, "ratio", ratio("flows", null, reference)),
    goal("CPU time a packet ÷ at 10 policies and 100 endpoints", large, "≤", 1.1, "ratio", ratio("size", null, large)),
    goal(
      "TCP connections a second, 8 threads ÷ no queue's",
      reference,
      "≥",
      0.65,
      "ratio",
      ratio("connect-8.none", null, reference),
    ),
    goal(
      "TCP connections a second, 8 threads ÷ C's",
      reference,
      "≥",
      1,
      "ratio",
      ratio("connect-8.c", null, reference),
    ),
    goal(
      "established throughput ÷ the same rules without a queue",
      reference,
      "≥",
      0.95,
      "ratio",
      ratio("throughput", null, reference),
    ),
    goal(
      "packets queued of its streams, one in each direction",
      reference,
      "≤",
      streams * 2,
      "packets",
      Math.max(...values("throughput", "queued", reference), Number.NEGATIVE_INFINITY),
    ),
    ...(["policy", "pod"] as const).flatMap((kind) => [
      goal(`a ${kind}'s change met by packets, p50`, large, "≤", 5, "ms", samples(`${kind}.packets`, large, 0.5)),
      goal(`a ${kind}'s change met by packets, p99`, large, "≤", 20, "ms", samples(`${kind}.packets`, large, 0.99)),
    ]),
    goal("full compile, parsing apart", large, "≤", 1500, "ms", middle("start", "compile", large)),
    goal(
      "longest pause of the event loop after the start",
      large,
      "≤",
      50,
      "ms",
      middle("update", "pause.longest", large) / 1e6,
    ),
    goal(
      "resident memory",
      large,
      "≤",
      400e6,
      "bytes",
      Math.max(...values("update", "memory", large), Number.NEGATIVE_INFINITY),
    ),
    goal(
      "denied flood from one address: connections that succeed",
      reference,
      "≥",
      0.999,
      "share",
      middle("flood", "ports.connected", reference),
    ),
    goal(
      "denied flood from one address: the engine's CPU",
      reference,
      "≤",
      0.02,
      "share",
      middle("flood", "ports.cpu", reference),
    ),
    goal(
      "denied flood from random addresses: connections that succeed",
      reference,
      "≥",
      0.99,
      "share",
      middle("flood", "addresses.connected", reference),
    ),
    goal(
      "live flows judged again after a pod came elsewhere",
      reference,
      "≤",
      0,
      "packets",
      middle("live", "pod-elsewhere", reference),
    ),
  ].map((g) => (g.value === Number.NEGATIVE_INFINITY ? { ...g, value: null, isMet: null } : g));
}
