/**
 * Change by change the same as from nothing: verdict, reason, rule and words, through patches to another thread's tables;
 * and what an update says of addresses is true.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { PolicyIndex } from "../../../src/evaluators/kubernetes/policy-index.ts";
import { KubernetesReader } from "../../../src/evaluators/kubernetes/policy-reader.ts";
import type { KubernetesTables } from "../../../src/evaluators/kubernetes/tables.ts";
import type { AddressDelta } from "../../../src/model/address-change.ts";
import type { Flow } from "../../../src/model/flow.ts";
import type { Inventory } from "../../../src/model/inventory.ts";
import { changeFromNothing, type KubernetesChange, type NameChange } from "../../../src/model/inventory-change.ts";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { isSelectable, type Pod } from "../../../src/model/kubernetes.ts";
import { type Address, addressKey, equalAddresses, formatAddress, parseAddress } from "../../../src/net/address.ts";
import { InventoryStore } from "../../../src/sources/inventory-store.ts";
import { convertKubernetesDocument } from "../../../src/sources/kubernetes/convert.ts";
import { clusterObjects, flow, flowsTo, names } from "./arbitraries.ts";
import { anp, banp, cluster, label, namespace, node, pod, policy } from "./cluster.ts";
import { createStage, type Stage } from "./stage.ts";

type Json = Record<string, unknown>;

const address = (text: string): Address => parseAddress(text) ?? expect.fail(text);

/** Objects come and go as files; the tables are a reader's, behind patches. */
class World {
  readonly #store = new InventoryStore();
  readonly #files = new Set<string>();
  readonly #reader: KubernetesReader;
  readonly #index: PolicyIndex;
  readonly #knobs: Knobs;
  readonly #nodeName: string | null;
  readonly captured = new Set<string>();
  readonly answered = new Set<string>();
  /** What is in force, by name of the pod. */
  #learnt = new Map<string, Map<string, NameChange>>();
  readonly tables: KubernetesTables;
  #host: readonly Address[] = [];

  constructor(knobs: Partial<Knobs> = {}, nodeName: string | null = null) {
    this.#nodeName = nodeName;
    this.#knobs = { ...defaultKnobs, ...knobs };
    this.#index = new PolicyIndex(this.#knobs, nodeName);
    this.#reader = new KubernetesReader(this.#knobs);
    this.tables = { ...this.#reader.tables, names: this.#index.tables.names };
    this.commit();
  }

  get files(): readonly string[] {
    return [...this.#files];
  }

  get sizes() {
    return this.#index.sizes;
  }

  set(object: unknown): void {
    const { kind, metadata } = object as { kind: string; metadata: Json };
    const file = `${kind} ${metadata.namespace} ${metadata.name}`;
    const parts = convertKubernetesDocument(object, file, () => {});
    this.#files.add(file);
    this.#store.set(file, { file, kubernetes: parts ? [parts] : [], ec2: [], findings: [] });
  }

  remove(file: string): void {
    this.#files.delete(file);
    this.#store.set(file, null);
  }

  commit(
    hostAddresses: readonly Address[] | null = null,
    names: readonly NameChange[] = [],
  ): readonly string[] | "all" {
    if (hostAddresses) this.#host = hostAddresses;
    const change: KubernetesChange = { ...this.#store.commit().kubernetes, names, hostAddresses };
    this.#learn(names);
    const { patch, affected, captured, answered } = this.#index.update(change);
    this.#reader.apply(structuredClone(patch));
    this.#index.release(patch);
    follow(this.captured, captured);
    follow(this.answered, answered);
    return affected === "all" ? affected : affected.map(formatAddress);
  }

  /** Pods that are gone take what they learnt with them. */
  #learn(names: readonly NameChange[]): void {
    const pods = this.inventory().kubernetes.pods.filter(isSelectable);
    const nameOf = ({ origin }: Pod): string => origin.name;
    this.#learnt = new Map([...this.#learnt].filter(([name]) => pods.some((pod) => nameOf(pod) === name)));
    for (const change of names) {
      const owner = pods.find((pod) => pod.addresses.some((a) => equalAddresses(a, change.subject)));
      if (!owner) continue;
      const own = this.#learnt.get(nameOf(owner)) ?? new Map<string, NameChange>();
      this.#learnt.set(nameOf(owner), own);
      const key = `${change.name} ${addressKey(change.subject)} ${addressKey(change.address)}`;
      if (change.isLearnt) own.set(key, change);
      else own.delete(key);
    }
  }

  #inForce(): readonly NameChange[] {
    const { pods } = this.inventory().kubernetes;
    return [...this.#learnt].flatMap(([name, own]) => {
      const subject = pods.find(({ origin }) => origin.name === name)?.addresses[0];
      return subject ? [...own.values()].map((change) => ({ ...change, subject })) : [];
    });
  }

