/**
 * The datapath's counters in shared memory: one writer (the worker that owns the block), read by the control plane on
 * each scrape. Doubles, because they count exactly up to 2^53 and an aligned 64-bit store is never seen torn on the
 * platforms that Node runs on.
 */
import { reasonNames } from "../model/reason.ts";
import { LatencyHistogram } from "./latency-histogram.ts";

/** Evaluators that can be told apart in the counters; slot 0 stands for "no evaluator decided". */
const EVALUATORS = 32;
const REASONS = 64;
const SCALARS = 16;

/** Scalar counters by name. */
export const Counter = {
  batches: 0,
  packets: 1,
  unparseable: 2,
  evaluatorErrors: 3,
  overruns: 4,
  sendErrors: 5,
  failed: 6,
  sent: 7,
  callbackErrors: 8,
  spinsPaid: 9,
  spinsFailed: 10,
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];

const LATENCY = SCALARS + 2 * EVALUATORS * REASONS;
const LENGTH = LATENCY + LatencyHistogram.length;

/** One decided verdict's number: packets by (verdict, evaluator, reason). */
export interface DecisionCount {
  readonly verdict: "accept" | "deny";
  /** Index of the evaluator in the program's order, or null where none decided. */
  readonly evaluator: number | null;
  readonly reason: (typeof reasonNames)[number];
  readonly packets: number;
}

export class Counters {
  readonly buffer: SharedArrayBuffer;
  /** From the kernel's hand-over of a packet to its verdict's send. */
  readonly latency: LatencyHistogram;
  readonly #values: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(LENGTH * 8)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
    this.latency = new LatencyHistogram(this.#values.subarray(LATENCY));
  }

  add(counter: Counter, amount: number): void {
    this.#values[counter] = (this.#values[counter] as number) + amount;
  }

  /** For counters whose total another layer keeps. */
  set(counter: Counter, total: number): void {
    this.#values[counter] = total;
  }

  get(counter: Counter): number {
    return this.#values[counter] as number;
  }

  /** Counts one more at a `decisionPlace`. Never allocates. */
  countDecision(place: number): void {
    this.#values[place] = (this.#values[place] as number) + 1;
  }

  /** Every combination that has been seen. */
  decisions(): DecisionCount[] {
    const counts: DecisionCount[] = [];
    for (let block = 0; block < 2 * EVALUATORS; block++) {
      for (let reason = 0; reason < reasonNames.length; reason++) {
        const packets = this.#values[SCALARS + block * REASONS + reason] as number;
        if (packets === 0) continue;
        const slot = block % EVALUATORS;
        counts.push({
          verdict: block >= EVALUATORS ? "accept" : "deny",
          evaluator: slot === 0 ? null : slot - 1,
          reason: reasonNames[reason] as (typeof reasonNames)[number],
          packets,
        });
      }
    }
    return counts;
  }
}

/** Where a decision is counted. `evaluator` is an index in the program's order, or -1 where none decided. */
export function decisionPlace(isAccept: boolean, evaluator: number, reason: number): number {
  const slot = evaluator + 1 < EVALUATORS ? evaluator + 1 : 0;
  return SCALARS + ((isAccept ? EVALUATORS : 0) + slot) * REASONS + (reason < REASONS ? reason : 0);
}

/** One moment's sums over the blocks of several workers, in a block of their own. */
export function sumCounters(blocks: readonly Counters[]): Counters {
  const total = new Counters();
  const values = new Float64Array(total.buffer);
  for (const { buffer } of blocks) {
    new Float64Array(buffer).forEach((value, i) => {
      values[i] = (values[i] as number) + value;
    });
  }
  return total;
}
