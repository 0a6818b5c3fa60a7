/** What AWS documents say, read straight from their JSON (SG-1 …, NA-1 …, VR-1 …). */
import { type Block, blockOf, hasIp, type Ip, ipOf, isInside } from "./ip.ts";
import { type Fields, fieldsOf, objectsIn, textOf } from "./json.ts";
import type { Entry } from "./network-acl-entries.ts";
import { readEntries } from "./network-acl-entries.ts";
import type { Permission } from "./security-group-rules.ts";
import { readPermissions } from "./security-group-rules.ts";

export interface Nic {
  readonly id: string;
  readonly vpc: string;
  readonly subnet: string | null;
  readonly groups: readonly string[] | null;
  readonly ips: readonly Ip[];
  readonly isRunning: boolean;
}

export interface Group {
  readonly id: string;
  readonly name: string;
  readonly vpc: string;
  readonly owner: string | null;
  readonly ingress: readonly Permission[];
  readonly egress: readonly Permission[];
}

export interface Acl {
  readonly vpc: string;
  readonly isDefault: boolean;
  readonly subnets: readonly string[];
  readonly entries: readonly Entry[];
}

export interface Table {
  readonly vpc: string;
  readonly subnets: readonly string[];
  readonly isMain: boolean;
  readonly routes: readonly { readonly block: Block; readonly target: string; readonly isBlackhole: boolean }[];
}

export interface Ec2 {
  readonly nics: readonly Nic[];
  readonly subnets: readonly { readonly id: string; readonly vpc: string; readonly blocks: readonly Block[] }[];
  readonly vpcs: readonly { readonly id: string; readonly primary: Block | null }[];
  readonly groups: readonly Group[];
  readonly acls: readonly Acl[];
  /** By id. */
  readonly lists: Readonly<Record<string, readonly Block[]>>;
  readonly tables: readonly Table[];
  readonly peerings: readonly {
    readonly id: string;
    readonly isActive: boolean;
    readonly sides: readonly { readonly vpc: string; readonly blocks: readonly Block[] }[];
  }[];
}

/** Documents by file name. */
export function readEc2(files: Readonly<Record<string, unknown>>): Ec2 {
  const documents = Object.entries(files).map(([file, value]) => ({ file, fields: fieldsOf(value) ?? {} }));
  const all = (key: string): Fields[] => documents.flatMap(({ fields }) => objectsIn(fields[key]));
  const lists = Object.fromEntries(
    documents.flatMap(({ file, fields }) =>
      file.startsWith("pl-")
        ? [[file.replace(".json", ""), objectsIn(fields.Entries).flatMap((e) => cidr(e.Cidr))]]
        : [],
    ),
  );
  const instances = all("Reservations").flatMap((r) => objectsIn(r.Instances));
  return {
    nics: [
      ...all("NetworkInterfaces").map((nic) => readNic(nic, nic.Status !== "available")),
      // SG-47.
      ...instances.flatMap((instance) =>
        objectsIn(instance.NetworkInterfaces).map((nic) => readNic(nic, fieldsOf(instance.State)?.Name === "running")),
      ),
    ].sort((a, b) => (a.id < b.id ? -1 : 1)),
    subnets: all("Subnets").map((s) => ({
      id: `${s.SubnetId}`,
      vpc: `${s.VpcId}`,
      blocks: [...cidr(s.CidrBlock), ...objectsIn(s.Ipv6CidrBlockAssociationSet).flatMap((a) => cidr(a.Ipv6CidrBlock))],
    })),
    vpcs: all("Vpcs").map((v) => ({ id: `${v.VpcId}`, primary: blockOf(v.CidrBlock) })),
    groups: all("SecurityGroups")
      .map((g) => ({
        id: `${g.GroupId}`,
        name: textOf(g.GroupName) ?? "",
        vpc: `${g.VpcId}`,
        owner: textOf(g.OwnerId),
        ingress: readPermissions(g.IpPermissions),
        egress: readPermissions(g.IpPermissionsEgress),
      }))
      .sort((a, b) => (a.id < b.id ? -1 : 1)),
    acls: all("NetworkAcls").map((a) => ({
      vpc: `${a.VpcId}`,
      isDefault: a.IsDefault === true,
      subnets: objectsIn(a.Associations).map((s) => `${s.SubnetId}`),
      entries: readEntries(a.Entries),
    })),
    lists,
    tables: all("RouteTables").map((t) => readTable(t, lists)),
    peerings: all("VpcPeeringConnections").map((p) => ({
      id: `${p.VpcPeeringConnectionId}`,
      isActive: fieldsOf(p.Status)?.Code === "active",
      sides: [p.RequesterVpcInfo, p.AccepterVpcInfo].flatMap((side) => {
        const fields = fieldsOf(side) ?? {};
        const more = objectsIn(fields.Ipv6CidrBlockSet).flatMap((b) => cidr(b.Ipv6CidrBlock));
        return [{ vpc: `${fields.VpcId}`, blocks: [...cidr(fields.CidrBlock), ...more] }];
      }),
    })),
  };
}

