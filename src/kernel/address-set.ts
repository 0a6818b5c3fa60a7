/** What a set of addresses in the table holds, one for both families: `NAME4` and `NAME6` in the kernel. */
import { type Address, addressKey, Family } from "../net/address.ts";
import type { MessageBuilder } from "./netlink-client.ts";
import { addElements, deleteElements, flushSet } from "./nf-tables.ts";

const families = [Family.ipv4, Family.ipv6] as const;

export class AddressSet {
  readonly #name: string;
  readonly #members = new Map<string, Address>();
  readonly #sizes = { [Family.ipv4]: 0, [Family.ipv6]: 0 };

  constructor(name: string, addresses: Iterable<Address> = []) {
    this.#name = name;
    this.insert([...addresses]);
  }

  get addresses(): readonly Address[] {
    return [...this.#members.values()];
  }

  /** Name and size of each of the kernel's sets. */
  get sizes(): readonly (readonly [string, number])[] {
    return families.map((family) => [`${this.#name}${family}`, this.#sizes[family]] as const);
  }

  get isEmpty(): boolean {
    return this.#members.size === 0;
  }

  has(address: Address): boolean {
    return this.#members.has(addressKey(address));
  }

  /** Of these, what isn't in it, each once. An endpoint without an address can't be met on the wire. */
  lacks(addresses: readonly Address[]): readonly Address[] {
    return this.#choose(addresses, false);
  }

  /** Of these, what is in it, each once. */
  holds(addresses: readonly Address[]): readonly Address[] {
    return this.#choose(addresses, true);
  }

  insert(addresses: readonly Address[]): void {
    for (const address of this.lacks(addresses)) {
      this.#members.set(addressKey(address), address);
      this.#sizes[address.family as 4 | 6]++;
    }
  }

  delete(addresses: readonly Address[]): void {
    for (const address of this.holds(addresses)) {
      this.#members.delete(addressKey(address));
      this.#sizes[address.family as 4 | 6]--;
    }
  }

  clear(): void {
    this.#members.clear();
    for (const family of families) this.#sizes[family] = 0;
  }

  /** Messages that put these into the kernel's sets, take them out of it, or empty it. */
  adding(addresses: readonly Address[]): readonly MessageBuilder[] {
    return this.#split(addresses, addElements);
  }

  deleting(addresses: readonly Address[]): readonly MessageBuilder[] {
    return this.#split(addresses, deleteElements);
  }

  flushing(): readonly MessageBuilder[] {
    return families.map((family) => flushSet("inet", `${this.#name}${family}`));
  }

  #split(
    addresses: readonly Address[],
    encode: (set: string, addresses: readonly Address[]) => readonly MessageBuilder[],
  ): readonly MessageBuilder[] {
    return families.flatMap((family) =>
      encode(
        `${this.#name}${family}`,
        addresses.filter((address) => address.family === family),
      ),
    );
  }

  #choose(addresses: readonly Address[], isMember: boolean): readonly Address[] {
    const chosen = new Map<string, Address>();
    for (const address of addresses) {
      const key = addressKey(address);
      if (address.family !== Family.none && this.#members.has(key) === isMember) chosen.set(key, address);
    }
    return [...chosen.values()];
  }
}
