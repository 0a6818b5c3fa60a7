/**
 * When the next update may be given. Each costs the kernel a transaction and the workers a switch, whatever it changes:
 * a few at once are given at once, and where changes never rest, as in a large cluster, many go together.
 */

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
