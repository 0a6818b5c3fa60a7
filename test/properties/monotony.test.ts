/** What an added policy or rule can do, and what it never does. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Explainer } from "../../src/engine/explain.ts";
import { permission } from "./ec2-arbitrary.ts";
import { networkPolicy } from "./kubernetes-arbitrary.ts";
import { judge, programOf, viewOf, type World, world } from "./world.ts";

type Json = Record<string, unknown>;

function verdictsOf(given: World): string[] {
  const explainer = new Explainer(programOf(given), { withTrace: false });
  return given.flows.map((flow) => judge(explainer, viewOf(flow)));
}

const isAccepted = (verdict: string | undefined) => verdict?.startsWith("accept") === true;

/** NetworkPolicies alone: a baseline can deny what an isolated pod's rule accepts, so that adding one could open it. */
function withPolicies(given: World, ...more: Json[]): World {
  const isKept = (object: unknown) => !/Admin|Cluster/.test(`${(object as Json).kind}`);
  return { ...given, knobs: [], kubernetes: [...given.kubernetes.filter(isKept), ...more] };
}

const everyoneIsolated: Json[] = ["x", "y", "z", "default"].map((namespace) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { namespace, name: "everyone" },
  spec: { policyTypes: ["Ingress", "Egress"] },
}));

test("NP-5: a policy that is added to isolated pods takes nothing away, whatever is broken in it", () => {
  let gained = 0;
  fc.assert(
    fc.property(world("dual", 60, "kubernetes"), networkPolicy("added", "dual"), (given, added) => {
      const before = verdictsOf(withPolicies(given, ...everyoneIsolated));
      const after = verdictsOf(withPolicies(given, ...everyoneIsolated, added));
      before.forEach((verdict, i) => {
        if (isAccepted(verdict)) expect(after[i]).toBe(verdict);
        else if (isAccepted(after[i])) gained++;
      });
    }),
    { numRuns: 200, seed: 4 },
  );
  expect(gained).toBeGreaterThan(20);
});

test("NP-4 NP-7 NP-12: a policy that allows nothing never opens anything", () => {
  let lost = 0;
  const rest = fc.constantFrom<Json>(
    {},
    { ingress: [], egress: [] },
    { ingress: [{ from: [{}] }] },
    { egress: [{ ports: [{ port: "80" }] }] },
  );
  const closing = fc.record({ policy: networkPolicy("added", "dual"), rest }).map(({ policy, rest: rules }) => {
    const { podSelector } = ((policy.spec as Json | undefined) ?? {}) as Json;
    return { ...policy, spec: { podSelector, policyTypes: ["Ingress", "Egress"], ...rules } };
  });
  fc.assert(
    fc.property(world("dual", 60, "kubernetes"), closing, (given, added) => {
      const before = verdictsOf(withPolicies(given));
      const after = verdictsOf(withPolicies(given, added));
      after.forEach((verdict, i) => {
        if (isAccepted(verdict)) expect(before[i]).toBe(verdict);
        else if (isAccepted(before[i])) lost++;
      });
    }),
    { numRuns: 120, seed: 5 },
  );
  expect(lost).toBeGreaterThan(100);
});

test("SG-42: a rule that is added to a security group takes nothing away, and removing one opens nothing", () => {
  let gained = 0;
  const place = fc.record({
    group: fc.integer({ min: 0, max: 3 }),
    key: fc.constantFrom("IpPermissions", "IpPermissionsEgress"),
  });
  const wide = fc.constantFrom<Json>(
    { IpProtocol: "-1", IpRanges: [{ CidrIp: "0.0.0.0/0" }], Ipv6Ranges: [{ CidrIpv6: "::/0" }] },
    { IpProtocol: "tcp", FromPort: 0, ToPort: 65535, UserIdGroupPairs: [{ GroupId: "sg-1" }, { GroupId: "sg-2" }] },
  );
  fc.assert(
    fc.property(world("dual", 60, "ec2"), fc.oneof(permission("dual"), wide), place, (given, added, { group, key }) => {
      const document = given.aws["groups.json"] as { SecurityGroups: Json[] } | undefined;
      if (!document) return;
      const groups = document.SecurityGroups.map((g, i) =>
        i === group ? { ...g, [key]: [...(g[key] as unknown[]), added] } : g,
      );
      const before = verdictsOf(given);
      const after = verdictsOf({ ...given, aws: { ...given.aws, "groups.json": { SecurityGroups: groups } } });
      before.forEach((verdict, i) => {
        if (isAccepted(verdict)) expect(after[i]).toBe(verdict);
        else if (isAccepted(after[i])) gained++;
      });
    }),
    { numRuns: 250, seed: 6 },
  );
  expect(gained).toBeGreaterThan(20);
});
