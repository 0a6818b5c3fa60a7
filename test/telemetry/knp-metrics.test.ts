import { Registry } from "prom-client";
import { expect, test } from "vitest";
import { KnpMetrics } from "../../src/telemetry/knp-metrics.ts";
import { Metrics, type MetricValues } from "../../src/telemetry/metrics.ts";
import { someMetricValues } from "../support/metric-values.ts";

const values: MetricValues = {
  ...someMetricValues,
  packets: [
    { verdict: "deny", evaluator: "network-policy", reason: "no-rule-matches", packets: 3 },
    { verdict: "deny", evaluator: "admin-policy", reason: "denied-by-rule", packets: 4 },
    { verdict: "accept", evaluator: "network-policy", reason: "allowed-by-rule", packets: 5 },
  ],
  latency: {
    boundsMicroseconds: [10, 100],
    buckets: [2, 1, 1],
    sumMicroseconds: 1500,
    recentQuantiles: [{ quantile: 0.99, microseconds: 88 }],
  },
};

/** As kube-network-policies names and types them; ours left out the labels `protocol` and `family`. */
const expected = [
  "# TYPE PREFIXpacket_process_time histogram",
  'PREFIXpacket_process_time_bucket{le="10"} 2',
  'PREFIXpacket_process_time_bucket{le="100"} 3',
  'PREFIXpacket_process_time_bucket{le="+Inf"} 4',
  "PREFIXpacket_process_time_sum 1500",
  "PREFIXpacket_process_time_count 4",
  "# TYPE PREFIXpacket_process_duration_microseconds summary",
  'PREFIXpacket_process_duration_microseconds{quantile="0.99"} 88',
  "PREFIXpacket_process_duration_microseconds_sum 1500",
  "PREFIXpacket_process_duration_microseconds_count 4",
  "# TYPE PREFIXpacket_count counter",
  'PREFIXpacket_count{verdict="accept"} 5',
  'PREFIXpacket_count{verdict="drop"} 7',
  "# TYPE PREFIXnfqueue_queue_total gauge",
  'PREFIXnfqueue_queue_total{queue="4720"} 1',
  'PREFIXnfqueue_queue_dropped{queue="4720"} 2',
  'PREFIXnfqueue_user_dropped{queue="4720"} 3',
  'PREFIXnfqueue_packet_id{queue="4720"} 9',
];

test.each(["kube_network_policies_", ""])("metrics under kube-network-policies' names, prefix %j", async (prefix) => {
  const lines = (await new Metrics(async () => values, true).scrape()).split("\n");
  for (const line of expected) expect(lines).toContain(line.replace("PREFIX", prefix));
});

test("nobody has them who didn't ask", async () => {
  expect(await new Metrics(async () => values).scrape()).not.toMatch(/nfqueue_|packet_count|packet_process/);
});

test("each scrape replaces the one before", async () => {
  const registry = new Registry();
  const knp = new KnpMetrics(registry);
  knp.load(values);
  knp.load({ ...values, queues: [] });
  const text = await registry.metrics();
  expect(text).toContain('packet_count{verdict="drop"} 7\n');
  expect(text).not.toContain('queue="4720"');
});
