import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Pod } from "../../src/model/kubernetes.ts";
import { parseFile } from "../../src/sources/files/parse-file.ts";
import { readParts } from "../../src/sources/files/read-parts.ts";
import { Interner, ownText } from "../../src/sources/interner.ts";
import { InventoryStore } from "../../src/sources/inventory-store.ts";

describe("one copy of what is said twice", () => {
  test("whatever it is, it says the same", () => {
    const interner = new Interner();
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify(value);
        const one = interner.value(value);
        expect(JSON.stringify(one)).toBe(text);
        expect(JSON.stringify(value)).toBe(text);
        const other: unknown = JSON.parse(text);
        expect(interner.value(other)).toStrictEqual(other);
      }),
      { numRuns: 2000 },
    );
  });

  test("equal data is one object, down to its parts; different data isn't", () => {
    const interner = new Interner();
    const make = (port: number) => ({ peers: [{ key: "app", values: ["checkout-service"] }], ports: [{ port }] });
    const one = interner.value(make(1));
    expect(interner.value(make(1))).toBe(one);
    const two = interner.value(make(2));
    expect(two).toEqual(make(2));
    expect(two.peers).toBe(one.peers);
    const [none, noFields] = [interner.value([]), interner.value({})];
    expect([interner.value([]) === none, interner.value({}) === noFields]).toEqual([true, true]);
    expect([none, noFields]).toEqual([[], {}]);
    expect(interner.value([1, 2])).not.toEqual(interner.value([2, 1]));
  });

  test("a label with a name that objects have of their own", () => {
    const interner = new Interner();
    for (let n = 0; n < 2; n++) {
      const labels = interner.value(JSON.parse('{"__proto__": "x", "constructor": "checkout-service"}'));
      expect(Object.entries(labels)).toEqual([
        ["__proto__", "x"],
        ["constructor", "checkout-service"],
      ]);
      expect(Object.getPrototypeOf(labels)).toBe(Object.prototype);
    }
  });

  test("more than there are slots for: all of it is right, and nothing grows", () => {
    const interner = new Interner();
    for (let n = 0; n < 200_000; n++) {
      const value = interner.value({ name: `a-rather-long-name-${n}` });
      if (value.name !== `a-rather-long-name-${n}`) expect(value.name).toBe(`a-rather-long-name-${n}`);
    }
  });
});

test("pods that say the same share it; what a pod alone says is its own", () => {
  const pod = (name: string): object => ({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "payment-systems",
      labels: { app: "checkout-service", tier: "web" },
      ownerReferences: [{ kind: "ReplicaSet", name: "checkout-service-7d4b9", controller: true }],
    },
    spec: { nodeName: "node-with-a-name", containers: [{ ports: [{ name: "http", containerPort: 80 }] }] },
    status: { phase: "Running", podIP: `10.0.0.${name}`, hostIP: "10.9.0.1" },
  });
  const store = new InventoryStore();
  for (const name of ["1", "2"]) {
    const { documents } = parseFile("f.json", JSON.stringify(pod(name)));
    store.set(`${name}.json`, readParts(`${name}.json`, documents ?? []));
  }
  const [one, two] = store.inventory().kubernetes.pods;
  const shared: readonly (keyof Pod)[] = ["labels", "ports", "owner", "hostAddresses"];
  for (const key of shared) expect(one?.[key], key).toBe(two?.[key]);
  expect(one?.addresses).not.toEqual(two?.addresses);
});

test("what is kept of a file isn't its text", () => {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as () => void;
  const used = (): number => {
    collect();
    return process.memoryUsage().heapUsed + process.memoryUsage().external;
  };
  const store = new InventoryStore();
  const before = used();
  for (let n = 0; n < 20; n++) {
    const name = `a-policy-with-a-long-name-${n}`;
    const policy = `apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  name: ${name}\n  namespace: a-long-namespace-${n}\nspec:\n  podSelector: {matchLabels: {application-name: an-application-${n}}}\n`;
    const { documents } = parseFile("f.yaml", `${policy}# ${"é".repeat(1 << 20)}\n`);
    store.set(`${n}.yaml`, readParts(`${n}.yaml`, documents ?? []));
  }
  expect(store.inventory().kubernetes.networkPolicies).toHaveLength(20);
  expect(used() - before).toBeLessThan(10 << 20);
});

test("a text of its own says the same", () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 40, unit: "binary" }), (text) => {
      expect(ownText(text)).toBe(text);
    }),
  );
});