  inventory(): Inventory {
    return this.#store.inventory();
  }

  stage(): Stage {
    return createStage(this.inventory(), {}, this.tables);
  }

  fresh() {
    const index = new PolicyIndex(this.#knobs, this.#nodeName);
    const inventory = this.inventory();
    const { kubernetes } = changeFromNothing(inventory);
    const change = { ...kubernetes, names: this.#inForce(), hostAddresses: this.#host };
    const { captured, answered } = index.update(change);
    return {
      stage: createStage(inventory, {}, index.tables),
      captured: captured.added.map(addressKey),
      answered: answered.added.map(addressKey),
      tables: index.tables,
    };
  }
}

function follow(set: Set<string>, { added, removed }: AddressDelta): void {
  for (const gone of removed) expect(set.delete(addressKey(gone))).toBe(true);
  for (const came of added) {
    expect(set.has(addressKey(came))).toBe(false);
    set.add(addressKey(came));
  }
}

/** What decides, without the words, which may tell of other policies than those that concern the flow. */
function stepsOf(stage: Stage, one: Flow): string {
  const { verdict, trace } = stage.judgeFlow(one);
  return JSON.stringify([verdict, trace.map(({ text, remedy, ...step }) => step)]);
}

function isExpiryOf({ address: to, isLearnt }: NameChange, { destination }: Flow): boolean {
  return !isLearnt && equalAddresses(to, destination);
}

const step = fc.record({
  objects: clusterObjects,
  /** Which of them come; the fewer, the more often only one thing changes. */
  comes: fc.array(fc.boolean(), { minLength: 1, maxLength: 20 }),
  names,
  goes: fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 3 }),
  host: fc.option(fc.subarray(["172.18.0.1", "172.18.0.2", "10.0.0.3", "8.8.8.8", "fd18::1"]), { freq: 4 }),
});

