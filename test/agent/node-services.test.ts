/**
 * Services on a node, made as each mode of kube-proxy makes them: policies see the pod that was chosen and its port, and the
 * client before it is masqueraded, whichever way the packet came.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { type ProxyMode, proxySkipReason, type ServicePort, setServices } from "../support/kube-proxy.ts";
import { networkPolicy } from "../support/kubernetes.ts";
import { skipReason } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import {
  createNodeLab,
  type NodeLab,
  nodeAddress,
  outsideAddress,
  podAddress,
  settleNode,
  type Wiring,
} from "../support/node-lab.ts";
import type { Peer } from "../support/peer.ts";

if (skipReason !== null) console.warn(`test/agent/node-services: skipped: ${skipReason}`);

const vip = ["10.96.0.10", "fd00:96::10"] as const;
const podCidr = ["10.244.0.0/16", "fd00:244::/32"] as const;

/** A port of the cluster's address for each set of endpoints. */
const servicePort = { db: 80, farDb: 81, either: 82, web: 83 } as const;
const nodePort = { db: 30080, farDb: 30081 } as const;

function services(family: 0 | 1): readonly ServicePort[] {
  const [db, farDb, web] = (["db", "far-db", "web"] as const).map((name) => ({
    address: podAddress[name][family],
    port: 8080,
  })) as [ServicePort["endpoints"][0], ServicePort["endpoints"][0], ServicePort["endpoints"][0]];
  const clusterIP = vip[family];
  return [
    { name: "DB", clusterIP, port: servicePort.db, nodePort: nodePort.db, endpoints: [db] },
    { name: "FAR-DB", clusterIP, port: servicePort.farDb, nodePort: nodePort.farDb, endpoints: [farDb] },
    { name: "EITHER", clusterIP, port: servicePort.either, endpoints: [db, farDb] },
    { name: "WEB", clusterIP, port: servicePort.web, endpoints: [web] },
  ];
}

const app = (name: string) => ({ matchLabels: { app: name } });
const families = [
  ["IPv4", 0],
  ["IPv6", 1],
] as const;

/** `open`, or why not. */
async function connect(from: Peer, host: string, port: number, expected: string): Promise<string> {
  const result = await from.connectTcp(host, port, expected === "timeout" ? 300 : 3000);
  if (typeof result === "string") return result;
  await result.close();
  return "open";
}

const lanes: readonly (readonly [ProxyMode, Wiring])[] = [
  ["iptables-nft", "veth"],
  ["iptables-legacy", "veth"],
  ["nftables", "veth"],
  ["nftables", "bridge"],
];

