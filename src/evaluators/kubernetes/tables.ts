/**
 * What the policies of all tiers look like compiled, in paged words. One thread writes them (PolicyIndex), others read.
 *
 *   address ──▶ class = kind + longest prefix       kind: what selects the pod, its named ports, its six groups
 *   group = the policies of one tier that restrict a kind in one direction, turned round:
 *           by who is meant (a term or a prefix) ──▶ the rules that mean it ──▶ their ports
 *
 * A rule is found from the shorter side of the two: what the peer is, or who the group's rules mean. So a packet pays
 * neither for the policies that don't restrict it nor for the pods that there are.
 */

import type { FlowView } from "../../model/flow.ts";
import type { Knobs } from "../../model/knobs.ts";
import { Direction } from "../../model/verdict.ts";
import type { Address, Family } from "../../net/address.ts";
import { findAddress, findEntry } from "../../net/paged-address-table.ts";
import { findLongestPrefix } from "../../net/paged-prefix-table.ts";
import type { WordPages } from "../../net/paged-words.ts";
import type { RuleNames } from "./rule-names.ts";

export const Tier = { admin: 0, networkPolicy: 1, baseline: 2 } as const;
export type Tier = (typeof Tier)[keyof typeof Tier];

export interface KubernetesTables {
  readonly knobs: Knobs;
  /** Address → class (0: that of its longest prefix), owner (pod number + 1), nodes whose address it is. */
  readonly addresses: WordPages;
  /** Prefix → prefix number; the lengths in use. */
  readonly prefixes: WordPages;
  readonly prefixLengths: WordPages;
  /** By prefix number: the next shorter prefix that contains it, the class of an unknown address. */
  readonly prefixNodes: WordPages;
  /** By class: its kind, its longest prefix. */
  readonly classes: WordPages;
  readonly kinds: WordPages;
  readonly groups: WordPages;
  readonly rules: WordPages;
  readonly lists: WordPages;
  /** By pod number: the number of its node, or 0. */
  readonly podNodes: WordPages;
  /** Owner and address → what DNS told that pod of it: the set of domains in force, and the one that held flows count by. */
  readonly learnt: WordPages;
  /** By number of set: where its domains are in `lists`, behind how many they are. */
  readonly domainSets: WordPages;
  /** Words for people; only the thread that compiles has them. */
  readonly names: RuleNames | null;
}

/** In the order of the paged arrays. */
const arrayNames = [
  "addresses",
  "prefixes",
  "prefixLengths",
  "prefixNodes",
  "classes",
  "kinds",
  "groups",
  "rules",
  "lists",
  "podNodes",
  "learnt",
  "domainSets",
] as const;
export type TableName = (typeof arrayNames)[number];
export const tableCount = arrayNames.length;

export function nameArrays<T>(arrays: readonly T[]): Record<TableName, T> {
  return Object.fromEntries(arrayNames.map((name, i) => [name, arrays[i] as T])) as Record<TableName, T>;
}

export const AddressValue = { class: 0, owner: 1, nodes: 2 } as const;
export const prefixNodeWords = 2;
export const PrefixNode = { parent: 0, class: 1 } as const;
export const classWords = 2;
export const ClassField = { kind: 0, prefix: 1 } as const;

/** Kind 0 is that of addresses that the inventory doesn't know. */
export const kindWords = 11;
export const KindField = {
  isPod: 0,
  /** A sorted list of terms. */
  terms: 1,
  termCount: 2,
  /** A list of traffic and port name, in turn. */
  namedPorts: 3,
  namedPortCount: 4,
  /** Six of them: by tier, then by direction. 0: unrestricted. */
  groups: 5,
} as const;

/**
 * A group's piece of `lists`: the terms that its rules mean, sorted, and for each its rules; the prefixes, sorted, and for
 * each its rules and its exceptions; then what those refer to, counted from the start of the piece.
 */
export const groupWords = 8;
export const GroupField = {
  start: 0,
  termCount: 1,
  prefixCount: 2,
  usesNames: 3,
  /** What `view.rule` is where no rule matches (NetworkPolicy), or where `npNonL4` decides. */
  noMatch: 4,
  nonL4: 5,
  length: 6,
  /** Its first term that is a domain, as a place among its terms; `termCount` where none is. */
  firstDomain: 7,
} as const;

export const ruleWords = 4;
export const RuleField = {
  /** That of its policy among its tier's. */
  order: 0,
  /** Its place in the policy, times 4, plus its verdict. */
  place: 1,
  /** A list of first and last traffic number, in turn; without one, any traffic. */
  ports: 2,
  /** How many pairs; -1 without a list of ports. */
  portCount: 3,
} as const;