describe("an update", () => {
  test.each<[string, Partial<Knobs>, number, string?]>([
    ["with the defaults", {}, 20261101],
    ["with other knobs", { ipBlockMatchesPods: "false", npNonL4: "allow", npEgressToOwnNode: "evaluate" }, 20261102],
    ["for one node", {}, 20261103, "n1"],
  ])("comes to the same as a compile from nothing, %s", { timeout: 120_000 }, (_, knobs, seed, nodeName) => {
    let changed = 0;
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 2, maxLength: 6 }),
        fc.array(flow, { minLength: 25, maxLength: 25 }),
        (steps, some) => {
          const flows = [...some, ...steps.flatMap((one) => flowsTo(one.names)).slice(0, 10)];
          const world = new World(knobs, nodeName);
          let before = flows.map((one) => stepsOf(world.stage(), one));
          for (const { objects, comes, goes, host, names: told } of steps) {
            for (const at of goes) {
              const file = world.files[at];
              if (file !== undefined) world.remove(file);
            }
            objects.forEach((object, i) => {
              if (comes[i % comes.length]) world.set(object);
            });
            const affected = world.commit(host?.map(address), told);
            expect(affected).not.toBe("all");
            const [stage, fresh] = [world.stage(), world.fresh()];
            expect([...world.captured].sort()).toEqual([...fresh.captured].sort());
            expect([...world.answered].sort()).toEqual([...fresh.answered].sort());
            flows.forEach((one, i) => {
              const answer = stage.judgeFlow(one);
              expect(answer).toEqual(fresh.stage.judgeFlow(one));
              const now = stepsOf(stage, one);
              if (now === before[i]) return;
              changed++;
              // AN-30: what expires ends no flow.
              if (answer.verdict === "deny" && told.some((change) => isExpiryOf(change, one))) return;
              const ends = [formatAddress(one.source), formatAddress(one.destination)];
              expect(
                ends.some((end) => affected.includes(end)),
                `${ends} of ${affected}`,
              ).toBe(true);
            });
            before = flows.map((one) => stepsOf(stage, one));
          }
        },
      ),
      { numRuns: 150, seed },
    );
    expect(changed).toBeGreaterThan(1000);
  });

  test.each([null, "n1"])("everything that goes leaves nothing behind, of node %s", (nodeName) => {
    const all = [
      ...cluster,
      policy("shop/p", { podSelector: label("app=db"), ingress: [{ from: [{ ipBlock: { cidr: "10.0.0.0/8" } }] }] }),
      anp("a", 1, { egress: [{ action: "Deny", to: [{ nodes: {} }, { networks: ["8.8.8.8/32"] }] }] }),
      banp("default", { ingress: [{ action: "Deny", from: [{ namespaces: label("team=a") }] }] }),
    ];
    const world = new World({}, nodeName);
    let bytes = 0;
    for (let round = 0; round < 50; round++) {
      for (const object of all) world.set(object);
      world.commit(round % 2 === 0 ? [address("172.18.0.2")] : []);
      expect(world.sizes).toMatchObject({ policies: 3, addresses: 13, pods: 5 });
      for (const file of world.files) world.remove(file);
      world.commit();
      expect(world.sizes).toMatchObject({ policies: 0, addresses: 0, pods: 0, groups: 0, kinds: 0 });
      expect(world.captured.size).toBe(0);
      if (round === 5) bytes = world.sizes.bytes;
    }
    expect(world.sizes.bytes).toBe(bytes);
  });
});

describe("affected addresses", () => {
  const base = [
    ...cluster,
    policy("shop/db", { podSelector: label("app=db"), ingress: [{ from: [{ podSelector: label("app=web") }] }] }),
  ];
  const start = (): World => {
    const world = new World();
    for (const object of base) world.set(object);
    world.commit();
    return world;
  };
  const rows: readonly (readonly [string, (world: World) => void, readonly string[]])[] = [
    ["none without a change", () => {}, []],
    ["a pod's own where it comes", (w) => w.set(pod("shop/new", { ips: ["10.0.0.77"], node: "n1" })), ["10.0.0.77"]],
    ["a pod's own where it goes", (w) => w.remove("Pod shop bare"), ["10.0.0.3", "fd00::3"]],
    [
      "old and new where it moves",
      (w) => w.set(pod("shop/bare", { ips: ["10.0.0.4", "fd00::3"], node: "n2" })),
      ["10.0.0.3", "10.0.0.4", "fd00::3"],
    ],
    [
      "none where a label changes that no policy asks for",
      (w) => w.set(pod("shop/bare", { labels: { x: "y" }, ips: ["10.0.0.3", "fd00::3"], node: "n2" })),
      [],
    ],
    [
      "a pod's own where a label changes that one asks for",
      (w) => w.set(pod("shop/bare", { labels: { app: "web" }, ips: ["10.0.0.3", "fd00::3"], node: "n2" })),
      ["10.0.0.3", "fd00::3"],
    ],
    ["a policy's subjects", (w) => w.set(policy("shop/db", { podSelector: label("app=db") })), ["10.0.0.2", "fd00::2"]],
    [
      "old and new subjects",
      (w) => w.set(policy("shop/db", { podSelector: label("app=web") })),
      ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"],
    ],
    ["none of a policy without subjects", (w) => w.set(policy("void/p", {})), []],
    ["none of a namespace whose labels nobody asks for", (w) => w.set(namespace("shop", { team: "z" })), []],
    ["none of a node whose labels nobody asks for", (w) => w.set(node("n1", {}, "172.18.0.2", "fd18::2")), []],
    ["an address that a node with pods loses", (w) => w.set(node("n2", {}, "172.18.0.3")), ["172.18.0.3", "fd18::3"]],
  ];
  test.each(rows)("%s", (_, change, expected) => {
    const world = start();
    change(world);
    const affected = world.commit();
    expect([...affected].sort()).toEqual([...expected].sort());
  });

  test("a label of a namespace: its pods, where a policy asks for it", () => {
    const world = start();
    world.set(
      anp("a", 1, {
        subject: { namespaces: label("team=b") },
        ingress: [{ action: "Deny", from: [{ namespaces: {} }] }],
      }),
    );
    expect(world.commit()).toEqual(["10.0.1.1", "fd00:1::1"]);
    world.set(namespace("blog", { team: "c" }));
    expect(world.commit()).toEqual(["10.0.1.1", "fd00:1::1"]);
    expect([...world.captured].sort()).toEqual(["10.0.0.2", "fd00::2"].map((text) => addressKey(address(text))).sort());
  });

  test("more than a thousand are all", () => {
    const world = start();
    for (let i = 0; i < 1001; i++) world.set(pod(`many/p${i}`, { ips: [`10.9.${i >> 8}.${i & 255}`] }));
    expect(world.commit()).toBe("all");
    world.set(policy("many/p", {}));
    expect(world.commit()).toBe("all");
    world.remove("Pod many p7");
    expect(world.commit()).toEqual(["10.9.0.7"]);
  });
});