describe.skipIf(skipReason !== null).each(lanes)("%s, pods by %s", (mode, wiring) => {
  let net: NodeLab;
  let node: NodeEngine;
  let missing: string | null = null;

  beforeAll(async () => {
    net = createNodeLab(wiring);
    missing = proxySkipReason(mode, net.node);
    if (missing !== null) {
      console.warn(`test/agent/node-services: skipped: ${missing}`);
      return;
    }
    await settleNode(net);
    for (const [, family] of families) {
      setServices(mode, net.node, { family, podCidr: podCidr[family], services: services(family) });
    }
    for (const name of ["db", "far-db", "web"] as const) await net.peers[name].listenTcp(8080);
    // As the kubelet asks for it where pods are on a bridge: their answers pass the node's tracking.
    for (const kind of ["iptables", "ip6tables"]) {
      if (wiring === "bridge") net.node.sysctl(`net/bridge/bridge-nf-call-${kind}`, "1");
    }
    // They work while nobody enforces anything.
    for (const [, family] of families) {
      for (const port of Object.values(servicePort)) {
        expect(await connect(net.peers.web, vip[family], port, "open"), `${vip[family]}:${port}`).toBe("open");
      }
      for (const port of Object.values(nodePort)) {
        expect(await connect(net.peers.out, nodeAddress[family], port, "open")).toBe("open");
      }
    }
    node = await NodeEngine.start(net.node, {});
  });

  beforeEach((context) => {
    if (missing !== null) context.skip();
  });

  afterAll(async () => {
    await node?.stop();
    net?.lab.destroy();
  });

  describe.each(families)("%s", (_, family) => {
    const at = vip[family];
    const host = (address: string): string => `${address}/${family === 0 ? 32 : 128}`;

    test.each([
      ["the service's port", 80, "timeout"],
      ["the pod's port", 8080, "open"],
    ] as const)("T-42, NP-50: egress that names %s", async (_name, port, expected) => {
      const { web } = net.peers;
      const egress = [{ to: [{ podSelector: app("db") }], ports: [{ port }] }];
      await node.set({
        policies: [networkPolicy("web", { podSelector: app("web"), policyTypes: ["Egress"], egress })],
      });
      for (const service of [servicePort.db, servicePort.farDb]) {
        expect(await connect(web, at, service, expected), `${service}`).toBe(expected);
      }
    });

    test("NP-50: of a service's endpoints those answer that the client may speak to", async () => {
      const here = { matchLabels: { site: "here" } };
      const egress = [{ to: [{ podSelector: here }] }];
      await node.set({
        policies: [networkPolicy("web", { podSelector: app("web"), policyTypes: ["Egress"], egress })],
      });
      expect(await connect(net.peers.web, at, servicePort.db, "open")).toBe("open");
      expect(await connect(net.peers.web, at, servicePort.farDb, "timeout")).toBe("timeout");
      const tries = await Promise.all(
        Array.from({ length: 24 }, () => net.peers.web.connectTcp(at, servicePort.either, 600)),
      );
      const open = tries.filter((one) => typeof one !== "string");
      for (const one of open) if (typeof one !== "string") await one.close();
      // Chosen by chance: each way is missed by all of them once in 16 million.
      expect(open.length).toBeGreaterThan(0);
      expect(open.length).toBeLessThan(24);
      for (const one of tries) if (typeof one === "string") expect(one).toBe("timeout");
    });

    test("NP-50: ingress of the endpoint sees the client's address behind the service", async () => {
      const ingress = [{ from: [{ podSelector: app("web") }] }];
      await node.set({
        policies: [networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress })],
      });
      const { web, stranger, "far-web": farWeb } = net.peers;
      expect(await connect(web, at, servicePort.db, "open")).toBe("open");
      expect(await connect(farWeb, at, servicePort.db, "open")).toBe("open");
      expect(await connect(stranger, at, servicePort.db, "timeout")).toBe("timeout");
      // Its own node judges for that one.
      expect(await connect(stranger, at, servicePort.farDb, "open")).toBe("open");
    });

    test.each([
      ["whom an ipBlock names", outsideAddress[family], "open"],
      ["whom none names", family === 0 ? "203.0.113.77" : "2001:db8:9::77", "timeout"],
    ] as const)(
      "NP-50: a client of a node port, %s, is seen before it is masqueraded",
      async (_name, from, expected) => {
        const ingress = [{ from: [{ ipBlock: { cidr: host(from) } }] }];
        await node.set({
          policies: [networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress })],
        });
        expect(await connect(net.peers.out, nodeAddress[family], nodePort.db, expected)).toBe(expected);
        // No pod of this node is concerned by the one that is only forwarded, masqueraded.
        expect(await connect(net.peers.out, nodeAddress[family], nodePort.farDb, "open")).toBe("open");
      },
    );

    test("NP-56: the node itself reaches its isolated pod through the service", async () => {
      await node.set({
        policies: [networkPolicy("closed", { podSelector: {}, policyTypes: ["Ingress"], ingress: [] })],
      });
      expect(await connect(net.peers.node, at, servicePort.db, "open")).toBe("open");
      expect(await connect(net.peers.node2, nodeAddress[family], nodePort.db, "timeout")).toBe("timeout");
    });

    test("T-50, NP-58: an isolated pod reaches itself through its own service", async () => {
      await node.set({
        policies: [networkPolicy("closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] })],
      });
      expect(await connect(net.peers.web, at, servicePort.web, "open")).toBe("open");
      expect(await connect(net.peers.web, at, servicePort.db, "timeout")).toBe("timeout");
      expect(await connect(net.peers.stranger, at, servicePort.web, "timeout")).toBe("timeout");
    });

    test("T-51, AN-31: an admin policy against its own labels spares a pod's address, not the way round", async () => {
      const webs = { pods: { namespaceSelector: {}, podSelector: app("web") } };
      await node.set({
        policies: [
          {
            apiVersion: "policy.networking.k8s.io/v1alpha2",
            kind: "ClusterNetworkPolicy",
            metadata: { name: "no-siblings" },
            spec: {
              tier: "Admin",
              priority: 10,
              subject: webs,
              ingress: [{ name: "deny-own", action: "Deny", from: [webs] }],
            },
          },
        ],
      });
      expect(await connect(net.peers.web, podAddress.web[family], 8080, "open")).toBe("open");
      expect(await connect(net.peers.web, at, servicePort.web, "timeout")).toBe("timeout");
      expect(await connect(net.peers["far-web"], at, servicePort.web, "timeout")).toBe("timeout");
      expect(await connect(net.peers.web, at, servicePort.db, "open")).toBe("open");
    });
  });
});
