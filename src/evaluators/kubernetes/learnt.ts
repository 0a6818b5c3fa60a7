/**
 * What DNS told each pod (AN-30): the addresses of names that it asked for itself, for both its families. What one pod was
 * told means nothing for another.
 *
 * What has expired admits no new flow, but is remembered for flows that were admitted while it was in force: those are held
 * for as long as a rule means the name. The oldest of it is forgotten where it becomes too much.
 */
import type { NameChange } from "../../model/inventory-change.ts";
import { type Address, addressKey } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { PagedAddressTable } from "../../net/paged-address-table.ts";
import type { PagedLists } from "../../net/paged-lists.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import type { Affected } from "./affected.ts";
import type { Domains } from "./domains.ts";
import { LearntValue, learntKey, type TableName } from "./tables.ts";

/** One address, as one pod knows it. */
interface Pair {
  readonly pod: number;
  readonly address: Address;
  /** By name and whom it was told: a pod that asks by both its addresses may hear it twice. */
  readonly names: Map<string, ToldName>;
  inForce: DomainSet | null;
  held: DomainSet | null;
}

interface ToldName {
  readonly name: string;
  readonly isInForce: boolean;
}

/** Equal ones are one. */
interface DomainSet {
  readonly number: number;
  readonly key: string;
  readonly start: number;
  readonly length: number;
  uses: number;
}

interface ExpiredName {
  readonly pair: Pair;
  readonly key: string;
}

/** Names of addresses that are kept after they expired. */
const expiredLimit = 65_536;

export interface LearntParts {
  readonly arrays: Record<TableName, PagedWords>;
  readonly lists: PagedLists;
  readonly domains: Domains;
  readonly affected: Affected;
  /** A pod's number, or -1. */
  readonly ownerOf: (address: Address) => number;
}

export class Learnt {
  readonly #parts: LearntParts;
  readonly #table: PagedAddressTable;
  /** By pod, then by address. */
  readonly #pairs = new Map<number, Map<string, Pair>>();
  readonly #sets = new Map<string, DomainSet>();
  readonly #numbers = new FreeNumbers(1);
  /** In the order in which they expired; some have been learnt again, or are forgotten. */
  readonly #expired = new Set<ExpiredName>();
  readonly #stale = new Set<Pair>();

  constructor(parts: LearntParts) {
    this.#parts = parts;
    this.#table = new PagedAddressTable(parts.arrays.learnt);
    parts.arrays.domainSets.reserve(1);
  }

  /** Pairs of a pod and an address. */
  get size(): number {
    return this.#table.size;
  }

  change(changes: readonly NameChange[]): void {
    for (const change of changes) {
      const pod = this.#parts.ownerOf(change.subject);
      if (pod < 0) continue;
      if (change.isLearnt) this.#learn(pod, change);
      else this.#expire(pod, change);
    }
  }

  /** The number is another pod's from now on, or nobody's. */
  forget(pod: number): void {
    for (const pair of this.#pairs.get(pod)?.values() ?? []) {
      pair.names.clear();
      this.#stale.add(pair);
    }
  }

  /** Brings the tables up to date; all of them where rules mean other domains than before. */
  settle(haveDomainsChanged: boolean): void {
    while (this.#expired.size > expiredLimit) this.#forgetOldest();
    if (haveDomainsChanged) {
      for (const pairs of this.#pairs.values()) for (const pair of pairs.values()) this.#stale.add(pair);
    }
    for (const pair of this.#stale) this.#settle(pair);
    this.#stale.clear();
  }

  #learn(pod: number, { name, address, subject }: NameChange): void {
    const ofPod = this.#pairs.get(pod) ?? new Map<string, Pair>();
    this.#pairs.set(pod, ofPod);
    const key = addressKey(address);
    const pair = ofPod.get(key) ?? { pod, address, names: new Map(), inForce: null, held: null };
    ofPod.set(key, pair);
    pair.names.set(toldKey(name, subject), { name, isInForce: true });
    this.#stale.add(pair);
  }

  #expire(pod: number, { name, address, subject }: NameChange): void {
    const pair = this.#pairs.get(pod)?.get(addressKey(address));
    const key = toldKey(name, subject);
    if (pair?.names.get(key)?.isInForce !== true) return;
    pair.names.set(key, { name, isInForce: false });
    this.#expired.add({ pair, key });
    this.#stale.add(pair);
  }

  #forgetOldest(): void {
    for (const oldest of this.#expired) {
      this.#expired.delete(oldest);
      if (oldest.pair.names.get(oldest.key)?.isInForce !== false) return;
      oldest.pair.names.delete(oldest.key);
      this.#stale.add(oldest.pair);
      return;
    }
  }

  #settle(pair: Pair): void {
    const { domains, affected } = this.#parts;
    const inForce = new Set<number>();
    const held = new Set<number>();
    for (const { name, isInForce } of pair.names.values()) {
      domains.collect(name, held);
      if (isInForce) domains.collect(name, inForce);
    }
    const before = [pair.inForce, pair.held];
    pair.inForce = inForce.size === 0 ? null : this.#obtain(inForce);
    // A pair that is known has a set, be it an empty one: without it a held flow is believed.
    pair.held = pair.names.size === 0 ? null : this.#obtain(held);
    // What was denied may pass now. What has expired ends no flow, and so needs no second look at any.
    if (pair.inForce !== null && pair.inForce !== before[0]) affected.add(pair.address);
    const key = learntKey(pair.pod + 1, pair.address.family);
    this.#table.setKey(key, pair.address, pair.inForce?.number ?? 0, LearntValue.inForce);
    this.#table.setKey(key, pair.address, pair.held?.number ?? 0, LearntValue.held);
    for (const set of before) if (set) this.#release(set);
    if (pair.names.size > 0) return;
    const ofPod = this.#pairs.get(pair.pod);
    const address = addressKey(pair.address);
    if (ofPod?.get(address) === pair) ofPod.delete(address);
    if (ofPod?.size === 0) this.#pairs.delete(pair.pod);
  }

  #obtain(domains: ReadonlySet<number>): DomainSet {
    const numbers = [...domains].sort((a, b) => a - b);
    const key = numbers.join();
    let set = this.#sets.get(key);
    if (!set) {
      const { arrays, lists } = this.#parts;
      const number = this.#numbers.take();
      set = { number, key, start: lists.add([numbers.length, ...numbers]), length: numbers.length + 1, uses: 0 };
      this.#sets.set(key, set);
      arrays.domainSets.reserve(number + 1);
      arrays.domainSets.set(number, set.start);
    }
    set.uses++;
    return set;
  }

  #release(set: DomainSet): void {
    if (--set.uses > 0) return;
    this.#sets.delete(set.key);
    this.#parts.lists.remove(set.start, set.length);
    this.#numbers.giveBack(set.number);
  }
}

function toldKey(name: string, subject: Address): string {
  return `${name} ${addressKey(subject)}`;
}
