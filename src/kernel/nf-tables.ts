/**
 * nf_tables messages for what changes while the table stands: the queue rule, set elements, the epoch; and for taking
 * the table away. A batch is one transaction: all of it or nothing. Structure goes through nft's text (ruleset.ts).
 * Pure.
 *
 * Source: linux/netfilter/nf_tables.h, nf_tables_compat.h, xt_NFQUEUE.h.
 */
import type { MarkLayout } from "../model/mark.ts";
import { type Address, Family, toBytes } from "../net/address.ts";
import type { MessageBuilder, Silent } from "./netlink-client.ts";
import {
  align,
  encodeAttribute,
  encodeMessage,
  encodeNested,
  encodeNfgenmsg,
  encodeString,
  encodeUint32,
  hostUint16,
  hostUint32,
  NetlinkFlag,
} from "./netlink-message.ts";
import { QUEUE_CHAIN, TABLE_NAME } from "./ruleset-config.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFNL_MSG_BATCH_BEGIN = 16;
const NFNL_MSG_BATCH_END = 17;
const NFPROTO_INET = 1;

const Message = {
  newTable: 0,
  deleteTable: 2,
  newChain: 3,
  newRule: 6,
  deleteRule: 8,
  newSetElement: 12,
  deleteSetElement: 14,
} as const;
/** The first attribute of every message is the table's name, the second that of the chain or set in it. */
const NFTA_TABLE = 1;
const NFTA_MEMBER = 2;
const NFTA_CHAIN_NAME = 3;
const NFTA_RULE_EXPRESSIONS = 4;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_TARGET_NAME = 1;
const NFTA_TARGET_REV = 2;
const NFTA_TARGET_INFO = 3;
const NFTA_SET_ELEM_KEY = 1;
const NFTA_DATA_VALUE = 1;
const NFQ_FLAG_BYPASS = 1;

/** Elements of one message: an attribute holds 64 KiB at most, an IPv6 element is 28 bytes. */
const ELEMENTS_OF_MESSAGE = 1024;

/** One transaction. */
export function batch(messages: readonly MessageBuilder[]): readonly (MessageBuilder | Silent)[] {
  return [frame(NFNL_MSG_BATCH_BEGIN), ...messages, frame(NFNL_MSG_BATCH_END)];
}

/** Asks whether the kernel would take these messages: a batch without its end is checked and then undone. */
export function rehearsal(messages: readonly MessageBuilder[]): readonly (MessageBuilder | Silent)[] {
  return [frame(NFNL_MSG_BATCH_BEGIN), ...messages];
}

/**
 * Replaces whatever is in the queue chain by one rule with the xt target NFQUEUE (revision 3), for kernels without
 * nft's own `queue`. Both directions of a flow go to one queue: the target hashes the two addresses alone.
 */
export function replaceQueueRule(queue: { first: number; total: number }, bypass: boolean): readonly MessageBuilder[] {
  const flush: MessageBuilder = (sequence) => request(Message.deleteRule, 0, sequence, QUEUE_CHAIN);
  return [flush, queueRule(TABLE_NAME, QUEUE_CHAIN, queue, bypass)];
}

/** A throw-away table with a queue rule, for a rehearsal. */
export function sampleQueueRule(table: string): readonly MessageBuilder[] {
  const inet = encodeNfgenmsg(NFPROTO_INET);
  const name = encodeString(NFTA_TABLE, table);
  const flags = NetlinkFlag.request | NetlinkFlag.ack | NetlinkFlag.create;
  return [
    (sequence) => encodeMessage(messageNumber(Message.newTable), flags, sequence, inet, name),
    (sequence) =>
      encodeMessage(messageNumber(Message.newChain), flags, sequence, inet, name, encodeString(NFTA_CHAIN_NAME, "c")),
    queueRule(table, "c", { first: 0, total: 1 }, false),
  ];
}

/** Elements to add to a set of addresses, all of one family; adding one that is there is no error. */
export function addElements(set: string, addresses: readonly Address[]): readonly MessageBuilder[] {
  return elementMessages(Message.newSetElement, set, addresses.map(addressKeyBytes));
}

