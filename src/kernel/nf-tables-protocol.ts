/**
 * nf_tables' numbers, and the head that all its messages share. Pure.
 *
 * Source: linux/netfilter/nf_tables.h, linux/netfilter/nfnetlink.h.
 */
import { encodeMessage, encodeNfgenmsg, encodeString } from "./netlink-message.ts";
import { TABLE_NAME, type TableFamily } from "./ruleset-config.ts";

export const NFNL_SUBSYS_NFTABLES = 10;
export const NFPROTO_UNSPEC = 0;
/** Bytes of struct nfgenmsg, before the attributes. */
export const NFGENMSG_LENGTH = 4;
export const protocolOf = { inet: 1, bridge: 7 } as const satisfies Record<TableFamily, number>;

/** `NFT_MSG_…` */
export const Message = {
  newTable: 0,
  getTable: 1,
  deleteTable: 2,
  newChain: 3,
  getChain: 4,
  newRule: 6,
  getRule: 7,
  deleteRule: 8,
  getSet: 10,
  newSetElement: 12,
  getSetElement: 13,
  deleteSetElement: 14,
  newGeneration: 15,
  getGeneration: 16,
} as const;

/** The first attribute of every message is the table's name, the second that of the chain or set in it. */
export const NFTA_TABLE = 1;
export const NFTA_MEMBER = 2;
export const NFTA_TABLE_FLAGS = 2;
export const NFTA_TABLE_HANDLE = 4;
export const NFTA_CHAIN_HANDLE = 2;
export const NFTA_CHAIN_NAME = 3;
export const NFTA_CHAIN_HOOK = 4;
export const NFTA_CHAIN_POLICY = 5;
export const NFTA_RULE_CHAIN = 2;
export const NFTA_RULE_HANDLE = 3;
export const NFTA_RULE_EXPRESSIONS = 4;
/** Since Linux 6.16. */
export const NFTA_SET_COUNT = 20;
export const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
export const NFTA_SET_ELEM_KEY = 1;
export const NFTA_LIST_ELEM = 1;
export const NFTA_DATA_VALUE = 1;
export const NFTA_GEN_ID = 1;
/** Of NFTA_TABLE_FLAGS: the table is there, and none of its chains is asked. */
export const NFT_TABLE_F_DORMANT = 1;

export function numberOf(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}

/** A message about our table of that family. */
export function tableMessage(
  family: TableFamily,
  message: number,
  flags: number,
  sequence: number,
  ...attributes: readonly Uint8Array[]
): Uint8Array {
  const header = encodeNfgenmsg(protocolOf[family]);
  return encodeMessage(numberOf(message), flags, sequence, header, encodeString(NFTA_TABLE, TABLE_NAME), ...attributes);
}
