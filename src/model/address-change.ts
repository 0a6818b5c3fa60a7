/** How a set of addresses changes. */
import type { Address } from "../net/address.ts";

export interface AddressDelta {
  readonly added: readonly Address[];
  readonly removed: readonly Address[];
}

/** `all`: from now on every address is meant. After that, the next delta names as added all that are still meant. */
export type AddressChange = AddressDelta | "all";
