/**
 * How much news a pod may hear of DNS. Each news is a change for the whole node, so that a pod which asks for names that
 * nobody has heard of, one after the other, would keep all others waiting.
 */
import { Pace, type PaceLimits } from "../../model/pace.ts";
import { type Address, addressKey } from "../../net/address.ts";

/** 50 in a second. */
const limits: PaceLimits = { burst: 100, intervalMs: 20 };

interface Share {
  readonly pace: Pace;
  lastMs: number;
}

export class NewsBudget {
  readonly #limits: PaceLimits;
  readonly #shares = new Map<string, Share>();

  constructor(own: PaceLimits = limits) {
    this.#limits = own;
  }

  get size(): number {
    return this.#shares.size;
  }

  /** Whether the pod may hear one more. */
  take(subject: Address, nowMs: number): boolean {
    const key = addressKey(subject);
    const share = this.#shares.get(key) ?? { pace: new Pace(this.#limits), lastMs: nowMs };
    this.#shares.set(key, share);
    share.lastMs = nowMs;
    return share.pace.take(nowMs) === 0;
  }

  /** To be called now and then: who has all of it again is forgotten. */
  expire(nowMs: number): void {
    const { burst, intervalMs } = this.#limits;
    for (const [key, { lastMs }] of this.#shares) if (lastMs + burst * intervalMs < nowMs) this.#shares.delete(key);
  }
}
