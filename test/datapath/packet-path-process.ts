/**
 * A process that does nothing but judge packets, for what can only be seen from outside or with V8's own switches. As in
 * the agent, programs are compiled on one thread and judge on another one. The argument says what happens after the
 * packet path has warmed up; the parent gets a Report.
 */
import { once } from "node:events";
import { getHeapStatistics } from "node:v8";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { Counter } from "../../src/datapath/counters.ts";
import { markEnd, markStart } from "./deopt-markers.ts";
import { MixedTraffic, type TrafficData } from "./mixed-traffic.ts";

export interface Report {
  readonly packets: number;
  /** What was answered: `deny no-rule-matches`. */
  readonly answers: readonly string[];
  /** Growth of the heap in each of several rounds. */
  readonly bytes: readonly number[];
}

const WARM_UP = 600_000;
const PACKETS = 1_000_000;
const litter: unknown[] = [];

/** What the heap has grown by. */
function measure(judge: () => void): number {
  (globalThis as { gc?: () => void }).gc?.();
  const before = getHeapStatistics().used_heap_size;
  judge();
  return getHeapStatistics().used_heap_size - before;
}

function judgeUnderAll(traffic: MixedTraffic): void {
  for (let i = 0; i < 12; i++) {
    traffic.run(WARM_UP / 12);
    traffic.changeProgram();
  }
}

function run(mode: string, data: TrafficData): Report {
  const traffic = new MixedTraffic(data);
  judgeUnderAll(traffic);
  const bytes: number[] = [];
  if (mode === "deopt") {
    markStart();
    judgeUnderAll(traffic);
    markEnd();
  } else {
    for (let round = 0; round < 4; round++) {
      bytes.push(
        measure(() => {
          traffic.run(PACKETS);
          // What a test of this must see: one small object for twenty packets.
          if (mode === "littering") for (let i = 0; i < PACKETS / 20; i++) litter.push({ i });
        }),
      );
    }
  }
  const answers = traffic.counters.decisions().map(({ verdict, reason }) => `${verdict} ${reason}`);
  return { packets: traffic.counters.get(Counter.packets), answers: [...new Set(answers)].sort(), bytes };
}

if (isMainThread) {
  const [mode] = process.argv.slice(2);
  // Its modules make lots, which this thread alone needs.
  const { createTrafficData } = await import("./traffic-data.ts");
  const worker = new Worker(new URL(import.meta.url), { workerData: { mode, data: createTrafficData(20_261_121) } });
  const [report] = await once(worker, "message");
  process.send?.(report, () => process.disconnect());
} else {
  const { mode, data } = workerData as { readonly mode: string; readonly data: TrafficData };
  parentPort?.postMessage(run(mode, data));
}
