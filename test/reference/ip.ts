/** Addresses as one big number and a family. Texts are parsed by src/net; what is inside what is decided here. */
import { type Address, parseAddress } from "../../src/net/address.ts";
import { parsePrefix } from "../../src/net/prefix.ts";

export interface Ip {
  readonly family: number;
  readonly number: bigint;
}

export interface Block {
  readonly family: number;
  readonly first: bigint;
  readonly last: bigint;
  readonly length: number;
}

export function ipOf(text: unknown): Ip | null {
  const address = typeof text === "string" ? parseAddress(text) : null;
  return address && { family: address.family, number: numberOf(address) };
}

export function blockOf(text: unknown): Block | null {
  const prefix = typeof text === "string" ? parsePrefix(text) : null;
  if (!prefix) return null;
  const { family } = prefix.address;
  const size = 1n << BigInt((family === 4 ? 32 : 128) - prefix.length);
  // DEF-5: host bits are masked off.
  const first = (numberOf(prefix.address) / size) * size;
  return { family, first, last: first + size - 1n, length: prefix.length };
}

/** DEF-4: within one family only. */
export function isInside(block: Block, ip: Ip): boolean {
  return block.family === ip.family && block.first <= ip.number && ip.number <= block.last;
}

export function isSameIp(a: Ip, b: Ip): boolean {
  return a.family === b.family && a.number === b.number;
}

export function hasIp(list: readonly Ip[], ip: Ip): boolean {
  return list.some((other) => isSameIp(other, ip));
}

function numberOf({ w0, w1, w2, w3 }: Address): bigint {
  return (BigInt(w0) << 96n) | (BigInt(w1) << 64n) | (BigInt(w2) << 32n) | BigInt(w3);
}
