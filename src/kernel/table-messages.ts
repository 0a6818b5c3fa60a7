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
import {
  Message,
  NFGENMSG_LENGTH,
  NFPROTO_UNSPEC,
  NFT_TABLE_F_DORMANT,
  NFTA_CHAIN_HANDLE,
  NFTA_CHAIN_HOOK,
  NFTA_CHAIN_NAME,
  NFTA_CHAIN_POLICY,
  NFTA_GEN_ID,
  NFTA_MEMBER,
  NFTA_RULE_CHAIN,
  NFTA_RULE_HANDLE,
  NFTA_SET_COUNT,
  NFTA_SET_ELEM_LIST_ELEMENTS,
  NFTA_TABLE,
  NFTA_TABLE_FLAGS,
  NFTA_TABLE_HANDLE,
  numberOf,
  protocolOf,
  tableMessage,
} from "./nf-tables-protocol.ts";
import { TABLE_NAME, type TableFamily } from "./ruleset-config.ts";

const answered = NetlinkFlag.request | NetlinkFlag.ack;
const dumped = NetlinkFlag.request | NetlinkFlag.dump;

/** The number that changes with every transaction of anybody. */
export const askGeneration: MessageBuilder = (sequence) =>
  encodeMessage(numberOf(Message.getGeneration), answered, sequence, encodeNfgenmsg(NFPROTO_UNSPEC));

/** Fails with ENOENT where the table is gone. */
export function askTable(family: TableFamily): MessageBuilder {
  return (sequence) => tableMessage(family, Message.getTable, answered, sequence);
}

/** All chains of the family: the kernel doesn't choose by table. */
export function askChains(family: TableFamily): MessageBuilder {
  const header = encodeNfgenmsg(protocolOf[family]);
  return (sequence) => encodeMessage(numberOf(Message.getChain), dumped, sequence, header);
}

export function askRules(family: TableFamily): MessageBuilder {
  return (sequence) => tableMessage(family, Message.getRule, dumped, sequence);
}

/** Fails with ENOENT where the set is gone. */
export function askSet(family: TableFamily, set: string): MessageBuilder {
  return (sequence) => tableMessage(family, Message.getSet, answered, sequence, encodeString(NFTA_MEMBER, set));
}

/** The same. The kernel counts from the beginning for each part of its answer: a fifth of a second at 100,000. */
export function askElements(family: TableFamily, set: string): MessageBuilder {
  return (sequence) => tableMessage(family, Message.getSetElement, dumped, sequence, encodeString(NFTA_MEMBER, set));
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
  return ours(answers).map((table) => ({ chain: "", identity: identityOf(table, [NFTA_TABLE_HANDLE]) }));
}

/** Whether the table's chains are asked. */
export function isSwitchedOn(answers: readonly Uint8Array[]): boolean {
  return ours(answers).some((table) => (decodeUint32(table.get(NFTA_TABLE_FLAGS)) & NFT_TABLE_F_DORMANT) === 0);
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

/** The set's size, or null where the kernel doesn't say it. */
export function readSetSize(answers: readonly Uint8Array[]): number | null {
  const count = ours(answers)[0]?.get(NFTA_SET_COUNT);
  return count === undefined ? null : decodeUint32(count);
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
