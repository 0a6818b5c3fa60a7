/**
 * Address → small number, by open addressing over typed arrays: no allocation and no string on the packet path.
 * The data can be copied or shared between threads as it stands.
 */
import { type Address, Family } from "./address.ts";

/** `slots` is five words each: family (0 in a free slot is told by value 0), w0 … w3. `values` hold value + 1. */
export interface AddressTableData {
  readonly mask: number;
  readonly slots: Uint32Array;
  readonly values: Uint32Array;
}

const WORDS = 5;

/** Builds a table at most half full; a later entry for the same address replaces an earlier one. */
export function buildAddressTable(entries: Iterable<readonly [Address, number]>): AddressTableData {
  const all = [...entries];
  let size = 8;
  while (size < all.length * 2) size *= 2;
  const mask = size - 1;
  const slots = new Uint32Array(size * WORDS);
  const values = new Uint32Array(size);
  for (const [address, value] of all) {
    let at = hash(address) & mask;
    while (values[at] !== 0 && !isAt(slots, at * WORDS, address)) at = (at + 1) & mask;
    values[at] = value + 1;
    const o = at * WORDS;
    slots[o] = address.family;
    slots[o + 1] = address.w0;
    slots[o + 2] = address.w1;
    slots[o + 3] = address.w2;
    slots[o + 4] = address.w3;
  }
  return { mask, slots, values };
}

/** The number stored for the address, or -1. Never allocates. */
export function lookupAddress(table: AddressTableData, address: Address): number {
  const { mask, slots, values } = table;
  let at = hash(address) & mask;
  for (;;) {
    const value = values[at] as number;
    if (value === 0) return -1;
    if (isAt(slots, at * WORDS, address)) return value - 1;
    at = (at + 1) & mask;
  }
}

function isAt(slots: Uint32Array, o: number, address: Address): boolean {
  return (
    slots[o + 4] === address.w3 &&
    slots[o + 3] === address.w2 &&
    slots[o + 2] === address.w1 &&
    slots[o + 1] === address.w0 &&
    slots[o] === address.family
  );
}

/** Two rounds of multiply and fold: neighbours in one subnet must not share a bucket chain. */
function hash(a: Address): number {
  let h = Math.imul(a.w0 ^ 0x9e3779b9, 0x85ebca6b) ^ a.w1;
  h = Math.imul(h ^ (h >>> 15), 0xc2b2ae35) ^ a.w2;
  h = Math.imul(h ^ (h >>> 13), 0x27d4eb2f) ^ a.w3 ^ (a.family === Family.ipv6 ? 0x5bd1e995 : a.family);
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  return h ^ (h >>> 13);
}
