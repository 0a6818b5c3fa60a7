/**
 * An IP address as four 32-bit words, so that IPv4 and IPv6 take one path everywhere.
 *
 * IPv4 sits in `w3` with the other words 0; the family is kept beside the words, never guessed from them: an IPv6
 * packet from `::ffff:10.0.0.1` stays IPv6 on the wire, while the same text in a policy or an inventory means IPv4
 * (DEF-4). Family `none` is an endpoint that is known but has no address yet (a Pending pod, a workload named
 * offline): `w3` is then a number of its own, and no prefix contains it.
 *
 * Text is parsed and printed here alone, IPv6 with ipaddr.js, and never per packet.
 */
import ipaddr from "ipaddr.js";

export const Family = { none: 0, ipv4: 4, ipv6: 6 } as const;
export type Family = (typeof Family)[keyof typeof Family];

/** Words are unsigned 32-bit numbers in host order, most significant first. */
export interface Address {
  readonly family: Family;
  readonly w0: number;
  readonly w1: number;
  readonly w2: number;
  readonly w3: number;
}

/** The same shape, reused from packet to packet by whoever owns it. */
export type AddressView = { -readonly [K in keyof Address]: Address[K] };

/**
 * Parses `10.0.0.1` (four decimal parts, no leading zeros) or any RFC 4291 IPv6 text without a zone.
 * Returns null for anything else; never throws. An IPv4-mapped IPv6 text becomes IPv4 (DEF-4).
 */
export function parseAddress(text: string): Address | null {
  const quad = parseQuad(text);
  if (quad >= 0) return { family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: quad };
  if (!text.includes(":") || text.includes("%") || !ipaddr.IPv6.isValid(text)) return null;
  const parsed = ipaddr.IPv6.parse(text);
  return fromBytes(parsed.isIPv4MappedAddress() ? parsed.toIPv4Address().toByteArray() : parsed.toByteArray());
}

/** The 32 bits of `10.0.0.1`, or -1. By hand: an inventory brings hundreds of thousands of them. */
function parseQuad(text: string): number {
  const length = text.length;
  if (length < 7 || length > 15) return -1;
  let word = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let i = 0; i < length; i++) {
    const digit = text.charCodeAt(i) - 48;
    if (digit >= 0 && digit <= 9) {
      // No leading zero, no part above 255.
      if (digits > 0 && part === 0) return -1;
      part = part * 10 + digit;
      digits++;
      if (part > 255) return -1;
    } else {
      if (digit !== -2 || digits === 0 || dots === 3) return -1;
      word = word * 256 + part;
      part = 0;
      digits = 0;
      dots++;
    }
  }
  return dots === 3 && digits > 0 ? word * 256 + part : -1;
}

/** 4 or 16 bytes in network order. */
export function fromBytes(bytes: ArrayLike<number>): Address {
  if (bytes.length === 4) return { family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: word(bytes, 0) };
  return { family: Family.ipv6, w0: word(bytes, 0), w1: word(bytes, 4), w2: word(bytes, 8), w3: word(bytes, 12) };
}

/** 4 or 16 bytes in network order; none for an endpoint without an address. */
export function toBytes(address: Address): number[] {
  const words = [address.w0, address.w1, address.w2, address.w3];
  if (address.family === Family.none) return [];
  return (address.family === Family.ipv4 ? words.slice(3) : words).flatMap((w) => [
    w >>> 24,
    (w >>> 16) & 255,
    (w >>> 8) & 255,
    w & 255,
  ]);
}

/** The canonical text: dotted quad, RFC 5952, or `none#N` for an endpoint without an address. */
export function formatAddress(address: Address): string {
  if (address.family === Family.none) return `none#${address.w3}`;
  return ipaddr.fromByteArray(toBytes(address)).toString();
}

/** The known endpoint number `index` that has no address. */
export function unnumberedAddress(index: number): Address {
  return { family: Family.none, w0: 0, w1: 0, w2: 0, w3: index };
}

export function equalAddresses(a: Address, b: Address): boolean {
  return a.family === b.family && a.w0 === b.w0 && a.w1 === b.w1 && a.w2 === b.w2 && a.w3 === b.w3;
}

/** A string that is equal exactly for equal addresses; for Map keys in the control plane. */
export function addressKey(a: Address): string {
  return `${a.family}:${a.w0}:${a.w1}:${a.w2}:${a.w3}`;
}

/** The address of an `addressKey`. */
export function addressOfKey(key: string): Address {
  const [family = 0, w0 = 0, w1 = 0, w2 = 0, w3 = 0] = key.split(":").map(Number);
  return { family: family as Family, w0, w1, w2, w3 };
}

function word(bytes: ArrayLike<number>, at: number): number {
  return (
    (((bytes[at] ?? 0) << 24) | ((bytes[at + 1] ?? 0) << 16) | ((bytes[at + 2] ?? 0) << 8) | (bytes[at + 3] ?? 0)) >>> 0
  );
}
