/**
 * What DNS told each pod (AN-30): the addresses of names that it asked for itself, for both its families. What one pod was
 * told means nothing for another.
 *
 * What has expired admits no new flow, but is remembered for flows that were admitted while it was in force: those are held
 * for as long as a rule means the name. Where it becomes too much, the oldest of a pod is forgotten: of the one that has
 * most of it, so that none pays for another.
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
  readonly pair: Pair;
  readonly name: string;
  readonly subject: Address;
  isInForce: boolean;
}

/** What a pod was told, by number. */
export interface Told extends Pick<NameChange, "subject" | "name" | "address"> {
  readonly pod: number;
}

/** Equal ones are one. */
interface DomainSet {
  readonly number: number;
  readonly key: string;
  readonly start: number;
  readonly length: number;
  uses: number;
}

export interface LearntLimits {
  /** Names of addresses that are kept after they expired: of a pod, and of all. */
  readonly expiredOfPod: number;
  readonly expired: number;
}
const learntLimits: LearntLimits = { expiredOfPod: 4096, expired: 65_536 };

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
  readonly #limits: LearntLimits;
  readonly #table: PagedAddressTable;
  /** By pod, then by address. */
  readonly #pairs = new Map<number, Map<string, Pair>>();
  readonly #sets = new Map<string, DomainSet>();
  readonly #numbers = new FreeNumbers(1);
  /** By pod, in the order in which they expired. */
  readonly #expired = new Map<number, Set<ToldName>>();
  #expiredCount = 0;
  readonly #stale = new Set<Pair>();

  constructor(parts: LearntParts, limits: LearntLimits = learntLimits) {
    this.#parts = parts;
    this.#limits = limits;
    this.#table = new PagedAddressTable(parts.arrays.learnt);
    parts.arrays.domainSets.reserve(1);
  }

  /** Pairs of a pod and an address. */
  get size(): number {
    return this.#table.size;
  }

  /** What is remembered, expired or not. */
  *told(): Generator<Told> {
    for (const pairs of this.#pairs.values()) {
      for (const { pod, address, names } of pairs.values()) {
        for (const { name, subject } of names.values()) yield { pod, subject, name, address };
      }
    }
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
    this.#expiredCount -= this.#expired.get(pod)?.size ?? 0;
    this.#expired.delete(pod);
  }

  /** Brings the tables up to date; all of them where rules mean other domains than before. */
  settle(haveDomainsChanged: boolean): void {
    while (this.#expiredCount > this.#limits.expired) this.#forgetOldest();
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
    const told = toldKey(name, subject);
    const known = pair.names.get(told);
    if (known?.isInForce === false) this.#unexpire(known);
    pair.names.set(told, { pair, name, subject, isInForce: true });
    this.#stale.add(pair);
  }

  #expire(pod: number, { name, address, subject }: NameChange): void {
    const told = this.#pairs.get(pod)?.get(addressKey(address))?.names.get(toldKey(name, subject));
    if (told?.isInForce !== true) return;
    told.isInForce = false;
    const ofPod = this.#expired.get(pod) ?? new Set<ToldName>();
    this.#expired.set(pod, ofPod);
    ofPod.add(told);
    this.#expiredCount++;
    this.#stale.add(told.pair);
    if (ofPod.size > this.#limits.expiredOfPod) this.#forgetFirst(ofPod);
  }

  #unexpire(told: ToldName): void {
    const { pod } = told.pair;
    const ofPod = this.#expired.get(pod);
    if (ofPod?.delete(told) !== true) return;
    this.#expiredCount--;
    if (ofPod.size === 0) this.#expired.delete(pod);
  }

  #forgetOldest(): void {
    let most = new Set<ToldName>();
    for (const ofPod of this.#expired.values()) if (ofPod.size > most.size) most = ofPod;
    this.#forgetFirst(most);
  }

  #forgetFirst(expired: ReadonlySet<ToldName>): void {
    for (const told of expired) {
      this.#unexpire(told);
      told.pair.names.delete(toldKey(told.name, told.subject));
      this.#stale.add(told.pair);
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
    pair.held = held.size === 0 ? null : this.#obtain(held);
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
