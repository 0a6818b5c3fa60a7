/**
 * One node of a cluster: its pods are judged for, wherever their peers are, and nobody else's are; what the node itself
 * says to its pods, and they to it; changes of labels, namespaces, policies and owners under traffic.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { networkPolicy, pod } from "../support/kubernetes.ts";
import { skipReason } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import {
  createNodeLab,
  gatewayAddress,
  type NodeLab,
  nodeAddress,
  otherNodeAddress,
  outsideAddress,
  podAddress,
  settleNode,
  type Wiring,
} from "../support/node-lab.ts";
import type { Conversation, Peer } from "../support/peer.ts";

if (skipReason !== null) console.warn(`test/agent/node-view: skipped: ${skipReason}`);

const app = (name: string) => ({ matchLabels: { app: name } });
const onlyWeb = [{ from: [{ podSelector: app("web") }], ports: [{ port: 8080 }] }];
const dbFromWeb = networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress: onlyWeb });
const closed = networkPolicy("closed", { podSelector: {}, policyTypes: ["Ingress"], ingress: [] });
const webSilent = networkPolicy("web", { podSelector: app("web"), policyTypes: ["Egress"], egress: [] });

const families = [
  ["IPv4", 0],
  ["IPv6", 1],
] as const;

/** `open`, or why not. */
async function connect(
  from: Peer,
  host: string,
  expected: string,
  { port = 8080, localHost }: { port?: number; localHost?: string } = {},
): Promise<string> {
  const result = await from.connectTcp(host, port, expected === "timeout" ? 300 : 3000, undefined, localHost);
  if (typeof result === "string") return result;
  await result.close();
  return "open";
}

/** All at once: `from → to` and what is expected of it. */
async function expectAll(probes: readonly (readonly [Peer, string, string, string])[]): Promise<void> {
  const found = await Promise.all(
    probes.map(async ([from, host, expected, what]) => `${what}: ${await connect(from, host, expected)}`),
  );
  expect(found).toEqual(probes.map(([, , expected, what]) => `${what}: ${expected}`));
}

