/** The waiting room's counters in shared memory: one writer (its thread), read on each scrape. As those of counters.ts. */

export const WaitingCounter = {
  /** Packets that wait now. */
  held: 0,
  /** All that came. */
  packets: 1,
  released: 2,
  expired: 3,
  /** For lack of room, because they can't be parsed, or weren't sent to wait. */
  refused: 4,
  overruns: 5,
} as const;
export type WaitingCounter = (typeof WaitingCounter)[keyof typeof WaitingCounter];

const LENGTH = Object.keys(WaitingCounter).length;

export class WaitingCounters {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array;

  constructor(buffer: SharedArrayBuffer = new SharedArrayBuffer(LENGTH * 8)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  add(counter: WaitingCounter, amount: number): void {
    this.#values[counter] = (this.#values[counter] as number) + amount;
  }

  set(counter: WaitingCounter, value: number): void {
    this.#values[counter] = value;
  }

  get(counter: WaitingCounter): number {
    return this.#values[counter] as number;
  }
}
