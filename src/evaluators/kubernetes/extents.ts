/**
 * Within which bounds the addresses of a class lie, by its number: so that it's known of most classes whether they are in a
 * prefix without a look at their addresses. Bounds only grow while a class lives.
 */
import { type Address, Family } from "../../net/address.ts";
import { familyBits, type Prefix } from "../../net/prefix.ts";

/** As many leading bits of an IPv6 address are one exact number. */
const exactBits = 53;

export class Extents {
  readonly #low: { [family: number]: number[] } = { [Family.ipv4]: [], [Family.ipv6]: [] };
  readonly #high: { [family: number]: number[] } = { [Family.ipv4]: [], [Family.ipv6]: [] };
  /** Classes with addresses of no family, which are in no prefix. */
  readonly #hasOthers: boolean[] = [];

  clear(own: number): void {
    for (const family of [Family.ipv4, Family.ipv6]) {
      (this.#low[family] as number[])[own] = Number.POSITIVE_INFINITY;
      (this.#high[family] as number[])[own] = Number.NEGATIVE_INFINITY;
    }
    this.#hasOthers[own] = false;
  }

  add(own: number, address: Address): void {
    if (address.family === Family.none) {
      this.#hasOthers[own] = true;
      return;
    }
    const low = this.#low[address.family] as number[];
    const high = this.#high[address.family] as number[];
    const number = leadingBits(address);
    if (number < (low[own] as number)) low[own] = number;
    if (number > (high[own] as number)) high[own] = number;
  }

  /** No address of the class is in the prefix. */
  isOutside(own: number, prefix: Prefix): boolean {
    const { family } = prefix.address;
    const first = leadingBits(prefix.address);
    return (this.#low[family]?.[own] ?? 0) > first + sizeOf(prefix) - 1 || (this.#high[family]?.[own] ?? 0) < first;
  }

  /** All are, for sure. */
  isInside(own: number, prefix: Prefix): boolean {
    const { address, length } = prefix;
    const other = address.family === Family.ipv4 ? Family.ipv6 : Family.ipv4;
    const hasOther = this.#hasOthers[own] || (this.#low[other]?.[own] ?? 0) !== Number.POSITIVE_INFINITY;
    if (hasOther || (address.family === Family.ipv6 && length > exactBits)) return false;
    const first = leadingBits(address);
    return (
      (this.#low[address.family]?.[own] ?? 0) >= first &&
      (this.#high[address.family]?.[own] ?? 0) <= first + sizeOf(prefix) - 1
    );
  }
}

function leadingBits({ family, w0, w1, w3 }: Address): number {
  return family === Family.ipv4 ? w3 : w0 * 2 ** 21 + (w1 >>> 11);
}

/** How many such numbers the prefix has, at least one. */
function sizeOf({ address, length }: Prefix): number {
  return 2 ** Math.max(0, Math.min(familyBits(address.family), exactBits) - length);
}
