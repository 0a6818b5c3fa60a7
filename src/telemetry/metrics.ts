/**
 * Every metric in one place. Base units, closed labels; values are read from their owner on each scrape, so that
 * nothing on the packet path knows of Prometheus.
 */
import { Counter, Gauge, Registry } from "prom-client";
import { KnpMetrics } from "./knp-metrics.ts";
import type { QueueStatistics } from "./queue-statistics.ts";
import { histogramSamples, SnapshotMetric } from "./snapshot-metric.ts";

/** One moment's values, given by the agent. Latency buckets are not cumulated; the last has no bound. */
export interface MetricValues {
  readonly packets: readonly {
    readonly verdict: string;
    readonly evaluator: string;
    readonly reason: string;
    readonly packets: number;
  }[];
  readonly latency: {
    readonly boundsMicroseconds: readonly number[];
    readonly buckets: readonly number[];
    readonly sumMicroseconds: number;
    /** Of the last ten minutes; empty where nobody wants them. */
    readonly recentQuantiles: readonly { readonly quantile: number; readonly microseconds: number }[];
  };
  readonly queues: readonly QueueStatistics[];
  readonly queueOverruns: number;
  readonly sendErrors: number;
  readonly evaluatorErrors: number;
  readonly unparseablePackets: number;
  /** Of packets whose address nobody was known to have: those that wait now, all that came, and what became of them. */
  readonly waitingRoom: Readonly<Record<"held" | "packets" | "released" | "expired" | "refused", number>>;
  readonly dns: {
    /** By what became of them: learnt, known, other, malformed, lost. */
    readonly answers: Readonly<Record<string, number>>;
    /** Addresses of names that are in force. */
    readonly addresses: number;
    readonly evicted: number;
    /** Answers that waited for what they say, by how that ended. */
    readonly waited: Readonly<Record<string, number>>;
    readonly waitedSeconds: number;
  };
  /** How often a worker looked for the next packet before it slept, by whether there was one in time. */
  readonly spins: Readonly<Record<"paid" | "failed", number>>;
  /** Times that our rules were put back after others had removed or changed them. */
  readonly rulesRestored: number;
  readonly isReady: boolean;
  readonly epoch: number;
  readonly inventoryStale: boolean;
  readonly inventorySizes: Readonly<Record<string, number>>;
  readonly findings: readonly { readonly code: string; readonly severity: string; readonly count: number }[];
  readonly cnis: readonly { readonly cni: string; readonly enforces: string }[];
  /** Packets by what the kernel's own rules did with them: bypassed, queued, denied, unjudged. */
  readonly kernelRules: Readonly<Record<string, number>>;
  /** Of the cluster's API, by kind of object; empty where there is none. */
  readonly cluster: readonly ClusterKindValues[];
}

export interface ClusterKindValues {
  readonly kind: string;
  readonly isSynced: boolean;
  readonly behindSeconds: number;
  readonly lists: number;
  readonly watches: number;
  readonly events: number;
  readonly failures: number;
}

