/**
 * Longest-prefix match over a fixed list of prefixes: the sorted bounds of the disjoint intervals that the prefixes
 * cut each family's address space into, searched by halving. Never allocates on look-up; the data can be shared
 * between threads as it stands.
 */
import { type Address, Family } from "./address.ts";
import { familyBits, type Prefix } from "./prefix.ts";

/** `starts` holds four words for each interval, ascending; `owners[i]` is the index of the longest prefix + 1. */
interface Intervals {
  readonly starts: Uint32Array;
  readonly owners: Uint32Array;
}

export interface PrefixTableData {
  readonly ipv4: Intervals;
  readonly ipv6: Intervals;
}

/** The value looked up is the prefix's index in the list given. Of equal prefixes the first one counts. */
export function buildPrefixTable(prefixes: readonly Prefix[]): PrefixTableData {
  return { ipv4: cut(prefixes, Family.ipv4), ipv6: cut(prefixes, Family.ipv6) };
}

/** The index of the longest prefix that contains the address, or -1. Never allocates. */
export function lookupPrefix(table: PrefixTableData, address: Address): number {
  if (address.family === Family.none) return -1;
  const { starts, owners } = address.family === Family.ipv4 ? table.ipv4 : table.ipv6;
  let low = 0;
  let high = owners.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (startsAfter(starts, middle * 4, address)) high = middle;
    else low = middle + 1;
  }
  return low === 0 ? -1 : (owners[low - 1] as number) - 1;
}

function startsAfter(starts: Uint32Array, at: number, a: Address): boolean {
  if (starts[at] !== a.w0) return (starts[at] as number) > a.w0;
  if (starts[at + 1] !== a.w1) return (starts[at + 1] as number) > a.w1;
  if (starts[at + 2] !== a.w2) return (starts[at + 2] as number) > a.w2;
  return (starts[at + 3] as number) > a.w3;
}

function cut(prefixes: readonly Prefix[], family: Family): Intervals {
  const seen = new Set<string>();
  const ranges = prefixes
    .map((prefix, index) => ({ index, length: prefix.length, first: firstOf(prefix), after: afterOf(prefix), prefix }))
    .filter(({ prefix, first, length }) => {
      const key = `${first}/${length}`;
      return prefix.address.family === family && !seen.has(key) && seen.add(key);
    })
    .sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : a.length - b.length));
  const bounds: { start: bigint; owner: number }[] = [];
  const open: typeof ranges = [];
  const mark = (start: bigint) => {
    const owner = (open.at(-1)?.index ?? -1) + 1;
    if (bounds.at(-1)?.start === start) bounds.pop();
    if ((bounds.at(-1)?.owner ?? 0) !== owner) bounds.push({ start, owner });
  };
  const closeUntil = (limit: bigint | null) => {
    for (let top = open.at(-1); top && (limit === null || top.after <= limit); top = open.at(-1)) {
      open.pop();
      if (top.after < 1n << BigInt(familyBits(family))) mark(top.after);
    }
  };
  for (const range of ranges) {
    closeUntil(range.first);
    open.push(range);
    mark(range.first);
  }
  closeUntil(null);
  const starts = new Uint32Array(bounds.length * 4);
  bounds.forEach(({ start }, i) => {
    for (let w = 0; w < 4; w++) starts[i * 4 + w] = Number((start >> BigInt(32 * (3 - w))) & 0xffffffffn);
  });
  return { starts, owners: Uint32Array.from(bounds, (b) => b.owner) };
}

function firstOf({ address: a }: Prefix): bigint {
  return (BigInt(a.w0) << 96n) | (BigInt(a.w1) << 64n) | (BigInt(a.w2) << 32n) | BigInt(a.w3);
}

function afterOf(prefix: Prefix): bigint {
  return firstOf(prefix) + (1n << BigInt(familyBits(prefix.address.family) - prefix.length));
}
