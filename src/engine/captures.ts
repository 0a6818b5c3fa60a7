/**
 * Which addresses have to be diverted: the union of what the evaluators capture, kept up to date by what each of them
 * gives up and takes in.
 */
import type { AddressChange, AddressDelta } from "../model/address-change.ts";
import { type Address, addressKey, addressOfKey, Family } from "../net/address.ts";

/** `all`: every packet. */
export type Captured = readonly Address[] | "all";

/** Counts, for each address, who captures it. Sources are told apart by number, 0 … 31. */
export class CaptureSet {
  readonly #owners = new Map<string, number>();
  /** Sources that capture everything. */
  #all = 0;
  readonly #lists = new Map<number, readonly Address[]>();
  #added = new Map<string, Address>();
  #removed = new Map<string, Address>();
  #wasAll = false;

  get size(): number | "all" {
    return this.#all !== 0 ? "all" : this.#owners.size;
  }

  has(address: Address): boolean {
    return this.#all !== 0 || this.#owners.has(addressKey(address));
  }

  /** The source captures these, and none of those that it had by `replace` before. */
  replace(source: number, addresses: Captured): void {
    const before = this.#lists.get(source) ?? [];
    const after = addresses === "all" ? [] : addresses;
    this.#all = addresses === "all" ? this.#all | (1 << source) : this.#all & ~(1 << source);
    const kept = new Set(after.map(addressKey));
    this.change(source, {
      added: after,
      removed: before.filter((address) => !kept.has(addressKey(address))),
    });
    this.#lists.set(source, after);
  }

  change(source: number, { added, removed }: AddressDelta): void {
    const bit = 1 << source;
    for (const address of removed) {
      const key = addressKey(address);
      const owners = (this.#owners.get(key) ?? 0) & ~bit;
      if (owners !== 0) this.#owners.set(key, owners);
      else if (this.#owners.delete(key) && !this.#added.delete(key)) this.#removed.set(key, address);
    }
    for (const address of added) {
      // An endpoint without an address can't be met on the wire.
      if (address.family === Family.none) continue;
      const key = addressKey(address);
      const owners = this.#owners.get(key);
      this.#owners.set(key, (owners ?? 0) | bit);
      if (owners === undefined && !this.#removed.delete(key)) this.#added.set(key, address);
    }
  }

  /** What has changed since it was last asked. */
  take(): AddressChange {
    const added = this.#wasAll ? [...this.#owners.keys()].map(addressOfKey) : [...this.#added.values()];
    const removed = this.#wasAll ? [] : [...this.#removed.values()];
    this.#added = new Map();
    this.#removed = new Map();
    this.#wasAll = this.#all !== 0;
    return this.#wasAll ? "all" : { added, removed };
  }
}
