/** Where the three kinds of admin policy differ, as data (AN-11, AN-22, AN-40, AN-41, AN-50, AN-63). */
import type { AdminAction, AdminPolicy, AdminTier } from "../../model/admin-policy.ts";
import type { DirectionName } from "../../model/verdict.ts";

export interface Dialect {
  /** Null where the object says it. */
  readonly tier: AdminTier | null;
  readonly hasPriority: boolean;
  readonly specFields: readonly string[];
  /** The first word is the kind's own, others are taken for it. */
  readonly actions: readonly { readonly action: AdminAction; readonly words: readonly string[] }[];
  readonly peerFields: Readonly<Record<DirectionName, readonly string[]>>;
  readonly portsKey: "ports" | "protocols";
  readonly ruleLimit: number;
  /** Of peers and of ports in one rule. */
  readonly elementLimit: number;
}

/** Of CIDRs or domain names in one peer. */
export const valueLimit = 25;

const allowFirst = { action: "accept", words: ["Allow", "Accept"] } as const;
const acceptFirst = { action: "accept", words: ["Accept", "Allow"] } as const;
const deny = { action: "deny", words: ["Deny"] } as const;
const pass = { action: "pass", words: ["Pass"] } as const;

const ingressPeers = ["namespaces", "pods"];
const egressPeers = ["namespaces", "pods", "nodes", "networks"];

const v1alpha1 = { portsKey: "ports", ruleLimit: 100, elementLimit: 100 } as const;

export const dialects: Readonly<Record<AdminPolicy["kind"], Dialect>> = {
  AdminNetworkPolicy: {
    ...v1alpha1,
    tier: "admin",
    hasPriority: true,
    specFields: ["priority", "subject", "ingress", "egress"],
    actions: [allowFirst, deny, pass],
    peerFields: { ingress: ingressPeers, egress: [...egressPeers, "domainNames"] },
  },
  BaselineAdminNetworkPolicy: {
    ...v1alpha1,
    tier: "baseline",
    hasPriority: false,
    specFields: ["subject", "ingress", "egress"],
    actions: [allowFirst, deny],
    peerFields: { ingress: ingressPeers, egress: egressPeers },
  },
  ClusterNetworkPolicy: {
    tier: null,
    hasPriority: true,
    specFields: ["tier", "priority", "subject", "ingress", "egress"],
    actions: [acceptFirst, deny, pass],
    peerFields: { ingress: ingressPeers, egress: [...egressPeers, "domainNames"] },
    portsKey: "protocols",
    ruleLimit: 25,
    elementLimit: 25,
  },
};
