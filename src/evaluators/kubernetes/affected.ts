/** Addresses whose flows may be judged otherwise after a change; "all" where they'd be too many to be looked up. */
import { type Address, addressKey, Family } from "../../net/address.ts";

const limit = 1000;

export class Affected {
  #found = new Map<string, Address>();

  /** So many that nothing more needs to be said. */
  get isAll(): boolean {
    return this.#found.size > limit;
  }

  add(address: Address): void {
    if (address.family !== Family.none && !this.isAll) this.#found.set(addressKey(address), address);
  }

  addAll(addresses: readonly Address[]): void {
    for (const address of addresses) this.add(address);
  }

  /** What was said since the last time. */
  take(): readonly Address[] | "all" {
    const found = this.isAll ? "all" : [...this.#found.values()];
    this.#found = new Map();
    return found;
  }
}
