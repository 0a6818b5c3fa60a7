/** One moment's values from everyone who keeps some. */
import { readFileSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { Counter, type Counters, sumCounters } from "../datapath/counters.ts";
import type { Datapath } from "../datapath/datapath.ts";
import { type LatencyHistogram, latencyBoundsMicroseconds } from "../datapath/latency-histogram.ts";
import type { LatencyWindow } from "../datapath/latency-window.ts";
import { NamesCounter, type NamesCounters } from "../datapath/names/names-counters.ts";
import { WaitingCounter, type WaitingCounters } from "../datapath/waiting-counters.ts";
import type { Firewall, RuleCounts } from "../kernel/firewall.ts";
import type { Finding } from "../model/finding.ts";
import type { ApiStatus } from "../sources/kubernetes/api/api-source.ts";
import type { MetricValues } from "../telemetry/metrics.ts";
import { parseQueueStatistics, type QueueStatistics } from "../telemetry/queue-statistics.ts";
import type { InventoryReport } from "./policy/protocol.ts";

const REFRESH_TIMEOUT_MS = 500;
const quantiles = [0.5, 0.9, 0.99] as const;

export interface MetricSources {
  /** One block of each worker. */
  readonly counters: readonly Counters[];
  /** By their index in the program. */
  readonly evaluatorNames: readonly string[];
  /** Null: nobody is waited for. */
  readonly waiting: WaitingCounters | null;
  readonly names: NamesCounters;
  readonly datapath: Datapath | null;
  readonly firewall: Firewall | null;
  readonly rulesRestored: number;
  readonly isReady: boolean;
  readonly epoch: number;
  readonly report: InventoryReport | null;
  readonly isStale: boolean;
  /** Null: there is no API server, or it hasn't been asked yet. */
  readonly cluster: ApiStatus | null;
  /** The first worker's. */
  readonly queue: number;
  /** Null: nobody wants recent quantiles. */
  readonly latencyWindow: LatencyWindow | null;
}

export async function readMetrics(sources: MetricSources): Promise<MetricValues> {
  // A worker that hangs must not hide what all others say.
  const refreshed = sources.datapath?.refreshStatistics().catch(() => {});
  await Promise.race([refreshed, setTimeout(REFRESH_TIMEOUT_MS, undefined, { ref: false })]);
  const rules: Partial<RuleCounts> = (await sources.firewall?.counters()) ?? {};
  const { report, queue, waiting, names } = sources;
  const counters = sumCounters(sources.counters);
  const isOurs = (number: number): boolean => number >= queue && number < queue + sources.counters.length;
  return {
    packets: counters.decisions().map(({ evaluator, ...rest }) => ({
      ...rest,
      evaluator: evaluator === null ? "none" : (sources.evaluatorNames[evaluator] ?? "none"),
    })),
    latency: {
      boundsMicroseconds: latencyBoundsMicroseconds,
      ...counters.latency.scrape(),
      recentQuantiles: quantilesOf(sources.latencyWindow?.recent(counters.latency, performance.now())),
    },
    queues: readQueueStatistics().filter((statistics) => isOurs(statistics.queue)),
    queueOverruns:
      counters.get(Counter.overruns) + (waiting?.get(WaitingCounter.overruns) ?? 0) + names.get(NamesCounter.overruns),
    sendErrors: counters.get(Counter.sendErrors),
    evaluatorErrors: counters.get(Counter.evaluatorErrors),
    waitingRoom: {
      held: waiting?.get(WaitingCounter.held) ?? 0,
      packets: waiting?.get(WaitingCounter.packets) ?? 0,
      released: waiting?.get(WaitingCounter.released) ?? 0,
      expired: waiting?.get(WaitingCounter.expired) ?? 0,
      refused: waiting?.get(WaitingCounter.refused) ?? 0,
    },
    dns: {
      answers: {
        learnt: names.get(NamesCounter.learnt),
        known: names.get(NamesCounter.known),
        other: names.get(NamesCounter.other),
        malformed: names.get(NamesCounter.malformed),
        lost: names.get(NamesCounter.lost),
        unasked: names.get(NamesCounter.unasked),
        capped: names.get(NamesCounter.capped),
      },
      addresses: names.get(NamesCounter.addresses),
      evicted: names.get(NamesCounter.evicted),
      waited: {
        "in-force": names.get(NamesCounter.inForce),
        late: names.get(NamesCounter.late),
        refused: names.get(NamesCounter.refused),
      },
      waitedSeconds: names.get(NamesCounter.waitedMs) / 1000,
    },
    spins: { paid: counters.get(Counter.spinsPaid), failed: counters.get(Counter.spinsFailed) },
    unparseablePackets: counters.get(Counter.unparseable),
    rulesRestored: sources.rulesRestored,
    isReady: sources.isReady,
    epoch: sources.epoch,
    inventoryStale: sources.isStale,
    inventorySizes: snakeCase(report?.sizes ?? {}),
    cnis: (report?.cnis ?? []).map(({ name, enforces }) => ({ cni: name, enforces: String(enforces ?? "unknown") })),
    findings: countFindings(report?.findings ?? []),
    cluster: sources.cluster?.kinds ?? [],
    kernelRules: Object.fromEntries(Object.entries(rules).map(([rule, { packets }]) => [rule, packets])),
  };
}

function quantilesOf(histogram: LatencyHistogram | undefined): { quantile: number; microseconds: number }[] {
  if (histogram === undefined) return [];
  return quantiles.map((quantile) => ({ quantile, microseconds: histogram.quantile(quantile) }));
}

/** The file is absent until the kernel's module is loaded. */
function readQueueStatistics(): QueueStatistics[] {
  try {
    return parseQueueStatistics(readFileSync("/proc/net/netfilter/nfnetlink_queue", "latin1"));
  } catch {
    return [];
  }
}

function snakeCase(sizes: Readonly<Record<string, number>>): Record<string, number> {
  const name = (kind: string): string => kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return Object.fromEntries(Object.entries(sizes).map(([kind, size]) => [name(kind), size]));
}

function countFindings(findings: readonly Finding[]): { code: string; severity: string; count: number }[] {
  const counts = new Map<string, { code: string; severity: string; count: number }>();
  for (const { code, severity } of findings) {
    const entry = counts.get(`${severity} ${code}`) ?? { code, severity, count: 0 };
    entry.count++;
    counts.set(`${severity} ${code}`, entry);
  }
  return [...counts.values()];
}
