/**
 * The epochs that ct marks can carry, 1 … 15, and what each is good for: every change takes a free one, whose decisions
 * are made by the policies since. A number is free when no entry of connection tracking carries it. Pure.
 *
 * ```
 *  free ─ take ─▶ taken ─ publish ─▶ current ─▶ older (its decisions count) ─▶ spent (they don't) ─ swept ─▶ free
 * ```
 */

/** 0 in a ct mark: never decided. */
export const NO_EPOCH = 0;
const COUNT = 15;

type State = "free" | "taken" | "current" | "older" | "spent";

export class Epochs {
  readonly #states: State[] = Array.from({ length: COUNT + 1 }, () => "free");
  #current: number = NO_EPOCH;

  get current(): number {
    return this.#current;
  }

  get older(): readonly number[] {
    return this.#in("older");
  }

  get spent(): readonly number[] {
    return this.#in("spent");
  }

  get freeCount(): number {
    return this.#in("free").length;
  }

  /** To see what a change would come to. */
  copy(): Epochs {
    const copy = new Epochs();
    copy.#states.splice(0, copy.#states.length, ...this.#states);
    copy.#current = this.#current;
    return copy;
  }

  /** The next free one, or null. One that was taken before and never published may be in entries already: it's spent. */
  take(): number | null {
    for (let i = 1; i <= COUNT; i++) {
      const epoch = ((this.#current + i - 1) % COUNT) + 1;
      if (this.#states[epoch] !== "free") continue;
      for (const taken of this.#in("taken")) this.#states[taken] = "spent";
      this.#states[epoch] = "taken";
      return epoch;
    }
    return null;
  }

  /** `keepsOlder`: what was decided before still counts. */
  publish(epoch: number, keepsOlder: boolean): void {
    if (epoch === this.#current) return;
    if (!keepsOlder) for (const older of this.older) this.#states[older] = "spent";
    if (this.#current !== NO_EPOCH) this.#states[this.#current] = keepsOlder ? "older" : "spent";
    if (epoch !== NO_EPOCH) this.#states[epoch] = "current";
    this.#current = epoch;
  }

  /** Their entries carry another one now: what is left of them counts no more. */
  retire(epochs: readonly number[]): void {
    for (const epoch of epochs) if (this.#states[epoch] === "older") this.#states[epoch] = "spent";
  }

  /** No entry carries these any more. */
  free(epochs: readonly number[]): void {
    for (const epoch of epochs) if (this.#states[epoch] === "spent") this.#states[epoch] = "free";
  }

  #in(state: State): readonly number[] {
    return this.#states.flatMap((s, epoch) => (s === state && epoch !== NO_EPOCH ? [epoch] : []));
  }
}

/**
 * What the table's sets of epochs hold: the one in force; those whose decisions count, whoever they are about; those whose
 * decisions count but for addresses in review.
 */
export function epochSets(
  { current, older }: Pick<Epochs, "current" | "older">,
  isInReview: boolean,
): Readonly<Record<"current_epoch" | "epoch" | "reviewed_epoch", readonly number[]>> {
  const inForce = current === NO_EPOCH ? [] : [current];
  return {
    current_epoch: inForce,
    epoch: isInReview ? inForce : [...inForce, ...older],
    reviewed_epoch: isInReview ? older : [],
  };
}
