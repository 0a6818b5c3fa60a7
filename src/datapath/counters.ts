/**
 * The datapath's counters in shared memory: one writer (the worker that owns the block), read by the control plane on
 * each scrape. Doubles, because they count exactly up to 2^53 and an aligned 64-bit store is never seen torn on the
 * platforms that Node runs on.
 */
import { reasonNames } from "../model/reason.ts";

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
} as const;
export type Counter = (typeof Counter)[keyof typeof Counter];

/** Upper bounds of the latency buckets in microseconds, 1–2–5 steps from 1 µs to 1 s; a last bucket has no bound. */
export const latencyBoundsMicroseconds: readonly number[] = [1, 10, 100, 1_000, 10_000, 100_000]
  .flatMap((base) => [base, 2 * base, 5 * base])
  .concat(1_000_000);

const LATENCY = SCALARS + 2 * EVALUATORS * REASONS;
const LENGTH = LATENCY + latencyBoundsMicroseconds.length + 2;

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
  readonly #values: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(LENGTH * 8)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
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

  /** `evaluator` is an index in the program's order, or -1 where none decided. Never allocates. */
  countDecision(isAccept: boolean, evaluator: number, reason: number): void {
    const slot = evaluator + 1 < EVALUATORS ? evaluator + 1 : 0;
    const at = SCALARS + ((isAccept ? EVALUATORS : 0) + slot) * REASONS + reason;
    this.#values[at] = (this.#values[at] as number) + 1;
  }

  /** `packets` were handed over by the kernel and answered within `microseconds`. Never allocates. */
  countLatency(microseconds: number, packets: number): void {
    let bucket = 0;
    while (bucket < latencyBoundsMicroseconds.length && microseconds > (latencyBoundsMicroseconds[bucket] as number)) {
      bucket++;
    }
    this.#values[LATENCY + bucket] = (this.#values[LATENCY + bucket] as number) + packets;
    this.#values[LENGTH - 1] = (this.#values[LENGTH - 1] as number) + microseconds * packets;
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

  /** Packets in each bucket (not cumulated; the last has no bound), and the sum of all latencies in microseconds. */
  latency(): { readonly buckets: readonly number[]; readonly sumMicroseconds: number } {
    return {
      buckets: Array.from(this.#values.subarray(LATENCY, LENGTH - 1)),
      sumMicroseconds: this.#values[LENGTH - 1] as number,
    };
  }
}
