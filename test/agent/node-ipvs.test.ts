/**
 * Services by IPVS, as kube-proxy's ipvs mode makes them: packets go round the forward hook, and policies see the pod that was
 * chosen and the client before it is masqueraded, in the postrouting hook.
 *
 * The module must be there (`modprobe ip_vs ip_vs_rr`) before anything starts.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { networkPolicy } from "../support/kubernetes.ts";
import { type Namespace, patience, skipReason } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import {
  createNodeLab,
  gatewayAddress,
  type NodeLab,
  nodeAddress,
  outsideAddress,
  podAddress,
  settleNode,
} from "../support/node-lab.ts";
import type { Peer } from "../support/peer.ts";

const skip = skipReason ?? findSkipReason();
if (skip !== null) console.warn(`test/agent/node-ipvs: skipped: ${skip}`);

const vip = ["10.96.0.10", "fd00:96::10"] as const;
const podCidr = ["10.244.0.0/16", "fd00:244::/32"] as const;
const servicePort = { db: 80, "far-db": 81, web: 83 } as const;
const nodePort = 30080;

const families = [
  ["IPv4", 0],
  ["IPv6", 1],
] as const;
const app = (name: string) => ({ matchLabels: { app: name } });

function findSkipReason(): string | null {
  if (!existsSync("/proc/net/ip_vs")) return "the module ip_vs isn't loaded, or this kernel has none";
  const { error } = spawnSync("ipvsadm", ["--version"]);
  return error === undefined ? null : `needs ipvsadm: ${error.message}`;
}

function setServices(node: Namespace, family: 0 | 1): void {
  const bracket = (address: string): string => (family === 0 ? address : `[${address}]`);
  const virtual = (address: string, port: number, endpoint: string): void => {
    const service = ["-t", `${bracket(address)}:${port}`];
    node.check(["ipvsadm", "-A", ...service, "-s", "rr"]);
    node.check(["ipvsadm", "-a", ...service, "-r", `${bracket(endpoint)}:8080`, "-m"]);
  };
  node.address("kube-ipvs0", `${vip[family]}/${family === 0 ? 32 : 128}`);
  for (const [name, port] of Object.entries(servicePort)) {
    virtual(vip[family], port, podAddress[name as keyof typeof servicePort][family]);
  }
  virtual(nodeAddress[family], nodePort, podAddress.db[family]);
  const loops = Object.values(podAddress).map(
    (pair) => `-A KUBE-POSTROUTING -s ${pair[family]} -d ${pair[family]} -p tcp -j MASQUERADE`,
  );
  node.check([family === 0 ? "iptables-nft-restore" : "ip6tables-nft-restore", "--noflush"], {
    input: [
      "*nat",
      ":KUBE-SERVICES - [0:0]",
      ":KUBE-POSTROUTING - [0:0]",
      ":KUBE-MARK-MASQ - [0:0]",
      "-A PREROUTING -j KUBE-SERVICES",
      "-A OUTPUT -j KUBE-SERVICES",
      "-A POSTROUTING -j KUBE-POSTROUTING",
      `-A KUBE-SERVICES ! -s ${podCidr[family]} -d ${vip[family]} -p tcp -j KUBE-MARK-MASQ`,
      `-A KUBE-SERVICES -d ${nodeAddress[family]} -p tcp -m tcp --dport ${nodePort} -j KUBE-MARK-MASQ`,
      "-A KUBE-MARK-MASQ -j MARK --or-mark 0x4000",
      ...loops,
      "-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
      "-A KUBE-POSTROUTING -j MARK --xor-mark 0x4000",
      "-A KUBE-POSTROUTING -j MASQUERADE --random-fully",
      "COMMIT",
      "",
    ].join("\n"),
  });
}

/** `open`, or why not. */
async function connect(from: Peer, host: string, port: number, expected: string): Promise<string> {
  const result = await from.connectTcp(host, port, (expected === "timeout" ? 300 : 3000) * patience);
  if (typeof result === "string") return result;
  await result.close();
  return "open";
}