/** Elements to take out of a set; one that isn't there fails the batch with ENOENT. */
export function deleteElements(set: string, addresses: readonly Address[]): readonly MessageBuilder[] {
  return elementMessages(Message.deleteSetElement, set, addresses.map(addressKeyBytes));
}

/** Empties the set `epoch` and puts this nibble in; 0 leaves it empty: then nothing counts as decided. */
export function replaceEpoch(layout: MarkLayout, epochNibble: number): readonly MessageBuilder[] {
  const flush: MessageBuilder = (sequence) => request(Message.deleteSetElement, 0, sequence, "epoch");
  if (epochNibble === 0) return [flush];
  return [flush, ...elementMessages(Message.newSetElement, "epoch", [hostUint32((epochNibble << layout.shift) >>> 0)])];
}

/** Removes the table with everything in it. */
export function deleteTable(): readonly MessageBuilder[] {
  return [(sequence) => request(Message.deleteTable, 0, sequence, null)];
}

function queueRule(
  table: string,
  chain: string,
  queue: { first: number; total: number },
  bypass: boolean,
): MessageBuilder {
  // struct xt_NFQ_info_v3, padded as XT_ALIGN does.
  const fields = hostUint16(queue.first, queue.total, bypass ? NFQ_FLAG_BYPASS : 0);
  const info = new Uint8Array(align(fields.length));
  info.set(fields);
  const target = encodeNested(
    NFTA_LIST_ELEM,
    encodeString(NFTA_EXPR_NAME, "target"),
    encodeNested(
      NFTA_EXPR_DATA,
      encodeString(NFTA_TARGET_NAME, "NFQUEUE"),
      encodeUint32(NFTA_TARGET_REV, 3),
      encodeAttribute(NFTA_TARGET_INFO, info),
    ),
  );
  return (sequence) =>
    encodeMessage(
      messageNumber(Message.newRule),
      NetlinkFlag.request | NetlinkFlag.ack | NetlinkFlag.create | NetlinkFlag.append,
      sequence,
      encodeNfgenmsg(NFPROTO_INET),
      encodeString(NFTA_TABLE, table),
      encodeString(NFTA_MEMBER, chain),
      encodeNested(NFTA_RULE_EXPRESSIONS, target),
    );
}

function elementMessages(message: number, set: string, keys: readonly Uint8Array[]): readonly MessageBuilder[] {
  const builders: MessageBuilder[] = [];
  for (let at = 0; at < keys.length; at += ELEMENTS_OF_MESSAGE) {
    const elements = keys
      .slice(at, at + ELEMENTS_OF_MESSAGE)
      .map((key) =>
        encodeNested(NFTA_LIST_ELEM, encodeNested(NFTA_SET_ELEM_KEY, encodeAttribute(NFTA_DATA_VALUE, key))),
      );
    const flags = message === Message.newSetElement ? NetlinkFlag.create : 0;
    builders.push((sequence) =>
      request(message, flags, sequence, set, encodeNested(NFTA_SET_ELEM_LIST_ELEMENTS, ...elements)),
    );
  }
  return builders;
}

function request(
  message: number,
  flags: number,
  sequence: number,
  member: string | null,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  return encodeMessage(
    messageNumber(message),
    NetlinkFlag.request | NetlinkFlag.ack | flags,
    sequence,
    encodeNfgenmsg(NFPROTO_INET),
    encodeString(NFTA_TABLE, TABLE_NAME),
    ...(member === null ? [] : [encodeString(NFTA_MEMBER, member)]),
    ...attributes,
  );
}

function frame(type: number): Silent {
  return {
    silent: (sequence) => encodeMessage(type, NetlinkFlag.request, sequence, encodeNfgenmsg(0, NFNL_SUBSYS_NFTABLES)),
  };
}

function messageNumber(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}

function addressKeyBytes(address: Address): Uint8Array {
  if (address.family === Family.none) throw new RangeError("an endpoint without an address is in no set");
  return Uint8Array.from(toBytes(address));
}
