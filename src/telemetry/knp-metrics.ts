/**
 * The names under which kube-network-policies publishes its metrics, so that dashboards made for it show this engine:
 * with the prefix that it has now, and without, as earlier versions and its README have them. Names, types, units and
 * labels are those of its `pkg/dataplane/metrics.go`. A label that isn't measured here (`protocol`, `family`) is left
 * out, so that a sum over it stays right.
 */
import type { Registry } from "prom-client";
import type { MetricValues } from "./metrics.ts";
import type { QueueStatistics } from "./queue-statistics.ts";
import { histogramSamples, type MetricHead, type Sample, SnapshotMetric } from "./snapshot-metric.ts";

const prefixes = ["kube_network_policies_", ""] as const;

interface Alias extends MetricHead {
  readonly samples: (values: MetricValues) => readonly Sample[];
}

const perQueue =
  (read: (statistics: QueueStatistics) => number): Alias["samples"] =>
  ({ queues }) =>
    queues.map((statistics) => ({ labels: { queue: String(statistics.queue) }, value: read(statistics) }));

const aliases: readonly Alias[] = [
  {
    name: "packet_process_time",
    help: "Microseconds from the kernel's hand-over of a packet to its verdict's send",
    type: "histogram",
    samples: ({ latency }) => histogramSamples(latency.boundsMicroseconds, latency.buckets, latency.sumMicroseconds),
  },
  {
    name: "packet_process_duration_microseconds",
    help: "The same, with quantiles of the last ten minutes",
    type: "summary",
    samples: ({ latency }) => [
      ...latency.recentQuantiles.map(({ quantile, microseconds }) => ({ labels: { quantile }, value: microseconds })),
      { suffix: "_sum", labels: {}, value: latency.sumMicroseconds },
      { suffix: "_count", labels: {}, value: latency.buckets.reduce((a, b) => a + b, 0) },
    ],
  },
  {
    name: "packet_count",
    help: "Packets judged, by verdict",
    type: "counter",
    samples: ({ packets }) =>
      (["accept", "deny"] as const).map((verdict) => ({
        labels: { verdict: verdict === "deny" ? "drop" : verdict },
        value: packets.filter((entry) => entry.verdict === verdict).reduce((sum, entry) => sum + entry.packets, 0),
      })),
  },
  {
    name: "nfqueue_queue_total",
    help: "Packets waiting in the kernel's queue for a verdict",
    type: "gauge",
    samples: perQueue(({ waiting }) => waiting),
  },
  {
    name: "nfqueue_queue_dropped",
    help: "Packets that the kernel dropped or accepted unjudged because the queue was full",
    type: "gauge",
    samples: perQueue(({ queueDropped }) => queueDropped),
  },
  {
    name: "nfqueue_user_dropped",
    help: "Packets that the kernel could not hand over because the socket was full",
    type: "gauge",
    samples: perQueue(({ userDropped }) => userDropped),
  },
  {
    name: "nfqueue_packet_id",
    help: "Number of the packet that was queued last",
    type: "gauge",
    samples: perQueue(({ sequence }) => sequence),
  },
];

export class KnpMetrics {
  readonly #metrics: readonly { readonly metric: SnapshotMetric; readonly samples: Alias["samples"] }[];

  constructor(registry: Registry) {
    this.#metrics = prefixes.flatMap((prefix) =>
      aliases.map(({ name, help, type, samples }) => ({
        metric: new SnapshotMetric({ name: `${prefix}${name}`, help, type }, registry),
        samples,
      })),
    );
  }

  load(values: MetricValues): void {
    for (const { metric, samples } of this.#metrics) metric.load(samples(values));
  }
}
