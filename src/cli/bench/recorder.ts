/** Every value that was measured, by part, metric, placement and variant, one for each rotation. */

export interface Series {
  readonly part: string;
  readonly metric: string;
  readonly unit: Unit;
  readonly placement: string;
  readonly variant: string;
  readonly values: number[];
}

/** Distributions of single samples, all rotations together. */
export interface SampleSet {
  readonly part: string;
  readonly metric: string;
  readonly placement: string;
  readonly variant: string;
  readonly samples: number[];
}

export type Unit = "ns" | "ms" | "1/s" | "bit/s" | "bytes" | "share" | "packets";

export class Recorder {
  readonly #series = new Map<string, Series>();
  readonly #samples = new Map<string, SampleSet>();

  get series(): readonly Series[] {
    return [...this.#series.values()];
  }

  get sampleSets(): readonly SampleSet[] {
    return [...this.#samples.values()];
  }

  /** Part, placement and variant stay for a turn: see `Turn`. */
  value(part: string, metric: string, unit: Unit, placement: string, variant: string, value: number): void {
    const key = [part, metric, placement, variant].join(" ");
    const series = this.#series.get(key) ?? { part, metric, unit, placement, variant, values: [] };
    this.#series.set(key, series);
    series.values.push(value);
  }

  samples(part: string, metric: string, placement: string, variant: string, samples: readonly number[]): void {
    const key = [part, metric, placement, variant].join(" ");
    const set = this.#samples.get(key) ?? { part, metric, placement, variant, samples: [] };
    this.#samples.set(key, set);
    for (const sample of samples) set.samples.push(sample);
  }
}
