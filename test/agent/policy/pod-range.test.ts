/** Whose the addresses of a node's pods are, change by change. */
import { describe, expect, test } from "vitest";
import { PodRangeMembers } from "../../../src/agent/policy/pod-range.ts";
import { type InventoryChange, noChange } from "../../../src/model/inventory-change.ts";
import type { Node, Pod } from "../../../src/model/kubernetes.ts";
import { formatAddress, parseAddress } from "../../../src/net/address.ts";
import { formatPrefix, parsePrefix } from "../../../src/net/prefix.ts";

const prefixes = (...texts: string[]) => texts.map((text) => parsePrefix(text)!);
const addresses = (...texts: string[]) => texts.map((text) => parseAddress(text)!);
const origin = { file: "f", name: "n" };

function pod(name: string, ...texts: string[]): Pod {
  return {
    ...{ kind: "Pod", namespace: "shop", name, labels: {}, addresses: addresses(...texts), nodeName: "n1" },
    ...{ hostAddresses: [], hostNetwork: false, phase: "Running", createdAt: "", ports: [], owner: null, origin },
  };
}
const node = (name: string, ...ranges: string[]): Node => ({
  ...{ name, labels: {}, addresses: [], tunnelAddresses: [], podRanges: prefixes(...ranges), origin },
});
const change = (some: Partial<InventoryChange["kubernetes"]>): InventoryChange => ({
  ec2: null,
  kubernetes: { ...noChange.kubernetes, ...some },
});
const comes = (...pods: Pod[]) => change({ pods: pods.map((after) => ({ before: null, after })) });
const goes = (...pods: Pod[]) => change({ pods: pods.map((before) => ({ before, after: null })) });
const says = (after: Node | null, before: Node | null = null) => change({ nodes: [{ before, after }] });
const host = (...texts: string[]) => change({ hostAddresses: addresses(...texts) });

function show({ prefixes, known }: ReturnType<PodRangeMembers["update"]>) {
  const [added, removed] = [known.added, known.removed].map((list) => list.map(formatAddress).join(" "));
  return { prefixes: prefixes?.map(formatPrefix).join(" ") ?? null, added, removed };
}
const same = { prefixes: null, added: "", removed: "" };

describe("a range that is given", () => {
  const members = () => {
    const m = new PodRangeMembers({
      prefixes: prefixes("10.1.0.0/24", "fd00:1::/64"),
      nodeName: "n1",
      server: null,
      pods: () => [a],
    });
    return { m, first: m.update([comes(a), host("10.1.0.1", "192.168.0.1"), says(node("n1", "10.9.0.0/24"))]) };
  };
  const a = pod("a", "10.1.0.5", "fd00:1::5");
  const b = pod("b", "10.1.0.6");

  test("the first update says all: pods and this host, in the range; the Node isn't asked", () => {
    expect(show(members().first)).toEqual({
      prefixes: "10.1.0.0/24 fd00:1::/64",
      added: "10.1.0.5 fd00:1::5 10.1.0.1",
      removed: "",
    });
  });

  test("a pod comes, a pod goes, another isn't in the range", () => {
    const { m } = members();
    expect(show(m.update([comes(b, pod("c", "10.2.0.1"))]))).toEqual({ ...same, added: "10.1.0.6" });
    expect(show(m.update([goes(a)]))).toEqual({ ...same, removed: "10.1.0.5 fd00:1::5" });
    expect(show(m.update([goes(pod("c", "10.2.0.1"))]))).toEqual(same);
  });

  test("an address that changes hands stays known, in one change or in two of one update", () => {
    const { m } = members();
    const next = pod("next", "10.1.0.5");
    expect(
      show(
        m.update([
          change({
            pods: [
              { before: null, after: next },
              { before: a, after: { ...a, addresses: [] } },
            ],
          }),
        ]),
      ),
    ).toEqual({ ...same, removed: "fd00:1::5" });
    expect(show(m.update([goes(next), comes(pod("third", "10.1.0.5"))]))).toEqual(same);
  });

  test("a pod and the host may have the same address", () => {
    const { m } = members();
    expect(show(m.update([host("10.1.0.5")]))).toEqual({ ...same, removed: "10.1.0.1" });
    expect(show(m.update([goes(a)]))).toEqual({ ...same, removed: "fd00:1::5" });
    expect(show(m.update([host()]))).toEqual({ ...same, removed: "10.1.0.5" });
  });
});

