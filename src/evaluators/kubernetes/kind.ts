/** A kind of addresses, and a profile of pods: see Kinds. */
import type { Labels } from "../../model/labels.ts";
import { hashOf } from "./by-hash.ts";
import type { Few } from "./few.ts";
import type { Group } from "./groups.ts";
import type { NamespaceRecord, Term } from "./namespaces.ts";
import type { PortAnswers, PortShape } from "./port-names.ts";

/**
 * Whose a kind's addresses are. Policies restrict subjects alone: where only one node's pods are judged for, those of other
 * nodes are peers.
 */
export const Role = { node: 0, peer: 1, subject: 2 } as const;
export type Role = (typeof Role)[keyof typeof Role];

export interface Profile {
  readonly namespace: NamespaceRecord;
  key: string;
  /** Those that terms may ask for. */
  labels: Labels;
  readonly shape: PortShape;
  kind: Kind;
  /** Numbers of pods. */
  readonly pods: number[];
}

export interface Kind {
  readonly number: number;
  readonly role: Role;
  /** Sorted by number. */
  terms: readonly Term[];
  answers: PortAnswers;
  /** Of terms and answers. */
  hash: number;
  /** The one that is found by its hash; others that came to mean the same die out. */
  isListed: boolean;
  /** Where its terms are in `lists`. */
  start: number;
  profiles: Few<Profile>;
  /** Pods of its profiles, or addresses of nodes. */
  size: number;
  /** By tier and direction. */
  readonly groups: (Group | null)[];
  /** As readers knew it last. */
  diversion: Diversion;
}

export function groupByKind(profiles: readonly Profile[]): Map<Kind, Profile[]> {
  const groups = new Map<Kind, Profile[]>();
  for (const profile of profiles) {
    const list = groups.get(profile.kind);
    if (list) list.push(profile);
    else groups.set(profile.kind, [profile]);
  }
  return groups;
}

export function hashOfKind(terms: readonly Term[], answers: PortAnswers, role: Role): number {
  let hash = answers.number * 3 + role;
  for (const term of terms) hash = (hash + hashOf(term.number)) | 0;
  return hash;
}

/** Of a kind that some group restricts packets are diverted, and answers of DNS too where one of its rules means domains. */
export const Diversion = { none: 0, packets: 1, answersToo: 2 } as const;
export type Diversion = (typeof Diversion)[keyof typeof Diversion];

export function diversionOf({ groups }: Kind): Diversion {
  let diversion: Diversion = Diversion.none;
  for (const group of groups) {
    if (group?.namesDomains) return Diversion.answersToo;
    if (group !== null) diversion = Diversion.packets;
  }
  return diversion;
}

export function withTerm(terms: readonly Term[], term: Term): Term[] {
  const at = terms.findIndex((other) => other.number > term.number);
  return at < 0 ? [...terms, term] : [...terms.slice(0, at), term, ...terms.slice(at)];
}

export function podsOf(profiles: readonly Profile[]): number {
  let pods = 0;
  for (const profile of profiles) pods += profile.pods.length;
  return pods;
}
