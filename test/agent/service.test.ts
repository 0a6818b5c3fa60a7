/**
 * Services as kube-proxy makes them: DNAT before the policy, masquerading of a hairpin after it. Policies see the pod's
 * address and port, the node's own traffic is let in, and a pod's way round to itself is told from the straight one.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { list, networkPolicy, node, pod } from "../support/kubernetes.ts";
import { skipReason } from "../support/namespace.ts";
import { Peer } from "../support/peer.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";

if (skipReason !== null) console.warn(`test/agent/service: skipped: ${skipReason}`);

/** One virtual address for each family; the port says which endpoint it leads to. */
const vip = ["10.96.0.10", "fd00:96::10"] as const;
const api = ["10.96.0.1", "fd00:96::1"] as const;
const nodeOnA = ["10.1.1.1", "fd00:1:1::1"] as const;

const nat = (family: 0 | 1): string => {
  const [table, bracket] = family === 0 ? ["ip", (a: string) => a] : (["ip6", (a: string) => `[${a}]`] as const);
  const to = (host: "a" | "b1", port: number) => `dnat to ${bracket(address[host][family])}:${port}`;
  return `table ${table} services {
    chain prerouting {
      type nat hook prerouting priority dstnat; policy accept;
      ${table} daddr ${vip[family]} tcp dport 80 ${to("b1", 8080)}
      ${table} daddr ${vip[family]} tcp dport 81 ${to("a", 8080)}
      ${table} daddr ${api[family]} tcp dport 443 dnat to ${bracket(nodeOnA[family])}:6443
    }
    chain postrouting {
      type nat hook postrouting priority srcnat; policy accept;
      ct status dnat ${table} saddr ${address.a[family]} ${table} daddr ${address.a[family]} masquerade
    }
  }\n`;
};

/** As the API lists it: none of the addresses that its bridge and cables have. */
const ourNode = node(["203.0.113.1", "2001:db8:9::1"]);
const everyone = [{ podSelector: {} }];

