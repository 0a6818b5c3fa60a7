/**
 * A histogram whose counts come whole from shared memory. prom-client's own class can only be fed one observation at a
 * time; its registry prints any object of this shape, which its types don't say.
 */
import type { Metric, Registry } from "prom-client";

interface Sample {
  readonly metricName: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export class SnapshotHistogram {
  readonly type = "histogram";
  readonly name: string;
  readonly help: string;
  readonly #bounds: readonly number[];
  #samples: readonly Sample[] = [];

  /** `bounds` ascending, in the metric's unit; the last bucket is unbounded and not listed. */
  constructor(name: string, help: string, bounds: readonly number[], registry: Registry) {
    this.name = name;
    this.help = help;
    this.#bounds = bounds;
    this.load([], 0);
    registry.registerMetric(this as unknown as Metric);
  }

  /** `buckets` aren't cumulated; there is one more of them than bounds. */
  load(buckets: readonly number[], sum: number): void {
    let count = 0;
    const samples: Sample[] = this.#bounds.map((bound, i) => {
      count += buckets[i] ?? 0;
      return { metricName: `${this.name}_bucket`, labels: { le: bound }, value: count };
    });
    count += buckets[this.#bounds.length] ?? 0;
    samples.push({ metricName: `${this.name}_bucket`, labels: { le: "+Inf" }, value: count });
    samples.push({ metricName: `${this.name}_sum`, labels: {}, value: sum });
    samples.push({ metricName: `${this.name}_count`, labels: {}, value: count });
    this.#samples = samples;
  }

  async get(): Promise<object> {
    return { name: this.name, help: this.help, type: this.type, values: this.#samples };
  }

  /** The registry calls this on all its metrics; our counts are the owner's. */
  reset(): void {}
}
