/** One run's result as data: what `--json` writes, and what screen and page are made of. bench/README.md explains it. */
import type { DatasetSpec } from "../dataset/dataset.ts";
import { partNames } from "../parts/parts.ts";
import type { Placement } from "../placement.ts";
import type { Recorder, Unit } from "../recorder.ts";
import { distribution, median, quantile } from "../statistics.ts";
import type { Variant } from "../variants.ts";
import { type Goal, judgeGoals } from "./goals.ts";
import { computeRatios, type Ratio } from "./ratios.ts";

/** Changes when a reader of older results would misread a newer one. */
export const schemaVersion = 1;

export interface Machine {
  readonly cpu: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly kernel: string;
  readonly node: string;
  /** How packets get to a queue here: nft's own statement or the xt target. */
  readonly queueRule: string;
  /** Of one minute, before the bench began: others who were at work disturb it. */
  readonly loadBefore: number;
}

export interface RunFacts {
  readonly form: "short" | "full";
  readonly begun: string;
  readonly elapsedSeconds: number;
  readonly rotations: number;
  /** The short form's time was up: some parts have fewer rotations. */
  readonly isCut: boolean;
  readonly seconds: number;
  readonly parts: readonly string[];
  readonly placements: readonly Placement[];
  readonly engineFlags: readonly string[];
  readonly peer: readonly string[] | null;
}

export interface VariantFacts {
  readonly name: string;
  readonly title: string;
  readonly kind: Variant["kind"];
  readonly dataset: DatasetSpec | null;
}

export interface Figure {
  readonly part: string;
  readonly metric: string;
  readonly unit: Unit;
  readonly placement: string;
  readonly variant: string;
  /** One for each rotation. */
  readonly values: readonly number[];
  readonly median: number;
  readonly p99: number;
}

export interface Distribution {
  readonly part: string;
  readonly metric: string;
  readonly placement: string;
  readonly variant: string;
  readonly count: number;
  /** `[share, nanoseconds]`: so many samples took no longer. */
  readonly points: readonly (readonly [number, number])[];
}

export interface BenchResult {
  readonly schema: number;
  readonly program: { readonly version: string; readonly commit: string };
  readonly machine: Machine;
  readonly run: RunFacts;
  readonly variants: readonly VariantFacts[];
  readonly ratios: readonly Ratio[];
  readonly goals: readonly Goal[];
  readonly figures: readonly Figure[];
  readonly distributions: readonly Distribution[];
}

export interface ResultParts {
  readonly program: BenchResult["program"];
  readonly machine: Machine;
  readonly run: RunFacts;
  readonly variants: readonly Variant[];
  readonly recorder: Pick<Recorder, "series" | "sampleSets">;
}

export function makeResult({ program, machine, run, variants, recorder }: ResultParts): BenchResult {
  const { series, sampleSets } = recorder;
  const ratios = computeRatios(series, variants);
  const goals = judgeGoals({ variants, ratios, series, sampleSets });
  const isWhole = run.parts.length === partNames.length;
  return {
    schema: schemaVersion,
    program,
    machine,
    run,
    variants: variants.map(({ name, title, kind, dataset = null }) => ({ name, title, kind, dataset })),
    ratios,
    goals: run.form === "full" ? goals.filter((goal) => isWhole || goal.value !== null) : [],
    figures: series.map((s) => ({ ...s, median: median(s.values), p99: quantile(s.values, 0.99) })),
    distributions: sampleSets.map(({ samples, ...set }) => ({
      ...set,
      count: samples.length,
      points: distribution(samples).map(({ share, value }) => [Number(share.toPrecision(8)), value] as const),
    })),
  };
}
