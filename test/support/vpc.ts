/** AWS documents in the shape of `aws ec2 describe-…`, from short rows. */

export interface InterfaceRow {
  readonly instance: string;
  readonly subnet: string;
  /** IPv4 first. */
  readonly addresses: readonly string[];
  readonly groups: readonly string[];
}

export interface PermissionRow {
  /** `tcp`, `udp`, `icmp`, `icmpv6` or `-1`. */
  readonly protocol: string;
  readonly from?: number;
  readonly to?: number;
  /** CIDRs of either family, or `sg-…`. */
  readonly peers: readonly string[];
}

export interface GroupRow {
  readonly id: string;
  readonly ingress: readonly PermissionRow[];
  readonly egress: readonly PermissionRow[];
}

export interface EntryRow {
  readonly number: number;
  readonly action: "allow" | "deny";
  readonly egress: boolean;
  /** Number in a string, `-1` for all. */
  readonly protocol: string;
  readonly cidr: string;
  readonly ports?: readonly [number, number];
  /** Type and code, -1 for all. */
  readonly icmp?: readonly [number, number];
}

const VPC = "vpc-1";

export function describeInstances(rows: readonly InterfaceRow[]): object {
  return {
    Reservations: rows.map((row, i) => ({
      Instances: [
        {
          InstanceId: row.instance,
          State: { Code: 16, Name: "running" },
          VpcId: VPC,
          NetworkInterfaces: [
            {
              NetworkInterfaceId: `eni-${i + 1}`,
              VpcId: VPC,
              SubnetId: row.subnet,
              Groups: row.groups.map((GroupId) => ({ GroupId })),
              PrivateIpAddress: row.addresses[0],
              PrivateIpAddresses: row.addresses
                .filter((a) => !a.includes(":"))
                .map((PrivateIpAddress, n) => ({ PrivateIpAddress, Primary: n === 0 })),
              Ipv6Addresses: row.addresses.filter((a) => a.includes(":")).map((Ipv6Address) => ({ Ipv6Address })),
              Attachment: { InstanceId: row.instance, DeviceIndex: 0 },
            },
          ],
        },
      ],
    })),
  };
}

export function describeSubnets(rows: Readonly<Record<string, readonly [ipv4: string, ipv6?: string]>>): object {
  return {
    Subnets: Object.entries(rows).map(([SubnetId, [CidrBlock, ipv6]]) => ({
      SubnetId,
      VpcId: VPC,
      CidrBlock,
      Ipv6CidrBlockAssociationSet:
        ipv6 === undefined ? [] : [{ Ipv6CidrBlock: ipv6, Ipv6CidrBlockState: { State: "associated" } }],
    })),
  };
}

export function describeSecurityGroups(rows: readonly GroupRow[]): object {
  const permissions = (list: readonly PermissionRow[]) =>
    list.map((row) => ({
      IpProtocol: row.protocol,
      ...(row.from === undefined ? {} : { FromPort: row.from, ToPort: row.to ?? row.from }),
      IpRanges: row.peers.filter((p) => p.includes(".")).map((CidrIp) => ({ CidrIp })),
      Ipv6Ranges: row.peers.filter((p) => p.includes(":")).map((CidrIpv6) => ({ CidrIpv6 })),
      UserIdGroupPairs: row.peers.filter((p) => p.startsWith("sg-")).map((GroupId) => ({ GroupId, UserId: "1" })),
      PrefixListIds: [],
    }));
  return {
    SecurityGroups: rows.map((row) => ({
      GroupId: row.id,
      GroupName: row.id,
      OwnerId: "1",
      VpcId: VPC,
      IpPermissions: permissions(row.ingress),
      IpPermissionsEgress: permissions(row.egress),
    })),
  };
}

/** A NACL of the given subnets, and with `subnets` empty the VPC's default one. */
export function networkAcl(id: string, subnets: readonly string[], entries: readonly EntryRow[]): object {
  return {
    NetworkAclId: id,
    VpcId: VPC,
    IsDefault: subnets.length === 0,
    Associations: subnets.map((SubnetId) => ({
      NetworkAclAssociationId: `${id}-${SubnetId}`,
      NetworkAclId: id,
      SubnetId,
    })),
    Entries: entries.map((row) => ({
      RuleNumber: row.number,
      RuleAction: row.action,
      Egress: row.egress,
      Protocol: row.protocol,
      ...(row.cidr.includes(":") ? { Ipv6CidrBlock: row.cidr } : { CidrBlock: row.cidr }),
      ...(row.ports === undefined ? {} : { PortRange: { From: row.ports[0], To: row.ports[1] } }),
      ...(row.icmp === undefined ? {} : { IcmpTypeCode: { Type: row.icmp[0], Code: row.icmp[1] } }),
    })),
  };
}

/** Rule 100 and 101 in both directions: everything. */
export const openEntries: readonly EntryRow[] = [false, true].flatMap((egress) => [
  { number: 100, action: "allow" as const, egress, protocol: "-1", cidr: "0.0.0.0/0" },
  { number: 101, action: "allow" as const, egress, protocol: "-1", cidr: "::/0" },
]);

export function describeNetworkAcls(acls: readonly object[]): object {
  return { NetworkAcls: acls };
}

/** Anything to anywhere. */
export const allEgress: readonly PermissionRow[] = [{ protocol: "-1", peers: ["0.0.0.0/0", "::/0"] }];
