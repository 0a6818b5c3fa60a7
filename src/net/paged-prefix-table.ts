/** Prefix → number in paged words, by the longest match: one look-up for each length in use, of which there are few. */
import { type Address, Family } from "./address.ts";
import { findEntry, PagedAddressTable } from "./paged-address-table.ts";
import type { PagedWords, WordPages } from "./paged-words.ts";
import { familyBits, type Prefix, wordMask } from "./prefix.ts";

/** Length and mask; in front of a family's list, from the longest to the shortest, is how many there are. */
const lengthWords = 5;
const familyStart = (family: Family): number => (family === Family.ipv4 ? 0 : 1 + 33 * lengthWords);

/** The value of the longest prefix that contains the address, or 0. Never allocates. */
export function findLongestPrefix(lengths: WordPages, prefixes: WordPages, a: Address): number {
  if (a.family === Family.none) return 0;
  const start = familyStart(a.family);
  const end = start + 1 + lengths.get(start) * lengthWords;
  for (let at = start + 1; at < end; at += lengthWords) {
    const found = findEntry(
      prefixes,
      prefixKind(a.family, lengths.get(at)),
      a.w0 & lengths.get(at + 1),
      a.w1 & lengths.get(at + 2),
      a.w2 & lengths.get(at + 3),
      a.w3 & lengths.get(at + 4),
    );
    if (found >= 0) return prefixes.get(found);
  }
  return 0;
}

function prefixKind(family: Family, length: number): number {
  return ((length + 1) << 8) | (family + 1);
}

/** Prefix → number other than 0, for the longest match; the lengths in use are in an array of their own. */
export class PagedPrefixTable {
  readonly #lengths: PagedWords;
  readonly #table: PagedAddressTable;
  readonly #counts = { [Family.ipv4]: new Uint32Array(33), [Family.ipv6]: new Uint32Array(129) };

  constructor(lengths: PagedWords, prefixes: PagedWords) {
    this.#lengths = lengths;
    this.#table = new PagedAddressTable(prefixes);
    lengths.reserve(familyStart(Family.ipv6) + 1 + 129 * lengthWords);
  }

  get(prefix: Prefix): number {
    return this.#table.getKey(prefixKind(prefix.address.family, prefix.length), prefix.address);
  }

  insert(prefix: Prefix, value: number): void {
    const { family } = prefix.address;
    if (family === Family.none) return;
    this.#table.setKey(prefixKind(family, prefix.length), prefix.address, value);
    const counts = this.#counts[family];
    counts[prefix.length] = (counts[prefix.length] as number) + 1;
    if (counts[prefix.length] === 1) this.#list(family);
  }

  remove(prefix: Prefix): void {
    const { family } = prefix.address;
    if (family === Family.none) return;
    this.#table.setKey(prefixKind(family, prefix.length), prefix.address, 0);
    const counts = this.#counts[family];
    counts[prefix.length] = (counts[prefix.length] as number) - 1;
    if (counts[prefix.length] === 0) this.#list(family);
  }

  #list(family: typeof Family.ipv4 | typeof Family.ipv6): void {
    const start = familyStart(family);
    let at = start + 1;
    for (let length = familyBits(family); length >= 0; length--) {
      if (this.#counts[family][length] === 0) continue;
      const bits = length + (family === Family.ipv4 ? 96 : 0);
      this.#lengths.set(at, length);
      for (let word = 0; word < 4; word++) this.#lengths.set(at + 1 + word, wordMask(bits, word) | 0);
      at += lengthWords;
    }
    this.#lengths.set(start, (at - start - 1) / lengthWords);
  }
}
