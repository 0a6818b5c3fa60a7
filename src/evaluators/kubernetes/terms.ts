/**
 * What the two kinds of Kubernetes policy have in common, as input to one compiler: who is meant, in which order rules
 * are asked, and what each answers.
 */
import type { Selector } from "../../model/selector.ts";
import type { Verdict } from "../../model/verdict.ts";
import type { Prefix } from "../../net/prefix.ts";
import type { Tier } from "./tables.ts";

/** Pods of one namespace (its name) or of the namespaces that a selector holds for. */
export interface PodTerm {
  readonly namespaces: string | Selector;
  readonly pods: Selector;
}

export type PeerTerm =
  | { readonly kind: "pods"; readonly pods: PodTerm }
  /** Whether pods' own addresses count is the tier's business (NP-37, AN-25). */
  | { readonly kind: "block"; readonly prefix: Prefix; readonly except: readonly Prefix[] }
  | { readonly kind: "nodes"; readonly nodes: Selector }
  /** In its canonical form. */
  | { readonly kind: "domain"; readonly pattern: string };

export interface PortTerm {
  /** IP protocol number; null only with a name: whatever protocol the name has (AN-42). */
  readonly protocol: number | null;
  /** Inclusive; null with `name` null means all ports of the protocol. */
  readonly range: { readonly from: number; readonly to: number } | null;
  /** Name of a container port on the destination pod. */
  readonly name: string | null;
}

export interface RuleTerm {
  /** `egress[2]` where it has no name of its own. */
  readonly name: string;
  /** What it answers where it matches. */
  readonly verdict: Verdict;
  /** Null: any peer at all. */
  readonly peers: readonly PeerTerm[] | null;
  /** Null: any traffic at all. Otherwise it never matches ICMP, other protocols or fragments (NP-62, AN-45). */
  readonly ports: readonly PortTerm[] | null;
}

/** `rules` by direction, in order; null where the policy doesn't touch the direction. */
export interface PolicyTerm {
  readonly tier: Tier;
  /** What references call it. */
  readonly name: string;
  readonly subject: PodTerm;
  readonly rules: readonly [egress: readonly RuleTerm[] | null, ingress: readonly RuleTerm[] | null];
}
