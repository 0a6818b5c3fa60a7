/**
 * nf_tables messages that ask what is in our table, and what their answers say. Pure.
 *
 * Source: linux/netfilter/nf_tables.h.
 */
import type { MessageBuilder } from "./netlink-client.ts";
import {
  countAttributes,
  decodeAttributes,
  decodeString,
  decodeUint32,
  encodeMessage,
  encodeNfgenmsg,
  encodeString,
  messageType,
  NetlinkFlag,
  NLMSG_HDRLEN,
} from "./netlink-message.ts";
import { TABLE_NAME } from "./ruleset-config.ts";

const NFNL_SUBSYS_NFTABLES = 10;
const NFPROTO_UNSPEC = 0;
const NFPROTO_INET = 1;
const NFGENMSG_LENGTH = 4;

const Message = {
  getTable: 1,
  getChain: 4,
  getRule: 7,
  getSetElement: 13,
  newGeneration: 15,
  getGeneration: 16,
} as const;
const NFTA_GEN_ID = 1;
/** The first attribute of a table's, chain's, rule's or element list's message. */
const NFTA_TABLE = 1;
const NFTA_TABLE_FLAGS = 2;
const NFTA_TABLE_HANDLE = 4;
const NFTA_CHAIN_HANDLE = 2;
const NFTA_CHAIN_NAME = 3;
const NFTA_CHAIN_HOOK = 4;
const NFTA_CHAIN_POLICY = 5;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_HANDLE = 3;
const NFTA_SET_ELEM_LIST_SET = 2;
const NFTA_SET_ELEM_LIST_ELEMENTS = 3;

const answered = NetlinkFlag.request | NetlinkFlag.ack;
const dumped = NetlinkFlag.request | NetlinkFlag.dump;

/** The number that changes with every transaction of anybody. */
export const askGeneration: MessageBuilder = (sequence) =>
  encodeMessage(numberOf(Message.getGeneration), answered, sequence, encodeNfgenmsg(NFPROTO_UNSPEC));

/** Fails with ENOENT where the table is gone. */
export const askTable: MessageBuilder = (sequence) => about(Message.getTable, answered, sequence);

/** All chains of the family `inet`: the kernel doesn't choose by table. */
export const askChains: MessageBuilder = (sequence) =>
  encodeMessage(numberOf(Message.getChain), dumped, sequence, encodeNfgenmsg(NFPROTO_INET));

export const askRules: MessageBuilder = (sequence) => about(Message.getRule, dumped, sequence);

/** Fails with ENOENT where the set is gone. */
export function askElements(set: string): MessageBuilder {
  return (sequence) => about(Message.getSetElement, dumped, sequence, encodeString(NFTA_SET_ELEM_LIST_SET, set));
}

/** The generation, or null where no answer tells it. */
export function readGeneration(answers: readonly Uint8Array[]): number | null {
  const answer = answers.find((message) => messageType(message) === numberOf(Message.newGeneration));
  return answer === undefined ? null : decodeUint32(attributesOf(answer).get(NFTA_GEN_ID));
}

/** What makes a table, chain or rule the one that it is: another one in its place has another handle. */
export interface Part {
  /** The chain that it is or belongs to; empty for the table. */
  readonly chain: string;
  readonly identity: string;
}

export function readTable(answers: readonly Uint8Array[]): readonly Part[] {
  return ours(answers).map((table) => ({
    chain: "",
    identity: identityOf(table, [NFTA_TABLE_HANDLE, NFTA_TABLE_FLAGS]),
  }));
}

export function readChains(answers: readonly Uint8Array[]): readonly Part[] {
  return ours(answers).map((chain) => ({
    chain: decodeString(chain.get(NFTA_CHAIN_NAME)),
    identity: identityOf(chain, [NFTA_CHAIN_HANDLE, NFTA_CHAIN_HOOK, NFTA_CHAIN_POLICY]),
  }));
}

export function readRules(answers: readonly Uint8Array[]): readonly Part[] {
  return ours(answers).map((rule) => ({
    chain: decodeString(rule.get(NFTA_RULE_CHAIN)),
    identity: identityOf(rule, [NFTA_RULE_HANDLE]),
  }));
}

export function countElements(answers: readonly Uint8Array[]): number {
  return ours(answers).reduce((sum, list) => sum + countAttributes(list.get(NFTA_SET_ELEM_LIST_ELEMENTS)), 0);
}

function ours(answers: readonly Uint8Array[]): ReadonlyMap<number, Uint8Array>[] {
  return answers.map(attributesOf).filter((attributes) => decodeString(attributes.get(NFTA_TABLE)) === TABLE_NAME);
}

function identityOf(attributes: ReadonlyMap<number, Uint8Array>, types: readonly number[]): string {
  return types.map((type) => Buffer.from(attributes.get(type) ?? []).toString("hex")).join(".");
}

function attributesOf(message: Uint8Array): ReadonlyMap<number, Uint8Array> {
  return decodeAttributes(message, NLMSG_HDRLEN + NFGENMSG_LENGTH);
}

function about(message: number, flags: number, sequence: number, ...more: readonly Uint8Array[]): Uint8Array {
  const header = encodeNfgenmsg(NFPROTO_INET);
  return encodeMessage(numberOf(message), flags, sequence, header, encodeString(NFTA_TABLE, TABLE_NAME), ...more);
}

function numberOf(message: number): number {
  return (NFNL_SUBSYS_NFTABLES << 8) | message;
}