/** Names and help texts; the README's table of metrics is checked against this list. */
export const metricHelp = {
  verdictd_packets_total: "Packets judged, by verdict, deciding evaluator and reason",
  verdictd_verdict_latency_seconds: "From the kernel's hand-over of a packet to its verdict's send",
  verdictd_queue_waiting_packets: "Packets waiting in the kernel's queue for a verdict",
  verdictd_queue_dropped_total: "Packets that the kernel dropped or accepted unjudged because the queue was full",
  verdictd_queue_user_dropped_total: "Packets that the kernel could not hand over because the socket was full",
  verdictd_queue_overruns_total: "Times that the kernel reported lost hand-overs (ENOBUFS)",
  verdictd_verdict_send_errors_total: "Verdicts that the kernel refused to take",
  verdictd_evaluator_errors_total: "Decisions made by errorVerdict because an evaluator failed",
  verdictd_unparseable_packets_total: "Packets decided by errorVerdict because they could not be parsed",
  verdictd_held_packets: "Packets that wait until somebody is known to have their address in the pods' range",
  verdictd_held_packets_total: "Packets that came to wait because nobody was known to have their address",
  verdictd_held_packets_ended_total: "Packets that no longer wait, by whether their address became known in time",
  verdictd_dns_answers_total: "Answers of DNS to pods whose policies name domains, by what came of them",
  verdictd_dns_addresses: "Addresses of domain names that count for some pod now",
  verdictd_dns_evictions_total: "Addresses of domain names that had to make room for newer ones",
  verdictd_dns_waits_total: "Answers of DNS that waited until what they say was in force, by how that ended",
  verdictd_dns_wait_seconds_total: "Seconds that answers of DNS have waited, all together",
  verdictd_spins_total: "Times that a worker looked for the next packet instead of sleeping, by whether one came",
  verdictd_kernel_rule_packets_total: "Packets by what the kernel's rules did with them",
  verdictd_kernel_rules_restored_total: "Times that our rules were put back after others removed or changed them",
  verdictd_ready: "1 while enforcement is in the kernel, as /readyz says",
  verdictd_epoch: "Number of the program in force",
  verdictd_inventory_stale: "1 while files or the API server can't be read and an older inventory is in force",
  verdictd_inventory_resources: "Resources in the inventory in force, by kind",
  verdictd_inventory_findings: "What is wrong with the inventory in force, by code and severity",
  verdictd_cni_info: "Network plugins of the cluster, and whether they enforce NetworkPolicy too",
  verdictd_kubernetes_synced: "1 once all objects of a kind were listed, by kind",
  verdictd_kubernetes_behind_seconds: "For so long the API server hasn't told of a kind of object; 0: it does",
  verdictd_kubernetes_lists_total: "Lists that the API server was asked for, by kind",
  verdictd_kubernetes_watches_total: "Watches that the API server was asked for, by kind",
  verdictd_kubernetes_events_total: "Objects that watches told of, by kind",
  verdictd_kubernetes_failures_total: "Lists and watches that failed, by kind",
} as const;
export type MetricName = keyof typeof metricHelp;

export class Metrics {
  readonly registry = new Registry();
  readonly #read: () => Promise<MetricValues>;
  readonly #counters = new Map<MetricName, Counter>();
  readonly #gauges = new Map<MetricName, Gauge>();
  readonly #latency: SnapshotMetric;
  readonly #knp: KnpMetrics | null;

  /** `read` is called once for each scrape. `hasKnpNames`: with kube-network-policies' names too. */
  constructor(read: () => Promise<MetricValues>, hasKnpNames = false) {
    this.#read = read;
    this.#counter("verdictd_packets_total", ["verdict", "evaluator", "reason"]);
    const name = "verdictd_verdict_latency_seconds";
    this.#latency = new SnapshotMetric({ name, help: metricHelp[name], type: "histogram" }, this.registry);
    this.#gauge("verdictd_queue_waiting_packets", ["queue"]);
    this.#counter("verdictd_queue_dropped_total", ["queue"]);
    this.#counter("verdictd_queue_user_dropped_total", ["queue"]);
    this.#counter("verdictd_queue_overruns_total", []);
    this.#counter("verdictd_verdict_send_errors_total", []);
    this.#counter("verdictd_evaluator_errors_total", []);
    this.#counter("verdictd_unparseable_packets_total", []);
    this.#gauge("verdictd_held_packets", []);
    this.#counter("verdictd_held_packets_total", []);
    this.#counter("verdictd_held_packets_ended_total", ["result"]);
    this.#counter("verdictd_dns_answers_total", ["result"]);
    this.#gauge("verdictd_dns_addresses", []);
    this.#counter("verdictd_dns_evictions_total", []);
    this.#counter("verdictd_dns_waits_total", ["result"]);
    this.#counter("verdictd_dns_wait_seconds_total", []);
    this.#counter("verdictd_spins_total", ["result"]);
    this.#counter("verdictd_kernel_rule_packets_total", ["rule"]);
    this.#counter("verdictd_kernel_rules_restored_total", []);
    this.#gauge("verdictd_ready", []);
    this.#gauge("verdictd_epoch", []);
    this.#gauge("verdictd_inventory_stale", []);
    this.#gauge("verdictd_inventory_resources", ["kind"]);
    this.#gauge("verdictd_inventory_findings", ["code", "severity"]);
    this.#gauge("verdictd_cni_info", ["cni", "enforces"]);
    this.#gauge("verdictd_kubernetes_synced", ["kind"]);
    this.#gauge("verdictd_kubernetes_behind_seconds", ["kind"]);
    this.#counter("verdictd_kubernetes_lists_total", ["kind"]);
    this.#counter("verdictd_kubernetes_watches_total", ["kind"]);
    this.#counter("verdictd_kubernetes_events_total", ["kind"]);
    this.#counter("verdictd_kubernetes_failures_total", ["kind"]);
    this.#knp = hasKnpNames ? new KnpMetrics(this.registry) : null;
  }

