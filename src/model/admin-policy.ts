/**
 * AdminNetworkPolicy and BaselineAdminNetworkPolicy v1alpha1 and ClusterNetworkPolicy v1alpha2, parsed into one shape
 * (AN-1 …). What was invalid is already gone or has become a denial of everything (AN-27).
 */
import type { Prefix } from "../net/prefix.ts";
import type { Origin } from "./finding.ts";
import type { Selector } from "./selector.ts";

/** Before and after NetworkPolicy (AN-1). */
export type AdminTier = "admin" | "baseline";
/** `accept` is `Allow` in v1alpha1. */
export type AdminAction = "accept" | "deny" | "pass";

/** Pods that `pods` selects in namespaces that `namespaces` selects; the empty selector selects all. */
export interface NamespacedPods {
  readonly namespaces: Selector;
  readonly pods: Selector;
}

export type AdminPeer =
  | ({ readonly kind: "pods" } & NamespacedPods)
  | { readonly kind: "nodes"; readonly nodes: Selector }
  | { readonly kind: "network"; readonly prefix: Prefix }
  /** Matches the addresses that DNS told the subject (AN-30). */
  | { readonly kind: "domain-name"; readonly domainName: string };

export interface AdminPort {
  /** IP protocol number; null for a name, which has no protocol of its own (AN-42). */
  readonly protocol: number | null;
  /** Inclusive; null with `name` null means all ports of the protocol. */
  readonly range: { readonly from: number; readonly to: number } | null;
  /** Name of a container port on the destination pod. */
  readonly name: string | null;
}

export interface AdminRule {
  /** Its own name, or null. */
  readonly name: string | null;
  readonly action: AdminAction;
  /** Null: everything, also what no ingress peer could name: a denial in place of an invalid rule (AN-27, AN-60). */
  readonly peers: readonly AdminPeer[] | null;
  /** Null: all traffic, ICMP included. */
  readonly ports: readonly AdminPort[] | null;
}

export interface AdminPolicy {
  readonly kind: "AdminNetworkPolicy" | "BaselineAdminNetworkPolicy" | "ClusterNetworkPolicy";
  readonly tier: AdminTier;
  readonly name: string;
  /** 0–1000, the smaller one first; 1001 for a BaselineAdminNetworkPolicy, which has none. */
  readonly priority: number;
  /** `hostNetwork` pods are never subjects (AN-20). */
  readonly subject: NamespacedPods;
  /** In order; the first one that matches decides (AN-2). */
  readonly ingress: readonly AdminRule[];
  readonly egress: readonly AdminRule[];
  readonly origin: Origin;
}

/**
 * The order in which a tier's policies are asked: by priority, then by name, an ANP before a CNP (AN-2, AN-3, AN-63);
 * a BANP after every Baseline CNP (AN-12) and the one named `default` before other BANPs (AN-11).
 */
export function compareAdminPolicies(a: AdminPolicy, b: AdminPolicy): number {
  return a.priority - b.priority || rank(a) - rank(b) || compareText(a.name, b.name) || compareText(a.kind, b.kind);
}

function rank(policy: AdminPolicy): number {
  return policy.kind === "BaselineAdminNetworkPolicy" && policy.name !== "default" ? 1 : 0;
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
