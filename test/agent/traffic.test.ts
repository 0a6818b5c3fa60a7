/**
 * Real packets through a running engine: what the policies allow passes, the rest doesn't, and what is decided stays in
 * the kernel.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { address, createTopology, ping, settle, type Topology } from "../support/topology.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  networkAcl,
  openEntries,
} from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/traffic: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)("traffic under a running engine", () => {
  let net: Topology;
  let engine: Engine;
  const policy = new PolicyDirectory();

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    for (const peer of [net.peers.a, net.peers.b1, net.peers.b2]) {
      await peer.listenTcp(80);
      await peer.listenTcp(81);
    }
    policy.write(
      "vpc.json",
      describeSubnets({ "subnet-a": ["10.1.1.0/24", "fd00:1:1::/64"], "subnet-b": ["10.1.2.0/24", "fd00:1:2::/64"] }),
    );
    policy.write(
      "instances.json",
      describeInstances([
        { instance: "i-a", subnet: "subnet-a", addresses: address.a, groups: ["sg-a"] },
        { instance: "i-b1", subnet: "subnet-b", addresses: address.b1, groups: ["sg-b1"] },
        { instance: "i-b2", subnet: "subnet-b", addresses: address.b2, groups: ["sg-b2"] },
      ]),
    );
    policy.write(
      "groups.json",
      describeSecurityGroups([
        { id: "sg-a", ingress: [], egress: allEgress },
        {
          id: "sg-b1",
          ingress: [
            { protocol: "tcp", from: 80, peers: ["sg-a", "sg-b2"] },
            { protocol: "udp", from: 53, peers: ["sg-a"] },
            { protocol: "icmp", from: 8, to: -1, peers: ["sg-b2"] },
            { protocol: "icmpv6", from: 128, to: 0, peers: ["sg-b2"] },
            { protocol: "tcp", from: 82, peers: ["0.0.0.0/0", "::/0"] },
          ],
          egress: allEgress,
        },
        { id: "sg-b2", ingress: [], egress: allEgress },
      ]),
    );
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries)]));
    await net.peers.b1.listenTcp(82);
    engine = await Engine.start(net.router, [policy.path]);
  });

  afterAll(async () => {
    await engine?.stop();
    net?.lab.destroy();
    policy.remove();
  });

  const families = [
    ["IPv4", 0],
    ["IPv6", 1],
  ] as const;

  describe.each(families)("%s", (_, family) => {
    test.each([
      ["a", "b1", 80, "open", "SG-23: by reference"],
      ["a", "b1", 81, "timeout", "SG-42: no rule"],
      ["b2", "b1", 80, "open", "T-3: same subnet, on a bridge"],
      ["b2", "b1", 81, "timeout", "T-3: same subnet, on a bridge"],
      ["a", "b2", 80, "timeout", "T-1: the source's egress doesn't open the destination"],
      ["b1", "b2", 80, "timeout", "T-1: same subnet"],
      ["out", "b1", 80, "timeout", "an outside source is no member"],
      ["out", "b1", 82, "open", "an outside source by CIDR"],
    ] as const)("TCP %s → %s:%i is %s (%s)", async (from, to, port, expected, _why) => {
      const result = await net.peers[from].connectTcp(address[to][family], port, expected === "open" ? 2000 : 300);
      if (typeof result !== "string") await result.close();
      expect(typeof result === "string" ? result : "open").toBe(expected);
    });

    test.each([
      ["a", 53, "received"],
      ["a", 54, "timeout"],
      ["b2", 53, "timeout"],
    ] as const)("UDP %s → b1:%i is %s", async (from, port, expected) => {
      const family4or6 = family === 0 ? 4 : 6;
      const server = await net.peers.b1.openUdp({ family: family4or6, localPort: port });
      const client = await net.peers[from].openUdp({ family: family4or6, host: address.b1[family], port });
      await client.send("question");
      const atServer = await server.receives("question", expected === "received" ? 2000 : 300);
      expect(atServer).toBe(expected);
      if (expected === "received") {
        await server.send("answer");
        expect(await client.receives("answer")).toBe("received");
      }
      await server.close();
      await client.close();
    });

    test("ICMP echo: b2 → b1 passes, a → b1 doesn't", () => {
      expect(ping(net.hosts.b2, address.b1[family])).toBe(true);
      expect(ping(net.hosts.a, address.b1[family])).toBe(false);
    });
  });

  test("an established flow never comes back to the queue", async () => {
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 80);
    await client.send("first");
    expect(await server.receives("first")).toBe("received");
    await server.send("second");
    expect(await client.receives("second")).toBe("received");
    const before = await packetsQueued(net);
    for (let i = 0; i < 50; i++) {
      await client.send(`ping${i};`);
      expect(await server.receives(`ping${i};`)).toBe("received");
      await server.send(`pong${i};`);
      expect(await client.receives(`pong${i};`)).toBe("received");
    }
    expect((await packetsQueued(net)) - before).toBe(0);
    await client.close();
    await server.close();
  });

  test("one-way UDP is decided once", async () => {
    const server = await net.peers.b1.openUdp({ localPort: 53 });
    const client = await net.peers.a.openUdp({ host: address.b1[0], port: 53 });
    await client.send("start");
    expect(await server.receives("start")).toBe("received");
    const before = await packetsQueued(net);
    for (let i = 0; i < 50; i++) {
      await client.send(`d${i};`);
      expect(await server.receives(`d${i};`)).toBe("received");
    }
    expect((await packetsQueued(net)) - before).toBe(0);
    await client.close();
    await server.close();
  });

  test("metrics name evaluator and reason, and the queue's own statistics", async () => {
    const text = metricsText(net);
    expect(text).toMatch(
      /verdictd_packets_total\{verdict="deny",reason="no-rule-matches",evaluator="security-group"\} [1-9]/,
    );
    expect(text).toMatch(/verdictd_packets_total\{verdict="accept",reason="[a-z-]+",evaluator="[a-z-]+"\} [1-9]/);
    expect(text).toMatch(/verdictd_verdict_latency_seconds_count [1-9]/);
    expect(text).toMatch(/verdictd_queue_waiting_packets\{queue="4722"\} 0/);
    expect(text).toMatch(/verdictd_epoch 1\n/);
  });
});

/** From inside the router: the engine's pages listen on its loopback. */
function metricsText(net: Topology): string {
  return net.router.check([
    process.execPath,
    "-e",
    "fetch('http://127.0.0.1:9472/metrics').then(async (r) => process.stdout.write(await r.text()))",
  ]);
}

async function packetsQueued(net: Topology): Promise<number> {
  const line = /^verdictd_kernel_rule_packets_total\{rule="queued"\} (\d+)$/m.exec(metricsText(net));
  return Number(line?.[1] ?? expect.fail("no counter of queued packets"));
}
