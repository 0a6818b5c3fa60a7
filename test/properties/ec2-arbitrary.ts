/** Random AWS documents: interfaces of two VPCs, security groups, network ACLs, route tables, a peering, a prefix list. */
import fc from "fast-check";
import { cidr4, cidr6, type Families, hostSubnets, hosts, junk, port, seldom, vpcOfSubnet } from "./universe.ts";

type Json = Record<string, unknown>;

/** Documents by file name. */
export function ec2Documents(families: Families): fc.Arbitrary<Record<string, unknown>> {
  return fc
    .record({
      nics: fc.tuple(...hosts[4].map((_, i) => fc.option(nic(i, families), { freq: 5, nil: null }))),
      groups: fc.option(fc.tuple(...groupIds.map((id) => group(id, families))), { freq: 8, nil: null }),
      acls: fc.option(aclList(families), { freq: 2, nil: null }),
      tables: fc.option(tableList(families), { freq: 2, nil: null }),
      list: fc.array(families === "dual" ? fc.oneof(cidr4(), cidr6()) : cidr4(), { maxLength: 2 }),
      peering: fc.constantFrom("active", "pending-acceptance", "deleted"),
    })
    .map(({ nics, groups, acls, tables, list, peering }) => {
      const present = nics.filter((n) => n !== null);
      return {
        "subnets.json": subnets(families),
        "instances.json": {
          Reservations: present.flatMap((n) => (n.state === null ? [] : [reservation(n.id, n.state, n.json)])),
        },
        "interfaces.json": { NetworkInterfaces: present.flatMap((n) => (n.state === null ? [n.json] : [])) },
        ...(groups === null ? {} : { "groups.json": { SecurityGroups: groups } }),
        ...(acls === null ? {} : { "acls.json": { NetworkAcls: acls } }),
        ...(tables === null ? {} : { "tables.json": { RouteTables: tables } }),
        "peerings.json": { VpcPeeringConnections: [peeringOf(peering, families)] },
        "pl-1.json": { Entries: list.map((Cidr) => ({ Cidr })) },
      };
    });
}

function subnets(families: Families): Json {
  const subnet = (SubnetId: string, CidrBlock: string, ipv6: string): Json => ({
    SubnetId,
    VpcId: vpcOfSubnet[SubnetId],
    CidrBlock,
    ...(families === "dual"
      ? { Ipv6CidrBlockAssociationSet: [{ Ipv6CidrBlock: ipv6, Ipv6CidrBlockState: { State: "associated" } }] }
      : {}),
  });
  return {
    Vpcs: [
      { VpcId: "vpc-1", CidrBlock: "10.0.0.0/16" },
      { VpcId: "vpc-2", CidrBlock: "10.1.0.0/16" },
    ],
    Subnets: [
      subnet("subnet-1", "10.0.1.0/24", "2001:db8:0:1::/64"),
      subnet("subnet-2", "10.0.2.0/25", "2001:db8:0:2::/64"),
      subnet("subnet-3", "10.1.1.0/24", "2001:db8:1:1::/64"),
    ],
  };
}

const groupIds = ["sg-1", "sg-2", "sg-3", "sg-4"] as const;

function nic(i: number, families: Families) {
  const own = hosts[4].map((_, j) => j).filter((j) => hostSubnets[j] === hostSubnets[i]);
  const subnetId = hostSubnets[i] as string;
  return fc
    .record({
      // A secondary address, or somebody else's (VR-6).
      second: fc.option(fc.constantFrom(...own), { freq: 2, nil: i }),
      which: families === "dual" ? fc.constantFrom("both", "both", "4", "6") : fc.constant("4"),
      groups: seldom(
        fc.subarray([...groupIds], { minLength: 1, maxLength: 2 }),
        fc.constantFrom<unknown>(undefined, [], ["sg-9"], ["sg-1", "sg-9"]),
      ),
      hasSubnet: seldom(fc.constant(true), fc.constant(false)),
      state: fc.constantFrom<string | null>("running", "running", "running", "stopped", null, null),
      isSecond: fc.integer({ min: 0, max: 3 }).map((n) => n === 0),
    })
    .map(({ second, which, groups, hasSubnet, state, isSecond }) => {
      const slots = [...new Set(isSecond ? [i, second] : [i])];
      const json: Json = {
        NetworkInterfaceId: `eni-${i}`,
        VpcId: vpcOfSubnet[subnetId],
        ...(hasSubnet ? { SubnetId: subnetId } : {}),
        ...(groups === undefined ? {} : { Groups: (groups as string[]).map((GroupId) => ({ GroupId })) }),
        PrivateIpAddresses:
          which === "6" ? [] : slots.map((s, n) => ({ PrivateIpAddress: hosts[4][s], Primary: n === 0 })),
        Ipv6Addresses: which === "4" ? [] : slots.map((s) => ({ Ipv6Address: hosts[6][s] })),
        ...(state === null ? { Status: "in-use" } : { Attachment: { DeviceIndex: 0 } }),
      };
      return { id: i, state, json };
    });
}

