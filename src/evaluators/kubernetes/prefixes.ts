/** The prefixes that rules name, as a tree: each knows the next shorter one that contains it. */
import { type Address, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { findLongestPrefix, PagedPrefixTable } from "../../net/paged-prefix-table.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { containsPrefix, type Prefix } from "../../net/prefix.ts";
import { PrefixNode, prefixNodeWords, type TableName } from "./tables.ts";

export interface PrefixRecord {
  readonly number: number;
  readonly prefix: Prefix;
  uses: number;
  parent: PrefixRecord | null;
  /** Has its place in the tree. */
  isLinked: boolean;
}

/** From how many new ones on it's quicker to make the tree anew. */
const many = 64;

export class Prefixes {
  readonly #arrays: Record<TableName, PagedWords>;
  readonly #table: PagedPrefixTable;
  readonly #records: (PrefixRecord | undefined)[] = [];
  readonly #numbers = new FreeNumbers(1);
  /** By family, by first address and then from the shortest on: what a prefix contains lies behind it. */
  readonly #sorted: { [family: number]: PrefixRecord[] } = { [Family.ipv4]: [], [Family.ipv6]: [] };
  readonly #changed = new Set<PrefixRecord>();

  constructor(arrays: Record<TableName, PagedWords>) {
    this.#arrays = arrays;
    this.#table = new PagedPrefixTable(arrays.prefixLengths, arrays.prefixes);
    arrays.prefixNodes.reserve(prefixNodeWords);
  }

  /** To be given back by `release`. */
  acquire(prefix: Prefix): PrefixRecord {
    const number = this.#table.get(prefix);
    const known = number === 0 ? undefined : this.#records[number];
    if (known) {
      known.uses++;
      if (known.uses === 1) this.#changed.add(known);
      return known;
    }
    const record = { number: this.#numbers.take(), prefix, uses: 1, parent: null, isLinked: false };
    this.#records[record.number] = record;
    this.#arrays.prefixNodes.reserve((record.number + 1) * prefixNodeWords);
    this.#table.insert(prefix, record.number);
    this.#changed.add(record);
    return record;
  }

  release(record: PrefixRecord): void {
    if (--record.uses === 0) this.#changed.add(record);
  }

  /** The number of the longest prefix that contains the address, or 0. */
  longestOf(address: Address): number {
    return findLongestPrefix(this.#arrays.prefixLengths.view, this.#arrays.prefixes.view, address);
  }

  /**
   * Brings the tree up to date. Says which prefixes came and which went: addresses inside them may have another longest
   * one now. Those that went keep their number until `forget`.
   */
  settle(): { readonly added: readonly PrefixRecord[]; readonly removed: readonly PrefixRecord[] } {
    const changed = [...this.#changed];
    this.#changed.clear();
    const added = changed.filter((record) => record.uses > 0 && !record.isLinked);
    const removed = changed.filter((record) => record.uses === 0);
    for (const record of removed) this.#table.remove(record.prefix);
    if (added.length + removed.length > many) this.#rebuild(added);
    else {
      for (const record of removed) if (record.isLinked) this.#unlink(record);
      for (const record of added) this.#link(record);
    }
    return { added, removed };
  }

  forget({ number }: PrefixRecord): void {
    this.#records[number] = undefined;
    this.#numbers.giveBack(number);
  }

  #link(record: PrefixRecord): void {
    const list = this.#listOf(record);
    const at = lowerBound(list, record);
    list.splice(at, 0, record);
    record.isLinked = true;
    let parent: PrefixRecord | null = list[at - 1] ?? null;
    while (parent && !containsPrefix(parent.prefix, record.prefix)) parent = parent.parent;
    this.#setParent(record, parent);
    for (let i = at + 1; i < list.length; i++) {
      const inner = list[i] as PrefixRecord;
      if (!containsPrefix(record.prefix, inner.prefix)) break;
      if (inner.parent === parent) this.#setParent(inner, record);
    }
  }

  #unlink(record: PrefixRecord): void {
    const list = this.#listOf(record);
    const at = lowerBound(list, record);
    for (let i = at + 1; i < list.length; i++) {
      const inner = list[i] as PrefixRecord;
      if (!containsPrefix(record.prefix, inner.prefix)) break;
      if (inner.parent === record) this.#setParent(inner, record.parent);
    }
    list.splice(at, 1);
    record.isLinked = false;
  }

  #rebuild(added: readonly PrefixRecord[]): void {
    for (const record of added) {
      record.isLinked = true;
      this.#listOf(record).push(record);
    }
    for (const family of [Family.ipv4, Family.ipv6]) {
      const list = (this.#sorted[family] ?? []).filter((record) => record.uses > 0).sort(compare);
      this.#sorted[family] = list;
      let parent: PrefixRecord | null = null;
      for (const record of list) {
        while (parent && !containsPrefix(parent.prefix, record.prefix)) parent = parent.parent;
        this.#setParent(record, parent);
        parent = record;
      }
    }
  }

  #setParent(record: PrefixRecord, parent: PrefixRecord | null): void {
    record.parent = parent;
    const { prefixNodes } = this.#arrays;
    const at = record.number * prefixNodeWords + PrefixNode.parent;
    const number = parent?.number ?? 0;
    if (prefixNodes.get(at) !== number) prefixNodes.set(at, number);
  }

  #listOf(record: PrefixRecord): PrefixRecord[] {
    return this.#sorted[record.prefix.address.family] as PrefixRecord[];
  }
}

function lowerBound(list: readonly PrefixRecord[], record: PrefixRecord): number {
  let low = 0;
  let high = list.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(list[middle] as PrefixRecord, record) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function compare({ prefix: a }: PrefixRecord, { prefix: b }: PrefixRecord): number {
  const [p, q] = [a.address, b.address];
  return p.w0 - q.w0 || p.w1 - q.w1 || p.w2 - q.w2 || p.w3 - q.w3 || a.length - b.length;
}
