/**
 * Flows that were decided before some addresses' policies changed, or held before some changed hands, and nobody else's
 * (scoped invalidation). From the transaction of the change on, the rules take every flow of these addresses for
 * undecided that was decided in an epoch before, or for not held; a while later connection tracking is searched for them,
 * off the event loop, and then their ct marks say so themselves. So a change is in force at once, however many flows there
 * are.
 *
 * A while later, because an entry can't be changed only if it's still as it was read: a flow that is judged again in
 * between would lose what was decided. By then those that are alive have been judged.
 *
 * The same search frees the numbers of epochs whose decisions don't count any more. Where numbers become few, it's not
 * waited for, and what older epochs decided gets the number of the one in force.
 *
 * Where it fails the rules stay as they are, which is slower and as safe, and it's tried again.
 */
import { type Address, addressKey } from "../net/address.ts";
import type { Conntrack, FlowChanges } from "./conntrack.ts";
import type { FilterTable, MessageGroups } from "./filter-table.ts";

/** After a search there is a pause of so many times its length: changes that never end cost a fifth of a core at most. */
const PAUSE_RATIO = 4;
const RETRY_MS = 1000;
/** Numbers that must be free, or a search begins at once. */
const FEW_FREE = 7;

export interface FlowReviewParts {
  readonly conntrack: Pick<Conntrack, "settle">;
  readonly commit: (operation: string, groups: MessageGroups) => void;
  readonly onFailure: (error: unknown) => void;
  /** From a change to the search. */
  readonly delayMs: number;
}

export class FlowReview {
  readonly #parts: FlowReviewParts;
  /** Addresses that no search which began since has covered. */
  readonly #waiting = new Set<string>();
  #running: Promise<number> | null = null;
  /** Who waits for a search to be over, not for all of them. */
  #onSearched: (() => void)[] = [];
  #table: FilterTable | null = null;
  #wake: () => void = () => {};

  constructor(parts: FlowReviewParts) {
    this.#parts = parts;
  }

  /** The rules have been told of these; of another table than before, they are all that it holds. */
  begin(table: FilterTable, { reviewed, renewed }: FlowChanges): void {
    this.#table = table;
    for (const address of [...reviewed, ...renewed]) this.#waiting.add(addressKey(address));
    if (isShort(table)) this.#wake();
    if (this.#waiting.size === 0 && !isShort(table)) return;
    this.#running ??= this.#searchAll().finally(() => {
      this.#running = null;
      this.#tellSearched();
    });
  }

  /** Resolves when nothing waits: with the number of entries that changed. Never rejects. */
  settled(): Promise<number> {
    return this.#running ?? Promise.resolve(0);
  }

  /**
   * Resolves when one search is over, the one under way or the next: spent numbers are free then. What has changed since it
   * began, and waits for another, may wait for as long as it likes. At once where nothing runs. Never rejects.
   */
  searched(): Promise<void> {
    if (this.#running === null) return Promise.resolve();
    return new Promise((resolve) => this.#onSearched.push(resolve));
  }

  #tellSearched(): void {
    for (const resolve of this.#onSearched.splice(0)) resolve();
  }

  /** The table is gone, or nobody's any more. What is under way ends by itself. */
  stop(): void {
    this.#table = null;
    this.#waiting.clear();
    this.#wake();
  }

  async #searchAll(): Promise<number> {
    for (let [count, pauseMs] = [0, this.#parts.delayMs]; ; ) {
      if (this.#table !== null && !isShort(this.#table)) await this.#pause(pauseMs);
      const table = this.#table;
      if (table === null || (this.#waiting.size === 0 && !isShort(table))) return count;
      const batch = this.#waitingOf(table.flows);
      this.#waiting.clear();
      const start = performance.now();
      try {
        count += await this.#search(table, batch);
        this.#tellSearched();
      } catch (error) {
        if (this.#table === null) return count;
        this.#parts.onFailure(error);
        for (const address of [...batch.reviewed, ...batch.renewed]) this.#waiting.add(addressKey(address));
        await this.#pause(RETRY_MS);
      }
      pauseMs = this.#waiting.size === 0 ? 0 : Math.max(this.#parts.delayMs, PAUSE_RATIO * (performance.now() - start));
    }
  }

  async #search(table: FilterTable, batch: FlowChanges): Promise<number> {
    const { current, older, spent } = table.epochs;
    const renumbers = isShort(table);
    const count = await this.#parts.conntrack.settle({ current, older, spent, renumbers, flows: batch });
    if (this.#table !== table) return count;
    // In between some may have changed again: they stay in the sets.
    const found = without(batch, this.#waiting);
    const renumbered = renumbers ? older : [];
    this.#parts.commit("settle flows", [table.describeSettled(found, renumbered)]);
    table.noteSettled(found, renumbered);
    table.epochs.free([...spent, ...renumbered]);
    return count;
  }

  /** Ends early where numbers become few. */
  async #pause(ms: number): Promise<void> {
    if (ms === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }

  /** Of these, what waits. */
  #waitingOf({ reviewed, renewed }: FlowChanges): FlowChanges {
    const waits = (address: Address): boolean => this.#waiting.has(addressKey(address));
    return { reviewed: reviewed.filter(waits), renewed: renewed.filter(waits) };
  }
}

function isShort(table: FilterTable): boolean {
  return table.epochs.freeCount < FEW_FREE;
}

function without({ reviewed, renewed }: FlowChanges, keys: ReadonlySet<string>): FlowChanges {
  const isAway = (address: Address): boolean => !keys.has(addressKey(address));
  return { reviewed: reviewed.filter(isAway), renewed: renewed.filter(isAway) };
}
