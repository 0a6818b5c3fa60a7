/** EC2 network ACLs, parsed (NA-1 …). */
import type { Prefix } from "../net/prefix.ts";
import type { Origin } from "./finding.ts";

export interface NetworkAclEntry {
  readonly number: number;
  readonly isAllow: boolean;
  readonly prefix: Prefix;
  /** IP protocol number; null for all (`-1`). */
  readonly protocol: number | null;
  /** Inclusive destination ports where they count (NA-8, NA-9); null where they don't. */
  readonly ports: { readonly from: number; readonly to: number } | null;
  /** ICMP type and code where they count; null inside for "all". */
  readonly icmp: { readonly type: number | null; readonly code: number | null } | null;
}

export interface NetworkAcl {
  /** `acl-…`. */
  readonly id: string;
  readonly vpcId: string;
  readonly isDefault: boolean;
  readonly subnetIds: readonly string[];
  /** An association couldn't be read: which subnets without a readable one are its own can't be told (DEF-7). */
  readonly hasUnreadableAssociation: boolean;
  /** Ascending by number (NA-5). */
  readonly ingress: readonly NetworkAclEntry[];
  readonly egress: readonly NetworkAclEntry[];
  readonly origin: Origin;
}
