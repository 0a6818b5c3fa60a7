/** AN-30: what DNS told a pod opens its own way to those addresses, for as long as it's in force. */
import { describe, expect, test } from "vitest";
import { Compiler } from "../../../src/engine/compiler.ts";
import { createDecision } from "../../../src/engine/decision.ts";
import { DecisionCache } from "../../../src/engine/decision-cache.ts";
import { Pipeline } from "../../../src/engine/pipeline.ts";
import { createFlowView, fillFlowView, PacketState } from "../../../src/model/flow.ts";
import { type NameChange, noChange } from "../../../src/model/inventory-change.ts";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { type Address, formatAddress, parseAddress } from "../../../src/net/address.ts";
import { InventoryStore } from "../../../src/sources/inventory-store.ts";
import { convertKubernetesDocument } from "../../../src/sources/kubernetes/convert.ts";
import { cnp, namespace, pod } from "./cluster.ts";

const at = (text: string): Address => parseAddress(text) ?? expect.fail(text);

const everywhere = [{ networks: ["0.0.0.0/0", "::/0"] }];
const tcp = (number: number) => [{ tcp: { destinationPort: { number } } }];

function names(priority: number, domainNames: readonly string[], port = 443) {
  return cnp("names", "Admin", priority, {
    egress: [
      { action: "Accept", to: [{ domainNames }], protocols: tcp(port) },
      { action: "Deny", to: everywhere },
    ],
  });
}

/** Two pods, a policy that names *.example.com, and the pipeline with and without its memory. */
class Cluster {
  readonly #store = new InventoryStore();
  readonly #compiler: Compiler;
  readonly #cached = new Pipeline(null, new DecisionCache());
  readonly #plain = new Pipeline();

  constructor(knobs: Partial<Knobs> = {}) {
    this.#compiler = new Compiler({ ...defaultKnobs, ...knobs });
    this.set(namespace("shop"), createA(1), pod("shop/b", { ips: ["10.0.0.2"] }), names(1, ["*.example.com"]));
  }

  /** Returns the addresses whose flows are judged again. */
  set(...objects: readonly object[]): readonly string[] | "all" {
    for (const object of objects) {
      const { kind, metadata } = object as { kind: string; metadata: { name: string } };
      const file = `${kind} ${metadata.name}`;
      const parts = convertKubernetesDocument(object, file, () => {});
      this.#store.set(file, { file, kubernetes: parts ? [parts] : [], ec2: [], findings: [] });
    }
    return this.#update([this.#store.commit()]);
  }

  remove(file: string): void {
    this.#store.set(file, null);
    this.#update([this.#store.commit()]);
  }

  tell(subject: string, name: string, address: string, isLearnt = true): readonly string[] | "all" {
    return this.tellAll([{ subject: at(subject), name, address: at(address), isLearnt }]);
  }

  tellAll(names: readonly NameChange[]): readonly string[] | "all" {
    return this.#update([{ ...noChange, kubernetes: { ...noChange.kubernetes, names } }]);
  }

  /** What the next run is left. */
  told(): readonly string[] {
    return [...this.#compiler.told()].map(
      ({ owner, subject, name, address }) => `${owner} ${formatAddress(subject)} ${name} ${formatAddress(address)}`,
    );
  }

  #update(changes: Parameters<Compiler["update"]>[0]): readonly string[] | "all" {
    const { affected } = this.#compiler.update(changes);
    this.#compiler.release();
    return affected === "all" ? affected : affected.map(formatAddress);
  }

  /** Twice with memory, and once without: it must be the same. */
  passes(source: string, destination: string, { port = 443, isK8sHeld = false } = {}): boolean {
    return this.decide(source, destination, port, isK8sHeld).isFlowAccepted;
  }

  decide(source: string, destination: string, port = 443, isK8sHeld = false) {
    const view = createFlowView();
    const decisions = [this.#cached, this.#cached, this.#plain].map((pipeline) => {
      fillFlowView(view, {
        ...{ source: at(source), destination: at(destination), protocol: 6, sourcePort: 40000, destinationPort: port },
        ...{ icmpType: 0, icmpCode: 0, viaService: false, isFragment: false },
      });
      view.state = PacketState.original;
      const decision = createDecision();
      pipeline.decide(this.#compiler.program, view, { isSgHeld: false, isK8sHeld, isAdopting: false }, decision);
      return decision;
    });
    const [first, second, plain] = decisions.map(({ reads, ...rest }) => rest);
    expect(second).toEqual(first);
    expect(plain).toEqual(first);
    return plain as Omit<NonNullable<(typeof decisions)[number]>, "reads">;
  }
}

