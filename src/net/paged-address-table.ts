/**
 * Address → three numbers: open addressing over paged words, so that one entry costs one entry to change, and readers on
 * other threads look up without a string or an allocation.
 *
 * Words 0 to 7 are the head, word 0 the number of slots less one. A slot has eight words: the kind of its key (0: free),
 * the four words of the address, and three values.
 */
import type { Address } from "./address.ts";
import type { PagedWords, WordPages } from "./paged-words.ts";

const headWords = 8;
const slotWords = 8;
const valueAt = 5;
const smallest = 8;

/** Where the values of the address are, or -1. Never allocates. */
export function findAddress(table: WordPages, a: Address): number {
  return findEntry(table, a.family + 1, a.w0 | 0, a.w1 | 0, a.w2 | 0, a.w3 | 0);
}

/** The same of a key of any kind; words are signed. Never allocates. */
export function findEntry(table: WordPages, kind: number, w0: number, w1: number, w2: number, w3: number): number {
  const mask = table.get(0);
  let at = hash(kind, w0, w1, w2, w3) & mask;
  for (;;) {
    const slot = headWords + at * slotWords;
    const found = table.get(slot);
    if (found === 0) return -1;
    if (
      found === kind &&
      table.get(slot + 4) === w3 &&
      table.get(slot + 3) === w2 &&
      table.get(slot + 2) === w1 &&
      table.get(slot + 1) === w0
    ) {
      return slot + valueAt;
    }
    at = (at + 1) & mask;
  }
}

/** Two rounds of multiply and fold: neighbours in one subnet must not share a bucket chain. */
function hash(kind: number, w0: number, w1: number, w2: number, w3: number): number {
  let h = Math.imul(w0 ^ 0x9e3779b9, 0x85ebca6b) ^ w1;
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ w2;
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f) ^ w3 ^ Math.imul(kind, 0x5bd1e995);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}

/** The writer's side of a table. */
export class PagedAddressTable {
  readonly #words: PagedWords;
  #count = 0;

  constructor(words: PagedWords) {
    this.#words = words;
    words.set(0, smallest - 1);
    words.reserve(headWords + smallest * slotWords);
  }

  get size(): number {
    return this.#count;
  }

  /** The address's value number 0, 1 or 2; 0 where it has none. */
  get(address: Address, value: number): number {
    const at = findAddress(this.#words.view, address);
    return at < 0 ? 0 : this.#words.get(at + value);
  }

  /** An address all of whose values are 0 leaves the table. */
  set(a: Address, value: number, to: number): void {
    this.#set(a.family + 1, a.w0 | 0, a.w1 | 0, a.w2 | 0, a.w3 | 0, value, to);
  }

  /** A new address with its values 0 and 1, the first of which isn't 0; false where the address has values already. */
  insert(a: Address, first: number, second: number): boolean {
    const [kind, w0, w1, w2, w3] = [a.family + 1, a.w0 | 0, a.w1 | 0, a.w2 | 0, a.w3 | 0];
    if (findEntry(this.#words.view, kind, w0, w1, w2, w3) >= 0) return false;
    this.reserve(this.#count + 1);
    const at = this.#insert(kind, w0, w1, w2, w3);
    this.#count++;
    this.#words.set(at, first);
    this.#words.set(at + 1, second);
    return true;
  }

  /** Value 0 of a key of the caller's own making: a kind that no other key of the table has, and four words. */
  getKey(kind: number, { w0, w1, w2, w3 }: Address): number {
    const at = findEntry(this.#words.view, kind, w0 | 0, w1 | 0, w2 | 0, w3 | 0);
    return at < 0 ? 0 : this.#words.get(at);
  }

  setKey(kind: number, { w0, w1, w2, w3 }: Address, to: number, value = 0): void {
    this.#set(kind, w0 | 0, w1 | 0, w2 | 0, w3 | 0, value, to);
  }

  /** Makes room for so many entries at once, which is quicker than growing into them. */
  reserve(count: number): void {
    let size = this.#words.get(0) + 1;
    if (count * 8 <= size * 5) return;
    while (count * 8 > size * 5) size *= 2;
    this.#rebuild(size);
  }

  #set(kind: number, w0: number, w1: number, w2: number, w3: number, value: number, to: number): void {
    const words = this.#words;
    let at = findEntry(words.view, kind, w0, w1, w2, w3);
    if (at < 0) {
      if (to === 0) return;
      this.reserve(this.#count + 1);
      at = this.#insert(kind, w0, w1, w2, w3);
      this.#count++;
    }
    if (words.get(at + value) !== to) words.set(at + value, to);
    if (to === 0 && words.get(at) === 0 && words.get(at + 1) === 0 && words.get(at + 2) === 0) this.#remove(at);
  }

  /** The key isn't in the table, and there is room. */
  #insert(kind: number, w0: number, w1: number, w2: number, w3: number): number {
    const words = this.#words;
    const mask = words.get(0);
    let at = hash(kind, w0, w1, w2, w3) & mask;
    while (words.get(headWords + at * slotWords) !== 0) at = (at + 1) & mask;
    const slot = headWords + at * slotWords;
    words.set(slot, kind);
    words.set(slot + 1, w0);
    words.set(slot + 2, w1);
    words.set(slot + 3, w2);
    words.set(slot + 4, w3);
    return slot + valueAt;
  }

  /** Entries behind it move up, so that no look-up ends early and none has to step over what is gone. */
  #remove(valuesAt: number): void {
    const words = this.#words;
    const mask = words.get(0);
    let hole = (valuesAt - valueAt - headWords) / slotWords;
    for (let at = (hole + 1) & mask; ; at = (at + 1) & mask) {
      const slot = headWords + at * slotWords;
      const kind = words.get(slot);
      if (kind === 0) break;
      const home =
        hash(kind, words.get(slot + 1), words.get(slot + 2), words.get(slot + 3), words.get(slot + 4)) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      for (let i = 0; i < slotWords; i++) words.set(headWords + hole * slotWords + i, words.get(slot + i));
      hole = at;
    }
    for (let i = 0; i < slotWords; i++) words.set(headWords + hole * slotWords + i, 0);
    this.#count--;
  }

  #rebuild(size: number): void {
    const words = this.#words;
    const entries: number[] = [];
    const end = headWords + (words.get(0) + 1) * slotWords;
    for (let slot = headWords; slot < end; slot += slotWords) {
      if (words.get(slot) !== 0) for (let i = 0; i < slotWords; i++) entries.push(words.get(slot + i));
    }
    words.clear();
    words.reserve(headWords + size * slotWords);
    words.set(0, size - 1);
    const entry = (i: number): number => entries[i] as number;
    for (let i = 0; i < entries.length; i += slotWords) {
      const at = this.#insert(entry(i), entry(i + 1), entry(i + 2), entry(i + 3), entry(i + 4));
      for (let value = 0; value < 3; value++) words.set(at + value, entry(i + valueAt + value));
    }
  }
}
