/** What holds for every inventory: order doesn't matter, tables are plain data, and the fast match is the slow match. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { createFirstMatchBuilder, firstMatch, type OrderedRule } from "../../../src/evaluators/ec2/first-match.ts";
import { coversPacket, keyRanges } from "../../../src/evaluators/ec2/port-key.ts";
import { networkAclEvaluator } from "../../../src/evaluators/nacl/evaluator.ts";
import { securityGroupEvaluator } from "../../../src/evaluators/security-group/evaluator.ts";
import { vpcRouteEvaluator } from "../../../src/evaluators/vpc-route/evaluator.ts";
import { createFlowView } from "../../../src/model/flow.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { acl, group, instance, instances, openAcl, vpc } from "./documents.ts";
import { load } from "./pipeline.ts";

const classCount = 6;
const peers = fc.uniqueArray(fc.nat(classCount - 1));
const port = fc.oneof(fc.constantFrom(0, 1, 22, 1023, 1024, 65534, 65535), fc.nat(65535));
const range = fc.tuple(port, port).map(([a, b]) => ({ from: Math.min(a, b), to: Math.max(a, b) }));
const octet = fc.oneof(fc.constantFrom(0, 3, 8, 255), fc.nat(255));
const icmp = fc.record({ type: fc.option(octet), code: fc.option(octet) });
const matcher = fc.oneof(
  fc.record({ protocol: fc.constantFrom(6, 17), ranges: fc.option(range).map((r) => keyRanges(r, null)) }),
  fc.record({ protocol: fc.constantFrom(1, 58), ranges: fc.option(icmp).map((i) => keyRanges(null, i)) }),
  fc.record({ protocol: fc.constantFrom(null, 50, 132), ranges: fc.constant(null) }),
);

test("firstMatch answers what a walk through the list answers", () => {
  const shared = fc.array(peers, { minLength: 1, maxLength: 4 });
  const rules = shared.chain((lists) =>
    fc
      .array(fc.record({ matcher, peer: fc.nat(lists.length - 1) }), { maxLength: 8 })
      .map((all) =>
        all.map(({ matcher: m, peer }, answer): OrderedRule => ({ ...m, classes: lists[peer] as number[], answer })),
      ),
  );
  const packets = fc.array(
    fc.record({
      protocol: fc.constantFrom(6, 17, 1, 58, 50, 132, 0, 255),
      destinationPort: port,
      icmpType: octet,
      icmpCode: octet,
      isFragment: fc.boolean(),
    }),
    { minLength: 1, maxLength: 20 },
  );
  fc.assert(
    fc.property(rules, packets, (list, given) => {
      const table = createFirstMatchBuilder(classCount)(list);
      // Boundaries of the rules themselves, beside the random packets.
      const edges = list.flatMap((r) => (r.ranges ?? []).flatMap((x) => [x.from - 1, x.from, x.to, x.to + 1]));
      const all = [
        ...given,
        ...edges.slice(0, 16).flatMap((key) =>
          [6, 17, 1].map((protocol) => ({
            protocol,
            destinationPort: Math.min(65535, Math.max(0, key)),
            icmpType: (key >> 8) & 255,
            icmpCode: key & 255,
            isFragment: false,
          })),
        ),
      ];
      for (const packet of all) {
        const view = Object.assign(createFlowView(), packet);
        for (let c = 0; c < classCount; c++) {
          const slow = list.find((r) => r.classes.includes(c) && coversPacket(r.protocol, r.ranges, view));
          expect(firstMatch(table, c, view)).toBe(slow?.answer ?? -1);
        }
      }
    }),
    { numRuns: 300 },
  );
});

const evaluators = [securityGroupEvaluator, networkAclEvaluator, vpcRouteEvaluator];
const files: Readonly<Record<string, Record<string, unknown>>> = {
  "vpc.json": vpc,
  "groups.json": {
    SecurityGroups: [
      group("sg-1", ["tcp 22 sg-2 10.0.0.0/8", "udp 53 ::/0", "icmp 8/0 pl-1"]),
      group("sg-2", ["-1 sg-1", "tcp 80-90 0.0.0.0/0"]),
      group("sg-3", ["tcp 443 0.0.0.0/0"], ["tcp 443 0.0.0.0/0", "tcp 80 10.0.1.0/24"]),
    ],
  },
  "hosts.json": instances(
    instance("a", { ips: ["10.0.1.5", "10.0.1.6"], groups: ["sg-2", "sg-1"], subnet: "subnet-1" }),
    instance("b", { ips: ["10.0.2.5", "2001:db8:0:2::5"], groups: ["sg-2"], subnet: "subnet-2" }),
    instance("c", { ips: ["10.0.3.5"], groups: ["sg-3", "sg-9"], subnet: "subnet-3" }),
  ),
  "acls.json": {
    NetworkAcls: [
      acl("acl-1", ["subnet-1", "subnet-2"], ["90 ingress deny tcp 22 10.0.1.0/24", ...openAcl]),
      acl("acl-2", [], openAcl, { IsDefault: true }),
    ],
  },
  "pl-1.json": { Entries: [{ Cidr: "192.0.2.0/24" }, { Cidr: "10.0.1.0/25" }] },
  "routes.json": {
    RouteTables: [
      {
        RouteTableId: "rtb-1",
        VpcId: "vpc-1",
        Associations: [{ Main: true }],
        Routes: [
          { DestinationCidrBlock: "10.0.0.0/16", GatewayId: "local" },
          { DestinationCidrBlock: "0.0.0.0/0", GatewayId: "igw-1" },
        ],
      },
    ],
  },
};

/** The same lists in another order, at every depth. */
function shuffled(value: unknown, random: () => number): unknown {
  if (Array.isArray(value)) {
    return value
      .map((v) => ({ v: shuffled(v, random), at: random() }))
      .sort((a, b) => a.at - b.at)
      .map(({ v }) => v);
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, shuffled(v, random)]));
}

test("PL-25 T-2 the order of files, objects, rules and peers changes nothing", () => {
  const expected = load(files);
  const tables = evaluators.map((e) => e.build(expected.inventory, defaultKnobs));
  fc.assert(
    fc.property(fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })), (numbers) => {
      const random = () => numbers.next().value as number;
      const order = Object.keys(files).sort(() => random() - 0.5);
      const { inventory } = load(Object.fromEntries(order.map((f) => [f, shuffled(files[f], random)])));
      expect(evaluators.map((e) => e.build(inventory, defaultKnobs))).toEqual(tables);
    }),
    { numRuns: 40 },
  );
});

test("tables are plain data: a copy is equal", () => {
  const { inventory } = load(files);
  for (const evaluator of evaluators) {
    const tables = evaluator.build(inventory, defaultKnobs);
    expect(structuredClone(tables)).toEqual(tables);
  }
});

test("capture names every private address of running interfaces once", () => {
  const { inventory } = load(files);
  for (const evaluator of evaluators) {
    const { subjects, output } = evaluator.capture(inventory, defaultKnobs);
    expect(subjects).toHaveLength(5);
    expect(output).toBe(true);
    const compiled = evaluator.compile(inventory, defaultKnobs);
    for (const subject of subjects === "all" ? [] : subjects) {
      expect(compiled.isSubject(compiled.classOf(subject), 0)).toBe(true);
    }
    expect(compiled.isSubject(0, 0)).toBe(false);
  }
});