function createA(uid: number) {
  const metadata = { creationTimestamp: `2026-11-21T10:00:0${uid}Z` };
  return pod("shop/a", { ips: ["10.0.0.1", "fd00::1"], metadata });
}

describe("an address that DNS told a pod", () => {
  test("is open to it, and to nobody else", () => {
    const cluster = new Cluster();
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
    expect(cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1")).toEqual(["192.0.2.1"]);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { port: 80 })).toBe(false);
    expect(cluster.passes("10.0.0.1", "192.0.2.2")).toBe(false);
    expect(cluster.passes("10.0.0.2", "192.0.2.1")).toBe(false);
  });

  test("by another pod's name opens nothing, though both know the address", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    cluster.tell("10.0.0.2", "www.example.org", "192.0.2.1");
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
    expect(cluster.passes("10.0.0.2", "192.0.2.1")).toBe(false);
  });

  test("counts for both families of the pod", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.com", "2001:db8::1");
    expect(cluster.passes("fd00::1", "2001:db8::1")).toBe(true);
    expect(cluster.passes("fd00::1", "2001:db8::2")).toBe(false);
  });

  test("counts as long as it's in force for one of the addresses that asked", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "a.example.com", "192.0.2.1");
    cluster.tell("fd00::1", "a.example.com", "192.0.2.1");
    cluster.tell("fd00::1", "a.example.com", "192.0.2.1", false);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
    cluster.tell("10.0.0.1", "a.example.com", "192.0.2.1", false);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
  });

  test("counts as long as one of its names is in force", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "a.example.com", "192.0.2.1");
    cluster.tell("10.0.0.1", "b.example.com", "192.0.2.1");
    cluster.tell("10.0.0.1", "a.example.com", "192.0.2.1", false);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
    expect(cluster.tell("10.0.0.1", "b.example.com", "192.0.2.1", false)).toEqual([]);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
  });

  test("counts by rules that come later, too", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.org", "192.0.2.1");
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
    cluster.set(names(1, ["*.example.org"]));
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
    cluster.remove("ClusterNetworkPolicy names");
    expect(cluster.passes("10.0.0.2", "192.0.2.1")).toBe(true);
    cluster.set(names(1, ["*.example.org"]));
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(true);
  });

  test("is forgotten with its pod: one that has its name and address after it must ask again", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    cluster.set(createA(2));
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    cluster.remove("Pod a");
    cluster.set(pod("shop/c", { ips: ["10.0.0.1"] }));
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
  });

  test("of nobody is nothing", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.9", "www.example.com", "192.0.2.1");
    cluster.set(pod("shop/c", { ips: ["10.0.0.9"] }));
    expect(cluster.passes("10.0.0.9", "192.0.2.1")).toBe(false);
  });

  test("is one of more than the decisions can be remembered by, and still right", () => {
    const cluster = new Cluster();
    const patterns = Array.from({ length: 20 }, (_, i) => `n${i}.example.com`);
    cluster.set(names(1, patterns));
    // Each address by two names of its own: as many sets.
    for (let i = 0; i < 60; i++) {
      cluster.tell("10.0.0.1", patterns[i % 20] as string, `192.0.2.${i}`);
      cluster.tell("10.0.0.1", patterns[(i + 1 + Math.floor(i / 20)) % 20] as string, `192.0.2.${i}`);
    }
    cluster.set(names(1, ["n7.example.com"]));
    for (let i = 0; i < 60; i++) {
      const isMeant = i % 20 === 7 || (i + 1 + Math.floor(i / 20)) % 20 === 7;
      expect(cluster.passes("10.0.0.1", `192.0.2.${i}`)).toBe(isMeant);
    }
    cluster.set(names(1, patterns));
    for (let i = 0; i < 60; i++) expect(cluster.passes("10.0.0.1", `192.0.2.${i}`)).toBe(true);
  });
});

