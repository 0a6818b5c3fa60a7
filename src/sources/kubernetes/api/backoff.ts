/** How long to wait before the next try: twice as long each time, and nobody at the same moment as all others. */

export interface BackoffLimits {
  readonly firstMs: number;
  readonly mostMs: number;
}

export class Backoff {
  readonly #limits: BackoffLimits;
  #nextMs: number;

  constructor(limits: BackoffLimits) {
    this.#limits = limits;
    this.#nextMs = limits.firstMs;
  }

  /** Between half of it and all of it; never less than what the server asks for. */
  next(leastMs = 0): number {
    const ms = this.#nextMs * (0.5 + Math.random() / 2);
    this.#nextMs = Math.min(this.#limits.mostMs, this.#nextMs * 2);
    return Math.max(leastMs * (1 + Math.random() / 4), ms);
  }

  /** It worked. */
  reset(): void {
    this.#nextMs = this.#limits.firstMs;
  }
}
