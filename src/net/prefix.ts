/**
 * A CIDR prefix. Host bits are masked off when it is read: `100.68.0.18/18` is `100.68.0.0/18` (DEF-5).
 */
import { type Address, Family, formatAddress, parseAddress } from "./address.ts";

/** `length` counts within the family: 0–32 or 0–128. */
export interface Prefix {
  readonly address: Address;
  readonly length: number;
}

/** Parses `address/length`; returns null for anything else, a bare address included. Never throws. */
export function parsePrefix(text: string): Prefix | null {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (!match) return null;
  const [, addressText = "", lengthText = ""] = match;
  const address = parseAddress(addressText);
  if (!address || (lengthText.length > 1 && lengthText.startsWith("0"))) return null;
  let length = Number(lengthText);
  const mapped = address.family === Family.ipv4 && addressText.includes(":");
  if (mapped) length -= 96;
  if (length < 0 || length > familyBits(address.family)) return null;
  return { address: maskAddress(address, length), length };
}

/** The prefix that holds this one address. */
export function hostPrefix(address: Address): Prefix {
  return { address, length: familyBits(address.family) };
}

export function formatPrefix(prefix: Prefix): string {
  return `${formatAddress(prefix.address)}/${prefix.length}`;
}

/** True iff the address is of the prefix's family and inside it. Never true for an address of family `none`. */
export function containsAddress(prefix: Prefix, address: Address): boolean {
  if (address.family !== prefix.address.family || address.family === Family.none) return false;
  const p = prefix.address;
  const bits = prefix.length + (address.family === Family.ipv4 ? 96 : 0);
  return (
    ((address.w0 ^ p.w0) & wordMask(bits, 0)) === 0 &&
    ((address.w1 ^ p.w1) & wordMask(bits, 1)) === 0 &&
    ((address.w2 ^ p.w2) & wordMask(bits, 2)) === 0 &&
    ((address.w3 ^ p.w3) & wordMask(bits, 3)) === 0
  );
}

/** True iff every address of `inner` is in `outer`. */
export function containsPrefix(outer: Prefix, inner: Prefix): boolean {
  return inner.length >= outer.length && containsAddress(outer, inner.address);
}

export function familyBits(family: Family): number {
  return family === Family.ipv4 ? 32 : 128;
}

export function maskAddress(address: Address, length: number): Address {
  const bits = length + (address.family === Family.ipv4 ? 96 : 0);
  return {
    family: address.family,
    w0: (address.w0 & wordMask(bits, 0)) >>> 0,
    w1: (address.w1 & wordMask(bits, 1)) >>> 0,
    w2: (address.w2 & wordMask(bits, 2)) >>> 0,
    w3: (address.w3 & wordMask(bits, 3)) >>> 0,
  };
}

/** The part of a 128-bit mask of `bits` leading ones that falls into word `index`. */
export function wordMask(bits: number, index: number): number {
  const inWord = Math.min(32, Math.max(0, bits - 32 * index));
  return inWord === 0 ? 0 : (0xffffffff << (32 - inWord)) >>> 0;
}
