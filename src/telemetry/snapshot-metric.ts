/**
 * A metric whose samples come whole at each scrape. prom-client's own histogram and summary can only be fed one
 * observation at a time; its registry prints any object of this shape, which its types don't say.
 */
import type { Metric, Registry } from "prom-client";

export interface Sample {
  /** Where it isn't the metric's own: `_bucket`, `_sum`, `_count`. */
  readonly suffix?: string;
  readonly labels: Readonly<Record<string, string | number>>;
  readonly value: number;
}

export interface MetricHead {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge" | "histogram" | "summary";
}

export class SnapshotMetric {
  readonly name: string;
  readonly help: string;
  readonly type: MetricHead["type"];
  #samples: readonly Sample[] = [];

  constructor({ name, help, type }: MetricHead, registry: Registry) {
    this.name = name;
    this.help = help;
    this.type = type;
    registry.registerMetric(this as unknown as Metric);
  }

  load(samples: readonly Sample[]): void {
    this.#samples = samples;
  }

  async get(): Promise<object> {
    const { name, help, type } = this;
    const values = this.#samples.map(({ suffix = "", labels, value }) => ({
      metricName: `${name}${suffix}`,
      labels,
      value,
    }));
    return { name, help, type, values };
  }

  /** The registry calls this on all its metrics; our values are the owner's. */
  reset(): void {}
}

/** `bounds` ascending, in the metric's unit. `buckets` aren't cumulated; there is one more of them than bounds. */
export function histogramSamples(bounds: readonly number[], buckets: readonly number[], sum: number): Sample[] {
  let count = 0;
  const samples: Sample[] = bounds.map((bound, i) => {
    count += buckets[i] ?? 0;
    return { suffix: "_bucket", labels: { le: bound }, value: count };
  });
  count += buckets[bounds.length] ?? 0;
  samples.push({ suffix: "_bucket", labels: { le: "+Inf" }, value: count });
  samples.push({ suffix: "_sum", labels: {}, value: sum }, { suffix: "_count", labels: {}, value: count });
  return samples;
}
