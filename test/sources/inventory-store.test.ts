import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Inventory } from "../../src/model/inventory.ts";
import type { Change } from "../../src/model/inventory-change.ts";
import { Family, formatAddress } from "../../src/net/address.ts";
import type { FileParts } from "../../src/sources/file-parts.ts";
import { readParts } from "../../src/sources/files/read-parts.ts";
import { assembleInventory, InventoryStore } from "../../src/sources/inventory-store.ts";
import { ChangeListener } from "./change-listener.ts";
import { assemblePlainly } from "./plain-assembly.ts";

const partsOf = (file: string, documents: readonly unknown[]): FileParts =>
  readParts(
    file,
    documents.map((value, index) => ({ index, value })),
  );

const pod = (
  name: string,
  addresses: readonly string[],
  more: { phase?: string; at?: string; labels?: object; hostNetwork?: boolean } = {},
): object => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "a", labels: more.labels ?? {}, creationTimestamp: more.at ?? "1" },
  spec: { hostNetwork: more.hostNetwork ?? false },
  status: { phase: more.phase ?? "Running", podIPs: addresses.map((ip) => ({ ip })) },
});
const workload = (name: string): object => ({ apiVersion: "apps/v1", kind: "Deployment", metadata: { name } });
const policy = (name: string, namespace: string, ports: readonly number[] = []): object => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name, namespace },
  spec: { podSelector: {}, ingress: [{ ports: ports.map((port) => ({ port })) }] },
});
const admin = (name: string, priority: number): object => ({
  apiVersion: "policy.networking.k8s.io/v1alpha1",
  kind: "AdminNetworkPolicy",
  metadata: { name },
  spec: {
    priority,
    subject: { namespaces: {} },
    ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
  },
});
const namespace = (name: string, labels: object = {}): object => ({
  apiVersion: "v1",
  kind: "Namespace",
  metadata: { name, labels },
});
const group = (id: string, name: string): object => ({
  SecurityGroups: [{ GroupId: id, GroupName: name, VpcId: "vpc-1" }],
});

/** A change of place alone is no change. */
function withoutOrigins(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value, (key, inner: unknown) => (key === "origin" ? undefined : inner)));
}

/** Numbers are names for those who have no other one: any will do, if it is theirs alone. */
function withoutNumbers(inventory: Inventory): Inventory {
  const numbers = inventory.kubernetes.pods.flatMap((p) => p.addresses.filter((a) => a.family === Family.none));
  expect(new Set(numbers.map((a) => a.w3)).size).toBe(numbers.length);
  const pods = inventory.kubernetes.pods.map((p) => ({
    ...p,
    addresses: p.addresses.map((a) => (a.family === Family.none ? { ...a, w3: 0 } : a)),
  }));
  return { ...inventory, kubernetes: { ...inventory.kubernetes, pods } };
}