describe.skipIf(skipReason !== null).each<[Wiring]>([["veth"], ["bridge"]])("pods by %s", (wiring) => {
  let net: NodeLab;
  let node: NodeEngine;

  beforeAll(async () => {
    net = createNodeLab(wiring);
    await settleNode(net);
    for (const peer of Object.values(net.peers)) await peer.listenTcp(8080);
    node = await NodeEngine.start(net.node, {});
  });

  afterAll(async () => {
    await node?.stop();
    net?.lab.destroy();
  });

  describe.each(families)("%s", (_, family) => {
    test("peers are known by their labels wherever they are; policies of another node's pods aren't asked", async () => {
      const { db, web, stranger, "far-web": farWeb, "far-stranger": farStranger, node2, out } = net.peers;
      const farSilent = networkPolicy("far", {
        podSelector: { matchLabels: { site: "far" } },
        policyTypes: ["Ingress", "Egress"],
      });
      await node.set({ policies: [dbFromWeb, farSilent] });
      const [to, far] = [podAddress.db[family], podAddress["far-db"][family]];
      await expectAll([
        [web, to, "open", "web → db"],
        [farWeb, to, "open", "far-web → db"],
        [stranger, to, "timeout", "stranger → db"],
        [farStranger, to, "timeout", "far-stranger → db"],
        [node2, to, "timeout", "node-2 → db"],
        [out, to, "timeout", "out → db"],
        [db, far, "open", "db → far-db"],
        [stranger, far, "open", "stranger → far-db"],
        [farStranger, podAddress.stranger[family], "open", "far-stranger → stranger"],
      ]);
      const rules = net.node.check(["nft", "list", "table", "inet", "verdictd"]);
      expect(rules).toContain(to);
      for (const other of ["far-db", "far-web", "web"] as const) expect(rules).not.toContain(podAddress[other][family]);
    });

    test("T-44, NP-56: the node reaches its isolated pods from any address of it, and another node doesn't", async () => {
      await node.set({ policies: [closed] });
      const to = podAddress.db[family];
      for (const localHost of [gatewayAddress[family], nodeAddress[family], undefined]) {
        expect(await connect(net.peers.node, to, "open", localHost === undefined ? {} : { localHost })).toBe("open");
      }
      expect(await connect(net.peers.node2, to, "timeout")).toBe("timeout");
      expect(await connect(net.peers.web, to, "timeout")).toBe("timeout");
    });

    test("NP-57: a pod that may speak to nobody reaches its own node by any address of it, and no other", async () => {
      await node.set({ policies: [webSilent] });
      const { web } = net.peers;
      await expectAll([
        [web, nodeAddress[family], "open", "web → node"],
        [web, gatewayAddress[family], "open", "web → gateway"],
        [web, family === 0 ? "203.0.113.1" : "2001:db8:9::1", "open", "web → another interface of the node"],
        [web, otherNodeAddress[family], "timeout", "web → node-2"],
        [web, podAddress.db[family], "timeout", "web → db"],
        [web, outsideAddress[family], "timeout", "web → out"],
      ]);
    });

    test("NP-59: a hostNetwork pod is nobody's subject, and no peer by its labels", async () => {
      await node.set({
        policies: [dbFromWeb, webSilent],
        more: [
          pod("agent", { app: "web" }, nodeAddress, { hostNetwork: true }),
          pod("far-agent", { app: "web" }, otherNodeAddress, { hostNetwork: true, nodeName: "node-2" }),
        ],
      });
      expect(await connect(net.peers.node, outsideAddress[family], "open")).toBe("open");
      expect(await connect(net.peers.out, nodeAddress[family], "open")).toBe("open");
      expect(await connect(net.peers.node2, podAddress.db[family], "timeout")).toBe("timeout");
    });

    test("NP-60: the address of a pod that has ended is the next one's", async () => {
      const address = podAddress.stranger;
      const job = (phase: string) => [pod("job", { app: "web" }, address, { phase })];
      const { stranger } = net.peers;
      await node.set({ policies: [dbFromWeb], more: job("Succeeded") });
      expect(await connect(stranger, podAddress.db[family], "timeout")).toBe("timeout");
      await node.set({ policies: [dbFromWeb], more: job("Running"), pods: { stranger: { phase: "Failed" } } });
      expect(await connect(stranger, podAddress.db[family], "open")).toBe("open");
      await node.set({ policies: [dbFromWeb], more: job("Failed"), pods: { stranger: {} } });
      expect(await connect(stranger, podAddress.db[family], "timeout")).toBe("timeout");
    });

    test("a pod is judged for from the moment that it has this node's name", async () => {
      const { web } = net.peers;
      for (const [nodeName, expected] of [
        [null, "open"],
        ["node-1", "timeout"],
        ["node-2", "open"],
        ["node-1", "timeout"],
      ] as const) {
        await node.set({ policies: [closed], pods: { db: { nodeName } } });
        expect(await connect(web, podAddress.db[family], expected), `nodeName ${nodeName}`).toBe(expected);
      }
    });

    test("labels, namespaces and policies that change under traffic, of peers here and there", async () => {
      const { db, stranger, "far-stranger": farStranger } = net.peers;
      const to = podAddress.db[family];
      const friends = networkPolicy("friends", {
        podSelector: app("db"),
        policyTypes: ["Ingress"],
        ingress: [
          { from: [{ namespaceSelector: { matchLabels: { team: "friends" } } }] },
          { from: [{ namespaceSelector: {}, podSelector: { matchLabels: { role: "guest" } } }] },
        ],
      });
      const guest = { labels: { role: "guest" } };
      const guests = { stranger: guest, "far-stranger": guest };
      /** Both strangers talk to db in a state; then, in the next one, neither does, on old connections or new ones. */
      const states = [
        ["a policy comes", {}, { policies: [dbFromWeb] }],
        ["a namespace's label goes", { policies: [friends], blog: { team: "friends" } }, { policies: [friends] }],
        ["a pod's label goes", { policies: [friends], pods: guests }, { policies: [friends] }],
        ["a policy changes", { policies: [friends], pods: guests }, { policies: [dbFromWeb], pods: guests }],
        ["another one goes", { policies: [friends, dbFromWeb], pods: guests }, { policies: [dbFromWeb], pods: guests }],
      ] as const;
      for (const [what, before, after] of states) {
        await node.set(before);
        const conversations: { client: Conversation; server: Conversation }[] = [];
        for (const from of [stranger, farStranger]) conversations.push(await from.converse(db, to, 8080));
        for (const { client, server } of conversations) {
          await client.send("before");
          expect(await server.receives("before"), what).toBe("received");
        }
        await node.set(after);
        await Promise.all(
          conversations.map(async ({ client, server }) => {
            await client.send("after");
            expect(await server.receives("after", 300), what).not.toBe("received");
          }),
        );
        await expectAll([
          [stranger, to, "timeout", `${what}: stranger`],
          [farStranger, to, "timeout", `${what}: far-stranger`],
        ]);
      }
      await node.set({});
      await expectAll([
        [stranger, to, "open", "without policies: stranger"],
        [farStranger, to, "open", "without policies: far-stranger"],
      ]);
    });
  });
});

describe.skipIf(skipReason !== null)("npEgressToOwnNode=evaluate", () => {
  test.each(families)("NP-57: a pod's way to its own node is judged in the input hook, %s", async (_, family) => {
    const net = createNodeLab("veth");
    const toNode = networkPolicy("to-node", {
      podSelector: app("web"),
      policyTypes: ["Egress"],
      egress: [{ to: [{ ipBlock: { cidr: family === 0 ? `${nodeAddress[0]}/32` : `${nodeAddress[1]}/128` } }] }],
    });
    let node: NodeEngine | null = null;
    try {
      await settleNode(net);
      await net.peers.node.listenTcp(8080);
      const args = ["--set", "npEgressToOwnNode=evaluate"];
      node = await NodeEngine.start(net.node, { policies: [webSilent] }, args);
      const expectWeb = (toListed: string) =>
        expectAll([
          [net.peers.web, nodeAddress[family], toListed, "web → node"],
          [net.peers.web, gatewayAddress[family], "timeout", "web → gateway"],
          [net.peers.db, nodeAddress[family], "open", "db → node"],
        ]);
      await expectWeb("timeout");
      await node.set({ policies: [webSilent, toNode] });
      await expectWeb("open");
    } finally {
      await node?.stop();
      net.lab.destroy();
    }
  });
});
