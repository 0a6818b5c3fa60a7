/** A few named numbers in shared memory: one writer (its thread), read on each scrape. As those of counters.ts. */

export class SharedCounters<Name extends number> {
  readonly buffer: SharedArrayBuffer;
  readonly #values: Float64Array;

  /** `buffer`: what another thread's counters of the same names have. */
  constructor(count: number, buffer: SharedArrayBuffer = new SharedArrayBuffer(count * 8)) {
    this.buffer = buffer;
    this.#values = new Float64Array(buffer);
  }

  add(counter: Name, amount: number): void {
    this.#values[counter] = (this.#values[counter] as number) + amount;
  }

  set(counter: Name, value: number): void {
    this.#values[counter] = value;
  }

  get(counter: Name): number {
    return this.#values[counter] as number;
  }
}
