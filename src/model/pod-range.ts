/** Whose the addresses of a node's pods are: so that a packet of one that nobody is known to have can wait (NP-64). */
import type { Prefix } from "../net/prefix.ts";
import type { AddressDelta } from "./address-change.ts";

export interface PodRangeChange {
  /** The range, where it's another than before; null: it's the same. */
  readonly prefixes: readonly Prefix[] | null;
  /** Addresses of the range that somebody has now, and those that nobody has any more. */
  readonly known: AddressDelta;
}

export const noPodRangeChange: PodRangeChange = { prefixes: null, known: { added: [], removed: [] } };
