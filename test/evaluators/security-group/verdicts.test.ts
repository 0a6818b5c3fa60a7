/** Security groups, one row each: the groups, a packet, and the gate that answers with its reason and rule. */
import { describe, expect, test } from "vitest";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { Family } from "../../../src/net/address.ts";
import { group, type Host, instance, instances, vpc } from "../ec2/documents.ts";
import { ask, compile, flow, judge, load } from "../ec2/pipeline.ts";

type Json = Record<string, unknown>;

const A: Host = { ips: ["10.0.1.5", "10.0.1.55", "2001:db8:0:1::5"], groups: ["sg-a"], subnet: "subnet-1" };
const B: Host = { ips: ["10.0.2.5", "10.0.2.55", "2001:db8:0:2::5"], groups: ["sg-b"], subnet: "subnet-2" };
const open = ["-1 0.0.0.0/0", "-1 ::/0"];

/** A with everything open, and B with the given ingress. */
function toB(ingress: readonly (string | Json)[], more: Readonly<Record<string, unknown>> = {}) {
  return {
    "groups.json": { SecurityGroups: [group("sg-a", open), group("sg-b", ingress)] },
    "instances.json": instances(instance("a", A), instance("b", B)),
    "vpc.json": vpc,
    ...more,
  };
}

const bad = (part: Json) => ({ IpProtocol: "tcp", FromPort: 22, ToPort: 22, ...part });
const merged = {
  IpProtocol: "tcp",
  FromPort: 80,
  ToPort: 80,
  IpRanges: [{ CidrIp: "10.0.0.0/8" }],
  Ipv6Ranges: [{ CidrIpv6: "2001:db8::/32" }],
};
const list = { "pl-1.json": { Entries: [{ Cidr: "10.0.1.0/24" }, { Cidr: "x" }] } };
const denied = "sg ingress no-rule-matches sg-b";

