import { describe, expect, it } from "vitest";
import { withHostAddresses } from "../../src/agent/host-addresses.ts";
import { emptyInventory } from "../../src/model/inventory.ts";
import { emptyKubernetes, type Node, type Pod } from "../../src/model/kubernetes.ts";
import { formatAddress, parseAddress } from "../../src/net/address.ts";

const addresses = (...texts: string[]) => texts.map((text) => parseAddress(text) ?? expect.fail(text));
const origin: Pod["origin"] = { file: "pods.yaml", name: "Pod n/p" };

const pod = (nodeName: string | null, ...hosts: string[]): Pod => ({
  kind: "Pod",
  namespace: "n",
  name: "p",
  labels: {},
  addresses: addresses("10.0.0.9"),
  nodeName,
  hostAddresses: addresses(...hosts),
  hostNetwork: false,
  phase: "Running",
  createdAt: "",
  ports: [],
  owner: null,
  origin,
});
const node = (name: string, ...own: string[]): Node => ({ name, labels: {}, addresses: addresses(...own), origin });

describe("NP-56: which pods have this host as their own node", () => {
  const rows: readonly (readonly [string, Pod, readonly Node[], readonly string[]])[] = [
    ["the node's object has an address of it", pod("n1"), [node("n1", "192.0.2.1")], ["192.0.2.1", "10.0.0.1"]],
    ["the pod's hostIP is one of it", pod("n1", "192.0.2.1"), [], ["192.0.2.1", "192.0.2.1", "10.0.0.1"]],
    ["hostIP without a node's name", pod(null, "192.0.2.1"), [], ["192.0.2.1", "192.0.2.1", "10.0.0.1"]],
    ["another node", pod("n2"), [node("n1", "192.0.2.1"), node("n2", "192.0.2.2")], []],
    ["no node is known", pod(null), [node("n1", "192.0.2.1")], []],
  ];
  it.each(rows)("%s", (_, subject, nodes, expected) => {
    const inventory = { ...emptyInventory, kubernetes: { ...emptyKubernetes, pods: [subject], nodes } };
    const result = withHostAddresses(inventory, addresses("192.0.2.1", "10.0.0.1"));
    expect(result.kubernetes.pods[0]?.hostAddresses.map(formatAddress)).toEqual(expected);
    // `nodes` peers of admin policies match what the Node object lists (AN-24).
    expect(result.kubernetes.nodes).toEqual(nodes);
  });
});
