/**
 * Flows that were decided before some addresses' policies changed, or held before some changed hands, and nobody else's
 * (scoped invalidation). From the transaction of the change on, the rules take every flow of these addresses for
 * undecided, or not held; meanwhile connection tracking is searched for them, off the event loop, and then their ct marks
 * say so themselves. So a change is in force at once, however many flows there are.
 *
 * Where the search fails the rules stay as they are, which is slower and as safe, and it's tried again.
 */
import { setTimeout } from "node:timers/promises";
import { type Address, addressKey } from "../net/address.ts";
import type { Conntrack, FlowChanges } from "./conntrack.ts";
import type { FilterTable, MessageGroups } from "./filter-table.ts";

/** After a search there is a pause of so many times its length: changes that never end cost a fifth of a core at most. */
const PAUSE_RATIO = 4;
const RETRY_MS = 1000;

export interface FlowReviewParts {
  readonly conntrack: Conntrack;
  readonly commit: (operation: string, groups: MessageGroups) => void;
  readonly onFailure: (error: unknown) => void;
}

export class FlowReview {
  readonly #parts: FlowReviewParts;
  /** Addresses that no search which began since has covered. */
  readonly #waiting = new Set<string>();
  #running: Promise<number> | null = null;
  #table: FilterTable | null = null;

  constructor(parts: FlowReviewParts) {
    this.#parts = parts;
  }

  /** The rules have been told of these; of another table than before, they are all that it holds. */
  begin(table: FilterTable, { reviewed, renewed }: FlowChanges): void {
    this.#table = table;
    for (const address of [...reviewed, ...renewed]) this.#waiting.add(addressKey(address));
    if (this.#waiting.size === 0) return;
    this.#running ??= this.#search().finally(() => {
      this.#running = null;
    });
  }

  /** Resolves when no address waits: with the number of entries that changed. Never rejects. */
  settled(): Promise<number> {
    return this.#running ?? Promise.resolve(0);
  }

  /** The table is gone, or nobody's any more. What is under way ends by itself. */
  stop(): void {
    this.#table = null;
    this.#waiting.clear();
  }

  async #search(): Promise<number> {
    let count = 0;
    for (;;) {
      const table = this.#table;
      const batch = table === null ? null : this.#waitingOf(table.flows);
      this.#waiting.clear();
      if (table === null || batch === null) return count;
      const start = performance.now();
      try {
        count += await this.#settle(table, batch);
      } catch (error) {
        if (this.#table === null) return count;
        this.#parts.onFailure(error);
        for (const address of [...batch.reviewed, ...batch.renewed]) this.#waiting.add(addressKey(address));
        await setTimeout(RETRY_MS, undefined, { ref: false });
      }
      if (this.#waiting.size > 0)
        await setTimeout(PAUSE_RATIO * (performance.now() - start), undefined, { ref: false });
    }
  }

  async #settle(table: FilterTable, batch: FlowChanges): Promise<number> {
    const { epoch } = table;
    const count = await this.#parts.conntrack.settle(epoch, batch);
    if (this.#table !== table) return count;
    // In between some may have changed again: they stay in the sets. With the epoch, a review is over.
    const found = without(batch, this.#waiting);
    const settled = table.epoch === epoch ? found : { ...found, reviewed: [] };
    this.#parts.commit("settle flows", [table.describeSettled(settled)]);
    table.noteSettled(settled);
    return count;
  }

  /** Of these, what waits; null for nothing. */
  #waitingOf({ reviewed, renewed }: FlowChanges): FlowChanges | null {
    const waits = (address: Address): boolean => this.#waiting.has(addressKey(address));
    const batch = { reviewed: reviewed.filter(waits), renewed: renewed.filter(waits) };
    return batch.reviewed.length + batch.renewed.length === 0 ? null : batch;
  }
}

function without({ reviewed, renewed }: FlowChanges, keys: ReadonlySet<string>): FlowChanges {
  const isAway = (address: Address): boolean => !keys.has(addressKey(address));
  return { reviewed: reviewed.filter(isAway), renewed: renewed.filter(isAway) };
}
