/** Lint rules about EC2: rows that they warn about, and rows next to those that they don't. */
import { describe, expect, test } from "vitest";
import { icmpTypeLikePort } from "../../../src/engine/lint/icmp-type-like-port.ts";
import { refusedAnswers } from "../../../src/engine/lint/refused-answers.ts";
import { ruleWithoutMembers } from "../../../src/engine/lint/rule-without-members.ts";
import { shadowedEntry } from "../../../src/engine/lint/shadowed-entry.ts";
import { unusedGroup } from "../../../src/engine/lint/unused-group.ts";
import type { SecurityGroup } from "../../../src/model/security-group.ts";
import { parsePrefix } from "../../../src/net/prefix.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  type EntryRow,
  type GroupRow,
  networkAcl,
  openEntries,
} from "../../support/vpc.ts";
import { inventoryOf } from "../inventories.ts";
import { run, runOn } from "./rules.ts";

const entry = (number: number, action: "allow" | "deny", cidr: string, protocol = "-1", ports?: [number, number]) =>
  ({ number, action, egress: false, protocol, cidr, ...(ports ? { ports } : {}) }) satisfies EntryRow;

describe("NA-5: shadowed entries", () => {
  const acl = (...entries: EntryRow[]) => [describeNetworkAcls([networkAcl("acl-1", ["subnet-1"], entries)])];
  const shadowed = "shadowed-network-acl-entry NA-5: network ACL acl-1: ingress entry 200: entry 100";
  test.each<[string, EntryRow[], string[]]>([
    [
      "an allow behind a wider deny",
      [entry(100, "deny", "10.0.0.0/8"), entry(200, "allow", "10.1.0.0/16", "6", [22, 22])],
      [
        `${shadowed} (10.0.0.0/8) comes first and denies all of it, and what this entry allows never counts; give the entry a number below 100, or delete it`,
      ],
    ],
    [
      "the same twice, in either order of the document",
      [entry(200, "allow", "10.1.0.0/16", "6", [80, 80]), entry(100, "allow", "10.0.0.0/8", "6", [0, 1024])],
      [`${shadowed} (10.0.0.0/8) comes first and allows it already; delete the entry`],
    ],
    ["T-4: an allow in front of the deny", [entry(100, "allow", "10.0.1.0/24"), entry(200, "deny", "10.0.0.0/8")], []],
    [
      "part of the ports",
      [entry(100, "deny", "0.0.0.0/0", "6", [22, 80]), entry(200, "allow", "0.0.0.0/0", "6", [80, 81])],
      [],
    ],
    ["another protocol", [entry(100, "deny", "0.0.0.0/0", "6"), entry(200, "allow", "0.0.0.0/0", "17")], []],
    ["T-9: the other family", [entry(100, "deny", "0.0.0.0/0"), entry(200, "allow", "::/0")], []],
    ["NA-4: the closing denial", [entry(100, "allow", "0.0.0.0/0"), entry(32767, "deny", "0.0.0.0/0")], []],
  ])("%s", (_, entries, expected) => {
    expect(run(shadowedEntry, acl(...entries))).toEqual(expected);
  });
});

describe("NA-18: refused answers", () => {
  const vpc = (ingress: EntryRow[], egress: EntryRow[], port = 443) => [
    describeSubnets({ "subnet-1": ["10.0.1.0/24"], "subnet-2": ["10.0.2.0/24"] }),
    describeInstances([
      { instance: "i-a", subnet: "subnet-1", addresses: ["10.0.1.4"], groups: ["sg-a"] },
      { instance: "i-b", subnet: "subnet-2", addresses: ["10.0.2.4"], groups: ["sg-b"] },
    ]),
    describeSecurityGroups([
      { id: "sg-a", ingress: [], egress: allEgress },
      { id: "sg-b", ingress: [{ protocol: "tcp", from: port, to: port, peers: ["sg-a"] }], egress: [] },
    ]),
    describeNetworkAcls([
      networkAcl("acl-a", ["subnet-1"], openEntries),
      networkAcl("acl-b", ["subnet-2"], [...ingress, ...egress.map((row) => ({ ...row, egress: true }))]),
    ]),
  ];
  const admits = entry(100, "allow", "0.0.0.0/0", "6", [443, 443]);
  test("T-6: a port is admitted, and no egress entry lets the answers out", () => {
    expect(run(refusedAnswers, vpc([admits], [admits]))).toEqual([
      "refused-answers NA-18: network ACL acl-b: egress: connections are let through and their answers are refused, because no entry allows them on egress: i-a → i-b tcp 443; allow tcp and udp to ports 1024-65535 (Linux clients: 32768-60999) on egress, for the addresses that connect",
    ]);
  });
  test("part of the client's ports", () => {
    const [finding] = run(refusedAnswers, vpc([admits], [entry(100, "allow", "0.0.0.0/0", "6", [49152, 65535])]));
    expect(finding).toContain("their answers to some client ports are refused");
  });
  test("a denial names its entry", () => {
    const egress = [entry(90, "deny", "0.0.0.0/0", "6", [1024, 65535]), entry(100, "allow", "0.0.0.0/0")];
    expect(run(refusedAnswers, vpc([admits], egress))[0]).toContain("because entry 90 denies them on egress");
  });
  test.each<[string, unknown[]]>([
    ["all client ports", vpc([admits], [entry(100, "allow", "0.0.0.0/0", "6", [1024, 65535])])],
    ["Linux's alone", vpc([admits], [entry(100, "allow", "0.0.0.0/0", "6", [32768, 60999])])],
    ["the port isn't admitted either", vpc([], [])],
    ["the security group doesn't allow it", vpc([admits], [], 80)],
  ])("silent: %s", (_, documents) => {
    expect(run(refusedAnswers, documents)).toEqual([]);
  });
});