function reservation(id: number, Name: string, nicJson: Json): Json {
  return { Instances: [{ InstanceId: `i-${id}`, State: { Name }, NetworkInterfaces: [nicJson] }] };
}

const pair = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...groupIds, "sg-9").map((GroupId): Json => ({ GroupId, UserId: "1" })) },
  {
    weight: 1,
    arbitrary: fc
      .record({ GroupId: fc.constantFrom(...groupIds), PeeringStatus: fc.constantFrom("active", "deleted") })
      .map((p): Json => ({ ...p, VpcId: "vpc-2", VpcPeeringConnectionId: "pcx-1", UserId: "1" })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Json>(
      { GroupName: "two", UserId: "1" },
      { GroupName: "two", UserId: "2" },
      { UserId: "1" },
    ),
  },
);

const range = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(port, port).map(([a, b]): Json => ({ FromPort: Math.min(a, b), ToPort: Math.max(a, b) })),
  },
  { weight: 3, arbitrary: port.map((p): Json => ({ FromPort: p, ToPort: p })) },
  { weight: 2, arbitrary: fc.constantFrom<Json>({ FromPort: 0, ToPort: 65535 }, {}, { FromPort: -1, ToPort: -1 }) },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Json>(
      { FromPort: 70000, ToPort: 70000 },
      { FromPort: 81, ToPort: 80 },
      { FromPort: 80 },
      { FromPort: "80", ToPort: 80 },
      { FromPort: 0, ToPort: 65536 },
    ),
  },
);
const icmp = fc.constantFrom<Json>(
  { FromPort: -1, ToPort: -1 },
  { FromPort: 8, ToPort: -1 },
  { FromPort: 8, ToPort: 0 },
  { FromPort: 128, ToPort: 0 },
  { FromPort: 3, ToPort: 4 },
  { FromPort: 0, ToPort: -1 },
  { FromPort: -1, ToPort: 4 },
  { FromPort: 256, ToPort: 0 },
  {},
);
const traffic = fc.oneof(
  { weight: 3, arbitrary: fc.constant<Json>({ IpProtocol: "-1" }) },
  {
    weight: 6,
    arbitrary: fc
      .record({ IpProtocol: fc.constantFrom("tcp", "udp", "6", "17", "TCP"), range })
      .map(({ IpProtocol, range: r }): Json => ({ IpProtocol, ...r })),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ IpProtocol: fc.constantFrom("icmp", "icmpv6", "1", "58"), icmp })
      .map(({ IpProtocol, icmp: i }): Json => ({ IpProtocol, ...i })),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom<Json>(
      { IpProtocol: "50", FromPort: 1000, ToPort: 1000 },
      { IpProtocol: "132" },
      { IpProtocol: "foo" },
      { IpProtocol: "256" },
      { IpProtocol: 6 },
      { FromPort: 80, ToPort: 80 },
    ),
  },
);