/** Terms that stand in no kind's list: everybody, and every pod. */
export const anyone = 0;
export const anyPod = 1;
export const firstTerm = 2;
/** Domains are terms that stand in no kind's list either; their numbers come after all others. */
export const firstDomain = 2 ** 28;

/** Values of `learnt`. */
export const LearntValue = { inForce: 0, held: 1 } as const;

/** The kind of a key of `learnt`; `owner` as `addresses` has it. */
export function learntKey(owner: number, family: Family): number {
  return owner * 8 + family;
}

export function groupField(tier: Tier, direction: Direction): number {
  return KindField.groups + tier * 2 + direction;
}

/** The class of any address; 0 for one that is unknown and in no prefix. Never allocates. */
export function classOfAddress(tables: KubernetesTables, address: Address): number {
  const at = findAddress(tables.addresses, address);
  const known = at < 0 ? 0 : tables.addresses.get(at + AddressValue.class);
  if (known !== 0) return known;
  const prefix = findLongestPrefix(tables.prefixLengths, tables.prefixes, address);
  return tables.prefixNodes.get(prefix * prefixNodeWords + PrefixNode.class);
}

export function kindOfClass(tables: KubernetesTables, classNumber: number): number {
  return tables.classes.get(classNumber * classWords + ClassField.kind);
}

export function isPodClass(tables: KubernetesTables, classNumber: number): boolean {
  return tables.kinds.get(kindOfClass(tables, classNumber) * kindWords + KindField.isPod) === 1;
}

/** The group that restricts the class in the direction; 0 for none. */
export function groupOfClass(tables: KubernetesTables, classNumber: number, tier: Tier, direction: Direction): number {
  return tables.kinds.get(kindOfClass(tables, classNumber) * kindWords + groupField(tier, direction));
}

/** Whether the address is one of the pod's own node (NP-56, NP-57, AN-60). Never allocates. */
export function isOwnNode(tables: KubernetesTables, pod: Address, address: Address): boolean {
  const { addresses, lists } = tables;
  const at = findAddress(addresses, address);
  const nodes = at < 0 ? 0 : addresses.get(at + AddressValue.nodes);
  if (nodes === 0) return false;
  const podAt = findAddress(addresses, pod);
  const owner = podAt < 0 ? 0 : addresses.get(podAt + AddressValue.owner);
  if (owner === 0) return false;
  const own = tables.podNodes.get(owner - 1);
  if (own === 0) return false;
  // One node is its number; several are a list, behind how many they are.
  if (nodes > 0) return nodes === own;
  const end = -nodes + lists.get(-nodes);
  for (let i = -nodes + 1; i <= end; i++) if (lists.get(i) === own) return true;
  return false;
}

/**
 * The set of domains by which the flow's destination counts for its source (AN-30), or `noDomains`. Never allocates.
 */
export function learntOf(tables: KubernetesTables, sourceClass: number, view: FlowView): number {
  if (!namesDomains(tables, sourceClass)) return noDomains;
  const { addresses, learnt } = tables;
  const { destination } = view;
  const sourceAt = findAddress(addresses, view.source);
  const owner = sourceAt < 0 ? 0 : addresses.get(sourceAt + AddressValue.owner);
  const key = learntKey(owner, destination.family);
  const at =
    owner === 0
      ? -1
      : findEntry(learnt, key, destination.w0 | 0, destination.w1 | 0, destination.w2 | 0, destination.w3 | 0);
  return at < 0 ? noDomains : learnt.get(at + (view.isHeld ? LearntValue.held : LearntValue.inForce));
}

export const noDomains = 0;
/** For words alone: whether some domain would decide. */
export const anyDomain = -1;

/** Whether some rule on the class's way out means domains. */
function namesDomains(tables: KubernetesTables, classNumber: number): boolean {
  const { kinds, groups } = tables;
  const kind = kindOfClass(tables, classNumber) * kindWords;
  for (let tier: Tier = Tier.admin; tier <= Tier.baseline; tier += 2) {
    const group = kinds.get(kind + KindField.groups + tier * 2 + Direction.egress) * groupWords;
    if (groups.get(group + GroupField.firstDomain) < groups.get(group + GroupField.termCount)) return true;
  }
  return false;
}

/** The subject's own node is in no rule's hands on the way in, and on the way out if a knob says so (NP-56, NP-57). */
export function acceptsOwnNode({ knobs }: KubernetesTables, direction: Direction): boolean {
  return direction === Direction.ingress || knobs.npEgressToOwnNode === "allow";
}