describe.skipIf(skip !== null)("services by IPVS", () => {
  let net: NodeLab;
  let node: NodeEngine;

  beforeAll(async () => {
    net = createNodeLab("veth");
    await settleNode(net);
    net.node.check(["ip", "link", "add", "kube-ipvs0", "type", "dummy"]);
    net.node.sysctl("net/ipv4/vs/conntrack", "1");
    for (const [, family] of families) setServices(net.node, family);
    for (const name of ["db", "far-db", "web"] as const) await net.peers[name].listenTcp(8080);
    await net.peers.node.listenTcp(6443);
    // They work while nobody enforces anything.
    for (const [, family] of families) {
      for (const port of Object.values(servicePort)) {
        expect(await connect(net.peers.web, vip[family], port, "open"), `${vip[family]}:${port}`).toBe("open");
      }
      expect(await connect(net.peers.out, nodeAddress[family], nodePort, "open")).toBe("open");
    }
    node = await NodeEngine.start(net.node, {});
  });

  afterAll(async () => {
    await node?.stop();
    net?.lab.destroy();
  });

  test("the hook is postrouting", () => {
    const rules = net.node.check(["nft", "list", "table", "inet", "verdictd"]);
    expect(rules).toContain("hook postrouting");
    expect(rules).not.toContain("hook forward");
  });

  describe.each(families)("%s", (_, family) => {
    const at = vip[family];

    test("between pods without a service, and to the own node", async () => {
      const ingress = [{ from: [{ podSelector: app("web") }] }];
      await node.set({
        policies: [
          networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress }),
          networkPolicy("stranger", { podSelector: app("stranger"), policyTypes: ["Egress"], egress: [] }),
        ],
      });
      const to = podAddress.db[family];
      expect(await connect(net.peers.web, to, 8080, "open")).toBe("open");
      expect(await connect(net.peers["far-web"], to, 8080, "open")).toBe("open");
      expect(await connect(net.peers.stranger, to, 8080, "timeout")).toBe("timeout");
      expect(await connect(net.peers.node, to, 8080, "open")).toBe("open");
      expect(await connect(net.peers.stranger, gatewayAddress[family], 6443, "open")).toBe("open");
    });

    test.each([
      ["the service's port", 80, "timeout"],
      ["the pod's port", 8080, "open"],
    ] as const)("T-42, NP-50: egress that names %s", async (_name, port, expected) => {
      const egress = [{ to: [{ podSelector: app("db") }], ports: [{ port }] }];
      await node.set({
        policies: [networkPolicy("web", { podSelector: app("web"), policyTypes: ["Egress"], egress })],
      });
      for (const service of [servicePort.db, servicePort["far-db"]]) {
        expect(await connect(net.peers.web, at, service, expected), `${service}`).toBe(expected);
      }
    });

    test("NP-50: ingress of the endpoint sees the client's address behind the service", async () => {
      const ingress = [{ from: [{ podSelector: app("web") }] }];
      await node.set({
        policies: [networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress })],
      });
      expect(await connect(net.peers.web, at, servicePort.db, "open")).toBe("open");
      expect(await connect(net.peers["far-web"], at, servicePort.db, "open")).toBe("open");
      expect(await connect(net.peers.stranger, at, servicePort.db, "timeout")).toBe("timeout");
    });

    test.each([
      ["whom an ipBlock names", outsideAddress[family], "open"],
      ["whom none names", family === 0 ? "203.0.113.77" : "2001:db8:9::77", "timeout"],
    ] as const)(
      "NP-50: a client of a node port, %s, is seen before it is masqueraded",
      async (_name, from, expected) => {
        const cidr = `${from}/${family === 0 ? 32 : 128}`;
        const ingress = [{ from: [{ ipBlock: { cidr } }] }];
        await node.set({
          policies: [networkPolicy("db", { podSelector: app("db"), policyTypes: ["Ingress"], ingress })],
        });
        expect(await connect(net.peers.out, nodeAddress[family], nodePort, expected)).toBe(expected);
      },
    );

    test("T-50, NP-58: an isolated pod reaches itself through its own service", async () => {
      await node.set({
        policies: [networkPolicy("closed", { podSelector: {}, policyTypes: ["Ingress", "Egress"] })],
      });
      expect(await connect(net.peers.web, at, servicePort.web, "open")).toBe("open");
      expect(await connect(net.peers.web, at, servicePort.db, "timeout")).toBe("timeout");
    });

    test("T-51, AN-31: an admin policy against its own labels meets a pod's way round to itself", async () => {
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
      expect(await connect(net.peers.web, at, servicePort.db, "open")).toBe("open");
      expect(await connect(net.peers.web, at, servicePort.web, "timeout")).toBe("timeout");
    });
  });
});