describe("a pod of one node's view", () => {
  const web = (nodeName: string | undefined, fields: object = {}) =>
    pod("shop/web", { ips: ["10.0.0.9", "fd00::9"], ...(nodeName === undefined ? {} : { node: nodeName }), ...fields });
  const toWeb: Flow = {
    source: address("10.0.0.1"),
    destination: address("10.0.0.9"),
    protocol: 6,
    sourcePort: 49152,
    destinationPort: 80,
    icmpType: 0,
    icmpCode: 0,
    viaService: false,
    isFragment: false,
  };
  const both = ["10.0.0.9", "fd00::9"];
  const keys = both.map((text) => addressKey(address(text)));

  test("is a subject from the moment that it has the node's name until it has another", () => {
    const world = new World({}, "n1");
    world.set(policy("shop/closed", {}));
    for (const [nodeName, isSubject] of [
      [undefined, false],
      ["n1", true],
      ["n2", false],
      ["n1", true],
      [undefined, false],
    ] as const) {
      world.set(web(nodeName));
      expect([...world.commit()].sort()).toEqual(both);
      expect([...world.captured].sort()).toEqual(isSubject ? keys : []);
      expect(world.stage().isAccepted(toWeb)).toBe(!isSubject);
    }
  });

  test("with `hostNetwork` never", () => {
    const world = new World({}, "n1");
    world.set(policy("shop/closed", {}));
    world.set(web("n1", { spec: { hostNetwork: true, nodeName: "n1" } }));
    world.commit();
    expect(world.captured.size).toBe(0);
    expect(world.stage().isAccepted(toWeb)).toBe(true);
  });

  test("of another node costs no group and is no policy's affair, and a peer all the same", () => {
    const world = new World({}, "n1");
    world.set(
      policy("shop/open", { podSelector: label("app=db"), ingress: [{ from: [{ podSelector: label("app=a") }] }] }),
    );
    world.set(pod("shop/far", { labels: { app: "a" }, ips: ["10.0.0.1"], node: "n2" }));
    world.set(pod("shop/far-db", { labels: { app: "db" }, ips: ["10.0.0.2"], node: "n2" }));
    world.commit();
    expect(world.sizes.groups).toBe(0);
    world.set(policy("shop/other", { podSelector: label("app=db"), ingress: [] }));
    expect(world.commit()).toEqual([]);
    world.set(web("n1", { labels: { app: "db" } }));
    world.commit();
    expect(world.stage().isAccepted(toWeb)).toBe(true);
    world.set(pod("shop/far", { labels: { app: "b" }, ips: ["10.0.0.1"], node: "n2" }));
    expect(world.commit()).toEqual(["10.0.0.1"]);
    expect(world.stage().isAccepted(toWeb)).toBe(false);
  });
});

