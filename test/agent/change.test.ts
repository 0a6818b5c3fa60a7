/** Live flows while policies change, the engine restarts, or conntrack has only just been switched on. */
import type { V1Pod } from "@kubernetes/client-node";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { icmpPortUnreachable, ipPacket, sendRaw, udp } from "../support/raw-packet.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";
import { UdpVictim } from "../support/udp-victim.ts";

if (skipReason !== null) console.warn(`test/agent/change: skipped: ${skipReason}`);

/** b1 and a are pods; this policy lets a reach b1's port, or nobody. */
const policyFor = (isOpen: boolean) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "NetworkPolicy",
  metadata: { name: "db", namespace: "shop" },
  spec: {
    podSelector: { matchLabels: { app: "db" } },
    policyTypes: ["Ingress"],
    ingress: isOpen ? [{ from: [{ podSelector: { matchLabels: { app: "web" } } }] }] : [],
  },
});

const pod = (name: string, app: string, addresses: readonly [string, ...string[]]): V1Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "shop", labels: { app } },
  spec: { containers: [{ name: "main", image: "main" }] },
  status: { phase: "Running", podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) },
});

describe.skipIf(skipReason !== null)("live flows", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  beforeEach(async () => {
    net = createTopology();
    policy = new PolicyDirectory();
    policy.write("pods.json", {
      apiVersion: "v1",
      kind: "List",
      items: [pod("web", "web", address.a), pod("db", "db", address.b1)],
    });
    policy.write("policy.json", policyFor(true));
    await settle(net);
    await net.peers.b1.listenTcp(5432);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    net.lab.destroy();
    policy.remove();
  });

  const families = [0, 1] as const;

  test.each(families)("NP-70: a change cuts a live TCP flow, whoever speaks next (family %i)", async (family) => {
    engine = await Engine.start(net.router, [policy.path]);
    const first = await net.peers.a.converse(net.peers.b1, address.b1[family], 5432);
    const second = await net.peers.a.converse(net.peers.b1, address.b1[family], 5432);
    await first.client.send("hello");
    expect(await first.server.receives("hello")).toBe("received");

    await engine.applies(() => policy.write("policy.json", policyFor(false)));

    await first.client.send("client speaks");
    expect(await first.server.receives("client speaks", 300)).not.toBe("received");
    await second.server.send("server speaks");
    expect(await second.client.receives("server speaks", 300)).not.toBe("received");
    // …and stays cut: the other side's packets must not open it again, in either direction.
    await second.client.send("client answers");
    expect(await second.server.receives("client answers", 300)).not.toBe("received");
    expect(await net.peers.a.connectTcp(address.b1[family], 5432, 300)).toBe("timeout");
  });

  test("a cut TCP flow's ends are told by a reset", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    await engine.applies(() => policy.write("policy.json", policyFor(false)));
    await client.send("x");
    expect(await client.receives("never", 2000)).toBe("ECONNRESET");
    await server.send("y");
    expect(await server.receives("never", 2000)).toBe("ECONNRESET");
  });

  test("NP-73: denied, then allowed: the same SYN's retransmission gets through", async () => {
    policy.write("policy.json", policyFor(false));
    engine = await Engine.start(net.router, [policy.path]);
    const attempt = net.peers.a.connectTcp(address.b1[0], 5432, 5000);
    const running = engine;
    await running.applies(() => policy.write("policy.json", policyFor(true)));
    expect(typeof (await attempt)).toBe("object");
  });

  test("a change that keeps a flow allowed doesn't disturb it", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    for (let round = 0; round < 20; round++) {
      await engine.applies(() =>
        policy.write("other.json", {
          ...policyFor(true),
          metadata: { name: `round-${round}`, namespace: "shop" },
        }),
      );
      await client.send(`q${round};`);
      expect(await server.receives(`q${round};`)).toBe("received");
      await server.send(`a${round};`);
      expect(await client.receives(`a${round};`)).toBe("received");
    }
  });

  test("a restart with a changed policy cuts a live flow; one with the same policy doesn't", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    await client.send("one");
    expect(await server.receives("one")).toBe("received");
    expect(await engine.stop()).toBe(0);

    engine = await Engine.start(net.router, [policy.path]);
    await client.send("two");
    expect(await server.receives("two")).toBe("received");
    await server.send("three");
    expect(await client.receives("three")).toBe("received");
    expect(await engine.stop()).toBe(0);

    policy.write("policy.json", policyFor(false));
    engine = await Engine.start(net.router, [policy.path]);
    await server.send("four");
    expect(await client.receives("four", 300)).not.toBe("received");
    await client.send("five");
    expect(await server.receives("five", 300)).not.toBe("received");
  });

  test("a start with conntrack off adopts a live flow, also when the server speaks first (PL-26, NP-65)", async () => {
    const rules = net.router.check(["nft", "list", "ruleset"]);
    expect(rules).toBe("");
    const first = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    const second = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    engine = await Engine.start(net.router, [policy.path]);
    await first.server.send("server first");
    expect(await first.client.receives("server first")).toBe("received");
    await first.client.send("then client");
    expect(await first.server.receives("then client")).toBe("received");
    await second.client.send("client first");
    expect(await second.server.receives("client first")).toBe("received");
    await second.server.send("then server");
    expect(await second.client.receives("then server")).toBe("received");
    // Tracking holds the first one the wrong way round; a change of something else must not cut it.
    const running = engine;
    await running.applies(() =>
      policy.write("other.json", { apiVersion: "v1", kind: "Namespace", metadata: { name: "other" } }),
    );
    await first.server.send("server again");
    expect(await first.client.receives("server again")).toBe("received");
    await first.client.send("client again");
    expect(await first.server.receives("client again")).toBe("received");
  });

  test("PL-26: midstream=strict passes a met flow only if both orientations would", async () => {
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 5432);
    policy.write("policy.json", policyFor(false));
    engine = await Engine.start(net.router, [policy.path], ["--set", "midstream=strict"]);
    await server.send("four");
    expect(await client.receives("four", 300)).toBe("timeout");
    await client.send("five");
    expect(await server.receives("five", 300)).toBe("timeout");
  });

  test("PL-21, T-53: an ICMP error passes for an allowed flow, and a forged one about a denied flow does not", async () => {
    policy.write("policy.json", {
      ...policyFor(true),
      spec: {
        podSelector: { matchLabels: { app: "web" } },
        policyTypes: ["Ingress", "Egress"],
        ingress: [],
        egress: [{ ports: [{ protocol: "UDP", port: 7000 }] }],
      },
    });
    engine = await Engine.start(net.router, [policy.path]);
    // Nobody listens on 7000: b1 answers with port unreachable, which web has no ingress rule for.
    const allowed = new UdpVictim(net.hosts.a, address.b1[0], 7000);
    await allowed.port();
    expect(await allowed.outcome()).toBe("ECONNREFUSED");
    const denied = new UdpVictim(net.hosts.a, address.b1[0], 7001);
    const quoted = ipPacket(address.a[0], address.b1[0], 17, udp(await denied.port(), 7001));
    sendRaw(net.hosts.b1, [ipPacket(address.b1[0], address.a[0], 1, icmpPortUnreachable(quoted))]);
    expect(await denied.outcome()).toBe("silent");
  });

  test.each([
    ["allowed", true, "ECONNREFUSED"],
    ["denied by now", false, "silent"],
  ] as const)("PL-21: an ICMP error quoting a live flow that is %s", async (_, staysOpen, expected) => {
    const egress = (isOpen: boolean) => ({
      ...policyFor(true),
      spec: {
        podSelector: { matchLabels: { app: "web" } },
        policyTypes: ["Ingress", "Egress"],
        egress: isOpen ? [{ ports: [{ protocol: "UDP", port: 7000 }] }] : [],
      },
    });
    policy.write("policy.json", egress(true));
    engine = await Engine.start(net.router, [policy.path]);
    const running = engine;
    const server = await net.peers.b1.openUdp({ localPort: 7000 });
    const victim = new UdpVictim(net.hosts.a, address.b1[0], 7000);
    expect(await server.receives("x")).toBe("received");
    if (!staysOpen) {
      await running.applies(() => policy.write("policy.json", egress(false)));
      // The flow's next packet, of either direction, makes the denial known to the kernel.
      await server.send("reply");
    }
    const quoted = ipPacket(address.a[0], address.b1[0], 17, udp(await victim.port(), 7000));
    sendRaw(net.hosts.b1, [ipPacket(address.b1[0], address.a[0], 1, icmpPortUnreachable(quoted))]);
    expect(await victim.outcome()).toBe(expected);
  });
});
