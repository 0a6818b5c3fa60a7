/** Traps of security groups and network ACLs: what other engines got wrong, through the whole engine. */
import { describe, expect, test } from "vitest";
import { acl, entry, group, instance, instances, openAcl, permission, vpc } from "../evaluators/ec2/documents.ts";
import { engineOf, type Trap, verdictsOf } from "./engine.ts";

type Json = Record<string, unknown>;

const deny = "deny sg ingress no-rule-matches";

/** `a` in subnet-1 and `b` in subnet-2; `c` beside `a`. Group sg-open lets everything out and nothing in. */
const hosts = instances(
  instance("a", { ips: ["10.0.1.5", "2001:db8:0:1::5"], groups: ["sg-open"], subnet: "subnet-1" }),
  instance("b", { ips: ["10.0.2.5", "2001:db8:0:2::5"], groups: ["sg-b"], subnet: "subnet-2" }),
  instance("c", { ips: ["10.0.1.6"], groups: ["sg-b"], subnet: "subnet-1" }),
);
const groups = (...list: Json[]) => ({ SecurityGroups: list });
/** What sg-b lets in; its egress is the usual one unless given. */
const letIn = (ingress: readonly (string | Json)[], egress?: readonly string[]): Json[] => [
  vpc,
  hosts,
  groups(group("sg-open", []), egress ? group("sg-b", ingress, egress) : group("sg-b", ingress)),
];
/** Groups that allow everything, and the entries of subnet-2's ACL. */
const guarded = (entries: readonly (string | Json)[]): Json[] => [
  vpc,
  hosts,
  groups(group("sg-open", ["-1 0.0.0.0/0 ::/0"]), group("sg-b", ["-1 0.0.0.0/0 ::/0"])),
  { NetworkAcls: [acl("acl-1", ["subnet-1"], openAcl), acl("acl-2", ["subnet-2"], entries)] },
];
const out = ["100 egress allow -1 0.0.0.0/0"];
const merged = {
  IpProtocol: "tcp",
  FromPort: 80,
  ToPort: 80,
  IpRanges: [{ CidrIp: "10.0.0.0/8" }],
  Ipv6Ranges: [{ CidrIpv6: "2001:db8::/32" }],
};
const oneByOne = [
  { IpProtocol: "tcp", FromPort: 80, ToPort: 80, IpRanges: merged.IpRanges },
  { IpProtocol: "tcp", FromPort: 80, ToPort: 80, Ipv6Ranges: merged.Ipv6Ranges },
];
const toB6 = { "2001:db8:0:1::5 -> 2001:db8:0:2::5 tcp 80": "accept" };

