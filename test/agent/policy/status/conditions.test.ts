import { expect, test } from "vitest";
import { areCurrent, statusPatch, wantedConditions } from "../../../../src/agent/policy/status/conditions.ts";
import { invalidPolicyEvent } from "../../../../src/agent/policy/status/policy-event.ts";
import { type Condition, type PolicyRecord, readRecord } from "../../../../src/agent/policy/status/policy-record.ts";
import { badPeer, badSubject, clusterPolicy, networkPolicy, seen } from "./fake-cluster.ts";

const now = "2026-11-21T12:00:00Z";
const later = "2026-11-21T13:00:00Z";

function recordOf(policy: Parameters<typeof seen>[0]): PolicyRecord {
  return readRecord(seen(policy).seen) ?? expect.fail("no record");
}

function wanted(record: PolicyRecord, at = now): readonly Condition[] {
  return wantedConditions(record, "node-1", at);
}

const short = (conditions: readonly Condition[]): string[] =>
  conditions.map(({ type, status, reason }) => `${type}=${status} (${reason})`);

test("a good policy is accepted and programmed", () => {
  const conditions = wanted(recordOf(clusterPolicy("good", {}, 3)));
  expect(short(conditions)).toEqual(["Accepted=True (Accepted)", "Programmed=True (Programmed)"]);
  expect(conditions.map(({ observedGeneration }) => observedGeneration)).toEqual([3, 3]);
  expect(conditions[1]?.message).toContain("node-1");
});

test("one with a bad part isn't accepted, and the message lists what is wrong; the rest is in force", () => {
  const record = recordOf(clusterPolicy("half", badPeer));
  expect(record.errors).not.toEqual([]);
  const conditions = wanted(record);
  expect(short(conditions)).toEqual(["Accepted=False (Invalid)", "Programmed=True (Programmed)"]);
  expect(conditions[0]?.message).toContain("spec.ingress[0]");
  // The same words on every node: neither the server nor the policy's own name.
  expect(conditions[0]?.message).not.toMatch(/server|half/);
  expect(conditions[1]?.message).toContain("what was understood");
});

test("one that can't be applied to anybody isn't programmed", () => {
  expect(short(wanted(recordOf(clusterPolicy("none", badSubject))))).toEqual([
    "Accepted=False (Invalid)",
    "Programmed=False (Invalid)",
  ]);
});

test("what is written is current, until the policy changes", () => {
  const policy = clusterPolicy("good");
  const conditions = wanted(recordOf(policy));
  const { status } = statusPatch(recordOf(policy), conditions) as { status: { conditions: [] } };
  const after = recordOf({ ...policy, status });
  expect(areCurrent(after, wantedConditions(after, "node-2", later))).toBe(true);
  const changed = recordOf({ ...clusterPolicy("good", badPeer, 2), status });
  expect(areCurrent(changed, wanted(changed, later))).toBe(false);
});

test("the time of a transition is that of the status, not of the writing", () => {
  const policy = clusterPolicy("good");
  const { status } = statusPatch(recordOf(policy), wanted(recordOf(policy))) as { status: { conditions: [] } };
  const same = recordOf({ ...clusterPolicy("good", {}, 2), status });
  expect(wanted(same, later).map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([now, now]);
  const bad = recordOf({ ...clusterPolicy("good", badPeer, 2), status });
  expect(wanted(bad, later).map(({ lastTransitionTime }) => lastTransitionTime)).toEqual([later, now]);
});

test.each([
  ["garbage in the status", { status: { conditions: [null, 7, { type: "Accepted" }] } }],
  ["no status", { status: null }],
  ["conditions that are no list", { status: { conditions: "x" } }],
])("%s isn't current, and stops nobody", (_, status) => {
  const record = recordOf({ ...clusterPolicy("good"), ...(status as object) });
  expect(areCurrent(record, wanted(record))).toBe(false);
});

test("an endless list of findings is cut", () => {
  const record = { ...recordOf(clusterPolicy("long")), errors: Array.from({ length: 1000 }, (_, i) => `error ${i}`) };
  expect(wanted(record)[0]?.message.length).toBeLessThan(2100);
  expect((invalidPolicyEvent(record, "node-1", now).body as { message: string }).message.length).toBeLessThan(1024);
});

test("an event has one name on every node, and another one for another generation", () => {
  const record = recordOf(networkPolicy("db", { podSelector: { matchLabels: { app: 1 } }, policyTypes: ["Ingress"] }));
  expect(record.errors).not.toEqual([]);
  const one = invalidPolicyEvent(record, "node-1", now);
  const two = invalidPolicyEvent(record, "node-2", later);
  expect(two.name).toBe(one.name);
  expect(one.name).toMatch(/^db\.[0-9a-f]{16}$/);
  expect(one.namespace).toBe("shop");
  expect(one.body).toMatchObject({
    involvedObject: { kind: "NetworkPolicy", namespace: "shop", name: "db", uid: "uid-of-db" },
    type: "Warning",
    reason: "InvalidPolicy",
  });
  expect(invalidPolicyEvent({ ...record, generation: 2 }, "node-1", now).name).not.toBe(one.name);
});

test("an event of a cluster-wide policy lives in default, under a name that the server takes", () => {
  const record = { ...recordOf(clusterPolicy("x", badPeer)), name: `${"a".repeat(199)}-.b` };
  const { name, namespace } = invalidPolicyEvent(record, "node-1", now);
  expect(namespace).toBe("default");
  expect(name).toMatch(/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/);
  expect(name.length).toBeLessThan(254);
});
