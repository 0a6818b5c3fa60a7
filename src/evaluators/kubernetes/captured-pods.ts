/** Which pods' addresses are diverted, and what of it has changed. */
import { type Address, addressKey, Family } from "../../net/address.ts";

export interface CapturedChange {
  readonly added: readonly Address[];
  readonly removed: readonly Address[];
}

export class CapturedPods {
  /** By number of pod: 1 where everybody knows its addresses as diverted. */
  readonly #captured: number[] = [];
  /** Addresses that pods began or ceased to have diverted, in order. */
  #addresses: Address[] = [];
  #began: boolean[] = [];

  /** The number is nobody's, or a new pod's. */
  clear(number: number): void {
    this.#captured[number] = 0;
  }

  set(number: number, is: boolean, addresses: readonly Address[]): void {
    if ((this.#captured[number] === 1) === is) return;
    this.#captured[number] = is ? 1 : 0;
    this.#note(addresses, is);
  }

  /** The pod stays what it is, and has these addresses too, or no longer. */
  change(number: number, has: boolean, addresses: readonly Address[]): void {
    if (this.#captured[number] === 1) this.#note(addresses, has);
  }

  /** Since the last time. `ownerOf` is the pod that has an address now, or -1. */
  take(ownerOf: (address: Address) => number): CapturedChange {
    const [addresses, began] = [this.#addresses, this.#began];
    this.#addresses = [];
    this.#began = [];
    if (!began.includes(false)) return { added: addresses, removed: [] };
    // An address may have gone from pod to pod: what it was at first and what it is now count.
    const first = new Map<string, number>();
    addresses.forEach((address, i) => {
      const key = addressKey(address);
      if (!first.has(key)) first.set(key, i);
    });
    const changed = { added: [] as Address[], removed: [] as Address[] };
    for (const i of first.values()) {
      const address = addresses[i] as Address;
      const owner = ownerOf(address);
      const is = owner >= 0 && this.#captured[owner] === 1;
      if (is === began[i]) changed[is ? "added" : "removed"].push(address);
    }
    return changed;
  }

  #note(addresses: readonly Address[], began: boolean): void {
    for (const address of addresses) {
      if (address.family === Family.none) continue;
      this.#addresses.push(address);
      this.#began.push(began);
    }
  }
}
