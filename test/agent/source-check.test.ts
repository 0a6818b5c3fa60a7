/** SG-94 on a bridge: an interface sends only from its own addresses, and receives only for them. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { ipPacket, sendRaw, udp } from "../support/raw-packet.ts";
import { ruleCounters } from "../support/rule-counters.ts";
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

if (skipReason !== null) console.warn(`test/agent/source-check: skipped: ${skipReason}`);

/** Addresses that nobody has, in b1's own subnet and elsewhere. */
const strangers = [
  ["10.1.2.99", "192.0.2.7"],
  ["fd00:1:2::99", "2001:db8:7::7"],
] as const;

type Counter =
  | "source_check_source"
  | "source_check_destination"
  | "source_check_link_local"
  | "source_check_multicast";

describe.skipIf(skipReason !== null)("the source and destination check on a bridge", () => {
  let net: Topology;
  let engine: Engine | null = null;
  const policy = new PolicyDirectory();

  /** b1 and b2 may say anything to each other; `flags` changes b1's interface as the API prints it. */
  const write = (flags: object = {}): void => {
    const documents = describeInstances(
      (["b1", "b2"] as const).map((host) => ({
        instance: `i-${host}`,
        subnet: "subnet-b",
        addresses: address[host],
        groups: ["sg-open"],
      })),
    ) as { Reservations: { Instances: { NetworkInterfaces: object[] }[] }[] };
    Object.assign(documents.Reservations[0]?.Instances[0]?.NetworkInterfaces[0] ?? expect.fail("no interface"), flags);
    policy.write("instances.json", documents);
  };

  const start = async (...knobs: string[]): Promise<Engine> => {
    engine = await Engine.start(
      net.router,
      [policy.path],
      knobs.flatMap((knob) => ["--set", knob]),
    );
    return engine;
  };

  const macOf = (namespace: Namespace): string =>
    (JSON.parse(namespace.check(["ip", "-j", "link", "show", "eth0"])) as { address: string }[])[0]?.address ?? "";

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    policy.write("vpc.json", describeSubnets({ "subnet-b": ["10.1.2.0/24", "fd00:1:2::/64"] }));
    policy.write("groups.json", describeSecurityGroups([{ id: "sg-open", ingress: allEgress, egress: allEgress }]));
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries)]));
    net.hosts.b2.check(["nft", "-f", "-"], {
      input: `table inet arrivals {
        counter arrived { }
        chain input { type filter hook prerouting priority -400; policy accept; udp dport 9999 counter name arrived; }
      }\n`,
    });
    write();
    for (const family of [0, 1] as const) ping(net.hosts.b1, address.b2[family]);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    write();
  });

  afterAll(() => {
    net?.lab.destroy();
    policy.remove();
  });

  const arrived = (): number => {
    const text = net.hosts.b2.check(["nft", "-j", "list", "counter", "inet", "arrivals", "arrived"]);
    return Number(/"packets": (\d+)/.exec(text)?.[1] ?? expect.fail(text));
  };

  /** Sends one datagram from b1 and waits until it's counted: where it arrives, or where it's dropped. */
  const outcome = async (from: string, to: string): Promise<"arrives" | Counter> => {
    const before = ruleCounters(net.router);
    const had = arrived();
    sendRaw(net.hosts.b1, [ipPacket(from, to, 17, udp(9999, 9999))]);
    let result: "arrives" | Counter | null = null;
    await waitFor(`a packet from ${from} to ${to}`, () => {
      const now = ruleCounters(net.router);
      const dropped = (Object.keys(now) as (keyof typeof now)[]).find(
        (name) => name.startsWith("source_check") && now[name] !== before[name],
      );
      result = arrived() > had ? "arrives" : ((dropped as Counter | undefined) ?? null);
      return result !== null;
    });
    return result ?? expect.fail("no outcome");
  };

  describe.each([
    ["IPv4", 0],
    ["IPv6", 1],
  ] as const)("%s", (_, family) => {
    test("SG-94: from its own address it sends, from another it doesn't", async () => {
      await start();
      expect(await outcome(address.b1[family], address.b2[family])).toBe("arrives");
      for (const stranger of strangers[family]) {
        expect(await outcome(stranger, address.b2[family])).toBe("source_check_source");
      }
      // Another instance's address, from one that it isn't.
      expect(await outcome(address.a[family], address.b2[family])).toBe("source_check_source");
      expect(ping(net.hosts.b1, address.b2[family])).toBe(true);
      expect(ping(net.hosts.a, address.b2[family])).toBe(true);
    });

    test("SG-94: with the inventory's hardware address nobody else sends from its addresses", async () => {
      // b2 sends as b1: b2's own binding stops it, were there one; its check is off.
      write({ MacAddress: macOf(net.hosts.b1).toUpperCase() });
      await start();
      expect(await outcome(address.b1[family], address.b2[family])).toBe("arrives");
      const mac = macOf(net.hosts.b1);
      try {
        net.hosts.b1.check(["ip", "link", "set", "eth0", "address", "02:00:00:00:00:99"]);
        const gateway = family === 0 ? "10.1.2.1" : "fd00:1:2::1";
        if (family === 1) net.hosts.b1.run(["ip", "-6", "route", "add", "default", "via", gateway]);
        else net.hosts.b1.run(["ip", "route", "add", "default", "via", gateway]);
        await waitFor("a neighbour", () => {
          sendRaw(net.hosts.b1, [ipPacket(address.b1[family], address.b2[family], 17, udp(9999, 9999))]);
          return ruleCounters(net.router).source_check_source > 0;
        });
      } finally {
        net.hosts.b1.check(["ip", "link", "set", "eth0", "address", mac]);
      }
    });

    test("SG-94: an interface with the check off sends from any address", async () => {
      write({ SourceDestCheck: false });
      await start();
      expect(await outcome(strangers[family][0], address.b2[family])).toBe("arrives");
    });

    test("sourceDestCheck=off switches it off for all", async () => {
      await start("sourceDestCheck=off");
      expect(await outcome(strangers[family][0], address.b2[family])).toBe("arrives");
    });

    test("SG-94: a packet through an instance that isn't its destination", async () => {
      await start();
      const beyond = family === 0 ? "192.0.2.0/24" : "2001:db8:7::/64";
      const tool = family === 0 ? ["ip"] : ["ip", "-6"];
      net.hosts.b1.check([...tool, "route", "add", beyond, "via", address.b2[family]]);
      try {
        expect(await outcome(address.b1[family], strangers[family][1])).toBe("source_check_destination");
      } finally {
        net.hosts.b1.check([...tool, "route", "del", beyond]);
      }
    });
  });

  test.each([
    ["broadcast", "10.1.2.255", "source_check_multicast"],
    ["multicast", "239.1.2.3", "source_check_multicast"],
  ] as const)("SG-94: %s isn't delivered", async (_name, to, expected) => {
    await start();
    if (to === "10.1.2.255") {
      const before = ruleCounters(net.router).source_check_multicast;
      net.hosts.b1.run(["ping", "-n", "-b", "-c", "1", "-W", "1", to]);
      expect(ruleCounters(net.router).source_check_multicast).toBeGreaterThan(before);
    } else {
      expect(await outcome(address.b1[0], to)).toBe(expected);
    }
  });

  test("SG-94: unicast to a link-local address isn't delivered, and neighbour discovery is", async () => {
    await start();
    const linkLocal = (namespace: Namespace): string =>
      /inet6 (fe80[0-9a-f:]+)/.exec(
        namespace.check(["ip", "-6", "address", "show", "dev", "eth0", "scope", "link"]),
      )?.[1] ?? expect.fail("no link-local address");
    expect(ping(net.hosts.b1, `${linkLocal(net.hosts.b2)}%eth0`)).toBe(false);
    const count = ruleCounters(net.router);
    expect(count.source_check_source + count.source_check_link_local + count.source_check_destination).toBeGreaterThan(
      0,
    );
    net.hosts.b1.check(["ip", "-6", "neigh", "flush", "dev", "eth0"]);
    await waitFor("neighbour discovery", () => ping(net.hosts.b1, address.b2[1]));
  });

  test("managed endpoints' forwarding entries are static while the engine runs, and age again afterwards", async () => {
    const entries = () =>
      (
        JSON.parse(net.router.check(["bridge", "-j", "fdb", "show", "br", "br0"])) as {
          mac: string;
          state?: string;
          master?: string;
        }[]
      ).filter(({ mac, master }) => mac === macOf(net.hosts.b1) && master === "br0");
    expect(entries().map(({ state }) => state || "learned")).toEqual(["learned"]);
    const running = await start();
    expect(entries().map(({ state }) => state || "learned")).toEqual(["static"]);
    expect(await running.stop()).toBe(0);
    expect(entries().map(({ state }) => state || "learned")).toEqual(["learned"]);
  });
});