describe("permissions (SG-2 … SG-12, SG-20 … SG-22)", () => {
  test.each<[string, readonly (string | Json)[], string, string]>([
    ["SG-4 a permission without peers matches nothing", ["tcp 22"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-4 missing lists are empty", [{ IpProtocol: "-1" }], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-5 a number is a protocol", ["6 22 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-5 17 is udp, not tcp", ["17 22 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-5 names ignore case", ["TCP 22 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-5 any other name matches nothing", ["sctp 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/sctp", denied],
    ["SG-6 -1 ignores ports", ["-1 22-22 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:53/udp", "accept"],
    ["SG-6 -1 matches ICMP", ["-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 8/0", "accept"],
    ["SG-7 T-15 ESP with ports", ["50 1000 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 protocol 50", "accept"],
    ["SG-7 another protocol", ["50 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 protocol 51", denied],
    ["SG-7 SCTP by number ignores ports", ["132 9 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/sctp", "accept"],
    ["SG-8 first port", ["tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-8 last port", ["tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:25/tcp", "accept"],
    ["SG-8 before the first port", ["tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:21/tcp", denied],
    ["SG-8 after the last port", ["tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:26/tcp", denied],
    ["SG-8 port 65535", ["tcp 65535 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:65535/tcp", "accept"],
    ["SG-8 no ports means all", ["udp 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:9/udp", "accept"],
    ["SG-8 -1/-1 means all", ["udp -1/-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:9/udp", "accept"],
    [
      "SG-8 T-13 port 70000",
      [bad({ FromPort: 70000, ToPort: 70000, IpRanges: [{ CidrIp: "0.0.0.0/0" }] })],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      denied,
    ],
    [
      "SG-8 a port as text",
      [bad({ FromPort: "22", IpRanges: [{ CidrIp: "0.0.0.0/0" }] })],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      denied,
    ],
    ["DEF-6 the source port is never matched", ["tcp 22 0.0.0.0/0"], "10.0.1.5:22 -> 10.0.2.5:23/tcp", denied],
    ["SG-9 T-11 a pair, not a range", ["icmp 3/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 4/0", denied],
    ["SG-9 SG-12 frag-needed", ["icmp 3/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/4", "accept"],
    ["SG-9 another code", ["icmp 3/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/3", denied],
    ["SG-9 SG-12 all codes", ["icmp 8/-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 8/7", "accept"],
    ["SG-9 all types with a code is no pair", ["icmp -1/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/4", denied],
    ["SG-9 SG-42 T-12 all ICMP is not TCP", ["icmp -1/-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-9 type 256", ["icmp 256/0 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 0/0", denied],
    ["SG-10 icmpv6 without ports", ["icmpv6 ::/0"], "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0", "accept"],
    ["SG-11 icmp is not ICMPv6", ["icmp -1/-1 ::/0"], "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0", denied],
    [
      "SG-11 icmp of a group is IPv4's alone",
      ["icmp -1/-1 sg-a"],
      "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmp 8/0",
      denied,
    ],
    ["SG-12 ping6", ["icmpv6 128/0 ::/0"], "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0", "accept"],
    ["SG-20 another peer", ["tcp 22 192.0.2.0/24"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-20 the last address of a CIDR", ["tcp 22 10.0.1.4/31"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-21 0.0.0.0/0 is not IPv6", ["-1 0.0.0.0/0"], "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0", denied],
    ["SG-21 ::/0 is not IPv4", ["-1 ::/0"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    [
      "DEF-4 a mapped address in a policy is IPv4",
      ["tcp 22 ::ffff:10.0.1.5/128"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    ["DEF-5 host bits are masked", ["tcp 22 10.0.1.99/24"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    [
      "DEF-7 T-14 a bad CIDR matches nothing",
      [bad({ IpRanges: [{ CidrIp: "10.0.0.0/8;x" }] })],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      denied,
    ],
    [
      "DEF-7 its sibling stands",
      [bad({ IpRanges: [{ CidrIp: "10.0.0.0/8;x" }, { CidrIp: "10.0.1.0/24" }, 7] })],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    ["DEF-7 a list that is no list", [bad({ IpRanges: "0.0.0.0/0" })], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-22 a prefix list", ["tcp 22 pl-1"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-22 an unknown prefix list", ["tcp 22 pl-2"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-3 T-17 merged", [merged], "2001:db8:0:1::5 -> [2001:db8:0:2::5]:80/tcp", "accept"],
    [
      "SG-3 T-17 split",
      [
        { ...merged, Ipv6Ranges: [] },
        { ...merged, IpRanges: [] },
      ],
      "2001:db8:0:1::5 -> [2001:db8:0:2::5]:80/tcp",
      "accept",
    ],
    ["SG-3 T-17 duplicated", [merged, merged], "2001:db8:0:1::5 -> [2001:db8:0:2::5]:80/tcp", "accept"],
    [
      "SG-91 a fragment needs a rule without ports",
      ["udp 53 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:53/udp fragment",
      denied,
    ],
    ["SG-91 0-65535 matches a fragment", ["udp 0-65535 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:53/udp fragment", "accept"],
    ["SG-91 so does -1", ["-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:53/udp fragment", "accept"],
    ["SG-91 an ICMP type doesn't", ["icmp 0/0 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 0/0 fragment", denied],
  ])("%s", (_, ingress, packet, expected) => {
    const { inventory } = load(toB(ingress, list));
    expect(judge(compile(inventory), flow(packet))).toBe(expected);
  });
});

const ref = (more: Json) => ({ IpProtocol: "tcp", FromPort: 22, ToPort: 22, UserIdGroupPairs: [more] });

describe("group references (SG-23 … SG-28)", () => {
  const far = { ips: ["10.5.0.5"], groups: ["sg-far"], vpc: "vpc-2" };
  const files = (ingress: readonly (string | Json)[], egress: readonly string[] = open) => ({
    "groups.json": {
      SecurityGroups: [
        group("sg-a", [], egress),
        group("sg-b", ingress),
        group("sg-far", open, open, { VpcId: "vpc-2" }),
      ],
    },
    "instances.json": instances(
      instance("a", { ...A, publicIp: "203.0.113.9" }),
      instance("b", B),
      instance("far", far),
      instance("stopped", { ips: ["10.0.1.77", "10.0.1.78"], groups: ["sg-a"] }, "stopped"),
      instance("reused", { ips: ["10.0.1.78"], groups: ["sg-b"] }),
    ),
  });
  test.each<[string, readonly (string | Json)[], string, string]>([
    ["SG-23 the primary address", ["tcp 22 sg-a"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-23 a secondary address", ["tcp 22 sg-a"], "10.0.1.55 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-23 an IPv6 address", ["tcp 22 sg-a"], "2001:db8:0:1::5 -> [2001:db8:0:2::5]:22/tcp", "accept"],
    ["SG-23 T-18 the public address is not a member", ["tcp 22 sg-a"], "203.0.113.9 -> 10.0.2.5:22/tcp", denied],
    ["SG-24 a reference imports no rules", ["tcp 23 sg-far"], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    ["SG-25 by name within the VPC", [ref({ GroupName: "a", UserId: "1" })], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-25 by name of another account", [ref({ GroupName: "a", UserId: "2" })], "10.0.1.5 -> 10.0.2.5:22/tcp", denied],
    [
      "SG-25 the id goes before the name",
      [ref({ GroupId: "sg-b", GroupName: "a" })],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      denied,
    ],
    [
      "SG-26 an active peering",
      [ref({ GroupId: "sg-far", VpcId: "vpc-2", PeeringStatus: "active" })],
      "10.5.0.5 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    [
      "SG-26 a deleted peering",
      [ref({ GroupId: "sg-far", VpcId: "vpc-2", PeeringStatus: "deleted" })],
      "10.5.0.5 -> 10.0.2.5:22/tcp",
      denied,
    ],
    ["SG-26 another VPC without a peering", ["tcp 22 sg-far"], "10.5.0.5 -> 10.0.2.5:22/tcp", denied],
    [
      "SG-27 T-20 a deleted group",
      [ref({ GroupId: "sg-gone", VpcId: "vpc-2", PeeringStatus: "active" })],
      "10.5.0.5 -> 10.0.2.5:22/tcp",
      denied,
    ],
    ["SG-45 sharing a group allows nothing", [], "10.0.2.5 -> 10.0.2.55:22/tcp", "accept"],
    ["SG-45 an instance of the same group", [], "10.0.1.78 -> 10.0.2.5:22/tcp", denied],
    ["SG-45 a self-reference does", ["tcp 22 sg-b"], "10.0.1.78 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-47 a stopped interface is a member", ["tcp 22 sg-a"], "10.0.1.77 -> 10.0.2.5:22/tcp", "accept"],
    ["SG-47 but not by an address that another runs on", ["tcp 22 sg-a"], "10.0.1.78 -> 10.0.2.5:22/tcp", denied],
    ["SG-47 a stopped interface is no endpoint", [], "10.0.2.5 -> 10.0.1.77:22/tcp", "accept"],
  ])("%s", (_, ingress, packet, expected) => {
    expect(judge(compile(load(files(ingress)).inventory), flow(packet))).toBe(expected);
  });

  test("SG-28 membership follows the interfaces", () => {
    const before = toB(["tcp 22 sg-new"]);
    const groups = { SecurityGroups: [...before["groups.json"].SecurityGroups, group("sg-new", [])] };
    const after = instances(instance("a", { ...A, groups: ["sg-a", "sg-new"] }), instance("b", B));
    const packet = flow("10.0.1.5 -> 10.0.2.5:22/tcp");
    expect(judge(compile(load({ ...before, "groups.json": groups }).inventory), packet)).toBe(denied);
    const files = { ...before, "groups.json": groups, "instances.json": after };
    expect(judge(compile(load(files).inventory), packet)).toBe("accept");
  });
});

describe("interfaces and gates (SG-40 … SG-48, SG-90, SG-92)", () => {
  const groups = {
    SecurityGroups: [
      group("sg-a", [], open),
      group("sg-b", ["tcp 22 0.0.0.0/0"], []),
      group("sg-none", [], []),
      group("sg-default", ["tcp 9 0.0.0.0/0"], open, { GroupName: "default" }),
      group("sg-far", open, open, { VpcId: "vpc-2" }),
    ],
  };
  test.each<[string, readonly Json[], string, string]>([
    [
      "SG-40 T-19 the groups of the interface alone",
      [instance("b", [B, { ips: ["10.0.3.5"], groups: ["sg-none"] }])],
      "192.0.2.1 -> 10.0.3.5:22/tcp",
      "sg ingress no-rule-matches sg-none",
    ],
    [
      "SG-40 the other interface",
      [instance("b", [B, { ips: ["10.0.3.5"], groups: ["sg-none"] }])],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    ["SG-41 a secondary address", [instance("b", B)], "192.0.2.1 -> 10.0.2.55:22/tcp", "accept"],
    [
      "SG-42 any group of the interface",
      [instance("b", { ...B, groups: ["sg-none", "sg-b"] })],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    [
      "SG-42 none of its groups",
      [instance("b", { ...B, groups: ["sg-b", "sg-a"] })],
      "192.0.2.1 -> 10.0.2.5:23/tcp",
      "sg ingress no-rule-matches sg-a,sg-b",
    ],
    [
      "SG-43 T-16 no egress rules",
      [instance("b", B)],
      "10.0.2.5 -> 192.0.2.1:443/tcp",
      "sg egress no-rule-matches sg-b",
    ],
    [
      "SG-46 no list: the default group",
      [instance("d", { ips: ["10.0.3.9"] })],
      "192.0.2.1 -> 10.0.3.9:9/tcp",
      "accept",
    ],
    [
      "SG-46 no list: only the default group",
      [instance("d", { ips: ["10.0.3.9"] })],
      "192.0.2.1 -> 10.0.3.9:22/tcp",
      "sg ingress no-rule-matches sg-default",
    ],
    [
      "SG-46 no list and no default group fails closed",
      [instance("d", { ips: ["10.7.3.9"], vpc: "vpc-7" })],
      "192.0.2.1 -> 10.7.3.9:9/tcp",
      "sg ingress no-rule-matches default",
    ],
    [
      "SG-46 an empty list",
      [instance("d", { ips: ["10.0.3.9"], groups: [] })],
      "192.0.2.1 -> 10.0.3.9:9/tcp",
      "sg ingress no-rule-matches none",
    ],
    [
      "SG-46 an unknown group",
      [instance("d", { ips: ["10.0.3.9"], groups: ["sg-x"] })],
      "10.0.3.9 -> 192.0.2.1:9/tcp",
      "sg egress no-rule-matches sg-x",
    ],
    [
      "SG-46 an unknown group beside a known one",
      [instance("d", { ips: ["10.0.3.9"], groups: ["sg-x", "sg-b"] })],
      "192.0.2.1 -> 10.0.3.9:22/tcp",
      "accept",
    ],
    [
      "SG-48 PL-2 T-1 egress doesn't end the flow",
      [instance("a", A), instance("n", { ips: ["10.0.3.5"], groups: ["sg-none"] })],
      "10.0.1.5 -> 10.0.3.5:80/tcp",
      "sg ingress no-rule-matches sg-none",
    ],
    [
      "SG-48 PL-25 T-2 in the other order",
      [instance("n", { ips: ["10.0.3.5"], groups: ["sg-none"] }), instance("a", A)],
      "10.0.1.5 -> 10.0.3.5:80/tcp",
      "sg ingress no-rule-matches sg-none",
    ],
    [
      "SG-42 T-3 the same subnet",
      [instance("a", A), instance("n", { ips: ["10.0.1.6"], groups: ["sg-none"], subnet: "subnet-1" })],
      "10.0.1.5 -> 10.0.1.6 icmp 8/0",
      "sg ingress no-rule-matches sg-none",
    ],
    [
      "SG-90 one address to itself",
      [instance("n", { ips: ["10.0.3.5"], groups: ["sg-none"] })],
      "10.0.3.5 -> 10.0.3.5:80/tcp",
      "accept",
    ],
    [
      "SG-90 two addresses of one interface",
      [instance("n", { ips: ["10.0.3.5", "10.0.3.6"], groups: ["sg-none"] })],
      "10.0.3.5 -> 10.0.3.6:80/tcp",
      "accept",
    ],
    [
      "SG-90 two interfaces of one instance",
      [
        instance("n", [
          { ips: ["10.0.3.5"], groups: ["sg-none"] },
          { ips: ["10.0.3.6"], groups: ["sg-none"] },
        ]),
      ],
      "10.0.3.5 -> 10.0.3.6:80/tcp",
      "sg egress no-rule-matches sg-none",
    ],
    [
      "SG-90 two instances with the same groups",
      [
        instance("n", { ips: ["10.0.3.5"], groups: ["sg-none"] }),
        instance("m", { ips: ["10.0.3.6"], groups: ["sg-none"] }),
      ],
      "10.0.3.5 -> 10.0.3.6:80/tcp",
      "sg egress no-rule-matches sg-none",
    ],
    [
      "SG-92 a group of another VPC",
      [instance("n", { ips: ["10.0.3.5"], groups: ["sg-far"] })],
      "192.0.2.1 -> 10.0.3.5:80/tcp",
      "sg ingress no-rule-matches sg-far",
    ],
    [
      "VR-6 an address that two claim",
      [instance("n", { ips: ["10.0.3.5"], groups: ["sg-a"] }), instance("m", { ips: ["10.0.3.5"], groups: ["sg-a"] })],
      "10.0.3.5 -> 192.0.2.1:80/tcp",
      "sg egress ambiguous-address",
    ],
    [
      "VR-6 to such an address",
      [
        instance("a", A),
        instance("n", { ips: ["10.0.3.5"], groups: ["sg-a"] }),
        instance("m", { ips: ["10.0.3.5"], groups: ["sg-a"] }),
      ],
      "10.0.1.5 -> 10.0.3.5:80/tcp",
      "sg egress ambiguous-address",
    ],
    ["PL-4 neither end is known", [instance("a", A)], "192.0.2.1 -> 192.0.2.2:80/tcp", "accept"],
  ])("%s", (_, hosts, packet, expected) => {
    const files = { "groups.json": groups, "instances.json": instances(...hosts), "vpc.json": vpc };
    expect(judge(compile(load(files).inventory), flow(packet))).toBe(expected);
  });

  test("PL-7 without any security group there is no gate", () => {
    const { inventory } = load({ "instances.json": instances(instance("d", { ips: ["10.0.3.9"] })) });
    const { sg } = compile(inventory);
    const answer = ask(sg, flow("192.0.2.1 -> 10.0.3.9:9/tcp"), "ingress");
    expect(answer).toMatchObject({ verdict: "next", reason: "not-managed" });
  });
});

describe("answers carry their reason and rule", () => {
  const groups = (ingress: readonly string[]) => compile(load(toB(ingress)).inventory).sg;
  test.each<[string, readonly string[], string, string, string, string | null]>([
    ["the canonical text", ["tcp 22 sg-a"], "10.0.1.5 -> 10.0.2.5:22/tcp", "next", "rule", "tcp 22 from sg-a"],
    [
      "the smallest text",
      ["tcp 22 sg-a", "tcp 20-30 10.0.0.0/8", "-1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      "next",
      "rule",
      "all from 0.0.0.0/0",
    ],
    [
      "a type and code",
      ["icmp 8/0 10.0.0.0/8"],
      "10.0.1.5 -> 10.0.2.5 icmp 8/0",
      "next",
      "rule",
      "icmp 8/0 from 10.0.0.0/8",
    ],
    ["all codes", ["icmp 8/-1 10.0.0.0/8"], "10.0.1.5 -> 10.0.2.5 icmp 8/0", "next", "rule", "icmp 8 from 10.0.0.0/8"],
    ["none of its rules", [], "10.0.1.5 -> 10.0.2.5:22/tcp", "deny", "no-rule-matches", null],
  ])("%s", (_, ingress, packet, verdict, reason, rule) => {
    expect(ask(groups(ingress), flow(packet), "ingress")).toMatchObject({ verdict, reason, policy: "sg-b", rule });
  });
  test("egress rules say to", () => {
    const answer = ask(groups([]), flow("10.0.1.5 -> 10.0.2.5:22/tcp"), "egress");
    expect(answer).toMatchObject({ verdict: "next", reason: "rule", rule: "all to 0.0.0.0/0", policy: "sg-a" });
  });
  test("DEF-4 a mapped address on the wire is IPv6", () => {
    const packet = flow("10.0.1.5 -> 10.0.2.5:22/tcp");
    const mapped = { ...packet, source: { family: Family.ipv6, w0: 0, w1: 0, w2: 0xffff, w3: packet.source.w3 } };
    expect(ask(groups(["tcp 22 0.0.0.0/0", "tcp 22 sg-a"]), mapped, "ingress").verdict).toBe("deny");
    expect(ask(groups(["tcp 22 ::/0"]), mapped, "ingress").verdict).toBe("next");
  });
  test("the end that is no subject answers not-managed", () => {
    const answer = ask(groups([]), flow("192.0.2.1 -> 10.0.2.5:22/tcp"), "egress");
    expect(answer).toEqual({ verdict: "next", reason: "not-managed", policy: null, rule: null, tracking: 0 });
  });
});

describe("exemptions (SG-80 … SG-83a)", () => {
  const host = { ips: ["10.0.1.5", "2001:db8:0:1::5"], groups: ["sg-none"], subnet: "subnet-1" };
  const files = {
    "groups.json": { SecurityGroups: [group("sg-none", [], [])] },
    "instances.json": instances(instance("n", host), instance("m", { ips: ["10.0.3.1"], groups: ["sg-none"] })),
    "vpc.json": vpc,
  };
  const off = (name: string): Knobs => ({
    ...defaultKnobs,
    awsExempt: { ...defaultKnobs.awsExempt, [name]: "off" },
  });
  const no = "no-rule-matches";
  test.each<[string, string, "egress" | "ingress", string, string]>([
    ["SG-80 SG-82 T-21 base + 2", "10.0.1.5 -> 10.0.0.2:53/udp", "egress", "aws-exempt:dns", "dns"],
    ["SG-83 T-21 another resolver", "10.0.1.5 -> 8.8.8.8:53/udp", "egress", no, "dns"],
    ["SG-82 base + 2 of a subnet", "10.0.1.5 -> 10.0.1.2:53/udp", "egress", no, "dns"],
    ["SG-82 base + 2 of a secondary CIDR", "10.0.1.5 -> 10.9.0.2:53/udp", "egress", no, "dns"],
    ["SG-83 DNS by TCP", "10.0.1.5 -> 169.254.169.253:53/tcp", "egress", "aws-exempt:dns", "dns"],
    ["SG-83 DNS by IPv6", "2001:db8:0:1::5 -> [fd00:ec2::253]:53/udp", "egress", "aws-exempt:dns", "dns"],
    ["SG-83 another port of the resolver", "10.0.1.5 -> 10.0.0.2:80/tcp", "egress", no, "dns"],
    ["SG-83 a flow that the resolver's address begins", "10.0.0.2:53 -> 10.0.1.5:22/tcp", "ingress", no, "dns"],
    ["SG-81 IMDS", "10.0.1.5 -> 169.254.169.254:80/tcp", "egress", "aws-exempt:imds", "imds"],
    ["SG-81 IMDS by IPv6", "2001:db8:0:1::5 -> [fd00:ec2::254]:80/tcp", "egress", "aws-exempt:imds", "imds"],
    ["SG-81 ECS metadata", "10.0.1.5 -> 169.254.170.2:80/tcp", "egress", "aws-exempt:ecs-metadata", "ecs-metadata"],
    ["SG-81 time", "10.0.1.5 -> 169.254.169.123:123/udp", "egress", "aws-exempt:time", "time"],
    ["SG-81 KMS", "10.0.1.5 -> 169.254.169.250:1688/tcp", "egress", "aws-exempt:kms", "kms"],
    ["SG-81 another port of KMS", "10.0.1.5 -> 169.254.169.250:80/tcp", "egress", no, "kms"],
    ["SG-81 DHCP by broadcast", "10.0.1.5:68 -> 255.255.255.255:67/udp", "egress", "aws-exempt:dhcp", "dhcp"],
    ["SG-81 DHCPv6", "2001:db8:0:1::5 -> [ff02::1:2]:547/udp", "egress", "aws-exempt:dhcp", "dhcp"],
    ["SG-81 DHCP's answer from the router", "10.0.1.1:67 -> 10.0.1.5:68/udp", "ingress", "aws-exempt:dhcp", "dhcp"],
    ["SG-81 the ports alone are no exemption", "10.0.1.5:68 -> 10.0.3.1:67/udp", "egress", no, "dhcp"],
    ["SG-83a to the router", "10.0.1.5 -> 10.0.1.1 icmp 8/0", "egress", "aws-exempt:router", "router"],
    [
      "SG-83a to the router by IPv6",
      "2001:db8:0:1::5 -> 2001:db8:0:1::1 icmpv6 128/0",
      "egress",
      "aws-exempt:router",
      "router",
    ],
    ["SG-83a an ICMP error from the router", "10.0.1.1 -> 10.0.1.5 icmp 3/4", "ingress", "aws-exempt:router", "router"],
    ["SG-83a anything else from base + 1", "10.0.1.1 -> 10.0.1.5:22/tcp", "ingress", no, "router"],
    ["SG-83a a ping from base + 1", "10.0.1.1 -> 10.0.1.5 icmp 8/0", "ingress", no, "router"],
    ["SG-81 an interface on base + 1 is an interface", "10.0.1.5 -> 10.0.3.1:22/tcp", "egress", no, "router"],
  ])("%s", (_, packet, direction, reason, knob) => {
    const { inventory } = load(files);
    expect(ask(compile(inventory).sg, flow(packet), direction).reason).toBe(reason);
    expect(ask(compile(inventory, off(knob)).sg, flow(packet), direction).reason).toBe(no);
  });
});

describe("tracking (SG-61 … SG-65)", () => {
  const everything = ["tcp 0-65535 0.0.0.0/0"];
  const [none, tracked, untracked] = [0, 1, 2];
  test.each<[string, readonly string[], readonly string[], string, number]>([
    ["SG-61 T-22 open both ways", ["tcp 22 0.0.0.0/0"], ["-1 0.0.0.0/0"], "192.0.2.1 -> 10.0.2.5:22/tcp", untracked],
    ["SG-61 open by protocol", ["tcp 22 0.0.0.0/0"], everything, "192.0.2.1 -> 10.0.2.5:22/tcp", untracked],
    ["SG-61 another protocol is open", ["udp 53 0.0.0.0/0"], everything, "192.0.2.1 -> 10.0.2.5:53/udp", tracked],
    ["SG-66 T-23 a narrow peer", ["tcp 22 192.0.2.1/32"], ["-1 0.0.0.0/0"], "192.0.2.1 -> 10.0.2.5:22/tcp", tracked],
    ["SG-61 T-24 no egress", ["tcp 80 0.0.0.0/0"], [], "192.0.2.1 -> 10.0.2.5:80/tcp", tracked],
    [
      "SG-61 egress to some ports",
      ["tcp 22 0.0.0.0/0"],
      ["tcp 1-65535 0.0.0.0/0"],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      tracked,
    ],
    [
      "SG-61 egress to some addresses",
      ["tcp 22 0.0.0.0/0"],
      ["-1 10.0.0.0/8"],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      tracked,
    ],
    ["SG-62 ICMP", ["-1 0.0.0.0/0"], ["-1 0.0.0.0/0"], "192.0.2.1 -> 10.0.2.5 icmp 8/0", tracked],
    ["SG-69 another protocol", ["-1 0.0.0.0/0"], ["-1 0.0.0.0/0"], "192.0.2.1 -> 10.0.2.5 protocol 50", tracked],
    ["SG-64 IPv4 isn't open out", ["tcp 22 0.0.0.0/0"], ["-1 ::/0"], "192.0.2.1 -> 10.0.2.5:22/tcp", tracked],
    ["SG-64 IPv6 is", ["tcp 22 ::/0"], ["-1 ::/0"], "2001:db8:9::1 -> [2001:db8:0:2::5]:22/tcp", untracked],
    [
      "SG-61 two rules match, one of them open",
      ["tcp 22 0.0.0.0/0", "tcp 22 192.0.2.1/32"],
      ["-1 0.0.0.0/0"],
      "192.0.2.1 -> 10.0.2.5:22/tcp",
      untracked,
    ],
    ["a denial", [], ["-1 0.0.0.0/0"], "192.0.2.1 -> 10.0.2.5:22/tcp", none],
  ])("%s", (_, ingress, egress, packet, expected) => {
    const files = {
      "groups.json": { SecurityGroups: [group("sg-b", ingress, egress)] },
      "instances.json": instances(instance("b", B)),
    };
    expect(ask(compile(load(files).inventory).sg, flow(packet), "ingress").tracking).toBe(expected);
  });
});