const traps: readonly Trap[] = [
  {
    name: "T-1: a match in the first gate doesn't end the second",
    documents: letIn([]),
    flows: { "i-a -> i-b tcp 80": deny },
  },
  {
    name: "T-3: the same subnet is no exemption from security groups",
    documents: letIn(["tcp 80 10.0.0.0/8"]),
    flows: { "i-a -> i-c icmp 8/0": deny, "i-a -> i-c tcp 80": "accept" },
  },
  {
    name: "T-4: an earlier narrow allow before a later wide deny",
    documents: guarded(["90 ingress allow tcp 22 10.0.1.0/24", "100 ingress deny tcp 22 10.0.0.0/8", ...out]),
    flows: { "i-a -> i-b tcp 22": "accept", "10.0.3.5 -> i-b tcp 22": "deny nacl ingress rule" },
  },
  {
    name: "T-5: the printed default denial denies",
    documents: guarded(["32767 ingress deny -1 0.0.0.0/0", ...out]),
    flows: { "i-a -> i-b tcp 443": "deny nacl ingress rule" },
  },
  {
    name: "T-6: answers need entries of their own",
    documents: guarded(["100 ingress allow tcp 443 0.0.0.0/0", "100 egress allow tcp 443 0.0.0.0/0"]),
    flows: { "i-a -> i-b tcp 443": "accept, reply deny nacl egress" },
  },
  {
    name: "T-7: within a subnet no network ACL acts",
    documents: [
      ...letIn(["tcp 22 10.0.0.0/8"]),
      { NetworkAcls: [acl("acl-1", ["subnet-1", "subnet-2"], ["32767 ingress deny -1 0.0.0.0/0"])] },
    ],
    flows: { "i-a -> i-c tcp 22": "accept", "i-a -> i-b tcp 22": "deny nacl egress no-rule-matches" },
  },
  {
    name: "T-8: numbers decide, not the order in the document",
    documents: guarded(["200 ingress deny -1 0.0.0.0/0", "100 ingress allow -1 0.0.0.0/0", ...out]),
    flows: { "i-a -> i-b tcp 80": "accept" },
  },
  {
    name: "T-9: an IPv4 entry says nothing about IPv6",
    documents: guarded(["100 ingress allow -1 0.0.0.0/0", ...openAcl.filter((e) => e.includes("egress"))]),
    flows: {
      "2001:db8:0:1::5 -> 2001:db8:0:2::5 tcp 80": "deny nacl ingress no-rule-matches",
      "i-a -> i-b tcp 80": "accept",
    },
  },
  {
    name: "T-10: ports of all protocols don't count",
    documents: guarded([{ ...entry("100 ingress allow -1 0.0.0.0/0"), PortRange: { From: 22, To: 22 } }, ...out]),
    flows: { "i-a -> i-b udp 53": "accept" },
  },
  {
    name: "T-11: type and code are a pair, not a range",
    documents: letIn(["icmp 3/4 0.0.0.0/0"]),
    flows: { "i-a -> i-b icmp 4/0": deny, "i-a -> i-b icmp 3/4": "accept" },
  },
  {
    name: "T-12: all of ICMP is nothing of TCP",
    documents: letIn(["icmp -1/-1 0.0.0.0/0"]),
    flows: { "i-a -> i-b tcp 22": deny },
  },
  {
    name: "T-13: a port that is none opens none",
    documents: letIn(["tcp 70000 0.0.0.0/0"]),
    flows: { "i-a -> i-b tcp 22": deny },
  },
  {
    name: "T-14: a CIDR that is none is nobody",
    documents: letIn([{ ...permission("tcp 22"), IpRanges: [{ CidrIp: "10.0.0.0/8;x" }] }]),
    flows: { "192.0.2.1 -> i-b tcp 22": deny, "i-a -> i-b tcp 22": deny },
  },
  {
    name: "T-15: ESP has no ports",
    documents: letIn(["50 1000 0.0.0.0/0"]),
    flows: { "i-a -> i-b protocol 50": "accept" },
  },
  {
    name: "T-16: no egress rule, no egress",
    documents: letIn([], []),
    flows: { "i-b -> 8.8.8.8 tcp 443": "deny sg egress no-rule-matches" },
  },
  { name: "T-17: both families merged", documents: letIn([merged]), flows: toB6 },
  { name: "T-17: both families split", documents: letIn(oneByOne), flows: toB6 },
  { name: "T-17: both families twice", documents: letIn([merged, merged, ...oneByOne]), flows: toB6 },
  {
    name: "T-18: a member's public address is no member",
    documents: [
      vpc,
      instances(
        instance("a", { ips: ["10.0.1.5"], groups: ["sg-open"], subnet: "subnet-1", publicIp: "203.0.113.9" }),
        instance("b", { ips: ["10.0.2.5"], groups: ["sg-b"], subnet: "subnet-2" }),
      ),
      groups(group("sg-open", []), group("sg-b", ["tcp 22 sg-open"])),
    ],
    flows: { "203.0.113.9 -> i-b tcp 22": deny, "i-a -> i-b tcp 22": "accept" },
  },
  {
    name: "T-19: each interface has its own groups",
    documents: [
      vpc,
      instances(
        instance("two", [
          { ips: ["10.0.1.5"], groups: ["sg-1"], subnet: "subnet-1" },
          { ips: ["10.0.1.6"], groups: ["sg-2"], subnet: "subnet-1" },
        ]),
      ),
      groups(group("sg-1", ["tcp 22 0.0.0.0/0"]), group("sg-2", [])),
    ],
    flows: { "8.8.8.8 -> 10.0.1.6 tcp 22": deny, "8.8.8.8 -> 10.0.1.5 tcp 22": "accept" },
  },
  {
    name: "T-21: Amazon's resolver is exempt, another one isn't",
    documents: letIn([], []),
    flows: { "i-b -> 10.0.0.2 udp 53": "accept", "i-b -> 8.8.8.8 udp 53": "deny sg egress no-rule-matches" },
  },
  {
    name: "T-24: the answer passes without an egress rule",
    documents: letIn(["tcp 80 0.0.0.0/0"], []),
    flows: { "8.8.8.8 -> i-b tcp 80": "accept", "i-b -> 8.8.8.8 tcp 80": "deny sg egress no-rule-matches" },
  },
];

describe("traps of EC2", () => {
  test.each(traps)("$name", (trap) => {
    expect(verdictsOf(trap)).toEqual(trap.flows);
  });

  test("T-2: the order of the inventory changes neither verdict nor attribution", () => {
    const documents = letIn(["tcp 80 10.0.9.0/24"]);
    const [there, back] = [documents, [...documents].reverse()].map((d) => engineOf(d).decide("i-a -> i-b tcp 80"));
    expect(there).toEqual(back);
    expect(engineOf(documents).ask("i-a -> i-b tcp 80")).toBe(deny);
  });

  test("T-13: the port that is none is reported", () => {
    const { findings } = engineOf(letIn(["tcp 70000 0.0.0.0/0"]));
    expect(findings.map(({ code, rule }) => [code, rule])).toContainEqual(["port-out-of-range", "SG-8"]);
  });

  test("T-20: a reference to a deleted group matches nothing, and is reported as stale", () => {
    const deleted = {
      IpProtocol: "tcp",
      FromPort: 22,
      ToPort: 22,
      UserIdGroupPairs: [{ GroupId: "sg-gone", VpcId: "vpc-9" }],
    };
    const engine = engineOf(letIn([deleted]));
    expect(engine.ask("i-a -> i-b tcp 22")).toBe(deny);
    expect(engine.findings.filter(({ rule }) => rule === "SG-27").map(({ message }) => message)).toEqual([
      expect.stringContaining("stale"),
    ]);
  });

  test.each([
    [
      "T-22: open both ways is untracked, so that the deleted rule cuts the live flow",
      "tcp 22 0.0.0.0/0",
      "203.0.113.1",
      deny,
    ],
    [
      "T-23: a narrow rule is tracked, so that the live flow outlives it",
      "tcp 22 203.0.113.1/32",
      "203.0.113.1",
      "state",
    ],
  ])("%s", (_name, rule, from, expected) => {
    const live = engineOf(letIn([rule])).decide(`${from} -> i-b tcp 22`);
    expect(live.isFlowAccepted).toBe(true);
    const after = engineOf(letIn([]));
    const again = after.decide(`${from} -> i-b tcp 22`, { isSgHeld: live.isSgHeld });
    expect(again.isFlowAccepted).toBe(expected === "state");
    // A new flow has nothing to be remembered by.
    expect(after.ask(`${from} -> i-b tcp 22`)).toBe(deny);
  });
});
