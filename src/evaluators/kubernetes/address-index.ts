/**
 * The class of each known address: its kind and the longest prefix that contains it. Classes are numbered pairs; equal
 * pairs are one class.
 */
import { type Address, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { PagedAddressTable } from "../../net/paged-address-table.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { containsAddress, type Prefix } from "../../net/prefix.ts";
import { Extents } from "./extents.ts";
import { Prefixes, type PrefixRecord } from "./prefixes.ts";
import { AddressValue, ClassField, classWords, PrefixNode, prefixNodeWords, type TableName } from "./tables.ts";

export class AddressIndex {
  readonly prefixes: Prefixes;
  readonly #arrays: Record<TableName, PagedWords>;
  readonly #table: PagedAddressTable;
  readonly #classes = new Map<number, number>();
  readonly #classNumbers = new FreeNumbers(1);
  /** By class: its addresses, and 1 more for a prefix. */
  readonly #uses: number[] = [1];
  readonly #extents = new Extents();
  /** By class: addresses inside a prefix, while they are counted. */
  readonly #counts: number[] = [];
  /** Known addresses by their first 24 bits, or 64; what a prefix contains is found through it. */
  readonly #nearby = new Map<number, Address[]>();

  constructor(arrays: Record<TableName, PagedWords>) {
    this.#arrays = arrays;
    this.#table = new PagedAddressTable(arrays.addresses);
    this.prefixes = new Prefixes(arrays);
    arrays.classes.reserve(classWords);
  }

  get size(): number {
    return this.#table.size;
  }

  reserve(count: number): void {
    this.#table.reserve(count);
  }

  ownerOf(address: Address): number {
    return this.#table.get(address, AddressValue.owner) - 1;
  }

  /** A pod's number, or -1 for none. */
  setOwner(address: Address, pod: number): void {
    this.#table.set(address, AddressValue.owner, pod + 1);
  }

  /** A pod's address of which nothing was known; false where something is. */
  addOwned(address: Address, pod: number, kind: number): boolean {
    const found = this.#acquire(kind, this.prefixes.longestOf(address), address);
    if (this.#table.insert(address, found, pod + 1)) {
      this.#joinNearby(address);
      return true;
    }
    this.#release(found);
    return false;
  }

  setNodes(address: Address, nodes: number): void {
    this.#table.set(address, AddressValue.nodes, nodes);
  }

  /** 0: nothing is known of the address any more. */
  setKind(address: Address, kind: number): void {
    const before = this.#table.get(address, AddressValue.class);
    if (before === 0 && kind === 0) return;
    if (kind === 0) this.#leaveNearby(address);
    else if (before === 0) this.#joinNearby(address);
    const prefix =
      before === 0
        ? this.prefixes.longestOf(address)
        : this.#arrays.classes.get(before * classWords + ClassField.prefix);
    const after = kind === 0 ? 0 : this.#acquire(kind, prefix, address);
    if (after !== before) this.#table.set(address, AddressValue.class, after);
    if (before !== 0) this.#release(before);
  }

  /** Rules have come or gone: addresses inside their prefixes get their new longest one. */
  settlePrefixes(): void {
    const { added, removed } = this.prefixes.settle();
    const { prefixNodes } = this.#arrays;
    for (const { number } of added) {
      prefixNodes.set(number * prefixNodeWords + PrefixNode.class, this.#acquire(0, number, null));
    }
    // From inside outwards, and from outside inwards.
    const byLength = (a: PrefixRecord, b: PrefixRecord): number => a.prefix.length - b.prefix.length;
    for (const record of [...removed].sort(byLength).reverse()) {
      let parent = record.parent;
      while (parent?.uses === 0) parent = parent.parent;
      this.#reprefix(record.prefix, record.number, parent?.number ?? 0);
      const at = record.number * prefixNodeWords + PrefixNode.class;
      // One that came and went has none.
      const unknown = prefixNodes.get(at);
      if (unknown === 0) continue;
      prefixNodes.set(at, 0);
      this.#release(unknown);
    }
    for (const { prefix, number, parent } of [...added].sort(byLength)) {
      this.#reprefix(prefix, parent?.number ?? 0, number);
    }
    for (const record of removed) this.prefixes.forget(record);
  }

  /** Known addresses inside the prefix whose longest one is `from` have `to` as such from now on. */
  #reprefix(prefix: Prefix, from: number, to: number): void {
    if (this.#nearby.size === 0) return;
    if (!isNarrow(prefix) && this.#reprefixClasses(prefix, from, to)) return;
    const { classes } = this.#arrays;
    const inside: Address[] = [];
    const found: number[] = [];
    const counts = this.#counts;
    this.#visitInside(prefix, (address) => {
      const own = this.#table.get(address, AddressValue.class);
      if (classes.get(own * classWords + ClassField.prefix) !== from) return;
      inside.push(address);
      const count = counts[own] ?? 0;
      if (count === 0) found.push(own);
      counts[own] = count + 1;
    });
    // A class all of whose addresses are inside changes as it is.
    const split = new Set<number>();
    for (const own of found) {
      if ((counts[own] as number) < (this.#uses[own] as number) || !this.#become(own, from, to)) split.add(own);
      counts[own] = 0;
    }
    if (split.size === 0) return;
    for (const address of inside) {
      const own = this.#table.get(address, AddressValue.class);
      if (!split.has(own)) continue;
      const kind = classes.get(own * classWords + ClassField.kind);
      this.#table.set(address, AddressValue.class, this.#acquire(kind, to, address));
      this.#release(own);
    }
  }

  /** The classes that lie inside as a whole change as they are; whether that was all. */
  #reprefixClasses(prefix: Prefix, from: number, to: number): boolean {
    const { classes } = this.#arrays;
    let isAll = true;
    for (let own = 1; own < this.#uses.length; own++) {
      if (this.#uses[own] === 0 || classes.get(own * classWords + ClassField.prefix) !== from) continue;
      const kind = classes.get(own * classWords + ClassField.kind);
      if (kind === 0 || this.#extents.isOutside(own, prefix)) continue;
      if (!this.#extents.isInside(own, prefix) || !this.#become(own, from, to)) isAll = false;
    }
    return isAll;
  }

  /** False where another class is what this one would become. */
  #become(own: number, from: number, to: number): boolean {
    const { classes } = this.#arrays;
    const kind = classes.get(own * classWords + ClassField.kind);
    if (this.#classes.has(pairOf(kind, to))) return false;
    this.#classes.delete(pairOf(kind, from));
    this.#classes.set(pairOf(kind, to), own);
    classes.set(own * classWords + ClassField.prefix, to);
    return true;
  }

  #acquire(kind: number, prefix: number, address: Address | null): number {
    if (kind === 0 && prefix === 0) return 0;
    const pair = pairOf(kind, prefix);
    let found = this.#classes.get(pair);
    if (found === undefined) {
      found = this.#classNumbers.take();
      this.#classes.set(pair, found);
      this.#uses[found] = 0;
      this.#extents.clear(found);
      this.#arrays.classes.set(found * classWords + ClassField.kind, kind);
      this.#arrays.classes.set(found * classWords + ClassField.prefix, prefix);
    }
    this.#uses[found] = (this.#uses[found] as number) + 1;
    if (address !== null) this.#extents.add(found, address);
    return found;
  }

  #release(classNumber: number): void {
    const uses = (this.#uses[classNumber] as number) - 1;
    this.#uses[classNumber] = uses;
    if (uses > 0) return;
    const { classes } = this.#arrays;
    const at = classNumber * classWords;
    this.#classes.delete(pairOf(classes.get(at + ClassField.kind), classes.get(at + ClassField.prefix)));
    this.#classNumbers.giveBack(classNumber);
  }

  #joinNearby(address: Address): void {
    if (address.family === Family.none) return;
    const place = placeOf(address);
    const list = this.#nearby.get(place);
    if (list) list.push(address);
    else this.#nearby.set(place, [address]);
  }

  #leaveNearby(address: Address): void {
    if (address.family === Family.none) return;
    const place = placeOf(address);
    const list = this.#nearby.get(place) ?? [];
    const at = list.findIndex((other) => isSame(other, address));
    const last = list.pop();
    if (last && at < list.length && at >= 0) list[at] = last;
    if (list.length === 0) this.#nearby.delete(place);
  }

  #visitInside(prefix: Prefix, visit: (address: Address) => void): void {
    const { address: a, length } = prefix;
    const isIpv4 = a.family === Family.ipv4;
    const first = placeOf(a);
    const last = isIpv4 ? first + 2 ** Math.max(0, 24 - length) - 1 : first;
    const lists = isNarrow(prefix) ? [[first, this.#nearby.get(first) ?? []] as const] : this.#nearby;
    for (const [place, list] of lists) {
      if (isIpv4 && (place < first || place > last)) continue;
      for (const address of list) if (containsAddress(prefix, address)) visit(address);
    }
  }
}

/** One number for both; there are fewer than 16 million prefixes. */
function pairOf(kind: number, prefix: number): number {
  return kind * 2 ** 24 + prefix;
}

/** All of its addresses have one place. */
function isNarrow({ address, length }: Prefix): boolean {
  return length >= (address.family === Family.ipv4 ? 24 : 64);
}

function placeOf({ family, w0, w1, w3 }: Address): number {
  return family === Family.ipv4 ? w3 >>> 8 : 2 ** 24 + ((Math.imul(w0, 0x9e3779b1) ^ Math.imul(w1, 0x85ebca6b)) >>> 0);
}

function isSame(a: Address, b: Address): boolean {
  return a === b || (a.w3 === b.w3 && a.w2 === b.w2 && a.w1 === b.w1 && a.w0 === b.w0 && a.family === b.family);
}
