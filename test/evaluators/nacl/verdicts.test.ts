/** Network ACLs, one row each: the entries of subnet-2's ACL, a packet, and the boundary's answer with its entry. */
import { describe, expect, test } from "vitest";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { acl, entry, group, type Host, instance, instances, openAcl, vpc } from "../ec2/documents.ts";
import { ask, compile, flow, judge, judgeReply, load } from "../ec2/pipeline.ts";

type Json = Record<string, unknown>;

const A: Host = { ips: ["10.0.1.5", "2001:db8:0:1::5"], groups: ["sg-a"], subnet: "subnet-1" };
const B: Host = { ips: ["10.0.2.5", "2001:db8:0:2::5"], groups: ["sg-a"], subnet: "subnet-2" };
const B2: Host = { ips: ["10.0.2.6"], groups: ["sg-a"], subnet: "subnet-2" };
const groups = { SecurityGroups: [group("sg-a", ["-1 0.0.0.0/0", "-1 ::/0"])] };
const hosts = instances(instance("a", A), instance("b", B), instance("b2", B2));

/** Subnets 1 and 3 have the open default ACL, subnet 2 one of its own. */
function withEntries(entries: readonly (string | Json)[], more: Readonly<Record<string, unknown>> = {}) {
  const acls = [acl("acl-0", [], openAcl, { IsDefault: true }), acl("acl-2", ["subnet-2"], entries)];
  return { "groups.json": groups, "hosts.json": hosts, "vpc.json": vpc, "acls.json": { NetworkAcls: acls }, ...more };
}

const deny = (entryNumber: string) => `nacl ingress rule acl-2 ${entryNumber}`;
const rest = "nacl ingress no-rule-matches acl-2 *";
const broken = (text: string, more: Json) => ({ ...entry(text), ...more });

