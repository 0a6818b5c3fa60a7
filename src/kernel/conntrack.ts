/**
 * Our byte in the ct marks of this network namespace: found by the kernel, changed under a mask, so that other owners'
 * bits stay as they are. Entries are never deleted: the next packet of the other side would make a reversed one, which
 * egress rules accept (PL-26).
 *
 * Source: linux/netfilter/nfnetlink_conntrack.h, net/netfilter/nf_conntrack_netlink.c.
 */
import { ctAccept, type MarkLayout, markEpochMask, markHeld } from "../model/mark.ts";
import { type Address, addressKey, fromBytes } from "../net/address.ts";
import { type MessageBuilder, type NetlinkClient, netlinkFailure } from "./netlink-client.ts";
import {
  concatBytes,
  decodeAttributes,
  encodeAttribute,
  encodeMessage,
  encodeNfgenmsg,
  encodeUint32,
  NetlinkFlag,
  NLMSG_HDRLEN,
} from "./netlink-message.ts";

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT_NEW = 0;
const IPCTNL_MSG_CT_GET = 1;
const CTA_TUPLE_ORIG = 1;
const CTA_TUPLE_REPLY = 2;
const CTA_TUPLE_IP = 1;
/** CTA_IP_V4_SRC and CTA_IP_V6_SRC. */
const SOURCES = [1, 3];
const CTA_MARK = 8;
const CTA_ZONE = 18;
const CTA_MARK_MASK = 21;
const NLA_F_NESTED = 0x8000;
/** struct nfgenmsg */
const NFGENMSG_LENGTH = 4;
const ENOENT = 2;
/** Entries of one write; an update is about 120 bytes, a socket's send buffer 200 KiB. */
const UPDATES_OF_REQUEST = 256;
/** A dump can miss entries while the kernel resizes its table: it's repeated until it finds none. */
const ROUNDS = 4;

const empty = new Uint8Array(0);

/** Epoch and accept bits: what a decision is. */
const decisionBits = markEpochMask | ctAccept.original | ctAccept.reply;
const heldBits = markHeld.sg | markHeld.k8s;

export class Conntrack {
  readonly #client: NetlinkClient;
  readonly #layout: MarkLayout;

  /** The client speaks NETLINK_NETFILTER and stays its owner's to close. */
  constructor(client: NetlinkClient, layout: MarkLayout) {
    this.#client = client;
    this.#layout = layout;
  }

  /** Makes every flow undecided; held bits stay. Returns how many entries changed. Blocks, O(table). */
  clearDecisions(): number {
    return this.#clearAny(markEpochMask, decisionBits);
  }

  /** Makes the flows undecided that carry this epoch nibble (1–15), so that it can be used again. */
  sweepEpoch(epochNibble: number): number {
    return this.#clear(epochNibble, markEpochMask, decisionBits);
  }

  /**
   * Forgets what flows from or to these addresses were admitted for: the addresses are somebody else's now, whose own
   * rules have never judged them (SG-40). Destinations count after DNAT.
   */
  clearHeld(addresses: readonly Address[]): number {
    return addresses.length === 0 ? 0 : this.#clearAny(heldBits, heldBits, concernsOneOf(addresses));
  }

  /** Makes the flows from or to these addresses undecided; held bits stay. Destinations count after DNAT. */
  clearDecisionsOf(addresses: readonly Address[]): number {
    return addresses.length === 0 ? 0 : this.#clearAny(markEpochMask, decisionBits, concernsOneOf(addresses));
  }

  /** Takes our whole byte out of every entry, for an uninstall. */
  clearAll(): number {
    return this.#clearAny(0xff, 0xff);
  }

  /** Sets to 0 the bits `clear` of the entries that have any of `bits`: the kernel can only be asked for one at a time. */
  #clearAny(bits: number, clear: number, concerns?: (entry: Uint8Array) => boolean): number {
    let count = 0;
    for (let bit = 1; bit <= 0x80; bit <<= 1) {
      if ((bits & bit) !== 0) count += this.#clear(bit, bit, clear, concerns);
    }
    return count;
  }

  /** Sets to 0 the bits `clear` of the entries whose byte has `value` under `mask`; of those that it `concerns`. */
  #clear(value: number, mask: number, clear: number, concerns?: (entry: Uint8Array) => boolean): number {
    let count = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const all = this.#client.request("list conntrack entries", [this.#dump(value, mask)]);
      const found = concerns === undefined ? all : all.filter(concerns);
      if (found.length === 0) break;
      for (let at = 0; at < found.length; at += UPDATES_OF_REQUEST) {
        const chunk = found.slice(at, at + UPDATES_OF_REQUEST);
        const { errors } = this.#client.tryRequest(chunk.map((entry) => this.#update(entry, clear)));
        // An entry that has ended since needs no update.
        const failure = errors.find(({ errno }) => errno !== ENOENT);
        if (failure) throw netlinkFailure("update conntrack marks", failure);
        count += chunk.length - errors.length;
      }
    }
    return count;
  }

  #dump(value: number, mask: number): MessageBuilder {
    const { shift } = this.#layout;
    return (sequence) =>
      encodeMessage(
        (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_GET,
        NetlinkFlag.request | NetlinkFlag.dump,
        sequence,
        encodeNfgenmsg(0),
        encodeUint32(CTA_MARK, (value << shift) >>> 0),
        encodeUint32(CTA_MARK_MASK, (mask << shift) >>> 0),
      );
  }

  /** Names the entry by its original tuple and zone, as the dump printed them, and writes zeros under the mask. */
  #update(entry: Uint8Array, clear: number): MessageBuilder {
    const attributes = decodeAttributes(entry, NLMSG_HDRLEN + NFGENMSG_LENGTH);
    const tuple = attributes.get(CTA_TUPLE_ORIG) ?? new Uint8Array(0);
    const zone = attributes.get(CTA_ZONE);
    const body = concatBytes([
      encodeNfgenmsg(entry[NLMSG_HDRLEN] ?? 0),
      encodeAttribute(CTA_TUPLE_ORIG | NLA_F_NESTED, tuple),
      ...(zone === undefined ? [] : [encodeAttribute(CTA_ZONE, zone)]),
      encodeUint32(CTA_MARK, 0),
      encodeUint32(CTA_MARK_MASK, (clear << this.#layout.shift) >>> 0),
    ]);
    const type = (NFNL_SUBSYS_CTNETLINK << 8) | IPCTNL_MSG_CT_NEW;
    return (sequence) => encodeMessage(type, NetlinkFlag.request | NetlinkFlag.ack, sequence, body);
  }
}

function concernsOneOf(addresses: readonly Address[]): (entry: Uint8Array) => boolean {
  const wanted = new Set(addresses.map(addressKey));
  return (entry) => endsOf(entry).some((end) => wanted.has(addressKey(end)));
}

/** The flow's source, and its destination after DNAT: the sources of its two tuples. */
function endsOf(entry: Uint8Array): Address[] {
  const attributes = decodeAttributes(entry, NLMSG_HDRLEN + NFGENMSG_LENGTH);
  return [CTA_TUPLE_ORIG, CTA_TUPLE_REPLY].flatMap((name) => {
    const addresses = decodeAttributes(
      decodeAttributes(attributes.get(name) ?? empty, 0).get(CTA_TUPLE_IP) ?? empty,
      0,
    );
    return SOURCES.flatMap((type) => {
      const bytes = addresses.get(type);
      return bytes === undefined ? [] : [fromBytes(bytes)];
    });
  });
}
