/** One moment's values, with something of each: every metric and every label appears in a scrape of them. */
import type { MetricValues } from "../../src/telemetry/metrics.ts";

export const someMetricValues: MetricValues = {
  packets: [{ verdict: "deny", evaluator: "security-group", reason: "no-rule-matches", packets: 3 }],
  latency: { boundsMicroseconds: [10, 100], buckets: [2, 1, 1], sumMicroseconds: 1500, recentQuantiles: [] },
  queues: [{ queue: 4720, waiting: 1, queueDropped: 2, userDropped: 3, sequence: 9 }],
  queueOverruns: 0,
  sendErrors: 0,
  evaluatorErrors: 0,
  waitingRoom: { held: 2, packets: 9, released: 4, expired: 2, refused: 1 },
  dns: {
    answers: { learnt: 11, known: 12, other: 13, malformed: 14, lost: 15 },
    addresses: 16,
    evicted: 17,
    waited: { "in-force": 18, late: 19, refused: 20 },
    waitedSeconds: 0.5,
  },
  spins: { paid: 5, failed: 6 },
  unparseablePackets: 0,
  rulesRestored: 2,
  isReady: true,
  epoch: 7,
  inventoryStale: true,
  inventorySizes: { pods: 4 },
  findings: [{ code: "bad-cidr", severity: "error", count: 1 }],
  cnis: [{ cni: "kindnet", enforces: "true" }],
  kernelRules: { bypassed: 11 },
  cluster: [{ kind: "Pod", isSynced: true, behindSeconds: 1.5, lists: 2, watches: 3, events: 40, failures: 1 }],
};