export function permission(families: Families): fc.Arbitrary<unknown> {
  const list = <T>(element: fc.Arbitrary<T>, maxLength = 2) => fc.array(seldom(element, junk), { maxLength });
  const ipv4 = cidr4().map((CidrIp) => ({ CidrIp }));
  // An IPv4 text in IPv6's list and the other way round match nothing (SG-21).
  const ipv6 = families === "dual" ? fc.oneof({ weight: 9, arbitrary: cidr6() }, cidr4()) : fc.constant("::/129");
  return seldom(
    fc
      .record(
        {
          traffic,
          IpRanges: list(
            families === "dual" ? fc.oneof({ weight: 19, arbitrary: ipv4 }, fc.constant({ CidrIp: "::/0" })) : ipv4,
          ),
          Ipv6Ranges: list(ipv6.map((CidrIpv6) => ({ CidrIpv6 }))),
          PrefixListIds: list(
            fc.constantFrom("pl-1", "pl-1", "pl-9").map((PrefixListId) => ({ PrefixListId })),
            1,
          ),
          UserIdGroupPairs: list(pair),
        },
        { requiredKeys: ["traffic"] },
      )
      .map(({ traffic: t, ...lists }) => ({ ...t, ...lists })),
    junk,
  );
}

function group(id: string, families: Families): fc.Arbitrary<Json> {
  const open = [
    {
      IpProtocol: "-1",
      IpRanges: [{ CidrIp: "0.0.0.0/0" }],
      Ipv6Ranges: families === "dual" ? [{ CidrIpv6: "::/0" }] : [],
    },
  ];
  const rules = fc.array(permission(families), { maxLength: 4 });
  const GroupName = { "sg-1": "default", "sg-2": "two" }[id] ?? id;
  return fc
    .record({
      IpPermissions: fc.oneof({ weight: 3, arbitrary: rules }, { weight: 1, arbitrary: fc.constant(open) }),
      IpPermissionsEgress: fc.oneof(rules, fc.constant(open), fc.constant(open)),
    })
    .map((lists) => ({ GroupId: id, GroupName, VpcId: id === "sg-4" ? "vpc-2" : "vpc-1", OwnerId: "1", ...lists }));
}

function aclList(families: Families): fc.Arbitrary<Json[]> {
  const bothWays = [false, true].flatMap((Egress) => [
    { RuleNumber: 100, Egress, RuleAction: "allow", Protocol: "-1", CidrBlock: "0.0.0.0/0" },
    ...(families === "dual"
      ? [{ RuleNumber: 101, Egress, RuleAction: "allow", Protocol: "-1", Ipv6CidrBlock: "::/0" }]
      : []),
  ]);
  const acl = fc
    .record({ entries: fc.array(entry(families), { maxLength: 5 }), isOpen: fc.constantFrom(true, true, true, false) })
    .map(({ entries, isOpen }) => [...entries, ...(isOpen ? bothWays : [])]);
  return fc.tuple(acl, acl, acl, fc.constantFrom("subnet-2", "subnet-1", "subnet-9")).map(([one, two, three, also]) => [
    {
      NetworkAclId: "acl-1",
      VpcId: "vpc-1",
      IsDefault: true,
      Associations: also === "subnet-1" ? [{ SubnetId: "subnet-1" }] : [],
      Entries: one,
    },
    // With acl-1 the same subnet twice, or subnet-1 left to the default (NA-14).
    { NetworkAclId: "acl-2", VpcId: "vpc-1", IsDefault: false, Associations: [{ SubnetId: also }], Entries: two },
    { NetworkAclId: "acl-3", VpcId: "vpc-2", Associations: [{ SubnetId: "subnet-3" }], Entries: three },
  ]);
}

function entry(families: Families): fc.Arbitrary<unknown> {
  const block =
    families === "dual"
      ? fc.oneof(
          { weight: 6, arbitrary: cidr4().map((CidrBlock): Json => ({ CidrBlock })) },
          { weight: 6, arbitrary: cidr6().map((Ipv6CidrBlock): Json => ({ Ipv6CidrBlock })) },
          {
            weight: 1,
            arbitrary: fc.constantFrom<Json>(
              {},
              { CidrBlock: "::/0" },
              { Ipv6CidrBlock: "0.0.0.0/0" },
              { CidrBlock: "0.0.0.0/0", Ipv6CidrBlock: "::/0" },
            ),
          },
        )
      : cidr4().map((CidrBlock): Json => ({ CidrBlock }));
  const portRange = fc.oneof(
    { weight: 4, arbitrary: fc.tuple(port, port).map(([a, b]) => ({ From: Math.min(a, b), To: Math.max(a, b) })) },
    {
      weight: 1,
      arbitrary: fc.constantFrom<unknown>({ From: 0, To: 65535 }, undefined, { From: 81, To: 80 }, { From: 1 }),
    },
  );
  const typeCode = fc.constantFrom<unknown>(
    { Type: -1, Code: -1 },
    { Type: 8, Code: -1 },
    { Type: 8, Code: 0 },
    { Type: -1, Code: 0 },
    { Type: 128, Code: -1 },
    undefined,
    { Type: 256, Code: 0 },
  );
  return fc
    .record({
      RuleNumber: seldom(fc.constantFrom(1, 50, 90, 99, 100, 101, 110), fc.constantFrom<unknown>(32767, 0, "90")),
      Egress: seldom(fc.boolean(), fc.constant("yes")),
      RuleAction: seldom(fc.constantFrom("allow", "allow", "deny"), fc.constant("ALLOW")),
      Protocol: seldom(
        fc.constantFrom("-1", "6", "6", "17", "1", "58", "50", "tcp", "all", "132"),
        fc.constantFrom<unknown>("foo", 6, "256"),
      ),
      PortRange: portRange,
      IcmpTypeCode: typeCode,
      block,
    })
    .map(({ block: b, ...fields }) => ({ ...fields, ...b }));
}

