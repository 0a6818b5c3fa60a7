/**
 * The class of each known address: its kind and the longest prefix that contains it. Classes are numbered pairs; equal
 * pairs are one class.
 */
import { type Address, Family } from "../../net/address.ts";
import { FreeNumbers } from "../../net/free-numbers.ts";
import { PagedAddressTable } from "../../net/paged-address-table.ts";
import type { PagedWords } from "../../net/paged-words.ts";
import { containsAddress, type Prefix } from "../../net/prefix.ts";
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
    const after = kind === 0 ? 0 : this.#acquire(kind, prefix);
    if (after !== before) this.#table.set(address, AddressValue.class, after);
    if (before !== 0) this.#release(before);
  }

  /** Rules have come or gone: addresses inside their prefixes get their new longest one. */
  settlePrefixes(): void {
    const { added, removed } = this.prefixes.settle();
    const { prefixNodes } = this.#arrays;
    for (const { number } of added) {
      prefixNodes.set(number * prefixNodeWords + PrefixNode.class, this.#acquire(0, number));
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
    const { classes } = this.#arrays;
    const inside: Address[] = [];
    const counts = new Map<number, number>();
    this.#visitInside(prefix, (address) => {
      const found = this.#table.get(address, AddressValue.class);
      if (classes.get(found * classWords + ClassField.prefix) !== from) return;
      inside.push(address);
      counts.set(found, (counts.get(found) ?? 0) + 1);
    });
    // A class all of whose addresses are inside changes as it is.
    for (const [found, count] of counts) {
      const kind = classes.get(found * classWords + ClassField.kind);
      if (count < (this.#uses[found] as number) || this.#classes.has(pairOf(kind, to))) continue;
      this.#classes.delete(pairOf(kind, from));
      this.#classes.set(pairOf(kind, to), found);
      classes.set(found * classWords + ClassField.prefix, to);
      counts.delete(found);
    }
    if (counts.size === 0) return;
    for (const address of inside) {
      const before = this.#table.get(address, AddressValue.class);
      if (!counts.has(before)) continue;
      this.#table.set(
        address,
        AddressValue.class,
        this.#acquire(classes.get(before * classWords + ClassField.kind), to),
      );
      this.#release(before);
    }
  }

  #acquire(kind: number, prefix: number): number {
    if (kind === 0 && prefix === 0) return 0;
    const pair = pairOf(kind, prefix);
    let found = this.#classes.get(pair);
    if (found === undefined) {
      found = this.#classNumbers.take();
      this.#classes.set(pair, found);
      this.#uses[found] = 0;
      this.#arrays.classes.set(found * classWords + ClassField.kind, kind);
      this.#arrays.classes.set(found * classWords + ClassField.prefix, prefix);
    }
    this.#uses[found] = (this.#uses[found] as number) + 1;
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
    if (this.#nearby.size === 0) return;
    const lists = isNarrow(prefix) ? [this.#nearby.get(placeOf(prefix.address)) ?? []] : this.#nearby.values();
    for (const list of lists) for (const address of list) if (containsAddress(prefix, address)) visit(address);
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
