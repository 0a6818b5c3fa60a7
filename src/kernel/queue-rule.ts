/**
 * The queue rule by netlink, for kernels without nft's own `queue`: the xt target NFQUEUE (revision 3), which nft can't
 * write. Both directions of a flow go to one queue: the target hashes the two addresses alone. Pure.
 *
 * Source: linux/netfilter/nf_tables_compat.h, xt_NFQUEUE.h.
 */
import type { MessageBuilder } from "./netlink-client.ts";
import {
  align,
  encodeAttribute,
  encodeMessage,
  encodeNested,
  encodeNfgenmsg,
  encodeString,
  encodeUint32,
  hostUint16,
  NetlinkFlag,
} from "./netlink-message.ts";
import {
  Message,
  NFTA_CHAIN_NAME,
  NFTA_LIST_ELEM,
  NFTA_MEMBER,
  NFTA_RULE_EXPRESSIONS,
  NFTA_TABLE,
  numberOf,
  protocolOf,
  tableMessage,
} from "./nf-tables-protocol.ts";
import { QUEUE_CHAIN, TABLE_NAME } from "./ruleset-config.ts";

const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_TARGET_NAME = 1;
const NFTA_TARGET_REV = 2;
const NFTA_TARGET_INFO = 3;
const NFQ_FLAG_BYPASS = 1;

const acknowledged = NetlinkFlag.request | NetlinkFlag.ack;

/** Consecutive numbers. */
interface Queues {
  readonly first: number;
  readonly total: number;
}

/** Replaces whatever is in the queue chain, or in another one of our table. */
export function replaceQueueRule(queue: Queues, bypass: boolean, chain = QUEUE_CHAIN): readonly MessageBuilder[] {
  const flush: MessageBuilder = (sequence) =>
    tableMessage("inet", Message.deleteRule, acknowledged, sequence, encodeString(NFTA_MEMBER, chain));
  return [flush, queueRule(TABLE_NAME, chain, queue, bypass)];
}

/** A throw-away table with a queue rule, for a rehearsal. */
export function sampleQueueRule(table: string): readonly MessageBuilder[] {
  const inet = encodeNfgenmsg(protocolOf.inet);
  const name = encodeString(NFTA_TABLE, table);
  const flags = acknowledged | NetlinkFlag.create;
  return [
    (sequence) => encodeMessage(numberOf(Message.newTable), flags, sequence, inet, name),
    (sequence) =>
      encodeMessage(numberOf(Message.newChain), flags, sequence, inet, name, encodeString(NFTA_CHAIN_NAME, "c")),
    queueRule(table, "c", { first: 0, total: 1 }, false),
  ];
}

/** One rule at the end of a chain of any table of the family inet. */
export function queueRule(table: string, chain: string, queue: Queues, bypass: boolean): MessageBuilder {
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
      numberOf(Message.newRule),
      acknowledged | NetlinkFlag.create | NetlinkFlag.append,
      sequence,
      encodeNfgenmsg(protocolOf.inet),
      encodeString(NFTA_TABLE, table),
      encodeString(NFTA_MEMBER, chain),
      encodeNested(NFTA_RULE_EXPRESSIONS, target),
    );
}
