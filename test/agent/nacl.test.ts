/** Network ACLs judge packets, not flows: in both directions, at both subnets, and at once when they change. */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { gained, ruleCounters } from "../support/rule-counters.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";
import { UdpVictim } from "../support/udp-victim.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  type EntryRow,
  networkAcl,
  openEntries,
} from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/nacl: skipped: ${skipReason}`);

/** Entries 10 and 11: one protocol with a range of ports, for both families. */
const entry = (
  action: "allow" | "deny",
  egress: boolean,
  protocol: "6" | "17",
  ports: readonly [number, number],
  number = 10,
): EntryRow[] =>
  ["0.0.0.0/0", "::/0"].map((cidr, i) => ({ number: number + i, action, egress, protocol, cidr, ports }));

const ephemeral = [32768, 61000] as const;

describe.skipIf(skipReason !== null)("network ACLs", () => {
  let net: Topology;
  let engine: Engine;
  const policy = new PolicyDirectory();
  /** Each test has a name of its own for its ACLs, so that every write is a change. */
  let round = 0;

  /** Subnets a and b get these entries, and the engine enforces them. */
  const enforce = (a: readonly EntryRow[], b: readonly EntryRow[]) => {
    round++;
    return engine.applies(() =>
      policy.write(
        "acls.json",
        describeNetworkAcls([
          networkAcl(`acl-a${round}`, ["subnet-a"], a),
          networkAcl(`acl-b${round}`, ["subnet-b"], b),
        ]),
      ),
    );
  };

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    for (const port of [80, 443]) await net.peers.b1.listenTcp(port);
    await net.peers.b2.listenTcp(80);
    policy.write(
      "vpc.json",
      describeSubnets({ "subnet-a": ["10.1.1.0/24", "fd00:1:1::/64"], "subnet-b": ["10.1.2.0/24", "fd00:1:2::/64"] }),
    );
    policy.write(
      "instances.json",
      describeInstances(
        (["a", "b1", "b2"] as const).map((host) => ({
          instance: `i-${host}`,
          subnet: host === "a" ? "subnet-a" : "subnet-b",
          addresses: address[host],
          groups: ["sg-open"],
        })),
      ),
    );
    policy.write("groups.json", describeSecurityGroups([{ id: "sg-open", ingress: allEgress, egress: allEgress }]));
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-0", ["subnet-a", "subnet-b"], openEntries)]));
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

  /** A datagram from a to b1 and an answer: what arrived. */
  const converse = async (family: 0 | 1, port = 53) => {
    const server = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, localPort: port });
    const client = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, host: address.b1[family], port });
    return { server, client, close: async () => Promise.all([server.close(), client.close()]) };
  };

  describe.each(families)("%s", (_, family) => {
    test("T-6: a reply to an ephemeral port that the ACL doesn't name is refused, although its flow was accepted", async () => {
      await enforce(openEntries, [...entry("allow", false, "6", [443, 443]), ...entry("allow", true, "6", [443, 443])]);
      const count = await gained(net.router, async () => {
        expect(await net.peers.a.connectTcp(address.b1[family], 443, 400)).toBe("timeout");
      });
      // The SYN passed, and its answers died in the kernel.
      expect(count.judged_accept).toBeGreaterThan(0);
      expect(count.decided_deny).toBeGreaterThan(0);
      await enforce(openEntries, [...entry("allow", false, "6", [443, 443]), ...entry("allow", true, "6", ephemeral)]);
      const open = await net.peers.a.connectTcp(address.b1[family], 443);
      expect(typeof open).toBe("object");
      if (typeof open === "object") await open.close();
    });

    test.each([
      ["egress of the source's subnet on the port", "a", true, [53, 53], "timeout", "timeout"],
      ["ingress of the destination's subnet on the port", "b", false, [53, 53], "timeout", "timeout"],
      ["egress of the destination's subnet on the source port", "b", true, ephemeral, "received", "timeout"],
      ["ingress of the source's subnet on the source port", "a", false, ephemeral, "received", "timeout"],
    ] as const)("NA-18: refused by %s", async (_where, subnet, egress, ports, forward, reply) => {
      const closed = [...entry("deny", egress, "17", ports), ...openEntries];
      await enforce(subnet === "a" ? closed : openEntries, subnet === "b" ? closed : openEntries);
      const { server, client, close } = await converse(family);
      await client.send("question");
      expect(await server.receives("question", forward === "received" ? 2000 : 200)).toBe(forward);
      if (forward === "received") {
        await server.send("answer");
        expect(await client.receives("answer", 200)).toBe(reply);
      }
      await close();
    });

    test("NA-19: of a cached flow the kernel passes the forward packets and drops the replies", async () => {
      await enforce([...entry("deny", false, "17", ephemeral), ...openEntries], openEntries);
      const { server, client, close } = await converse(family);
      await client.send("first");
      expect(await server.receives("first")).toBe("received");
      const count = await gained(net.router, async () => {
        for (let i = 0; i < 10; i++) {
          await client.send(`q${i};`);
          expect(await server.receives(`q${i};`)).toBe("received");
          await server.send(`a${i};`);
        }
        expect(await client.receives("a", 200)).toBe("timeout");
      });
      expect(count.queued).toBe(0);
      expect(count.decided_accept).toBe(10);
      expect(count.decided_deny).toBe(10);
      await close();
    });

    test("NA-20: a change acts on a live flow at once, in either direction, and so does its undoing", async () => {
      await enforce(openEntries, openEntries);
      const { server, client, close } = await converse(family);
      await client.send("one");
      expect(await server.receives("one")).toBe("received");
      await server.send("two");
      expect(await client.receives("two")).toBe("received");

      await enforce(openEntries, [...entry("deny", true, "17", ephemeral), ...openEntries]);
      await server.send("three");
      expect(await client.receives("three", 200)).toBe("timeout");
      await client.send("four");
      expect(await server.receives("four")).toBe("received");

      await enforce(openEntries, [...entry("deny", false, "17", [53, 53]), ...openEntries]);
      await client.send("five");
      expect(await server.receives("five", 200)).toBe("timeout");

      await enforce(openEntries, openEntries);
      await server.send("six");
      expect(await client.receives("six")).toBe("received");
      await client.send("seven");
      expect(await server.receives("seven")).toBe("received");
      await close();
    });

    test("NA-20: a change cuts a live TCP connection at once", async () => {
      await enforce(openEntries, openEntries);
      const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[family], 80);
      await client.send("one");
      expect(await server.receives("one")).toBe("received");
      await enforce([...entry("deny", false, "6", ephemeral), ...openEntries], openEntries);
      await server.send("two");
      expect(await client.receives("two", 300)).not.toBe("received");
      await client.close();
      await server.close();
    });

    test.each([
      ["none", [], "silent"],
      ["one for another code", [{ type: 3, type6: 1, code: 1 }], "silent"],
      ["one for port unreachable", [{ type: 3, type6: 1, code: -1 }], "ECONNREFUSED"],
    ] as const)("NA-22: an ICMP error about an accepted flow needs an entry: %s", async (_what, rows, expected) => {
      const icmp = rows.map(({ type, type6, code }) =>
        family === 0
          ? { protocol: "1", cidr: "0.0.0.0/0", icmp: [type, code] as const }
          : { protocol: "58", cidr: "::/0", icmp: [type6, code] as const },
      );
      await enforce(openEntries, [
        ...entry("allow", false, "17", [0, 65535]),
        ...entry("allow", true, "17", [0, 65535]),
        ...icmp.map((row) => ({ number: 20, action: "allow" as const, egress: true, ...row })),
      ]);
      // Nobody listens there: b1's kernel answers with port unreachable.
      const victim = new UdpVictim(net.hosts.a, address.b1[family], 7999, 400);
      await victim.port();
      expect(await victim.outcome()).toBe(expected);
    });

    test("T-7, NA-12: inside a subnet no ACL is asked", async () => {
      await enforce([], []);
      const inside = await net.peers.b2.connectTcp(address.b1[family], 80);
      expect(typeof inside).toBe("object");
      if (typeof inside === "object") await inside.close();
      expect(await net.peers.a.connectTcp(address.b1[family], 80, 200)).toBe("timeout");
    });
  });

  test("nothing passed without a verdict meanwhile", () => {
    expect(ruleCounters(net.router).unjudged_accept).toBe(0);
  });
});
