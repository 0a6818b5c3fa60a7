/**
 * A server's watches don't come in order: a pod may be told of before its Namespace. Until that is known too, its packets
 * wait, so that no rule that means its namespace's labels is passed by (NP-64).
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ApiObject } from "../support/api-client.ts";
import { ApiDouble } from "../support/api-double.ts";
import { Engine } from "../support/engine.ts";
import { namespaceObject, node, pod } from "../support/kubernetes.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { createNodeLab, type NodeLab, nodeAddress, podAddress, settleNode } from "../support/node-lab.ts";
import { Relay } from "../support/relay.ts";
import { ruleCounters } from "../support/rule-counters.ts";

if (skipReason !== null) console.warn(`test/agent/namespace-lag: skipped: ${skipReason}`);

const port = 8080;
const SILENCE_MS = 300;
const api = (object: object): ApiObject => JSON.parse(JSON.stringify(object)) as ApiObject;
const tenantsSendNothing = {
  apiVersion: "policy.networking.k8s.io/v1alpha2",
  kind: "ClusterNetworkPolicy",
  metadata: { name: "tenants" },
  spec: {
    ...{ tier: "Admin", priority: 1, subject: { namespaces: { matchLabels: { tenant: "yes" } } } },
    egress: [{ action: "Deny", to: [{ networks: ["0.0.0.0/0", "::/0"] }] }],
  },
};

describe.skipIf(skipReason !== null)(`a pod whose Namespace comes late (${skipReason ?? "as root"})`, () => {
  let net: NodeLab;
  let cluster: ApiDouble;
  let relay: Relay;
  let engine: Engine;

  beforeAll(async () => {
    net = createNodeLab("veth");
    cluster = await ApiDouble.start();
    relay = await Relay.start(net.node, cluster.port);
    await settleNode(net);
    await net.peers.db.listenTcp(port);
    for (const object of [
      ...[namespaceObject("shop", {}), node(nodeAddress), pod("db", { app: "db" }, podAddress.db)],
      tenantsSendNothing,
    ]) {
      cluster.apply(api(object));
    }
    const range = ["--pod-range", "10.244.0.0/24", "--pod-range", "fd00:244::/64"];
    engine = new Engine(net.node, [
      ...["--kubeconfig", cluster.kubeconfig, "--node-name", "node-1", ...range],
      ...["--set", "unknownLocalIp=hold(20000)"],
    ]);
    await engine.reaches("ready", () => engine.events.some(({ event }) => event === "ready"), 30_000);
    await waitFor("every watch", () => cluster.isWatched);
  }, 60_000);
  afterAll(async () => {
    await engine?.stop();
    relay?.close();
    await cluster?.remove();
    net?.lab.destroy();
  });

  test.each([
    ["is denied when it's there", "web", { tenant: "yes" }, "timeout"],
    ["goes on when it's there", "stranger", {}, "received"],
  ] as const)(
    "what it sends waits, and %s",
    async (_, name, labels, outcome) => {
      const namespace = `fresh-${name}`;
      cluster.muteWatches("Namespace");
      await engine.applies(() => {
        cluster.apply(api(namespaceObject(namespace, labels)));
        cluster.apply(api(pod(name, { app: name }, podAddress[name], { namespace })));
      });
      const to = await net.peers.db.openUdp({ family: 4, localPort: port });
      const from = await net.peers[name].openUdp({ family: 4, host: podAddress.db[0], port });
      const before = ruleCounters(net.node).unknown_held;
      await from.send("one;");
      await waitFor("a packet held", () => ruleCounters(net.node).unknown_held > before);
      expect(await to.receives("one;", 0)).toBe("timeout");
      const connecting = net.peers[name].connectTcp(podAddress.db[0], port, 5000);
      // The next watch tells what this one didn't.
      await engine.applies(() => cluster.endWatches("Namespace"));
      expect(await to.receives("one;", outcome === "received" ? 5000 : SILENCE_MS)).toBe(outcome);
      const connection = await connecting;
      expect(typeof connection === "string" ? connection : "open").toBe(outcome === "received" ? "open" : "timeout");
      await Promise.all([to.close(), from.close()]);
    },
    30_000,
  );
});