describe("after any sequence of changes the store says what all files say", () => {
  const few = fc.constantFrom("x", "y", "z");
  const onePod = fc
    .record({
      name: few,
      addresses: fc.subarray(["10.0.0.1", "10.0.0.2", "fd00::1", "200.0.0.1"]),
      phase: fc.constantFrom("Running", "Running", "Pending", "Succeeded"),
      at: fc.constantFrom("1", "2"),
      hostNetwork: fc.constantFrom(false, false, false, true),
    })
    .map(({ name, addresses, ...more }) => pod(name, addresses, more));
  const anything = fc.oneof(
    { weight: 6, arbitrary: onePod },
    few.map(workload),
    fc.tuple(few, fc.constantFrom("a", "b")).map(([name, home]) => policy(name, home)),
    fc.tuple(few, fc.constantFrom(1, 2)).map(([name, priority]) => admin(name, priority)),
    fc.tuple(few, fc.constantFrom({}, { team: "t" })).map(([name, labels]) => namespace(name, labels)),
    fc.tuple(few, fc.constantFrom("one", "two")).map(([id, name]) => group(`sg-${id}`, name)),
    fc.constant({ replicas: 2 }),
  );
  const file = fc.constantFrom("1.json", "2.json", "3.json", "4.json");
  const step = fc.oneof(
    { weight: 5, arbitrary: fc.record({ set: file, documents: fc.array(anything, { maxLength: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ remove: file }) },
    { weight: 2, arbitrary: fc.record({ rename: file, to: file }) },
    { weight: 4, arbitrary: fc.constant("commit" as const) },
    { weight: 1, arbitrary: fc.constant("look" as const) },
  );

  test("inventory, findings, sizes and changes", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (steps) => {
        const store = new InventoryStore();
        const listener = new ChangeListener();
        const documents = new Map<string, readonly unknown[]>();
        const set = (path: string, content: readonly unknown[] | undefined): void => {
          if (content) documents.set(path, content);
          else documents.delete(path);
          store.set(path, content ? partsOf(path, content) : null);
        };
        for (const one of [...steps, "commit" as const]) {
          if (one === "look") store.inventory();
          else if (one === "commit") {
            listener.hear(store.commit());
            const files = new Map([...documents].map(([path, content]) => [path, partsOf(path, content)]));
            const expected = assemblePlainly(files, []);
            const inventory = store.inventory();
            expect(withoutNumbers(inventory)).toEqual(withoutNumbers(expected));
            expect(assembleInventory([...files.values()], [])).toEqual(expected);
            const sizes = Object.entries({ ...inventory.ec2, ...inventory.kubernetes });
            expect(store.sizes()).toEqual(Object.fromEntries(sizes.map(([list, objects]) => [list, objects.length])));
            listener.expectToKnow(inventory);
            if (listener.ec2) expect(withoutOrigins(listener.ec2)).toEqual(withoutOrigins(expected.ec2));
          } else if ("set" in one) set(one.set, one.documents);
          else if ("remove" in one) set(one.remove, undefined);
          else {
            const content = documents.get(one.rename);
            set(one.rename, undefined);
            set(one.to, content);
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});

describe("what a commit says", () => {
  const addressesOf = (change: Change<{ addresses: readonly unknown[] }>): string =>
    JSON.stringify([change.before?.addresses ?? null, change.after?.addresses ?? null]);
  const storeOf = (files: Readonly<Record<string, readonly unknown[]>>): InventoryStore => {
    const store = new InventoryStore();
    for (const [file, documents] of Object.entries(files)) store.set(file, partsOf(file, documents));
    store.commit();
    return store;
  };
  const namesOf = (changes: readonly Change<{ name: string; origin: { file: string } }>[]): string[] =>
    changes.map(({ before, after }) => `${before?.origin.file}:${before?.name} > ${after?.origin.file}:${after?.name}`);

  test("nothing, where nothing is said that wasn't", () => {
    const store = storeOf({ "a.json": [pod("x", ["10.0.0.1"]), namespace("a"), group("sg-1", "one"), workload("w")] });
    expect(store.commit()).toEqual({
      ec2: null,
      kubernetes: {
        ...{ pods: [], namespaces: [], nodes: [], services: [], networkPolicies: [], adminPolicies: [], names: [] },
        hostAddresses: null,
      },
    });
    store.set(
      "a.json",
      partsOf("a.json", [workload("w"), group("sg-1", "one"), namespace("a"), pod("x", ["10.0.0.1"])]),
    );
    expect(namesOf(store.commit().kubernetes.pods)).toEqual([]);
    // Moved to another file: it says the same, from there.
    store.set("b.json", partsOf("b.json", [pod("x", ["10.0.0.1"]), group("sg-1", "one")]));
    store.set("a.json", null);
    const { ec2, kubernetes } = store.commit();
    expect(ec2).toBe(null);
    expect(namesOf(kubernetes.pods)).toEqual(["a.json:w > undefined:undefined"]);
    expect(store.inventory().kubernetes.pods.map((p) => p.origin.file)).toEqual(["b.json"]);
  });

  test("the first in order of path counts; the next one takes its place", () => {
    const store = storeOf({
      "b.json": [policy("p", "a", [2])],
      "c.json": [policy("p", "a", [3])],
      "a.json": [policy("p", "a", [1]), policy("p", "a", [4])],
    });
    expect(store.inventory().kubernetes.networkPolicies.map((p) => p.origin.file)).toEqual(["a.json"]);
    expect(store.findings().map((f) => f.code)).toEqual(Array(3).fill("duplicate-object"));
    store.set("a.json", null);
    expect(namesOf(store.commit().kubernetes.networkPolicies)).toEqual(["a.json:p > b.json:p"]);
    store.set("b.json", null);
    expect(namesOf(store.commit().kubernetes.networkPolicies)).toEqual(["b.json:p > c.json:p"]);
    store.set("c.json", null);
    expect(namesOf(store.commit().kubernetes.networkPolicies)).toEqual(["c.json:p > undefined:undefined"]);
    expect(store.inventory().kubernetes.networkPolicies).toEqual([]);
  });

  test("NP-66: who wins an address takes it from another file's pod, who gives it up gives it back", () => {
    const store = storeOf({ "a.json": [pod("old", ["10.0.0.1"], { at: "1" })] });
    store.set("b.json", partsOf("b.json", [pod("new", ["10.0.0.1"], { at: "2" })]));
    const taken = store.commit().kubernetes.pods;
    expect(taken.map((c) => `${c.after?.name} ${c.after?.addresses.map(formatAddress)}`).sort()).toEqual([
      "new 10.0.0.1",
      "old none#0",
    ]);
    expect(store.findings().map((f) => `${f.file} ${f.code}`)).toEqual(["a.json shared-address"]);
    store.set("b.json", partsOf("b.json", [pod("new", ["10.0.0.1"], { at: "2", phase: "Succeeded" })]));
    const given = store.commit().kubernetes.pods.find((c) => c.after?.name === "old");
    expect(given?.after?.addresses.map(formatAddress)).toEqual(["10.0.0.1"]);
    expect(given?.after?.lostAddresses).toBeUndefined();
    expect(store.findings()).toEqual([]);
  });

  test("a number stays as long as its pod has no address, and nobody else gets it in the same commit", () => {
    const store = storeOf({ "a.json": [workload("b"), workload("c"), workload("a")] });
    const numbers = (): Record<string, string> =>
      Object.fromEntries(store.inventory().kubernetes.pods.map((p) => [p.name, p.addresses.map(formatAddress).join()]));
    expect(numbers()).toEqual({ a: "none#0", b: "none#1", c: "none#2" });
    store.set("a.json", partsOf("a.json", [workload("b"), workload("c"), workload("d")]));
    expect(store.commit().kubernetes.pods.map(addressesOf)).toHaveLength(2);
    expect(numbers()).toEqual({ b: "none#1", c: "none#2", d: "none#3" });
    store.set("b.json", partsOf("b.json", [workload("e")]));
    store.commit();
    expect(numbers()).toEqual({ b: "none#1", c: "none#2", d: "none#3", e: "none#0" });
  });

  test("of some VPCs only: one that the input doesn't have is a finding from the start", () => {
    const store = new InventoryStore(["vpc-9"]);
    expect(store.findings().map((f) => f.code)).toEqual(["unknown-vpc"]);
    expect(store.commit().ec2).toBe(null);
    store.set("a.json", partsOf("a.json", [group("sg-1", "one"), { Vpcs: [{ VpcId: "vpc-9" }, { VpcId: "vpc-1" }] }]));
    expect(store.commit().ec2?.vpcs.map((v) => v.id)).toEqual(["vpc-9"]);
    expect(store.findings().map((f) => f.code)).not.toContain("unknown-vpc");
  });
});