describe("NP-56: which pods have this host as their own node", () => {
  const web = (fields: object) => pod("shop/web", { ips: ["10.0.0.9"], ...fields });
  const rows: readonly (readonly [string, readonly unknown[], boolean])[] = [
    ["the node's object has an address of it", [web({ node: "n1" }), node("n1", {}, "192.0.2.1")], true],
    ["the pod's hostIP is one of it", [web({ node: "n1", host: "192.0.2.1" })], true],
    ["another pod of the node says so", [web({ node: "n1" }), pod("shop/b", { node: "n1", host: "192.0.2.1" })], true],
    ["hostIP without a node's name", [web({ host: "192.0.2.1" })], true],
    ["another node", [web({ node: "n2" }), node("n1", {}, "192.0.2.1"), node("n2", {}, "192.0.2.2")], false],
    ["no node is known", [web({}), node("n1", {}, "192.0.2.1")], false],
  ];
  const flowFromBridge: Flow = {
    source: address("10.0.0.1"),
    destination: address("10.0.0.9"),
    protocol: 6,
    sourcePort: 49152,
    destinationPort: 80,
    icmpType: 0,
    icmpCode: 0,
    viaService: false,
    isFragment: false,
  };
  test.each(rows)("%s", (_, objects, isOwn) => {
    for (const comesFirst of [true, false]) {
      const world = new World();
      // An address of this host that no object names.
      if (comesFirst) world.commit(["192.0.2.1", "10.0.0.1"].map(address));
      for (const object of [...objects, policy("shop/closed", {})]) world.set(object);
      world.commit();
      if (!comesFirst) world.commit(["192.0.2.1", "10.0.0.1"].map(address));
      expect(world.stage().isAccepted(flowFromBridge)).toBe(isOwn);
      world.commit([]);
      expect(world.stage().isAccepted(flowFromBridge)).toBe(false);
    }
  });

  test("the node of this machine's name: its addresses are the node's, whatever objects say; nobody else's are", () => {
    const accepts = (world: World, to: string): boolean =>
      world.stage().isAccepted({ ...flowFromBridge, destination: address(to) });
    for (const comesFirst of [true, false]) {
      const world = new World({}, "n1");
      if (comesFirst) world.commit([address("10.0.0.1")]);
      world.set(policy("shop/closed", {}));
      world.set(web({ node: "n1" }));
      world.commit();
      if (!comesFirst) world.commit([address("10.0.0.1")]);
      expect(accepts(world, "10.0.0.9")).toBe(true);
      world.remove("Pod shop web");
      world.commit();
      // The node's object comes and goes behind its first pod and before its last.
      world.set(node("n1", {}, "192.0.2.1"));
      world.set(web({ node: "n1" }));
      world.commit();
      expect(accepts(world, "10.0.0.9")).toBe(true);
      world.remove("Node undefined n1");
      expect(world.commit()).toEqual([formatAddress(address("192.0.2.1"))]);
      expect(accepts(world, "10.0.0.9")).toBe(true);
      expect(world.commit([])).toEqual(["10.0.0.1"]);
      expect(accepts(world, "10.0.0.9")).toBe(false);
    }
  });

  test("AN-24: `nodes` peers are what the Node object lists, and not this host's other addresses", () => {
    const world = new World();
    world.set(node("n1", {}, "192.0.2.1"));
    world.set(pod("shop/web", { ips: ["10.0.0.9"], node: "n2" }));
    world.set(pod("shop/local", { ips: ["10.0.0.8"], node: "n1" }));
    world.set(anp("a", 1, { egress: [{ action: "Deny", to: [{ nodes: {} }] }] }));
    world.commit(["192.0.2.1", "10.0.0.1"].map(address));
    const accepts = (to: string): boolean =>
      world.stage().isAccepted({ ...flowFromBridge, source: address("10.0.0.9"), destination: address(to) });
    expect([accepts("192.0.2.1"), accepts("10.0.0.1")]).toEqual([false, true]);
  });
});
