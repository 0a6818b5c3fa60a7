/**
 * A partition of all addresses into classes: two addresses share a class when no rule of one evaluator can tell them
 * apart. A class is decided by the key of a known address (what the inventory says of it: its groups, its labels) and
 * by the longest of the policies' prefixes that holds it, which stands for all the prefixes that hold it.
 *
 * Looking up costs one hash probe, and one search over the prefixes for addresses that nobody owns.
 */
import type { Address } from "./address.ts";
import { type AddressTableData, buildAddressTable, lookupAddress } from "./address-table.ts";
import { containsPrefix, type Prefix } from "./prefix.ts";
import { buildPrefixTable, lookupPrefix, type PrefixTableData } from "./prefix-table.ts";

/** Plain data: it can be copied or shared between threads as it stands. */
export interface AddressClassesData {
  readonly known: AddressTableData;
  readonly prefixes: PrefixTableData;
  /** The class of an unknown address by the index of its longest prefix. */
  readonly prefixClass: Uint32Array;
}

/** What all addresses of one class have in common. */
export interface AddressClass {
  /** The key given for a known address; null for addresses that the inventory doesn't know. */
  readonly key: string | null;
  /** Indexes, in the list of prefixes given, of every prefix that contains the addresses of this class. */
  readonly prefixes: readonly number[];
}

/**
 * Builds the partition. `known` gives a key to each known address (the last one counts for an address given twice);
 * equal keys mean "no rule tells them apart but by prefix". `classes[0]` is always the address that is unknown and in
 * no prefix.
 */
export function buildAddressClasses(
  known: Iterable<readonly [Address, string]>,
  prefixes: readonly Prefix[],
): { readonly data: AddressClassesData; readonly classes: readonly AddressClass[] } {
  const table = buildPrefixTable(prefixes);
  const chains = prefixes.map((inner) => prefixes.flatMap((outer, i) => (containsPrefix(outer, inner) ? [i] : [])));
  const classes: AddressClass[] = [{ key: null, prefixes: [] }];
  const numbers = new Map<string, number>();
  const intern = (key: string | null, longest: number): number => {
    if (key === null && longest < 0) return 0;
    const name = `${longest} ${key === null ? "-" : `+${key}`}`;
    let number = numbers.get(name);
    if (number === undefined) {
      number = classes.length;
      numbers.set(name, number);
      classes.push({ key, prefixes: chains[longest] ?? [] });
    }
    return number;
  };
  const entries: [Address, number][] = [];
  for (const [address, key] of known) entries.push([address, intern(key, lookupPrefix(table, address))]);
  const prefixClass = Uint32Array.from(prefixes, (_, i) => intern(null, i));
  return { data: { known: buildAddressTable(entries), prefixes: table, prefixClass }, classes };
}

/** The class number of any address; 0 for one that is unknown and in no prefix. Never allocates. */
export function classOfAddress(data: AddressClassesData, address: Address): number {
  const known = lookupAddress(data.known, address);
  if (known >= 0) return known;
  const longest = lookupPrefix(data.prefixes, address);
  return longest < 0 ? 0 : (data.prefixClass[longest] as number);
}
