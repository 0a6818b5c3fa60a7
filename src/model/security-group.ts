/** EC2 security groups, parsed (SG-1 …). What was invalid is already gone and matches nothing (DEF-7). */
import type { Prefix } from "../net/prefix.ts";
import type { Origin } from "./finding.ts";

/** A reference to another group: the private addresses of the interfaces that carry it (SG-23). */
export interface GroupReference {
  /** Absent only where the input names the group by owner and name (SG-25). */
  readonly groupId: string | null;
  readonly groupName: string | null;
  readonly userId: string | null;
  /** Set for a group of a peered VPC (SG-26). */
  readonly vpcId: string | null;
  readonly peeringId: string | null;
  readonly peeringStatus: string | null;
}

/** One permission. Exactly one of the four kinds of peer; the input's merged permissions are split (SG-3). */
export interface SecurityGroupRule {
  /** `sgr-…` where `describe-security-group-rules` gave it. */
  readonly id: string | null;
  /** IP protocol number; null for all (`-1`). */
  readonly protocol: number | null;
  /** Inclusive destination ports for TCP and UDP; 0–65535 where all. Null for every other protocol. */
  readonly ports: { readonly from: number; readonly to: number } | null;
  /** Type and code as a pair, null for "all of them" (SG-9); null for every other protocol. */
  readonly icmp: { readonly type: number | null; readonly code: number | null } | null;
  readonly peer:
    | { readonly kind: "prefix"; readonly prefix: Prefix }
    | { readonly kind: "prefix-list"; readonly prefixListId: string }
    | { readonly kind: "group"; readonly group: GroupReference };
  /** The canonical text, `tcp 5432 from sg-0a1b`; `to` instead of `from` for egress. */
  readonly text: string;
}

/** `ingress` and `egress` are in text order of their rules, each rule once. */
export interface SecurityGroup {
  /** `sg-…`. */
  readonly id: string;
  readonly name: string;
  readonly ownerId: string | null;
  readonly vpcId: string;
  readonly ingress: readonly SecurityGroupRule[];
  readonly egress: readonly SecurityGroupRule[];
  readonly origin: Origin;
}
