/**
 * nf_tables messages for what changes while the table stands: set elements, the epoch, whether a table is asked at all;
 * and for taking a table away. A batch is one transaction: all of it or nothing. Structure goes through nft's text
 * (ruleset.ts). Pure.
 *
 * Source: linux/netfilter/nf_tables.h.
 */
import type { MarkLayout } from "../model/mark.ts";
import { type Address, Family, toBytes } from "../net/address.ts";
import type { MessageBuilder, Silent } from "./netlink-client.ts";
import {
  align,
  encodeMessage,
  encodeNested,
  encodeNfgenmsg,
  encodeString,
  encodeUint32,
  hostUint32,
  isLittleEndian,
  NetlinkFlag,
  NLA_F_NESTED,
  NLA_HDRLEN,
} from "./netlink-message.ts";
import {
  Message,
  NFNL_SUBSYS_NFTABLES,
  NFT_TABLE_F_DORMANT,
  NFTA_DATA_VALUE,
  NFTA_LIST_ELEM,
  NFTA_MEMBER,
  NFTA_SET_ELEM_KEY,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_TABLE_FLAGS,
  tableMessage,
} from "./nf-tables-protocol.ts";
import type { TableFamily } from "./ruleset-config.ts";

const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
/** Elements of one message: an attribute holds 64 KiB at most, an IPv6 element is 28 bytes. */
const ELEMENTS_OF_MESSAGE = 1024;

const acknowledged = NetlinkFlag.request | NetlinkFlag.ack;

/** One transaction. */
export function batch(messages: readonly MessageBuilder[]): readonly (MessageBuilder | Silent)[] {
  return [frame(NFNL_MSG_BATCH_BEGIN), ...messages, frame(NFNL_MSG_BATCH_END)];
}

/** Asks whether the kernel would take these messages: a batch without its end is checked and then undone. */
export function rehearsal(messages: readonly MessageBuilder[]): readonly (MessageBuilder | Silent)[] {
  return [frame(NFNL_MSG_BATCH_BEGIN), ...messages];
}

/** Elements to add to a set of addresses, all of one family; adding one that is there is no error. */
export function addElements(set: string, addresses: readonly Address[]): readonly MessageBuilder[] {
  return elementMessages("inet", Message.newSetElement, set, addresses.map(addressKeyBytes));
}

/** Elements to take out of a set; one that isn't there fails the batch with ENOENT. */
export function deleteElements(set: string, addresses: readonly Address[]): readonly MessageBuilder[] {
  return elementMessages("inet", Message.deleteSetElement, set, addresses.map(addressKeyBytes));
}

/** Empties a set of epochs and puts these in, as they are in a mark; 0 is none. */
export function replaceEpochs(layout: MarkLayout, set: string, epochs: readonly number[]): readonly MessageBuilder[] {
  const keys = epochs.filter((epoch) => epoch !== 0).map((epoch) => hostUint32((epoch << layout.shift) >>> 0));
  return replaceElements("inet", set, keys);
}

/** Empties a set, and puts these in, each as the kernel has it: numbers of 32 bits in host order. */
export function replaceElements(
  family: TableFamily,
  set: string,
  keys: readonly Uint8Array[],
): readonly MessageBuilder[] {
  return [flushSet(family, set), ...elementMessages(family, Message.newSetElement, set, keys)];
}

/** Makes the table, where it isn't there, and has its chains asked or not. */
export function switchTable(family: TableFamily, isOn: boolean): MessageBuilder {
  const flags = encodeUint32(NFTA_TABLE_FLAGS, isOn ? 0 : NFT_TABLE_F_DORMANT);
  return (sequence) => tableMessage(family, Message.newTable, acknowledged | NetlinkFlag.create, sequence, flags);
}

/** Removes the table with everything in it. */
export function deleteTable(family: TableFamily): MessageBuilder {
  return (sequence) => tableMessage(family, Message.deleteTable, acknowledged, sequence);
}

/** Empties a set. */
export function flushSet(family: TableFamily, set: string): MessageBuilder {
  return (sequence) =>
    tableMessage(family, Message.deleteSetElement, acknowledged, sequence, encodeString(NFTA_MEMBER, set));
}

function elementMessages(
  family: TableFamily,
  message: number,
  set: string,
  keys: readonly Uint8Array[],
): readonly MessageBuilder[] {
  const flags = acknowledged | (message === Message.newSetElement ? NetlinkFlag.create : 0);
  const builders: MessageBuilder[] = [];
  for (let at = 0; at < keys.length; at += ELEMENTS_OF_MESSAGE) {
    const elements = encodeElements(keys.slice(at, at + ELEMENTS_OF_MESSAGE));
    const attributes = [encodeString(NFTA_MEMBER, set), encodeNested(NFTA_SET_ELEM_LIST_ELEMENTS, elements)];
    builders.push((sequence) => tableMessage(family, message, flags, sequence, ...attributes));
  }
  return builders;
}

/** Each key as LIST_ELEM { KEY { VALUE } }: one buffer for all, since there may be a hundred thousand. */
function encodeElements(keys: readonly Uint8Array[]): Uint8Array {
  const heads = [NFTA_LIST_ELEM | NLA_F_NESTED, NFTA_SET_ELEM_KEY | NLA_F_NESTED, NFTA_DATA_VALUE];
  const bytes = new Uint8Array(keys.reduce((sum, key) => sum + heads.length * NLA_HDRLEN + align(key.length), 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const key of keys) {
    for (let depth = 0; depth < heads.length; depth++) {
      const inner = heads.length - depth;
      // The length of the innermost alone may be unaligned.
      const length = inner === 1 ? NLA_HDRLEN + key.length : inner * NLA_HDRLEN + align(key.length);
      view.setUint16(at, length, isLittleEndian);
      view.setUint16(at + 2, heads[depth] as number, isLittleEndian);
      at += NLA_HDRLEN;
    }
    bytes.set(key, at);
    at += align(key.length);
  }
  return bytes;
}

function frame(type: number): Silent {
  return {
    silent: (sequence) => encodeMessage(type, NetlinkFlag.request, sequence, encodeNfgenmsg(0, NFNL_SUBSYS_NFTABLES)),
  };
}

function addressKeyBytes(address: Address): Uint8Array {
  if (address.family === Family.none) throw new RangeError("an endpoint without an address is in no set");
  return Uint8Array.from(toBytes(address));
}
