/** One moment's values from everyone who keeps some. */
import { readFileSync } from "node:fs";
import { Counter, type Counters } from "../datapath/counters.ts";
import type { Datapath } from "../datapath/datapath.ts";
import { latencyBoundsMicroseconds } from "../datapath/latency-histogram.ts";
import type { Firewall, RuleCounts } from "../kernel/firewall.ts";
import type { Inventory } from "../model/inventory.ts";
import type { MetricValues } from "../telemetry/metrics.ts";
import { parseQueueStatistics, type QueueStatistics } from "../telemetry/queue-statistics.ts";

export interface MetricSources {
  readonly counters: Counters;
  /** By their index in the program. */
  readonly evaluatorNames: readonly string[];
  readonly datapath: Datapath | null;
  readonly firewall: Firewall | null;
  readonly rulesRestored: number;
  readonly epoch: number;
  readonly inventory: Inventory | null;
  readonly isStale: boolean;
  readonly queue: number;
}

export async function readMetrics(sources: MetricSources): Promise<MetricValues> {
  await sources.datapath?.refreshStatistics();
  const rules: Partial<RuleCounts> = (await sources.firewall?.counters()) ?? {};
  const { counters, inventory } = sources;
  return {
    packets: counters.decisions().map(({ evaluator, ...rest }) => ({
      ...rest,
      evaluator: evaluator === null ? "none" : (sources.evaluatorNames[evaluator] ?? "none"),
    })),
    latency: { boundsMicroseconds: latencyBoundsMicroseconds, ...counters.latency.scrape() },
    queues: readQueueStatistics().filter(({ queue }) => queue === sources.queue),
    queueOverruns: counters.get(Counter.overruns),
    sendErrors: counters.get(Counter.sendErrors),
    evaluatorErrors: counters.get(Counter.evaluatorErrors),
    unparseablePackets: counters.get(Counter.unparseable),
    rulesRestored: sources.rulesRestored,
    epoch: sources.epoch,
    inventoryStale: sources.isStale,
    inventorySizes: inventory === null ? {} : sizes(inventory),
    findings: inventory === null ? [] : countFindings(inventory),
    kernelRules: Object.fromEntries(Object.entries(rules).map(([rule, { packets }]) => [rule, packets])),
  };
}

/** The file is absent until the kernel's module is loaded. */
function readQueueStatistics(): QueueStatistics[] {
  try {
    return parseQueueStatistics(readFileSync("/proc/net/netfilter/nfnetlink_queue", "latin1"));
  } catch {
    return [];
  }
}

function sizes({ ec2, kubernetes }: Inventory): Record<string, number> {
  return Object.fromEntries(
    [...Object.entries(ec2), ...Object.entries(kubernetes)].map(([kind, list]) => [
      kind.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      (list as readonly unknown[]).length,
    ]),
  );
}

function countFindings({ findings }: Inventory): { code: string; severity: string; count: number }[] {
  const counts = new Map<string, { code: string; severity: string; count: number }>();
  for (const { code, severity } of findings) {
    const entry = counts.get(`${severity} ${code}`) ?? { code, severity, count: 0 };
    entry.count++;
    counts.set(`${severity} ${code}`, entry);
  }
  return [...counts.values()];
}
