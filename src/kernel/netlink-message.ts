/**
 * Netlink messages as bytes: build and read, nothing else. Pure.
 *
 * Headers and plain numbers are in host order; netfilter's attributes are in network order: each function's name says
 * which. Source: linux/netlink.h, linux/netfilter/nfnetlink.h.
 */

/** NLMSG_ALIGNTO and NLA_ALIGNTO are both 4. */
export function align(length: number): number {
  return (length + 3) & ~3;
}

/** `NLM_F_…`; several share a bit, which means different things for a request that reads and one that writes. */
export const NetlinkFlag = {
  request: 0x1,
  ack: 0x4,
  dump: 0x300,
  create: 0x400,
  append: 0x800,
} as const;

export const NLMSG_HDRLEN = 16;
export const NLA_HDRLEN = 4;
export const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

export const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/** One message: `struct nlmsghdr` and the body, padded to 4 bytes. */
export function encodeMessage(
  type: number,
  flags: number,
  sequence: number,
  ...body: readonly Uint8Array[]
): Uint8Array {
  const payload = concatBytes(body);
  const bytes = new Uint8Array(align(NLMSG_HDRLEN + payload.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, NLMSG_HDRLEN + payload.length, isLittleEndian);
  view.setUint16(4, type, isLittleEndian);
  view.setUint16(6, flags, isLittleEndian);
  view.setUint32(8, sequence, isLittleEndian);
  bytes.set(payload, NLMSG_HDRLEN);
  return bytes;
}

/** `struct nfgenmsg`: the header of every netfilter message. */
export function encodeNfgenmsg(family: number, resourceId = 0): Uint8Array {
  return Uint8Array.of(family, 0, resourceId >> 8, resourceId & 0xff);
}

/** One attribute with its padding. Throws RangeError where the payload is longer than its 16-bit length can say. */
export function encodeAttribute(type: number, payload: Uint8Array): Uint8Array {
  const length = NLA_HDRLEN + payload.length;
  if (length > 0xffff) throw new RangeError(`netlink attribute ${type} of ${length} bytes`);
  const bytes = new Uint8Array(align(length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, isLittleEndian);
  view.setUint16(2, type, isLittleEndian);
  bytes.set(payload, NLA_HDRLEN);
  return bytes;
}

export function encodeNested(type: number, ...attributes: readonly Uint8Array[]): Uint8Array {
  return encodeAttribute(type | NLA_F_NESTED, concatBytes(attributes));
}

/** A string with the zero byte that ends it. */
export function encodeString(type: number, text: string): Uint8Array {
  return encodeAttribute(type, new TextEncoder().encode(`${text}\0`));
}

export function encodeUint8(type: number, value: number): Uint8Array {
  return encodeAttribute(type, Uint8Array.of(value));
}

/** A 32-bit number in network order. */
export function encodeUint32(type: number, value: number): Uint8Array {
  return encodeAttribute(type, Uint8Array.of(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255));
}

/** The bytes of numbers of 16 bits in host order. */
export function hostUint16(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint16Array.from(values).buffer);
}

/** The bytes of numbers of 32 bits in host order. */
export function hostUint32(...values: readonly number[]): Uint8Array {
  return new Uint8Array(Uint32Array.from(values).buffer);
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Type of a whole message. */
export function messageType(message: Uint8Array): number {
  return viewOf(message).getUint16(4, isLittleEndian);
}

/**
 * The attributes from `offset` on, by type without its flags; of two with one type the last counts. Reads only what
 * lies inside `bytes`: a length that can't be true ends the list.
 */
export function decodeAttributes(bytes: Uint8Array, offset = 0): ReadonlyMap<number, Uint8Array> {
  const view = viewOf(bytes);
  const attributes = new Map<number, Uint8Array>();
  for (let at = offset; at + NLA_HDRLEN <= bytes.length; ) {
    const length = view.getUint16(at, isLittleEndian);
    if (length < NLA_HDRLEN || at + length > bytes.length) break;
    attributes.set(
      view.getUint16(at + 2, isLittleEndian) & NLA_TYPE_MASK,
      bytes.subarray(at + NLA_HDRLEN, at + length),
    );
    at += align(length);
  }
  return attributes;
}

/** How many attributes there are, whatever their types. */
export function countAttributes(bytes: Uint8Array | undefined): number {
  if (bytes === undefined) return 0;
  const view = viewOf(bytes);
  let count = 0;
  for (let at = 0; at + NLA_HDRLEN <= bytes.length; count++) {
    const length = view.getUint16(at, isLittleEndian);
    if (length < NLA_HDRLEN || at + length > bytes.length) break;
    at += align(length);
  }
  return count;
}

/** A number of 32 bits in network order; 0 where there are not four bytes. */
export function decodeUint32(bytes: Uint8Array | undefined): number {
  return bytes === undefined || bytes.length < 4 ? 0 : viewOf(bytes).getUint32(0);
}

/** A number of 32 bits in host order; 0 where there are not four bytes. */
export function decodeHostUint32(bytes: Uint8Array | undefined, at = 0): number {
  return bytes === undefined || bytes.length < at + 4 ? 0 : viewOf(bytes).getUint32(at, isLittleEndian);
}

/** A string up to its zero byte. */
export function decodeString(bytes: Uint8Array | undefined): string {
  if (bytes === undefined) return "";
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