  /** The text of one scrape. */
  async scrape(): Promise<string> {
    const values = await this.#read();
    for (const counter of this.#counters.values()) counter.reset();
    for (const gauge of this.#gauges.values()) gauge.reset();
    for (const { packets, ...labels } of values.packets) this.#count("verdictd_packets_total", labels, packets);
    const { boundsMicroseconds, buckets, sumMicroseconds } = values.latency;
    const boundsSeconds = boundsMicroseconds.map((us) => us / 1e6);
    this.#latency.load(histogramSamples(boundsSeconds, buckets, sumMicroseconds / 1e6));
    this.#knp?.load(values);
    for (const q of values.queues) {
      const labels = { queue: String(q.queue) };
      this.#set("verdictd_queue_waiting_packets", labels, q.waiting);
      this.#count("verdictd_queue_dropped_total", labels, q.queueDropped);
      this.#count("verdictd_queue_user_dropped_total", labels, q.userDropped);
    }
    this.#count("verdictd_queue_overruns_total", {}, values.queueOverruns);
    this.#count("verdictd_verdict_send_errors_total", {}, values.sendErrors);
    this.#count("verdictd_evaluator_errors_total", {}, values.evaluatorErrors);
    this.#count("verdictd_unparseable_packets_total", {}, values.unparseablePackets);
    const { held, packets, ...ended } = values.waitingRoom;
    this.#set("verdictd_held_packets", {}, held);
    this.#count("verdictd_held_packets_total", {}, packets);
    for (const [result, count] of Object.entries(ended)) {
      this.#count("verdictd_held_packets_ended_total", { result }, count);
    }
    const { answers, addresses, evicted, waited, waitedSeconds } = values.dns;
    for (const [result, count] of Object.entries(answers)) this.#count("verdictd_dns_answers_total", { result }, count);
    this.#set("verdictd_dns_addresses", {}, addresses);
    this.#count("verdictd_dns_evictions_total", {}, evicted);
    for (const [result, count] of Object.entries(waited)) this.#count("verdictd_dns_waits_total", { result }, count);
    this.#count("verdictd_dns_wait_seconds_total", {}, waitedSeconds);
    for (const [result, count] of Object.entries(values.spins)) this.#count("verdictd_spins_total", { result }, count);
    for (const [rule, packets] of Object.entries(values.kernelRules)) {
      this.#count("verdictd_kernel_rule_packets_total", { rule }, packets);
    }
    this.#count("verdictd_kernel_rules_restored_total", {}, values.rulesRestored);
    this.#set("verdictd_ready", {}, values.isReady ? 1 : 0);
    this.#set("verdictd_epoch", {}, values.epoch);
    this.#set("verdictd_inventory_stale", {}, values.inventoryStale ? 1 : 0);
    for (const [kind, size] of Object.entries(values.inventorySizes)) {
      this.#set("verdictd_inventory_resources", { kind }, size);
    }
    for (const { count, ...labels } of values.findings) this.#set("verdictd_inventory_findings", labels, count);
    for (const labels of values.cnis) this.#set("verdictd_cni_info", labels, 1);
    for (const { kind, ...value } of values.cluster) {
      this.#set("verdictd_kubernetes_synced", { kind }, value.isSynced ? 1 : 0);
      this.#set("verdictd_kubernetes_behind_seconds", { kind }, value.behindSeconds);
      this.#count("verdictd_kubernetes_lists_total", { kind }, value.lists);
      this.#count("verdictd_kubernetes_watches_total", { kind }, value.watches);
      this.#count("verdictd_kubernetes_events_total", { kind }, value.events);
      this.#count("verdictd_kubernetes_failures_total", { kind }, value.failures);
    }
    return this.registry.metrics();
  }

  #counter(name: MetricName, labelNames: string[]): void {
    this.#counters.set(name, new Counter({ name, help: metricHelp[name], labelNames, registers: [this.registry] }));
  }

  #gauge(name: MetricName, labelNames: string[]): void {
    this.#gauges.set(name, new Gauge({ name, help: metricHelp[name], labelNames, registers: [this.registry] }));
  }

  #count(name: MetricName, labels: Record<string, string>, value: number): void {
    this.#counters.get(name)?.inc(labels, value);
  }

  #set(name: MetricName, labels: Record<string, string>, value: number): void {
    this.#gauges.get(name)?.set(labels, value);
  }
}