describe("entries (NA-2 … NA-10)", () => {
  test.each<[string, readonly (string | Json)[], string, string]>([
    [
      "NA-5 T-4 the first entry decides",
      ["90 ingress allow tcp 22 10.0.1.0/24", "100 ingress deny tcp 22 10.0.0.0/8"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    [
      "NA-5 a denial before an allow",
      ["90 ingress deny tcp 22 10.0.1.0/24", "100 ingress allow tcp 22 10.0.0.0/8"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      deny("90"),
    ],
    [
      "NA-5 T-8 numbers, not places",
      ["200 ingress deny -1 0.0.0.0/0", "100 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      "accept",
    ],
    [
      "NA-5 numbers, not texts",
      ["1000 ingress allow -1 0.0.0.0/0", "200 ingress deny -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      deny("200"),
    ],
    [
      "NA-6 NA-17 T-5 the printed last entry",
      ["32767 ingress deny -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      deny("32767"),
    ],
    ["NA-6 no entry at all", [], "10.0.1.5 -> 10.0.2.5:22/tcp", rest],
    [
      "NA-3 egress entries don't count for ingress",
      ["100 egress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/tcp",
      rest,
    ],
    [
      "NA-7 NA-4 T-9 an IPv4 entry and an IPv6 packet",
      ["100 ingress allow -1 0.0.0.0/0"],
      "2001:db8:0:1::5 -> [2001:db8:0:2::5]:22/tcp",
      rest,
    ],
    [
      "NA-4 the IPv6 last entry",
      ["32768 ingress deny -1 ::/0"],
      "2001:db8:0:1::5 -> [2001:db8:0:2::5]:22/tcp",
      deny("32768"),
    ],
    ["NA-7 ingress looks at the source", ["100 ingress allow -1 10.0.1.0/24"], "10.0.1.5 -> 10.0.2.5:22/tcp", "accept"],
    ["NA-7 and not at the destination", ["100 ingress allow -1 10.0.2.0/24"], "10.0.1.5 -> 10.0.2.5:22/tcp", rest],
    [
      "NA-8 T-10 -1 ignores ports",
      [broken("100 ingress allow -1 0.0.0.0/0", { PortRange: { From: 22, To: 22 } })],
      "10.0.1.5 -> 10.0.2.5:53/udp",
      "accept",
    ],
    [
      "NA-8 -1 ignores broken ports too",
      [broken("100 ingress allow -1 0.0.0.0/0", { PortRange: "x" })],
      "10.0.1.5 -> 10.0.2.5:53/udp",
      "accept",
    ],
    [
      "NA-8 another protocol ignores ports",
      ["100 ingress allow 132 9 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:22/sctp",
      "accept",
    ],
    [
      "NA-8 58 with an IPv4 CIDR ignores types",
      [broken("100 ingress allow icmpv6 0.0.0.0/0", { IcmpTypeCode: { Type: 1, Code: 1 } })],
      "10.0.1.5 -> 10.0.2.5 icmpv6 128/0",
      "accept",
    ],
    ["NA-9 first and last port", ["100 ingress allow tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:25/tcp", "accept"],
    ["NA-9 after the last port", ["100 ingress allow tcp 22-25 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:26/tcp", rest],
    ["NA-9 no port range means all", ["100 ingress allow udp 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5:9/udp", "accept"],
    [
      "NA-2 a name is accepted",
      [broken("100 ingress allow -1 0.0.0.0/0", { Protocol: "TCP" })],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      "accept",
    ],
    [
      "NA-2 all",
      [broken("100 ingress allow -1 0.0.0.0/0", { Protocol: "all" })],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      "accept",
    ],
    ["NA-10 type and all codes", ["100 ingress allow icmp 8/-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 8/3", "accept"],
    ["NA-10 another type", ["100 ingress allow icmp 8/-1 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/3", rest],
    ["NA-10 a code of all types", ["100 ingress allow icmp -1/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/4", "accept"],
    ["NA-10 another code", ["100 ingress allow icmp -1/4 0.0.0.0/0"], "10.0.1.5 -> 10.0.2.5 icmp 3/3", rest],
    [
      "NA-10 no types means all",
      ["100 ingress allow icmpv6 ::/0"],
      "2001:db8:0:1::5 -> 2001:db8:0:2::5 icmpv6 128/0",
      "accept",
    ],
    [
      "NA-23 an entry with ports and a fragment",
      ["100 ingress deny udp 53 0.0.0.0/0", "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:53/udp fragment",
      "accept",
    ],
    [
      "NA-23 an entry without ports and a fragment",
      ["100 ingress deny udp 0-65535 0.0.0.0/0", "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:53/udp fragment",
      deny("100"),
    ],
    ["DEF-5 host bits are masked", ["100 ingress allow -1 10.0.1.99/24"], "10.0.1.5 -> 10.0.2.5:9/tcp", "accept"],
    [
      "DEF-7 an allow that can't be read matches nothing",
      [broken("100 ingress allow -1 0.0.0.0/0", { CidrBlock: "0.0.0.0/0;x" })],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      rest,
    ],
    [
      "DEF-7 a denial that can't be read denies all",
      [broken("100 ingress deny tcp 22 0.0.0.0/0", { CidrBlock: "x" }), "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("100"),
    ],
    [
      "DEF-7 at its own number",
      [broken("100 ingress deny tcp 22 0.0.0.0/0", { PortRange: { From: 9 } }), "90 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      "accept",
    ],
    [
      "DEF-7 for its own family",
      [broken("100 ingress deny tcp 22 ::/0", { PortRange: 9 }), "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      "accept",
    ],
    [
      "DEF-7 for its own direction",
      [broken("100 egress deny tcp 22 0.0.0.0/0", { PortRange: 9 }), "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      "accept",
    ],
    [
      "DEF-7 an unreadable direction is both",
      [broken("100 egress deny tcp 22 0.0.0.0/0", { Egress: "no" }), "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("100"),
    ],
    [
      "DEF-7 an unreadable action is a denial",
      [broken("100 ingress allow -1 0.0.0.0/0", { RuleAction: "permit" }), "200 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("100"),
    ],
    [
      "DEF-7 a denial without a number goes first",
      [broken("100 ingress deny tcp 22 0.0.0.0/0", { RuleNumber: null }), "1 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("0"),
    ],
    ...[99999, -1, 0, 1.5, 1e30, "100"].map((number): [string, (string | Json)[], string, string] => [
      `DEF-7, NA-4 nor has one with the number ${JSON.stringify(number)} a place`,
      [broken("100 ingress deny tcp 22 0.0.0.0/0", { RuleNumber: number }), "1 ingress allow -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("0"),
    ]),
    [
      "DEF-7, NA-4 an allow without a place matches nothing",
      [broken("100 ingress allow -1 0.0.0.0/0", { RuleNumber: 99999 }), "200 ingress deny -1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("200"),
    ],
    [
      "DEF-7 no object at all",
      ["100 ingress allow -1 0.0.0.0/0", 7 as unknown as Json],
      "10.0.1.5 -> 10.0.2.5:9/tcp",
      deny("0"),
    ],
  ])("%s", (_, entries, packet, expected) => {
    const gates = compile(load(withEntries(entries)).inventory);
    expect(judge(gates, flow(packet))).toBe(expected);
  });
});

describe("boundaries (NA-11 … NA-18)", () => {
  const in443 = ["100 ingress allow tcp 443 0.0.0.0/0"];
  test.each<[string, readonly string[], string, string, string | null]>([
    [
      "NA-11 NA-18 T-6 the answer to an ephemeral port",
      [...in443, "100 egress allow tcp 443 0.0.0.0/0"],
      "10.0.1.5:40000 -> 10.0.2.5:443/tcp",
      "accept",
      "nacl egress no-rule-matches acl-2 *",
    ],
    [
      "NA-18 NA-21 an answer that is allowed",
      [...in443, "100 egress allow tcp 1024-65535 0.0.0.0/0"],
      "10.0.1.5:40000 -> 10.0.2.5:443/tcp",
      "accept",
      "accept",
    ],
    [
      "NA-18 the flow itself may not begin the other way",
      [...in443, "100 egress allow tcp 1024-65535 0.0.0.0/0"],
      "10.0.2.5:40000 -> 10.0.1.5:443/tcp",
      "nacl egress no-rule-matches acl-2 *",
      null,
    ],
    [
      "NA-11 an ICMP answer",
      ["100 ingress allow icmp 8/-1 0.0.0.0/0", "100 egress allow icmp 8/-1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5 icmp 8/0",
      "accept",
      "nacl egress no-rule-matches acl-2 *",
    ],
    [
      "NA-11 an ICMP answer that is allowed",
      ["100 ingress allow icmp 8/-1 0.0.0.0/0", "100 egress allow icmp 0/-1 0.0.0.0/0"],
      "10.0.1.5 -> 10.0.2.5 icmp 8/0",
      "accept",
      "accept",
    ],
    ["NA-12 T-7 inside one subnet", [], "10.0.2.5 -> 10.0.2.6:22/tcp", "accept", "accept"],
    ["NA-13 from an address of the subnet that nobody owns", [], "10.0.2.99 -> 10.0.2.6:22/tcp", "accept", "accept"],
    ["SG-83a base + 1 is outside", [], "10.0.2.1 -> 10.0.2.6:22/tcp", "nacl ingress no-rule-matches acl-2 *", null],
    [
      "NA-13 from outside",
      ["100 ingress allow -1 192.0.2.0/24"],
      "192.0.2.1 -> 10.0.2.6:22/tcp",
      "accept",
      "nacl egress no-rule-matches acl-2 *",
    ],
    ["NA-14 the VPC's default ACL", [], "192.0.2.1 -> 10.0.1.5:22/tcp", "accept", "accept"],
    ["NA-16 DNS passes both ways", [], "10.0.2.5:40000 -> 10.0.0.2:53/udp", "accept", "accept"],
    ["NA-16 IMDS passes both ways", [], "10.0.2.5:40000 -> 169.254.169.254:80/tcp", "accept", "accept"],
    ["NA-16 KMS passes both ways", [], "10.0.2.5:40000 -> 169.254.169.250:1688/tcp", "accept", "accept"],
    [
      "NA-16 another resolver doesn't",
      ["100 egress allow udp 53 0.0.0.0/0"],
      "10.0.2.5:40000 -> 8.8.8.8:53/udp",
      "accept",
      "nacl ingress no-rule-matches acl-2 *",
    ],
    [
      "SG-83 the resolver's address and a service's port",
      [],
      "10.0.0.2:53 -> 10.0.2.5:22/tcp",
      "nacl ingress no-rule-matches acl-2 *",
      null,
    ],
    [
      "NA-22 frag-needed needs an entry",
      in443,
      "192.0.2.1 -> 10.0.2.5 icmp 3/4",
      "nacl ingress no-rule-matches acl-2 *",
      null,
    ],
  ])("%s", (_, entries, packet, expected, reply) => {
    const gates = compile(load(withEntries(entries)).inventory);
    expect(judge(gates, flow(packet))).toBe(expected);
    if (reply !== null) expect(judgeReply(gates, flow(packet))).toBe(reply);
  });

  const packet = flow("192.0.2.1 -> 10.0.3.5:22/tcp");
  const third = instances(instance("c", { ips: ["10.0.3.5"], groups: ["sg-a"], subnet: "subnet-3" }));
  const lost = { ips: ["10.0.3.5"], groups: ["sg-a"] };
  const only2 = acl("acl-2", ["subnet-2"], openAcl);
  test.each<[string, Json, Json[], string]>([
    ["NA-14 neither an association nor a default", third, [only2], "missing-configuration"],
    [
      "NA-14 two associations",
      third,
      [acl("acl-4", ["subnet-3"], openAcl), acl("acl-5", ["subnet-3"], openAcl)],
      "missing-configuration",
    ],
    [
      "NA-14 the default of another VPC",
      third,
      [acl("acl-0", [], openAcl, { IsDefault: true, VpcId: "vpc-2" })],
      "missing-configuration",
    ],
    [
      "DEF-7 an association that can't be read could be this subnet's",
      third,
      [acl("acl-0", [], openAcl, { IsDefault: true }), acl("acl-5", [], [], { Associations: [{ SubnetId: 7 }] })],
      "missing-configuration",
    ],
    [
      "NA-13 no SubnetId: the subnet around the address",
      instances(instance("c", lost)),
      [acl("acl-4", ["subnet-3"], openAcl)],
      "rule",
    ],
    ["PL-7 no network ACL at all", third, [], "not-managed"],
  ])("%s", (_, hostsOf, acls, reason) => {
    const files = { "groups.json": groups, "hosts.json": hostsOf, "vpc.json": vpc, "acls.json": { NetworkAcls: acls } };
    const { inventory } = load(files);
    const isMissing = reason === "missing-configuration";
    const verdict = isMissing ? "deny" : "next";
    expect(ask(compile(inventory).nacl, packet, "ingress")).toMatchObject({ reason, verdict });
    const lenient = compile(inventory, { ...defaultKnobs, errorVerdict: "accept" });
    expect(ask(lenient.nacl, packet, "ingress")).toMatchObject({ reason, verdict: "next" });
  });

  test("DEF-7 an ACL without an id still guards its subnets", () => {
    const acls = [
      acl("acl-0", [], openAcl, { IsDefault: true }),
      acl("acl-2", ["subnet-2"], [], { NetworkAclId: null }),
    ];
    const gates = compile(load(withEntries([], { "acls.json": { NetworkAcls: acls } })).inventory);
    expect(ask(gates.nacl, flow("192.0.2.1 -> 10.0.2.5:22/tcp"), "ingress").verdict).toBe("deny");
    expect(ask(gates.nacl, flow("192.0.2.1 -> 10.0.1.5:22/tcp"), "ingress").verdict).toBe("next");
  });

  test("DEF-7 an ACL that is no object could be any subnet's", () => {
    const acls = [acl("acl-0", [], openAcl, { IsDefault: true }), acl("acl-2", ["subnet-2"], openAcl), 7];
    const gates = compile(load(withEntries([], { "acls.json": { NetworkAcls: acls } })).inventory);
    const reason = (packet: string) => ask(gates.nacl, flow(packet), "ingress").reason;
    expect(reason("192.0.2.1 -> 10.0.1.5:22/tcp")).toBe("missing-configuration");
    expect(reason("192.0.2.1 -> 10.0.2.5:22/tcp")).toBe("rule");
  });

  test("VR-6 an address that two claim", () => {
    const twice = instances(instance("b", B), instance("c", { ...B, subnet: "subnet-3" }));
    const gates = compile(load(withEntries(openAcl, { "hosts.json": twice })).inventory);
    const answer = ask(gates.nacl, flow("192.0.2.1 -> 10.0.2.5:22/tcp"), "ingress");
    expect(answer).toMatchObject({ verdict: "deny", reason: "ambiguous-address" });
  });

  test("NA-20 a change of entries is in the next compiled tables", () => {
    const given = flow("10.0.1.5 -> 10.0.2.5:22/tcp");
    expect(judge(compile(load(withEntries(openAcl)).inventory), given)).toBe("accept");
    expect(judge(compile(load(withEntries(["50 ingress deny tcp 22 0.0.0.0/0", ...openAcl])).inventory), given)).toBe(
      deny("50"),
    );
  });
});
