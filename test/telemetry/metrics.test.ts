import { expect, test } from "vitest";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { parseQueueStatistics } from "../../src/telemetry/queue-statistics.ts";
import { someMetricValues as values } from "../support/metric-values.ts";

test("a scrape prints what the owners say, histogram cumulated and in seconds", async () => {
  const text = await new Metrics(async () => values).scrape();
  for (const line of [
    'verdictd_packets_total{verdict="deny",evaluator="security-group",reason="no-rule-matches"} 3',
    'verdictd_verdict_latency_seconds_bucket{le="0.00001"} 2',
    'verdictd_verdict_latency_seconds_bucket{le="0.0001"} 3',
    'verdictd_verdict_latency_seconds_bucket{le="+Inf"} 4',
    "verdictd_verdict_latency_seconds_sum 0.0015",
    "verdictd_verdict_latency_seconds_count 4",
    'verdictd_queue_dropped_total{queue="4720"} 2',
    "verdictd_held_packets 2",
    "verdictd_held_packets_total 9",
    'verdictd_held_packets_ended_total{result="refused"} 1',
    'verdictd_dns_answers_total{result="learnt"} 11',
    'verdictd_dns_answers_total{result="malformed"} 14',
    "verdictd_dns_addresses 16",
    "verdictd_dns_evictions_total 17",
    'verdictd_dns_waits_total{result="in-force"} 18',
    "verdictd_dns_wait_seconds_total 0.5",
    'verdictd_spins_total{result="failed"} 6',
    'verdictd_kernel_rule_packets_total{rule="bypassed"} 11',
    "verdictd_kernel_rules_restored_total 2",
    "verdictd_ready 1",
    "verdictd_epoch 7",
    "verdictd_inventory_stale 1",
    'verdictd_inventory_resources{kind="pods"} 4',
    'verdictd_cni_info{cni="kindnet",enforces="true"} 1',
  ]) {
    expect(text.split("\n")).toContain(line);
  }
});

test("a second scrape doesn't add to the first", async () => {
  const metrics = new Metrics(async () => values);
  await metrics.scrape();
  expect(await metrics.scrape()).toContain('verdictd_kernel_rule_packets_total{rule="bypassed"} 11\n');
});

test("nfnetlink_queue's columns are read, other lines are not", () => {
  // As `cat /proc/net/netfilter/nfnetlink_queue` prints it.
  expect(parseQueueStatistics(" 4720  12345     2 2   128     5     6       77  1\n\nrubbish\n")).toEqual([
    { queue: 4720, waiting: 2, queueDropped: 5, userDropped: 6, sequence: 77 },
  ]);
});