describe("whom a cluster tells of in pieces", () => {
  const server = "https://10.0.0.1";
  const from = (name: string, namespace: string, ...texts: string[]): Pod => ({
    ...pod(name, ...texts),
    ...{ namespace, origin: { file: server, name: `Pod ${namespace}/${name}` } },
  });
  const is = (name: string) => change({ namespaces: [{ before: null, after: { name, labels: {}, origin } }] });
  const isGone = (name: string) => change({ namespaces: [{ before: { name, labels: {}, origin }, after: null }] });
  let pods: Pod[] = [];
  const members = () => {
    const m = new PodRangeMembers({ prefixes: prefixes("10.1.0.0/16"), nodeName: "n1", server, pods: () => pods });
    pods = [];
    m.update([host()]);
    return m;
  };
  const web = from("web", "fresh", "10.1.0.5");

  test("a pod isn't known before its Namespace is, and stays when that goes", () => {
    const m = members();
    expect(show(m.update([comes(web)]))).toEqual(same);
    expect(show(m.update([is("other")]))).toEqual(same);
    expect(show(m.update([is("fresh")]))).toEqual({ ...same, added: "10.1.0.5" });
    expect(show(m.update([isGone("fresh")]))).toEqual(same);
    expect(show(m.update([comes(from("next", "fresh", "10.1.0.6"))]))).toEqual(same);
    expect(show(m.update([goes(web)]))).toEqual({ ...same, removed: "10.1.0.5" });
  });

  test("both in one update, in either order; in a later one the Namespace is known", () => {
    for (const changes of [
      [comes(web), is("fresh")],
      [is("fresh"), comes(web)],
    ]) {
      const m = members();
      expect(show(m.update(changes))).toEqual({ ...same, added: "10.1.0.5" });
      expect(show(m.update([comes(from("next", "fresh", "10.1.0.6"))]))).toEqual({ ...same, added: "10.1.0.6" });
    }
  });

  test("one that changes or goes before its Namespace comes", () => {
    const m = members();
    const moved = { ...web, addresses: addresses("10.1.0.7") };
    m.update([comes(web, from("brief", "fresh", "10.1.0.8"))]);
    expect(
      show(m.update([change({ pods: [{ before: web, after: moved }] }), goes(from("brief", "fresh", "10.1.0.8"))])),
    ).toEqual(same);
    expect(show(m.update([is("fresh")]))).toEqual({ ...same, added: "10.1.0.7" });
  });

  test("at the start, and in a range that is another", () => {
    pods = [web, from("old", "shop", "10.1.0.9")];
    const m = new PodRangeMembers({ prefixes: [], nodeName: "n1", server, pods: () => pods });
    expect(show(m.update([comes(...pods), is("shop"), says(node("n1", "10.1.0.0/24"))]))).toEqual({
      ...{ prefixes: "10.1.0.0/24", added: "10.1.0.9", removed: "" },
    });
    expect(show(m.update([is("fresh")]))).toEqual({ ...same, added: "10.1.0.5" });
  });

  test("an address of a pod whose Namespace isn't known is still that of one whose is", () => {
    const m = members();
    m.update([is("shop"), comes(from("old", "shop", "10.1.0.5"))]);
    expect(show(m.update([comes(web)]))).toEqual(same);
    expect(show(m.update([goes(web)]))).toEqual(same);
  });

  test("a file's pod needs none (NP-25)", () => {
    expect(show(members().update([comes(pod("a", "10.1.0.5"))]))).toEqual({ ...same, added: "10.1.0.5" });
  });

  test("every Node's addresses are known, those of its tunnels too", () => {
    const m = members();
    const n2 = { ...node("n2", "10.1.2.0/24"), addresses: addresses("192.168.0.2", "10.1.0.2") };
    const tunnelled = { ...n2, addresses: [], tunnelAddresses: addresses("10.1.2.64") };
    expect(show(m.update([says(n2)]))).toEqual({ ...same, added: "10.1.0.2" });
    expect(show(m.update([says(tunnelled, n2)]))).toEqual({ ...same, added: "10.1.2.64", removed: "10.1.0.2" });
    expect(show(m.update([host("10.1.2.64")]))).toEqual(same);
    expect(show(m.update([says(null, tunnelled)]))).toEqual(same);
    expect(show(m.update([host()]))).toEqual({ ...same, removed: "10.1.2.64" });
  });
});

describe("a range that the Node says", () => {
  let pods: Pod[] = [];
  const members = () => new PodRangeMembers({ prefixes: [], nodeName: "n1", server: null, pods: () => pods });
  const a = pod("a", "10.1.0.5");

  test("unknown, then known, then another; another node's isn't ours", () => {
    const m = members();
    pods = [a, pod("b", "10.2.0.5")];
    expect(show(m.update([comes(...pods), host("10.1.0.1", "10.2.0.1"), says(node("n2", "10.2.0.0/24"))]))).toEqual(
      same,
    );
    expect(show(m.update([says(node("n1", "10.1.0.0/24"))]))).toEqual({
      prefixes: "10.1.0.0/24",
      added: "10.1.0.5 10.1.0.1",
      removed: "",
    });
    expect(show(m.update([says(node("n1", "10.1.0.0/24"))]))).toEqual(same);
    expect(show(m.update([says(node("n1", "10.2.0.0/24"))]))).toEqual({
      prefixes: "10.2.0.0/24",
      added: "10.2.0.5 10.2.0.1",
      removed: "10.1.0.5 10.1.0.1",
    });
  });

  test("a Node that is gone, or says nothing, changes nothing", () => {
    const m = members();
    pods = [a];
    m.update([comes(a), says(node("n1", "10.1.0.0/24"))]);
    expect(show(m.update([says(null, node("n1", "10.1.0.0/24"))]))).toEqual(same);
    expect(show(m.update([says(node("n1"))]))).toEqual(same);
    pods = [];
    expect(show(m.update([goes(a)]))).toEqual({ ...same, removed: "10.1.0.5" });
  });
});
