/**
 * EC2 resources as the engine needs them, read from what `aws ec2 describe-…` prints. Arrays are in text order of
 * their ids, so that nothing depends on the order of the input (PL-25).
 */
import type { Address } from "../net/address.ts";
import type { Prefix } from "../net/prefix.ts";
import type { Origin } from "./finding.ts";
import type { NetworkAcl } from "./network-acl.ts";
import type { SecurityGroup } from "./security-group.ts";

export interface NetworkInterface {
  /** `eni-…`. */
  readonly id: string;
  /** `i-…`, or null for an interface of no instance. */
  readonly instanceId: string | null;
  /** True for the instance's interface with device index 0 (or its only one). */
  readonly isPrimary: boolean;
  readonly vpcId: string;
  readonly subnetId: string | null;
  /** Group ids; null where the input names no list at all: the VPC's default group (SG-46). */
  readonly groupIds: readonly string[] | null;
  /** Private addresses: primary IPv4, secondary IPv4, IPv6. */
  readonly addresses: readonly Address[];
  /** Public and Elastic addresses; never matched by group references (SG-23). */
  readonly publicAddresses: readonly Address[];
  /** False for an interface of an instance that isn't running: no endpoint, still a group member (SG-47). */
  readonly isRunning: boolean;
  readonly sourceDestCheck: boolean;
  /** `aa:bb:…`, lower case, or null. */
  readonly macAddress: string | null;
  readonly origin: Origin;
}

export interface Subnet {
  readonly id: string;
  readonly vpcId: string;
  /** IPv4 first. */
  readonly prefixes: readonly Prefix[];
  readonly origin: Origin;
}

export interface Vpc {
  readonly id: string;
  /** The primary IPv4 CIDR first; its base + 2 is the resolver (SG-81). */
  readonly prefixes: readonly Prefix[];
  readonly origin: Origin;
}

export interface PrefixList {
  /** `pl-…`. */
  readonly id: string;
  readonly prefixes: readonly Prefix[];
  readonly origin: Origin;
}

export interface Route {
  readonly destination: { readonly prefix: Prefix } | { readonly prefixListId: string };
  /** `local`, `igw-…`, `nat-…`, `eigw-…`, `pcx-…`, or another target as printed. */
  readonly target: string;
  readonly isBlackhole: boolean;
}

export interface RouteTable {
  readonly id: string;
  readonly vpcId: string;
  readonly subnetIds: readonly string[];
  readonly isMain: boolean;
  readonly routes: readonly Route[];
  readonly origin: Origin;
}

export interface VpcPeering {
  readonly id: string;
  readonly isActive: boolean;
  readonly sides: readonly { readonly vpcId: string; readonly prefixes: readonly Prefix[] }[];
  readonly origin: Origin;
}

export interface Ec2Inventory {
  readonly interfaces: readonly NetworkInterface[];
  readonly subnets: readonly Subnet[];
  readonly vpcs: readonly Vpc[];
  readonly securityGroups: readonly SecurityGroup[];
  readonly networkAcls: readonly NetworkAcl[];
  readonly prefixLists: readonly PrefixList[];
  readonly routeTables: readonly RouteTable[];
  readonly peerings: readonly VpcPeering[];
}

export const emptyEc2: Ec2Inventory = {
  interfaces: [],
  subnets: [],
  vpcs: [],
  securityGroups: [],
  networkAcls: [],
  prefixLists: [],
  routeTables: [],
  peerings: [],
};
