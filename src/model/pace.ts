/** When the next of something costly may be had: a few at once are had at once, and then one in so long. */

export interface PaceLimits {
  /** As many at once. */
  readonly burst: number;
  /** And then one in so long. */
  readonly intervalMs: number;
}

export class Pace {
  readonly #limits: PaceLimits;
  /** When as many as may be had at once could be had again. */
  #fullAtMs = 0;

  constructor(limits: PaceLimits) {
    this.#limits = limits;
  }

  /** Milliseconds until there may be one; 0: now, and it's taken. */
  take(nowMs: number): number {
    const { burst, intervalMs } = this.#limits;
    const after = Math.max(this.#fullAtMs, nowMs) + intervalMs;
    const waitMs = after - nowMs - burst * intervalMs;
    if (waitMs > 0) return waitMs;
    this.#fullAtMs = after;
    return 0;
  }
}
