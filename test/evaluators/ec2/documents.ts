/** Short forms of what `aws ec2 describe-…` prints, for tables in tests. */

type Json = Record<string, unknown>;

/** `tcp 22`, `tcp 1000-2000`, `icmp 8/0`, `icmp 3/-1`, `50`, `-1`, then peers: CIDRs, `pl-…`, `sg-…`. */
export function permission(text: string): Json {
  const words = text.split(" ");
  const [IpProtocol = "", ...rest] = words;
  const numbers = /^-?\d+([-/]-?\d+)?$/.test(rest[0] ?? "") ? (rest.shift() ?? "") : "";
  const [, from, to] = /^(-?\d+)(?:[-/](-?\d+))?$/.exec(numbers) ?? [];
  return {
    IpProtocol,
    ...(from === undefined ? {} : { FromPort: Number(from), ToPort: Number(to ?? from) }),
    IpRanges: rest.filter((p) => p.includes("/") && !p.includes(":")).map((CidrIp) => ({ CidrIp })),
    Ipv6Ranges: rest.filter((p) => p.includes(":")).map((CidrIpv6) => ({ CidrIpv6 })),
    PrefixListIds: rest.filter((p) => p.startsWith("pl-")).map((PrefixListId) => ({ PrefixListId })),
    UserIdGroupPairs: rest.filter((p) => p.startsWith("sg-")).map((GroupId) => ({ GroupId, UserId: "1" })),
  };
}

/** A permission is a text or what AWS prints. */
export function group(
  GroupId: string,
  ingress: readonly (string | Json)[],
  egress: readonly (string | Json)[] = ["-1 0.0.0.0/0", "-1 ::/0"],
  more: Json = {},
): Json {
  const read = (list: readonly (string | Json)[]) => list.map((p) => (typeof p === "string" ? permission(p) : p));
  return {
    GroupId,
    GroupName: GroupId.replace("sg-", ""),
    VpcId: "vpc-1",
    OwnerId: "1",
    IpPermissions: read(ingress),
    IpPermissionsEgress: read(egress),
    ...more,
  };
}

export interface Host {
  /** The first is the primary one. */
  readonly ips: readonly string[];
  readonly groups?: readonly string[];
  readonly subnet?: string;
  readonly vpc?: string;
  readonly publicIp?: string;
}

function networkInterface(id: string, { ips, groups, subnet, vpc, publicIp }: Host): Json {
  const ipv4 = ips.filter((ip) => !ip.includes(":"));
  return {
    NetworkInterfaceId: id,
    VpcId: vpc ?? "vpc-1",
    ...(subnet === undefined ? {} : { SubnetId: subnet }),
    ...(groups === undefined ? {} : { Groups: groups.map((GroupId) => ({ GroupId })) }),
    PrivateIpAddresses: ipv4.map((PrivateIpAddress, i) => ({
      PrivateIpAddress,
      Primary: i === 0,
      ...(publicIp && i === 0 ? { Association: { PublicIp: publicIp } } : {}),
    })),
    Ipv6Addresses: ips.filter((ip) => ip.includes(":")).map((Ipv6Address) => ({ Ipv6Address })),
  };
}

/** An instance `i-NAME` with interfaces `eni-NAME`, `eni-NAME-1` …. */
export function instance(name: string, hosts: Host | readonly Host[], state = "running"): Json {
  const list: readonly Host[] = Array.isArray(hosts) ? hosts : [hosts as Host];
  return {
    InstanceId: `i-${name}`,
    State: { Name: state, Code: state === "running" ? 16 : 80 },
    NetworkInterfaces: list.map((host, i) => ({
      ...networkInterface(i === 0 ? `eni-${name}` : `eni-${name}-${i}`, host),
      Attachment: { DeviceIndex: i },
    })),
  };
}

/** `100 ingress allow tcp 22 10.0.0.0/8`, `32767 egress deny -1 0.0.0.0/0`, `100 ingress allow icmp 8/-1 0.0.0.0/0`. */
export function entry(text: string): Json {
  const match = /^(\d+) (ingress|egress) (allow|deny) (\S+)(?: (-?\d+)(?:([-/])(-?\d+))?)? (\S+)$/.exec(text);
  if (!match) throw new Error(`${text} is no entry`);
  const [, number, direction, RuleAction, name = "", from, slash, to, cidr = ""] = match;
  const numbers: Json = { tcp: "6", udp: "17", icmp: "1", icmpv6: "58" };
  return {
    RuleNumber: Number(number),
    Egress: direction === "egress",
    RuleAction,
    Protocol: numbers[name] ?? name,
    ...(cidr.includes(":") ? { Ipv6CidrBlock: cidr } : { CidrBlock: cidr }),
    ...(from === undefined
      ? {}
      : slash === "/"
        ? { IcmpTypeCode: { Type: Number(from), Code: Number(to) } }
        : { PortRange: { From: Number(from), To: Number(to ?? from) } }),
  };
}

export function acl(
  id: string,
  subnets: readonly string[],
  entries: readonly (string | Json)[],
  more: Json = {},
): Json {
  return {
    NetworkAclId: id,
    VpcId: "vpc-1",
    IsDefault: false,
    Associations: subnets.map((SubnetId) => ({ SubnetId, NetworkAclId: id })),
    Entries: entries.map((e) => (typeof e === "string" ? entry(e) : e)),
    ...more,
  };
}

export const openAcl = [
  "100 ingress allow -1 0.0.0.0/0",
  "100 egress allow -1 0.0.0.0/0",
  "101 ingress allow -1 ::/0",
  "101 egress allow -1 ::/0",
];

export function instances(...list: readonly Json[]): Json {
  return { Reservations: list.map((i) => ({ Instances: [i] })) };
}

/** A VPC of 10.0.0.0/16 with subnets subnet-1 … subnet-3 of 10.0.N.0/24 and 2001:db8:0:N::/64. */
export const vpc: Json = {
  Vpcs: [
    {
      VpcId: "vpc-1",
      CidrBlock: "10.0.0.0/16",
      CidrBlockAssociationSet: [
        { CidrBlock: "10.0.0.0/16", CidrBlockState: { State: "associated" } },
        { CidrBlock: "10.9.0.0/16", CidrBlockState: { State: "associated" } },
      ],
    },
  ],
  Subnets: [1, 2, 3].map((n) => ({
    SubnetId: `subnet-${n}`,
    VpcId: "vpc-1",
    CidrBlock: `10.0.${n}.0/24`,
    Ipv6CidrBlockAssociationSet: [
      { Ipv6CidrBlock: `2001:db8:0:${n}::/64`, Ipv6CidrBlockState: { State: "associated" } },
    ],
  })),
};
