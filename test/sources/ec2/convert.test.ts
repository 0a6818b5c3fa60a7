/** AWS documents: what is recognised, what is merged, and what is reported. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Finding } from "../../../src/model/finding.ts";
import { formatAddress } from "../../../src/net/address.ts";
import { formatPrefix } from "../../../src/net/prefix.ts";
import { assembleEc2, convertAwsDocument, type Ec2Part } from "../../../src/sources/ec2/convert.ts";
import { acl, group, instance, instances, openAcl, vpc } from "../../evaluators/ec2/documents.ts";
import { load } from "../../evaluators/ec2/pipeline.ts";

const text = (f: Finding) => `${f.severity} ${f.code} ${f.rule} ${f.file} ${f.path}`;

describe("what is an AWS document", () => {
  test.each<[string, string, unknown, boolean]>([
    ["security groups", "a.json", { SecurityGroups: [] }, true],
    ["several keys", "a.json", { Vpcs: [], Subnets: [] }, true],
    ["a prefix list by its file's name", "dir/pl-0a1b.json", { Entries: [] }, true],
    ["entries in another file", "list.json", { Entries: [] }, false],
    ["a Kubernetes object", "a.json", { kind: "Pod" }, false],
    ["a list", "a.json", [{ SecurityGroups: [] }], false],
    ["null", "a.json", null, false],
    ["an inherited key", "a.json", Object.create({ SecurityGroups: [] }), false],
  ])("%s", (_, file, document, isAws) => {
    expect(convertAwsDocument(document, file, () => {}) !== null).toBe(isAws);
  });
});

describe("findings", () => {
  const host = (groups: readonly string[], id = "a", ip = "10.0.1.5") =>
    instances(instance(id, { ips: [ip], groups, subnet: "subnet-1" }));
  const ref = (more: object) => ({ IpProtocol: "-1", UserIdGroupPairs: [more] });
  const one = (permission: unknown) => ({ SecurityGroups: [group("sg-1", [permission as string])] });
  const sg = "security group sg-1: IpPermissions[0]";
  test.each<[string, Readonly<Record<string, unknown>>, readonly string[]]>([
    ["SG-1 no id", { "g.json": { SecurityGroups: [{}] } }, ["error bad-shape SG-1 g.json SecurityGroups"]],
    ["SG-5", { "g.json": one("gre 0.0.0.0/0") }, [`error bad-protocol SG-5 g.json ${sg}`]],
    ["SG-5 no protocol", { "g.json": one({}) }, [`error bad-shape SG-5 g.json ${sg}.IpProtocol`]],
    ["SG-8 no ports", { "g.json": one("tcp 0.0.0.0/0") }, [`warning missing-ports SG-8 g.json ${sg}`]],
    ["SG-8 T-13", { "g.json": one("tcp 70000 0.0.0.0/0") }, [`error port-out-of-range SG-8 g.json ${sg}`]],
    ["SG-9", { "g.json": one("icmp -1/3 0.0.0.0/0") }, [`error bad-icmp-type SG-9 g.json ${sg}`]],
    [
      "T-14",
      { "g.json": one({ IpProtocol: "-1", IpRanges: [{}, { CidrIp: "10.0.0.0/8;x" }] }) },
      [`error bad-shape SG-20 g.json ${sg}.IpRanges[0].CidrIp`, `error bad-cidr SG-20 g.json ${sg}.IpRanges[1].CidrIp`],
    ],
    [
      "SG-22",
      { "g.json": one("-1 pl-1") },
      ["warning unknown-prefix-list SG-22 g.json security group sg-1: all from pl-1"],
    ],
    [
      "SG-26",
      {
        "g.json": {
          SecurityGroups: [group("sg-1", [ref({ GroupId: "sg-2", PeeringStatus: "deleted" })]), group("sg-2", [])],
        },
      },
      ["warning stale-security-group-reference SG-26 g.json security group sg-1: all from sg-2"],
    ],
    [
      "SG-27 T-20",
      { "g.json": one(ref({ GroupId: "sg-9", VpcId: "vpc-2", PeeringStatus: "active" })) },
      ["warning unknown-security-group SG-27 g.json security group sg-1: all from sg-9"],
    ],
    [
      "SG-46 unknown",
      { "h.json": host(["sg-9"]) },
      ["warning unknown-security-group SG-46 h.json network interface eni-a: Groups"],
    ],
    ["SG-46 empty", { "h.json": host([]) }, ["warning no-security-group SG-46 h.json network interface eni-a: Groups"]],
    [
      "SG-92",
      { "g.json": { SecurityGroups: [group("sg-1", [], [], { VpcId: "vpc-2" })] }, "h.json": host(["sg-1"]) },
      ["warning security-group-of-other-vpc SG-92 h.json network interface eni-a: Groups"],
    ],
    [
      "NA-14 no ACL",
      {
        "v.json": { Subnets: [{ SubnetId: "subnet-1", VpcId: "vpc-1" }] },
        "a.json": { NetworkAcls: [acl("acl-1", ["subnet-2"], [])] },
      },
      ["error missing-network-acl NA-14 v.json subnet subnet-1"],
    ],
    [
      "NA-14 two ACLs",
      { "a.json": { NetworkAcls: [acl("acl-1", ["s"], []), acl("acl-2", ["s"], [])] } },
      ["error subnet-with-two-network-acls NA-14 a.json network ACL acl-2: Associations"],
    ],
    [
      "NA-7",
      { "a.json": { NetworkAcls: [acl("acl-1", ["s"], [{ RuleAction: "deny" }])] } },
      ["error bad-network-acl-entry NA-7 a.json network ACL acl-1: Entries[0].RuleNumber"],
    ],
    [
      "VR-6",
      { "g.json": one("-1"), "h.json": host(["sg-1"]), "i.json": host(["sg-1"], "b") },
      ["error ambiguous-address VR-6 h.json network interface eni-a: PrivateIpAddresses"],
    ],
    [
      "VR-5",
      {
        "r.json": {
          RouteTables: [
            {
              RouteTableId: "rtb-1",
              VpcId: "vpc-1",
              Routes: [{ DestinationCidrBlock: "0.0.0.0/0", TransitGatewayId: "tgw-1" }],
            },
          ],
        },
      },
      ["warning unmodelled-route-target VR-5 r.json route table rtb-1: tgw-1"],
    ],
    [
      "one object in two files, which differ",
      { "b.json": one("-1"), "a.json": one("tcp 22 0.0.0.0/0") },
      ["error duplicate-object null b.json security group sg-1"],
    ],
    [
      "one object in two files, which are equal",
      { "b.json": one("-1"), "a.json": one("-1") },
      ["warning duplicate-object null b.json security group sg-1"],
    ],
    [
      "nothing",
      {
        "g.json": one("tcp 22 0.0.0.0/0"),
        "h.json": host(["sg-1"]),
        "v.json": vpc,
        "a.json": { NetworkAcls: [acl("acl-0", [], openAcl, { IsDefault: true })] },
      },
      [],
    ],
  ])("%s", (_, files, expected) => {
    const findings = load(files).findings.filter((finding) => finding.code !== "no-network-acls");
    expect(findings.map(text)).toEqual(expected);
  });

  test.each<[string, Readonly<Record<string, unknown>>, readonly string[]]>([
    ["a subnet", { "v.json": vpc }, ["warning no-network-acls NA-14 v.json NetworkAcls"]],
    [
      "instances, once",
      { "h.json": host(["sg-1"]), "i.json": host(["sg-1"], "b", "10.0.1.6"), "g.json": one("-1 0.0.0.0/0") },
      ["warning no-network-acls NA-14 h.json NetworkAcls"],
    ],
    ["nothing that one could guard", { "g.json": one("-1 0.0.0.0/0") }, []],
    ["one is enough", { "v.json": vpc, "a.json": { NetworkAcls: [acl("acl-0", [], [], { IsDefault: true })] } }, []],
  ])("NA-14 no network ACL in the whole input: %s", (_, files, expected) => {
    expect(load(files).findings.map(text)).toEqual(expected);
  });

  test.each<[string, unknown, string, RegExp]>([
    [
      "too large a number",
      { RuleNumber: 99999 },
      "RuleNumber",
      /^RuleNumber is 99999, but must be at most 65535: this/,
    ],
    ["too small a number", { RuleNumber: 0 }, "RuleNumber", /^RuleNumber is 0, but must be at least 1: this/],
    ["another type", { RuleNumber: "1" }, "RuleNumber", /^RuleNumber is "1", but must be a number: this/],
    ["no whole number", { RuleNumber: 1.5 }, "RuleNumber", /^RuleNumber is 1\.5, but must be a whole number: this/],
    [
      "nothing",
      {},
      "RuleNumber",
      /^RuleNumber is missing, and must be a number: this entry denies everything before all/,
    ],
    [
      "no word of the list",
      { RuleNumber: 1, Protocol: "-1", RuleAction: "permit" },
      "RuleAction",
      /^RuleAction is "permit", but must be "allow" or "deny": this entry denies everything at its number/,
    ],
    [
      "no truth value",
      { RuleNumber: 1, Protocol: "-1", RuleAction: "allow", Egress: null },
      "Egress",
      /^Egress is null, but must be true or false: this entry matches nothing; correct it or remove it$/,
    ],
    ["no object", 7, "", /^it is 7, but must be an object: this entry/],
  ])("DEF-7: what is found and what belongs there, in plain words: %s", (_, entry, field, message) => {
    const [finding] = load({
      "a.json": { NetworkAcls: [acl("acl-1", ["s"], [entry as Readonly<Record<string, unknown>>])] },
    }).findings;
    const path = `network ACL acl-1: Entries[0]${field === "" ? "" : `.${field}`}`;
    expect(finding).toMatchObject({ path, message: expect.stringMatching(message) });
  });

  test("SG-20: so do other documents", () => {
    const [finding] = load({ "g.json": one(ref({ VpcId: "vpc-1" })) }).findings;
    expect(finding?.message).toMatch(/^GroupId is missing, and must be text: this peer matches nothing; print/);
  });

  test("a duplicate names both files, and the first in order of path counts", () => {
    const files = {
      "b.json": { SecurityGroups: [group("sg-1", ["tcp 2 0.0.0.0/0"])] },
      "a.json": { SecurityGroups: [group("sg-1", ["tcp 1 0.0.0.0/0"])] },
    };
    const { inventory, findings } = load(files);
    expect(inventory.ec2.securityGroups.map((g) => g.ingress.map((r) => r.text))).toEqual([["tcp 1 from 0.0.0.0/0"]]);
    expect(findings[0]).toMatchObject({
      file: "b.json",
      message: expect.stringContaining("in a.json and says something else"),
    });
  });
});

describe("interfaces (SG-2a, SG-47)", () => {
  const described = {
    NetworkInterfaces: [
      {
        NetworkInterfaceId: "eni-a",
        VpcId: "vpc-1",
        SubnetId: "subnet-1",
        Groups: [{ GroupId: "sg-2" }],
        PrivateIpAddresses: [{ PrivateIpAddress: "10.0.1.5" }, { PrivateIpAddress: "10.0.1.6" }],
        Ipv6Addresses: [{ Ipv6Address: "2001:db8::5" }],
        Association: { PublicIp: "203.0.113.9" },
        Attachment: { InstanceId: "i-a", DeviceIndex: 0 },
        MacAddress: "AA:BB:CC:00:11:22",
        SourceDestCheck: false,
        Status: "in-use",
      },
    ],
  };
  const stopped = instances(instance("a", { ips: ["10.0.1.5"], groups: ["sg-1"] }, "stopped"));

  test("describe-network-interfaces is preferred, the state is the instance's", () => {
    for (const files of [
      { "a.json": described, "b.json": stopped },
      { "a.json": stopped, "b.json": described },
    ]) {
      const [one, ...others] = load(files).inventory.ec2.interfaces;
      expect(others).toEqual([]);
      expect(one).toMatchObject({ id: "eni-a", instanceId: "i-a", groupIds: ["sg-2"], isRunning: false });
      expect(one?.addresses.map(formatAddress)).toEqual(["10.0.1.5", "10.0.1.6", "2001:db8::5"]);
      expect(one?.publicAddresses.map(formatAddress)).toEqual(["203.0.113.9"]);
      expect(one).toMatchObject({ macAddress: "aa:bb:cc:00:11:22", sourceDestCheck: false, isPrimary: true });
    }
  });

  test("alone, an attached interface runs and a detached one doesn't", () => {
    const detached = {
      NetworkInterfaces: [{ ...described.NetworkInterfaces[0], Status: "available", Attachment: null }],
    };
    expect(load({ "a.json": described }).inventory.ec2.interfaces[0]?.isRunning).toBe(true);
    expect(load({ "a.json": detached }).inventory.ec2.interfaces[0]?.isRunning).toBe(false);
  });

  test("an emulator's instance without interfaces has one", () => {
    const bare = { InstanceId: "i-e", PrivateIpAddress: "10.0.1.9", VpcId: "vpc-1", SubnetId: "subnet-1" };
    const raw = { ...bare, SecurityGroups: [{ GroupId: "sg-1" }] };
    const [one] = load({ "a.json": instances(raw) }).inventory.ec2.interfaces;
    expect(one).toMatchObject({ instanceId: "i-e", subnetId: "subnet-1", groupIds: ["sg-1"], isPrimary: true });
    expect(one).toMatchObject({ isRunning: true });
  });

  test("no list of groups is not an empty list", () => {
    const [one] = load({ "a.json": instances(instance("a", { ips: ["10.0.1.5"] })) }).inventory.ec2.interfaces;
    expect(one?.groupIds).toBeNull();
  });
});

test("a VPC's primary CIDR comes first", () => {
  const [one] = load({ "v.json": vpc }).inventory.ec2.vpcs;
  expect(one?.prefixes.map(formatPrefix)).toEqual(["10.0.0.0/16", "10.9.0.0/16"]);
});

test("describe-security-group-rules adds ids and no rules", () => {
  const rule = { GroupId: "sg-1", IsEgress: false, IpProtocol: "tcp", FromPort: 22, ToPort: 22, CidrIpv4: "0.0.0.0/0" };
  const { inventory } = load({
    "g.json": { SecurityGroups: [group("sg-1", ["tcp 22 0.0.0.0/0"], [])] },
    "r.json": {
      SecurityGroupRules: [
        { ...rule, SecurityGroupRuleId: "sgr-1" },
        { ...rule, SecurityGroupRuleId: "sgr-2", FromPort: 1, ToPort: 1 },
      ],
    },
  });
  expect(inventory.ec2.securityGroups[0]?.ingress.map((r) => [r.text, r.id])).toEqual([
    ["tcp 22 from 0.0.0.0/0", "sgr-1"],
  ]);
});

test("whatever the document is, conversion reports and never throws", () => {
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom(null, true, 1, -1, "", "x", "tcp", "10.0.0.0/8", "deny"),
      tie("list"),
      tie("record"),
    ),
    list: fc.array(tie("value"), { maxLength: 3 }),
    record: fc.dictionary(
      fc.constantFrom(
        "GroupId",
        "IpPermissions",
        "IpProtocol",
        "IpRanges",
        "CidrIp",
        "Entries",
        "NetworkAclId",
        "RuleAction",
        "Protocol",
        "CidrBlock",
        "PortRange",
        "InstanceId",
        "Instances",
        "NetworkInterfaces",
        "NetworkInterfaceId",
        "PrivateIpAddresses",
        "PrivateIpAddress",
        "Groups",
        "SubnetId",
        "VpcId",
        "RouteTableId",
        "Routes",
        "__proto__",
      ),
      tie("value"),
    ),
  })).value;
  const keys = [
    "SecurityGroups",
    "NetworkAcls",
    "NetworkInterfaces",
    "Reservations",
    "Subnets",
    "Vpcs",
    "RouteTables",
    "VpcPeeringConnections",
    "SecurityGroupRules",
  ];
  fc.assert(
    fc.property(fc.constantFrom(...keys), json, (key, value) => {
      const findings: Finding[] = [];
      const part = convertAwsDocument({ [key]: value }, "x.json", (f) => findings.push(f)) as Ec2Part;
      assembleEc2([part], (f) => findings.push(f));
      expect(findings.every((f) => f.file === "x.json" && f.message !== "")).toBe(true);
    }),
    { numRuns: 500 },
  );
});