describe("a flow that a name admitted", () => {
  test("is held, and one that another rule admits isn't", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    expect(cluster.decide("10.0.0.1", "192.0.2.1").isK8sHeld).toBe(true);
    const open = { action: "Accept", to: [{ networks: ["192.0.2.0/24"] }] };
    cluster.set(cnp("networks", "Admin", 0, { egress: [open] }));
    expect(cluster.decide("10.0.0.1", "192.0.2.1").isK8sHeld).toBe(false);
  });

  test("outlives the name's time, but no rule that meant it", () => {
    const cluster = new Cluster();
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1", false);
    expect(cluster.passes("10.0.0.1", "192.0.2.1")).toBe(false);
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(true);
    expect(cluster.decide("10.0.0.1", "192.0.2.1", 443, true).isK8sHeld).toBe(true);
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { port: 80, isK8sHeld: true })).toBe(false);
    cluster.set(names(1, ["*.example.org"]));
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(false);
  });

  test("outlives the agent that knew the name by what it has left, and by nothing else", () => {
    const [first, next] = [new Cluster(), new Cluster()];
    first.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    first.tell("10.0.0.1", "api.example.com", "192.0.2.2");
    first.tell("10.0.0.1", "api.example.com", "192.0.2.2", false);
    expect(first.told()).toEqual([
      "Pod shop/a@2026-11-21T10:00:01Z 10.0.0.1 www.example.com 192.0.2.1",
      "Pod shop/a@2026-11-21T10:00:01Z 10.0.0.1 api.example.com 192.0.2.2",
    ]);
    expect(next.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(false);
    const told = { subject: at("10.0.0.1"), name: "www.example.com", address: at("192.0.2.1") };
    const restored = [true, false].map((isLearnt) => ({ ...told, isLearnt }));
    expect(next.tellAll(restored)).toEqual([]);
    expect(next.passes("10.0.0.1", "192.0.2.1")).toBe(false);
    expect(next.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(true);
    expect(next.passes("10.0.0.1", "192.0.2.1", { port: 80, isK8sHeld: true })).toBe(false);
    next.set(cnp("names", "Admin", 1, { egress: [{ action: "Deny", to: everywhere }] }));
    expect(next.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(false);
  });

  test.each<[string, isKnown: boolean]>([
    ["whose name is known", true],
    ["whose name is not", false],
  ])("NP-70 AN-2 ends with a Deny that is put before its rule: a flow %s", (_, isKnown) => {
    const accept = (domain: string) => ({ action: "Accept", to: [{ domainNames: [domain] }], protocols: tcp(443) });
    const deny = { action: "Deny", to: [{ networks: ["192.0.2.1/32"] }] };
    const cluster = new Cluster();
    if (isKnown) cluster.tell("10.0.0.1", "www.example.com", "192.0.2.1");
    cluster.set(cnp("names", "Admin", 1, { egress: [accept("*.a.com"), accept("*.example.com")] }));
    cluster.set(cnp("last", "Admin", 2, { egress: [{ action: "Deny", to: everywhere }] }));
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(isKnown);
    cluster.set(cnp("names", "Admin", 1, { egress: [accept("*.a.com"), deny, accept("*.example.com")] }));
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(false);
  });

  test("is remembered after its name's time, up to 4,096 such names of its pod: another pod's don't count", () => {
    const cluster = new Cluster();
    const expire = (subject: string, count: number) =>
      cluster.tellAll(
        Array.from({ length: count }, (_, i) => ({
          ...{ subject: at(subject), name: `n${i}.example.com` },
          address: at(`198.18.${i >> 8}.${i & 255}`),
        })).flatMap((told) => [true, false].map((isLearnt) => ({ ...told, isLearnt }))),
      );
    for (const subject of ["10.0.0.1", "10.0.0.2"]) {
      cluster.tell(subject, "www.example.com", "192.0.2.1");
      cluster.tell(subject, "www.example.com", "192.0.2.1", false);
    }
    expire("10.0.0.1", 4095);
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(true);
    expire("10.0.0.1", 4096);
    expect(cluster.passes("10.0.0.1", "192.0.2.1", { isK8sHeld: true })).toBe(false);
    expect(cluster.passes("10.0.0.2", "192.0.2.1", { isK8sHeld: true })).toBe(true);
    expect(cluster.told()).toHaveLength(4097);
  });
});

test("what comes and goes leaves nothing behind", () => {
  const cluster = new Cluster();
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 100; i++) cluster.tell("10.0.0.1", `n${i}.example.com`, `192.0.2.${i}`);
    cluster.set(createA(round));
  }
  for (let i = 0; i < 100; i++) expect(cluster.passes("10.0.0.1", `192.0.2.${i}`)).toBe(false);
});
