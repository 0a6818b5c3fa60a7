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
  /** As readers knew it last: whether some group restricts it. */
  wasCaptured: boolean;
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

/** Whether some group restricts the kind's pods. */
export function isCaptured({ groups }: Kind): boolean {
  for (const group of groups) if (group !== null) return true;
  return false;
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