function tableList(families: Families): fc.Arbitrary<Json[]> {
  const targets = fc.constantFrom<Json>(
    { GatewayId: "igw-1", State: "active" },
    { GatewayId: "igw-1" },
    { NatGatewayId: "nat-1" },
    { VpcPeeringConnectionId: "pcx-1" },
    { TransitGatewayId: "tgw-1" },
    { GatewayId: "igw-1", State: "blackhole" },
    {},
  );
  const to6 = ["::/0", "2001:db8:1::/48", "2001:db8:0:2::/64", "8000::/1"];
  const to4 = ["0.0.0.0/0", "10.1.0.0/16", "10.0.2.0/25", "128.0.0.0/1"];
  const routes = (local: readonly string[]) =>
    fc
      .record({
        ipv4: fc.uniqueArray(fc.record({ to: fc.constantFrom(...to4), targets }), {
          selector: (r) => r.to,
          maxLength: 3,
        }),
        ipv6: fc.uniqueArray(fc.record({ to: fc.constantFrom(...to6), targets }), {
          selector: (r) => r.to,
          maxLength: 3,
        }),
      })
      .map(({ ipv4, ipv6 }) => [
        { DestinationCidrBlock: local[0], GatewayId: "local", State: "active" },
        ...ipv4.map(({ to, targets: t }) => ({ DestinationCidrBlock: to, ...t })),
        ...(families === "ipv4"
          ? []
          : [
              { DestinationIpv6CidrBlock: local[1], GatewayId: "local", State: "active" },
              ...ipv6.map(({ to, targets: t }) => ({ DestinationIpv6CidrBlock: to, ...t })),
            ]),
      ]);
  const ofVpc1 = ["10.0.0.0/16", "2001:db8::/47"];

  return fc
    .record({
      main: routes(ofVpc1),
      own: routes(ofVpc1),
      other: fc.option(routes(["10.1.1.0/24", "2001:db8:1:1::/64"])),
      isMain: seldom(fc.constant(true), fc.constant(false)),
    })
    .map(({ main, own, other, isMain }) => [
      { RouteTableId: "rtb-1", VpcId: "vpc-1", Associations: [{ Main: isMain }], Routes: main },
      { RouteTableId: "rtb-2", VpcId: "vpc-1", Associations: [{ SubnetId: "subnet-2" }], Routes: own },
      ...(other ? [{ RouteTableId: "rtb-3", VpcId: "vpc-2", Associations: [{ Main: true }], Routes: other }] : []),
    ]);
}

function peeringOf(Code: string, families: Families): Json {
  const side = (VpcId: string, CidrBlock: string, Ipv6CidrBlock: string): Json => ({
    VpcId,
    CidrBlock,
    ...(families === "dual" ? { Ipv6CidrBlockSet: [{ Ipv6CidrBlock }] } : {}),
  });
  return {
    VpcPeeringConnectionId: "pcx-1",
    Status: { Code },
    RequesterVpcInfo: side("vpc-1", "10.0.0.0/16", "2001:db8::/48"),
    AccepterVpcInfo: side("vpc-2", "10.1.0.0/16", "2001:db8:1::/48"),
  };
}
