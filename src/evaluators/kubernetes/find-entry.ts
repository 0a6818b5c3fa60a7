/** The rule that decides a packet, found in the tables. Runs for each packet: allocates nothing, throws nothing. */
import type { DirectionTables } from "./rule-tables.ts";

/** The first entry of the group whose traffic and peers hold this packet, or -1. `group` isn't 0. */
export function findEntry(tables: DirectionTables, group: number, traffic: number, peerClass: number): number {
  const { intervals, starts } = tables;
  let low = intervals[group] as number;
  let high = intervals[group + 1] as number;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if ((starts[middle] as number) > traffic) high = middle;
    else low = middle;
  }
  const list = tables.list[low] as number;
  const dense = tables.dense[list] as number;
  if (dense !== 0) return (tables.firstMatch[dense - 1 + peerClass] as number) - 1;
  const end = tables.lists[list + 1] as number;
  for (let i = tables.lists[list] as number; i < end; i++) {
    const entry = tables.members[i] as number;
    if (hasPeer(tables, entry, peerClass)) return entry;
  }
  return -1;
}

/** Whether the class is among the entry's peers. */
export function hasPeer(tables: DirectionTables, entry: number, peerClass: number): boolean {
  const { row, bits } = tables.entries;
  const word = bits[(row[entry] as number) + (peerClass >>> 5)] as number;
  return ((word >>> (peerClass & 31)) & 1) === 1;
}