describe.skipIf(skipReason !== null)("services by DNAT", () => {
  let net: Topology;
  let onNode: Peer;
  let engine: Engine | null = null;
  const policy = new PolicyDirectory();

  const pods = (webLabel = "web") =>
    policy.write(
      "pods.json",
      list([ourNode, pod("web", { app: webLabel }, address.a), pod("db", { app: "db" }, address.b1)]),
    );

  const start = async (...policies: object[]): Promise<Engine> => {
    policy.write("policies.json", list(policies));
    engine = await Engine.start(net.router, [policy.path]);
    return engine;
  };

  /** `open`, or why not. */
  const connect = async (from: Peer, host: string, port: number, expected: string): Promise<string> => {
    const result = await from.connectTcp(host, port, expected === "timeout" ? 300 : 2000);
    if (typeof result === "string") return result;
    await result.close();
    return "open";
  };

  beforeAll(async () => {
    net = createTopology();
    onNode = new Peer(net.router);
    await settle(net);
    for (const family of [0, 1] as const) net.router.check(["nft", "-f", "-"], { input: nat(family) });
    for (const peer of [net.peers.a, net.peers.b1]) await peer.listenTcp(8080);
    await onNode.listenTcp(6443);
    // The lab's services work while nobody enforces anything.
    for (const family of [0, 1] as const) {
      for (const port of [80, 81]) expect(await connect(net.peers.a, vip[family], port, "open")).toBe("open");
      expect(await connect(net.peers.a, api[family], 443, "open")).toBe("open");
    }
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    pods();
  });

  afterAll(() => {
    net?.lab.destroy();
    policy.remove();
  });

  pods();
  const families = [
    ["IPv4", 0],
    ["IPv6", 1],
  ] as const;

  describe.each(families)("%s", (_, family) => {
    test.each([
      ["the service's port", 80, "timeout"],
      ["the pod's port", 8080, "open"],
    ] as const)("T-42: egress that names %s", async (_name, port, expected) => {
      await start(
        networkPolicy("web", {
          podSelector: { matchLabels: { app: "web" } },
          policyTypes: ["Egress"],
          egress: [{ to: [{ podSelector: { matchLabels: { app: "db" } } }], ports: [{ port }] }],
        }),
      );
      expect(await connect(net.peers.a, vip[family], 80, expected)).toBe(expected);
    });

    test("T-26, NP-55: a pod with ingress rules alone reaches its own node's API server through a service", async () => {
      await start(networkPolicy("deny", { podSelector: {}, policyTypes: ["Ingress"], ingress: [] }));
      const { client, server } = await net.peers.a
        .connectTcp(api[family], 443)
        .then(async (c) =>
          typeof c === "string" ? expect.fail(c) : { client: c, server: await onNode.accept(6443, c.localPort) },
        );
      await client.send("request");
      expect(await server.receives("request")).toBe("received");
      await server.send("response");
      expect(await client.receives("response")).toBe("received");
    });

    test("T-44, NP-56: a node's probe reaches its isolated pods, and another pod doesn't", async () => {
      await start(networkPolicy("deny", { podSelector: {}, policyTypes: ["Ingress"], ingress: [] }));
      expect(await connect(onNode, address.b1[family], 8080, "open")).toBe("open");
      expect(await connect(onNode, address.a[family], 8080, "open")).toBe("open");
      expect(await connect(net.peers.a, address.b1[family], 8080, "timeout")).toBe("timeout");
    });

    test("T-50, NP-58: an isolated pod reaches itself through a service, and not the service's other pod", async () => {
      await start(networkPolicy("deny", { podSelector: {}, policyTypes: ["Ingress", "Egress"] }));
      expect(await connect(net.peers.a, vip[family], 81, "open")).toBe("open");
      expect(await connect(net.peers.a, vip[family], 80, "timeout")).toBe("timeout");
    });

    test("T-51, AN-31: an admin policy against its own labels spares a pod's own address, not the way round", async () => {
      await start({
        apiVersion: "policy.networking.k8s.io/v1alpha2",
        kind: "ClusterNetworkPolicy",
        metadata: { name: "no-siblings" },
        spec: {
          tier: "Admin",
          priority: 10,
          subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: "web" } } } },
          ingress: [
            {
              name: "deny-own",
              action: "Deny",
              from: [{ pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: "web" } } } }],
            },
          ],
        },
      });
      expect(await connect(net.peers.a, address.a[family], 8080, "open")).toBe("open");
      expect(await connect(net.peers.a, vip[family], 81, "timeout")).toBe("timeout");
      expect(await connect(net.peers.a, vip[family], 80, "open")).toBe("open");
    });

    test.each([
      ["conntrack was off before", false],
      ["conntrack knew the connection", true],
    ])("T-49, NP-65: the reply of a connection from before the policy (%s)", async (_name, isKnown) => {
      // The address family's own nat table has switched connection tracking on; without it nothing is known.
      if (!isKnown) for (const table of ["ip", "ip6"]) net.router.check(["nft", "delete", "table", table, "services"]);
      try {
        const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[family], 8080);
        await start(
          networkPolicy("web", { podSelector: { matchLabels: { app: "web" } }, policyTypes: ["Ingress"], ingress: [] }),
        );
        await server.send("reply");
        expect(await client.receives("reply")).toBe("received");
        await client.send("more");
        expect(await server.receives("more")).toBe("received");
      } finally {
        if (!isKnown) for (const each of [0, 1] as const) net.router.check(["nft", "-f", "-"], { input: nat(each) });
      }
    });

    test("T-52, NP-72: a peer that loses the label which let it in is cut, by way of the service too", async () => {
      const running = await start(
        networkPolicy("db", {
          podSelector: { matchLabels: { app: "db" } },
          ingress: [{ from: [{ podSelector: { matchLabels: { app: "web" } } }] }],
        }),
        networkPolicy("web", { podSelector: {}, policyTypes: ["Egress"], egress: [{ to: everyone }] }),
      );
      const straight = await net.peers.a.converse(net.peers.b1, address.b1[family], 8080);
      const client = await net.peers.a.connectTcp(vip[family], 80);
      if (typeof client === "string") expect.fail(client);
      const server = await net.peers.b1.accept(8080, client.localPort);
      for (const one of [straight, { client, server }]) {
        await one.client.send("before");
        expect(await one.server.receives("before")).toBe("received");
      }
      await running.applies(() => pods("stranger"));
      await straight.client.send("after");
      expect(await straight.server.receives("after", 300)).not.toBe("received");
      await server.send("after");
      expect(await client.receives("after", 300)).not.toBe("received");
      expect(await connect(net.peers.a, vip[family], 80, "timeout")).toBe("timeout");
    });
  });
});