function readNic(nic: Fields, isRunning: boolean): Nic {
  const texts = [
    ...objectsIn(nic.PrivateIpAddresses).map((a) => a.PrivateIpAddress),
    ...objectsIn(nic.Ipv6Addresses).map((a) => a.Ipv6Address),
  ];
  const groups = nic.Groups;
  return {
    id: `${nic.NetworkInterfaceId}`,
    vpc: `${nic.VpcId}`,
    subnet: textOf(nic.SubnetId),
    // SG-46: a list that is absent is the VPC's default group, an empty one is nothing.
    groups: Array.isArray(groups) ? objectsIn(groups).flatMap((g) => textOf(g.GroupId) ?? []) : null,
    ips: texts.flatMap((text) => ipOf(text) ?? []),
    isRunning,
  };
}

function readTable(table: Fields, lists: Readonly<Record<string, readonly Block[]>>): Table {
  const associations = objectsIn(table.Associations);
  return {
    vpc: `${table.VpcId}`,
    subnets: associations.flatMap((a) => textOf(a.SubnetId) ?? []),
    isMain: associations.some((a) => a.Main === true),
    routes: objectsIn(table.Routes).flatMap((r) => {
      const list = textOf(r.DestinationPrefixListId);
      const blocks = list === null ? cidr(r.DestinationCidrBlock ?? r.DestinationIpv6CidrBlock) : (lists[list] ?? []);
      const keys = [
        "GatewayId",
        "NatGatewayId",
        "EgressOnlyInternetGatewayId",
        "VpcPeeringConnectionId",
        "TransitGatewayId",
      ];
      const target = keys.flatMap((key) => textOf(r[key]) ?? [])[0] ?? null;
      const isBlackhole = target === null || (r.State !== undefined && r.State !== "active");
      return blocks.map((block) => ({ block, target: target ?? "", isBlackhole }));
    }),
  };
}

/** SG-47, VR-6: the running interfaces that claim the address. Two of them are one too many. */
export function ownersOf(ec2: Ec2, ip: Ip): readonly Nic[] {
  return ec2.nics.filter((nic) => nic.isRunning && hasIp(nic.ips, ip));
}

/** NA-13. */
export function subnetOf(ec2: Ec2, nic: Nic, ip: Ip): string | null {
  return nic.subnet ?? smallestSubnet(ec2, nic.vpc, ip);
}

export function smallestSubnet(ec2: Ec2, vpc: string, ip: Ip): string | null {
  const around = ec2.subnets
    .filter((subnet) => subnet.vpc === vpc)
    .flatMap(({ id, blocks }) => blocks.filter((b) => isInside(b, ip)).map((b) => ({ id, length: b.length })))
    .sort((a, b) => b.length - a.length);
  return around[0]?.id ?? null;
}

function cidr(value: unknown): Block[] {
  const block = blockOf(value);
  return block ? [block] : [];
}
