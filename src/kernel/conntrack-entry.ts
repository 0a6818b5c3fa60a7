/**
 * Entries of connection tracking as ctnetlink prints them, and the updates that change their marks: read in place and
 * written into one buffer, because there may be a hundred thousand. Pure.
 *
 * Source: linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
 */
import type { MarkLayout } from "../model/mark.ts";
import { type AddressView, Family } from "../net/address.ts";
import { align, encodeMessage, encodeNfgenmsg, isLittleEndian, NetlinkFlag, NLMSG_HDRLEN } from "./netlink-message.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const CT_NEW = (NFNL_SUBSYS_CTNETLINK << 8) | 0;
const CT_GET = (NFNL_SUBSYS_CTNETLINK << 8) | 1;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
const CTA_IP_V4_SRC = 1;
const CTA_IP_V6_SRC = 3;
const CTA_MARK = 8;
const CTA_ZONE = 18;
const CTA_MARK_MASK = 21;
/** struct nfgenmsg */
const NFGENMSG_LENGTH = 4;
const NLA_TYPE_MASK = 0x3fff;
const AF_UNSPEC = 0;

/** Asks for all entries of all zones. */
export function encodeDump(sequence: number): Uint8Array {
  return encodeMessage(CT_GET, NetlinkFlag.request | NetlinkFlag.dump, sequence, encodeNfgenmsg(AF_UNSPEC));
}

/** One entry; the same object is used for the next one. */
export class EntryView {
  /** The ct mark, all of it. */
  mark = 0;
  /** The flow's source, and its destination after DNAT: the sources of its two tuples. */
  readonly source: AddressView = { family: Family.none, w0: 0, w1: 0, w2: 0, w3: 0 };
  readonly destination: AddressView = { family: Family.none, w0: 0, w1: 0, w2: 0, w3: 0 };
  /** Where the original tuple's attribute and the zone's begin; 0 for none. */
  tupleAt = 0;
  zoneAt = 0;

  /** Reads the message; what it lacks is `Family.none`. */
  read(view: DataView, at: number, end: number): void {
    this.mark = 0;
    this.tupleAt = 0;
    this.zoneAt = 0;
    this.source.family = Family.none;
    this.destination.family = Family.none;
    for (let a = at + NLMSG_HDRLEN + NFGENMSG_LENGTH; a + 4 <= end; ) {
      const length = view.getUint16(a, isLittleEndian);
      if (length < 4 || a + length > end) return;
      const type = view.getUint16(a + 2, isLittleEndian) & NLA_TYPE_MASK;
      if (type === CTA_TUPLE_ORIG) {
        this.tupleAt = a;
        readSource(view, a + 4, a + length, this.source);
      } else if (type === CTA_TUPLE_REPLY) readSource(view, a + 4, a + length, this.destination);
      else if (type === CTA_MARK && length === 8) this.mark = view.getUint32(a + 4);
      else if (type === CTA_ZONE) this.zoneAt = a;
      a += align(length);
    }
  }
}

/** CTA_TUPLE_IP and in it the source, wherever they stand. */
function readSource(view: DataView, from: number, end: number, address: AddressView): void {
  for (let at = from; at + 4 <= end; ) {
    const length = view.getUint16(at, isLittleEndian);
    if (length < 4 || at + length > end) return;
    const type = view.getUint16(at + 2, isLittleEndian);
    if ((type & NLA_TYPE_MASK) === CTA_TUPLE_IP && (type & ~NLA_TYPE_MASK) !== 0) {
      readSource(view, at + 4, at + length, address);
      return;
    }
    if (type === CTA_IP_V4_SRC && length === 8) {
      address.family = Family.ipv4;
      address.w0 = address.w1 = address.w2 = 0;
      address.w3 = view.getUint32(at + 4);
    } else if (type === CTA_IP_V6_SRC && length === 20) {
      address.family = Family.ipv6;
      address.w0 = view.getUint32(at + 4);
      address.w1 = view.getUint32(at + 8);
      address.w2 = view.getUint32(at + 12);
      address.w3 = view.getUint32(at + 16);
    }
    at += align(length);
  }
}

/** A mark's attribute with its head. */
const MARK_LENGTH = 8;

/** Updates of many entries, each named by its original tuple and zone as the dump printed them. */
export class UpdateWriter {
  readonly #shift: number;
  #bytes = new Uint8Array(64 << 10);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;
  /** Where each message begins. */
  readonly #starts: number[] = [];

  constructor({ shift }: MarkLayout) {
    this.#shift = shift;
  }

  get count(): number {
    return this.#starts.length;
  }

  /** `entry` is what was read at `at` of `view`; the bits `mask` of our byte are to be those of `value`. */
  add(view: DataView, at: number, entry: EntryView, mask: number, value: number): void {
    const source = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const tuple = align(view.getUint16(entry.tupleAt, isLittleEndian));
    const zone = entry.zoneAt === 0 ? 0 : align(view.getUint16(entry.zoneAt, isLittleEndian));
    const head = NLMSG_HDRLEN + NFGENMSG_LENGTH;
    const length = head + tuple + zone + 2 * MARK_LENGTH;
    if (this.#length + length > this.#bytes.length) this.#grow(length);
    const start = this.#length;
    this.#view.setUint32(start, length, isLittleEndian);
    this.#view.setUint16(start + 4, CT_NEW, isLittleEndian);
    this.#bytes.fill(0, start + 12, start + head);
    this.#bytes[start + NLMSG_HDRLEN] = source[at + NLMSG_HDRLEN] ?? 0;
    this.#bytes.set(source.subarray(entry.tupleAt, entry.tupleAt + tuple), start + head);
    if (zone > 0) this.#bytes.set(source.subarray(entry.zoneAt, entry.zoneAt + zone), start + head + tuple);
    this.#putMark(start + length - 2 * MARK_LENGTH, CTA_MARK, value);
    this.#putMark(start + length - MARK_LENGTH, CTA_MARK_MASK, mask);
    this.#starts.push(start);
    this.#length = start + length;
  }

  /** What was added; the last one asks for an answer. Empties the writer: the bytes count until the next `add`. */
  take(next: () => number): Uint8Array {
    const last = this.#starts.pop() ?? 0;
    const silent = next();
    for (const start of this.#starts) this.#finish(start, NetlinkFlag.request, silent);
    this.#finish(last, NetlinkFlag.request | NetlinkFlag.ack, next());
    const bytes = this.#bytes.subarray(0, this.#length);
    this.#starts.length = 0;
    this.#length = 0;
    return bytes;
  }

  #putMark(at: number, type: number, byte: number): void {
    this.#view.setUint16(at, MARK_LENGTH, isLittleEndian);
    this.#view.setUint16(at + 2, type, isLittleEndian);
    this.#view.setUint32(at + 4, (byte << this.#shift) >>> 0);
  }

  #finish(start: number, flags: number, sequence: number): void {
    this.#view.setUint16(start + 6, flags, isLittleEndian);
    this.#view.setUint32(start + 8, sequence, isLittleEndian);
  }

  #grow(needed: number): void {
    const larger = new Uint8Array(2 * (this.#bytes.length + needed));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}