const instances = (...groups: string[]) =>
  describeInstances([{ instance: "i-1", subnet: "subnet-1", addresses: ["10.0.1.4"], groups }]);
const groups = (...rows: GroupRow[]) => describeSecurityGroups(rows);
const plain = (id: string, peers: string[] = [], protocol = "tcp", from = 80, to = 80): GroupRow => ({
  id,
  ingress: peers.length === 0 ? [] : [{ protocol, from, to, peers }],
  egress: [],
});

describe("SG-40: unused groups", () => {
  test.each<[string, unknown[], string[]]>([
    ["on no interface", [instances("sg-1"), groups(plain("sg-1"), plain("sg-2"))], ["sg-2"]],
    ["only its own rule refers to it", [instances("sg-1"), groups(plain("sg-1"), plain("sg-2", ["sg-2"]))], ["sg-2"]],
    ["referred to", [instances("sg-1"), groups(plain("sg-1", ["sg-2"]), plain("sg-2"))], []],
    ["the default group", [instances("sg-1"), groups(plain("sg-1"), plain("default"))], []],
    ["no interfaces in the input", [groups(plain("sg-1"))], []],
  ])("%s", (_, documents, expected) => {
    expect(run(unusedGroup, documents)).toEqual(
      expected.map((id) =>
        expect.stringMatching(`^unused-security-group SG-40: security group ${id}: no interface has it`),
      ),
    );
  });
});

describe("SG-23: rules whose peer is nobody", () => {
  test.each<[string, unknown[], string[]]>([
    [
      "a group without members",
      [instances("sg-1"), groups(plain("sg-1", ["sg-2"]), plain("sg-2"))],
      [
        "rule-matches-nothing SG-23: security group sg-1: tcp 80 from sg-2: no interface has sg-2, so that the rule matches nothing; attach sg-2, or remove the rule",
      ],
    ],
    ["a group with members", [instances("sg-1", "sg-2"), groups(plain("sg-1", ["sg-2"]), plain("sg-2"))], []],
    ["SG-27: a group that isn't there is another finding", [instances("sg-1"), groups(plain("sg-1", ["sg-9"]))], []],
    ["a group that nobody has", [instances("sg-1"), groups(plain("sg-1"), plain("sg-2", ["sg-2"]))], []],
    ["a prefix", [instances("sg-1"), groups(plain("sg-1", ["192.0.2.0/24"]))], []],
  ])("%s", (_, documents, expected) => {
    expect(run(ruleWithoutMembers, documents)).toEqual(expected);
  });

  test.each([
    ["empty", [], ["rule-matches-nothing SG-22: security group sg-1: tcp 80 from pl-1: pl-1 has no entries"]],
    ["with an entry", ["192.0.2.0/24"], []],
  ])("SG-22: a prefix list, %s", (_, cidrs, expected) => {
    const inventory = inventoryOf([instances("sg-1"), groups(plain("sg-1", ["192.0.2.0/24"]))]);
    const [group] = inventory.ec2.securityGroups as [SecurityGroup];
    const peer = { kind: "prefix-list", prefixListId: "pl-1" } as const;
    const ingress = group.ingress.map((rule) => ({ ...rule, peer, text: "tcp 80 from pl-1" }));
    const prefixes = cidrs.flatMap((cidr) => parsePrefix(cidr) ?? []);
    const prefixLists = [{ id: "pl-1", prefixes, origin: group.origin }];
    const ec2 = { ...inventory.ec2, securityGroups: [{ ...group, ingress }], prefixLists };
    const found = runOn(ruleWithoutMembers, { ...inventory, ec2 });
    expect(found).toEqual(expected.map((text) => expect.stringContaining(text)));
  });
});

describe("SG-9: ICMP types that look like ports", () => {
  const icmp = (type: number, code: number, protocol = "icmp", cidr = "0.0.0.0/0") =>
    run(icmpTypeLikePort, [groups(plain("sg-1", [cidr], protocol, type, code))]);
  test("type 80", () => {
    expect(icmp(80, -1)).toEqual([expect.stringContaining("type 80 is unassigned")]);
    expect(icmp(80, 0, "icmpv6", "::/0")).toEqual([expect.stringContaining("128 for ping")]);
  });
  test.each<[string, string[]]>([
    ["ping", icmp(8, -1)],
    ["everything", icmp(-1, -1)],
    ["ping6", icmp(128, 0, "icmpv6", "::/0")],
    ["fragmentation needed", icmp(3, 4)],
  ])("silent: %s", (_, found) => {
    expect(found).toEqual([]);
  });
});
