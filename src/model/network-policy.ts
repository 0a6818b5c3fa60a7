/** Kubernetes NetworkPolicy v1, parsed (NP-1 …). What was invalid is already gone and matches nothing (DEF-7). */
import type { Prefix } from "../net/prefix.ts";
import type { Origin } from "./finding.ts";
import type { Selector } from "./selector.ts";

export type NetworkPolicyPeer =
  /** `namespaces` null: the policy's own namespace. Either selector absent in the input selects all there. */
  | { readonly kind: "pods"; readonly pods: Selector; readonly namespaces: Selector | null }
  | { readonly kind: "ip-block"; readonly prefix: Prefix; readonly except: readonly Prefix[] };

export interface NetworkPolicyPort {
  /** IP protocol number: TCP, UDP or SCTP. */
  readonly protocol: number;
  /** Inclusive; null with `name` null means all ports of the protocol. */
  readonly range: { readonly from: number; readonly to: number } | null;
  /** Name of a container port on the destination pod (NP-43). */
  readonly name: string | null;
}

export interface NetworkPolicyRule {
  /** Null: any peer (NP-10). Empty: nothing, because every element was invalid. */
  readonly peers: readonly NetworkPolicyPeer[] | null;
  /** Null: any port and protocol (NP-11). Empty: nothing, because every element was invalid. */
  readonly ports: readonly NetworkPolicyPort[] | null;
}

export interface NetworkPolicy {
  readonly namespace: string;
  readonly name: string;
  readonly podSelector: Selector;
  /** Whether it isolates its subjects in the direction (NP-6, NP-8). */
  readonly isolatesIngress: boolean;
  readonly isolatesEgress: boolean;
  readonly ingress: readonly NetworkPolicyRule[];
  readonly egress: readonly NetworkPolicyRule[];
  readonly origin: Origin;
}
