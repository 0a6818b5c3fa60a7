/** No open window at a pod's start: a packet of an address that nobody is known to have waits (NP-64, NP-65). */
import { setTimeout } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { list, networkPolicy, node, pod } from "../support/kubernetes.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { ruleCounters } from "../support/rule-counters.ts";
import { address, createTopology, settle, type Topology } from "../support/topology.ts";

if (skipReason !== null) console.warn(`test/agent/unknown-pods: skipped: ${skipReason}`);

const families = [0, 1] as const;
/** Where a, b1 and b2 live: a behind a cable of its own, the others on a bridge. */
const ranges = ["10.1.1.0/24", "10.1.2.0/24", "fd00:1:1::/64", "fd00:1:2::/64"];
const held = ["--set", "unknownLocalIp=hold(20000)"];
/** Long enough for what passes, short enough to wait for what doesn't. */
const SILENCE_MS = 300;

/** The pods `web` take and send nothing; everybody else does what it likes. */
const closed = (...policyTypes: ("Ingress" | "Egress")[]) =>
  networkPolicy("web", { podSelector: { matchLabels: { app: "web" } }, policyTypes });
/** So that DNS is observed. */
const learns = {
  apiVersion: "policy.networking.k8s.io/v1alpha2",
  kind: "ClusterNetworkPolicy",
  metadata: { name: "learns" },
  spec: {
    ...{
      tier: "Admin",
      priority: 1,
      subject: { pods: { namespaceSelector: {}, podSelector: { matchLabels: { app: "db" } } } },
    },
    egress: [{ action: "Accept", to: [{ domainNames: ["*.example.com"] }] }],
  },
};
const web = pod("web", { app: "web" }, address.a);

describe.skipIf(skipReason !== null)("pods that nobody knows yet", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  /** Another one for each test. */
  let port = 5432;

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
  });
  afterAll(() => net?.lab.destroy());

  beforeEach(async () => {
    policy = new PolicyDirectory();
    policy.write("db.json", list([pod("db", { app: "db" }, address.b1)]));
    port++;
    for (const peer of Object.values(net.peers)) await peer.listenTcp(port);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    policy.remove();
  });

  async function start(...args: string[]): Promise<Engine> {
    engine = await Engine.start(
      net.router,
      [policy.path],
      [...ranges.flatMap((cidr) => ["--pod-range", cidr]), ...args],
    );
    return engine;
  }
  const count = (counter: "unknown_held" | "unknown_drop" | "queued"): number => ruleCounters(net.router)[counter];
  const areHeld = (packets: number): Promise<void> =>
    waitFor(`${packets} packets held`, () => count("unknown_held") >= packets, 10_000);
  /** The waiting room's metrics by what they count. */
  const room = () => {
    const script = "fetch('http://127.0.0.1:9472/metrics').then(async (r) => process.stdout.write(await r.text()))";
    const text = net.router.check([process.execPath, "-e", script]);
    const value = (name: string): number =>
      Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.split(" ")[1],
      );
    const ended = (result: string): number => value(`verdictd_held_packets_ended_total{result="${result}"}`);
    return {
      held: value("verdictd_held_packets"),
      packets: value("verdictd_held_packets_total"),
      ...{ released: ended("released"), expired: ended("expired"), refused: ended("refused") },
    };
  };
  const becomesKnown = (): Promise<void> => (engine as Engine).applies(() => policy.write("web.json", web));

  describe.each(families)("the four races (family %i)", (family) => {
    test("T-48: a new pod sends first, its egress is denied: nothing passes", async () => {
      policy.write("policy.json", closed("Egress"));
      await start(...held);
      const to = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, localPort: port });
      const from = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, host: address.b1[family], port: port });
      await from.send("one;");
      const connecting = net.peers.a.connectTcp(address.b1[family], port, 1500);
      await areHeld(2);
      await becomesKnown();
      await from.send("two;");
      expect(await to.receives("one;", SILENCE_MS)).toBe("timeout");
      expect(await connecting).toBe("timeout");
    });

    test("NP-64: a new pod sends first and may: its connection waits, its datagrams keep their order", async () => {
      policy.write("policy.json", closed("Ingress"));
      await start(...held);
      const to = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, localPort: port });
      const from = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, host: address.b1[family], port: port });
      for (const text of ["one;", "two;", "three;"]) await from.send(text);
      const connecting = net.peers.a.connectTcp(address.b1[family], port, 10_000);
      // A SYN that is sent again waits as well.
      await areHeld(5);
      expect(await to.receives("one;", 0)).toBe("timeout");
      await becomesKnown();
      expect(await to.receives("one;two;three;")).toBe("received");
      const client = await connecting;
      if (typeof client === "string") expect.fail(client);
      const server = await net.peers.b1.accept(port, client.localPort);
      await client.send("hello");
      expect(await server.receives("hello")).toBe("received");
      expect(room()).toMatchObject({ held: 0, expired: 0, refused: 0 });
    });

    test("a peer connects to a new pod, whose ingress is denied: nothing passes", async () => {
      policy.write("policy.json", closed("Ingress"));
      await start(...held);
      const to = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, localPort: port });
      const from = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, host: address.a[family], port: port });
      await from.send("one;");
      const connecting = net.peers.out.connectTcp(address.a[family], port, 1500);
      await areHeld(2);
      await becomesKnown();
      await from.send("two;");
      expect(await to.receives("one;", SILENCE_MS)).toBe("timeout");
      expect(await connecting).toBe("timeout");
    });

    test("a peer connects to a new pod and may", async () => {
      policy.write("policy.json", closed("Egress"));
      await start(...held);
      const connecting = net.peers.out.connectTcp(address.a[family], port, 10_000);
      const to = await net.peers.a.openUdp({ family: family === 0 ? 4 : 6, localPort: port });
      const from = await net.peers.b1.openUdp({ family: family === 0 ? 4 : 6, host: address.a[family], port: port });
      for (const text of ["one;", "two;", "three;"]) await from.send(text);
      await areHeld(4);
      await becomesKnown();
      expect(await to.receives("one;two;three;")).toBe("received");
      const client = await connecting;
      if (typeof client === "string") expect.fail(client);
      const server = await net.peers.a.accept(port, client.localPort);
      await server.send("hello");
      expect(await client.receives("hello")).toBe("received");
    });

    test("NP-65, T-49: an answer of a flow that began before is no new flow", async () => {
      policy.write("policy.json", closed("Ingress"));
      const before = await net.peers.a.converse(net.peers.out, address.out[family], port);
      await start(...held);
      await before.server.send("answer");
      await areHeld(1);
      await becomesKnown();
      expect(await before.client.receives("answer", 5000)).toBe("received");
      await before.client.send("thanks");
      expect(await before.server.receives("thanks")).toBe("received");
    });
  });

  test("on a bridge: between two of its ports, too", async () => {
    policy.write("policy.json", closed("Ingress"));
    await start(...held);
    const connecting = net.peers.b1.connectTcp(address.b2[0], port, 10_000);
    const denied = net.peers.b2.connectTcp(address.b1[1], port, 10_000);
    await areHeld(2);
    await engine?.applies(() => policy.write("b2.json", list([pod("other", { app: "other" }, address.b2)])));
    for (const each of await Promise.all([connecting, denied])) if (typeof each === "string") expect.fail(each);
  });

  test("a pod that is known and that no policy is about isn't asked about at all", async () => {
    policy.write("web.json", web);
    policy.write("policy.json", networkPolicy("none", { podSelector: { matchLabels: { app: "nobody" } } }));
    await start();
    expect(typeof (await net.peers.a.connectTcp(address.b1[0], port))).toBe("object");
    expect([count("unknown_held"), count("queued")]).toEqual([0, 0]);
  });

  test("this host's own connections to a pod that isn't known yet, and the answers, aren't kept waiting (NP-56)", async () => {
    await start(...held);
    for (const to of address.a) net.router.check([process.execPath, "-e", connects(to, port)]);
    expect(count("unknown_held")).toBe(0);
  });

  test("datagrams that are on their way as the address becomes known: none is lost", async () => {
    await start(...held);
    const to = await net.peers.b1.openUdp({ localPort: port });
    const from = await net.peers.a.openUdp({ host: address.b1[0], port: port });
    let sent = "";
    const send = async (): Promise<void> => {
      sent += "x";
      await from.send("x");
    };
    for (let i = 0; i < 20; i++) await send();
    const knows = becomesKnown();
    const isKnown = (): boolean => (engine?.epoch ?? 0) > 1;
    // No more than one address has room for.
    while (!isKnown() && sent.length < 60) {
      await send();
      await setTimeout(2);
    }
    await knows;
    for (let i = 0; i < 10; i++) await send();
    expect(await to.receives(sent)).toBe("received");
    expect(room()).toMatchObject({ held: 0, expired: 0, refused: 0 });
  });

  test("who isn't known in time is dropped and told once; who comes later is known", async () => {
    const running = await start("--set", "unknownLocalIp=hold(100)");
    const from = await net.peers.a.openUdp({ host: address.b1[0], port: port });
    const to = await net.peers.b1.openUdp({ localPort: port });
    for (let i = 0; i < 3; i++) {
      await from.send("late;");
      await waitFor("the end of its time", () => room().expired === i + 1);
    }
    const lines = running.stderr.split("\n").filter((line) => line.includes("were dropped"));
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] as string)).toMatchObject({ level: "warn", addresses: [address.a[0]] });
    expect(room()).toEqual({ held: 0, packets: 3, released: 0, expired: 3, refused: 0 });
    await becomesKnown();
    await from.send("in time;");
    expect(await to.receives("in time;")).toBe("received");
  });

  test("a flood to one unknown address leaves room for others", async () => {
    await start(...held);
    const from = await net.peers.b1.openUdp({ host: address.a[0], port: port });
    for (let i = 0; i < 100; i++) await from.send("x");
    await areHeld(100);
    const connecting = net.peers.out.connectTcp(address.b2[0], port, 10_000);
    await areHeld(101);
    await waitFor("all that came", () => room().packets >= 101);
    // The connection's SYN may have been sent again.
    expect(room()).toMatchObject({ held: expect.toSatisfy((held: number) => held > 16), refused: 84 });
    await engine?.applies(() => policy.write("b2.json", list([pod("other", {}, address.b2)])));
    expect(typeof (await connecting)).toBe("object");
    expect(room().held).toBe(16);
  });

  test("an address that is nobody's any more is waited for again", async () => {
    policy.write("web.json", web);
    const running = await start(...held);
    expect(typeof (await net.peers.out.connectTcp(address.a[0], port))).toBe("object");
    await running.applies(() => policy.delete("web.json"));
    const connecting = net.peers.out.connectTcp(address.a[0], port, 10_000);
    await areHeld(1);
    await becomesKnown();
    expect(typeof (await connecting)).toBe("object");
  });

  test.each([
    ["deny", "timeout", "unknown_drop"],
    ["allow", "open", null],
  ] as const)("unknownLocalIp=%s", async (value, outcome, counter) => {
    await start("--set", `unknownLocalIp=${value}`);
    const result = await net.peers.a.connectTcp(address.b1[0], port, 500);
    expect(typeof result === "string" ? result : "open").toBe(outcome);
    expect([count("unknown_held"), count("unknown_drop")]).toEqual([0, counter === null ? 0 : expect.any(Number)]);
    if (counter !== null) expect(count(counter)).toBeGreaterThan(0);
  });

  test("a clean stop while packets wait: they are dropped, nothing is left", async () => {
    const running = await start(...held);
    const connecting = net.peers.a.connectTcp(address.b1[0], port, 10_000);
    await areHeld(1);
    expect(await running.stop()).toBe(0);
    expect(net.router.check(["nft", "list", "ruleset"])).not.toContain("verdictd");
    // The SYN that is sent again meets no rules.
    expect(typeof (await connecting)).toBe("object");
  });

  test("a scan of the range leaves room for a pod that speaks", async () => {
    await start(...held);
    // More than there are places.
    const scan = `const socket = require("dgram").createSocket("udp4");
      const send = (i) => i === 5000 ? socket.close()
        : socket.send("x", 9, "10.1.1." + (20 + (i % 200)), () => setImmediate(send, i + 1));
      send(0);`;
    net.hosts.out.check([process.execPath, "-e", scan]);
    await waitFor("the end of the scan", () => room().packets >= 4900);
    expect(room()).toMatchObject({ held: 1024, expired: 0 });
    const connecting = net.peers.a.connectTcp(address.b1[0], port, 10_000);
    await waitFor("the pod's packet", () => room().held > 1024);
    await becomesKnown();
    expect(typeof (await connecting)).toBe("object");
  });

  test("another node's address in the range isn't waited for, nor that of its tunnel", async () => {
    policy.write("node.json", node(["192.0.2.1"], "node-2"));
    await start(...held, "--node-name", "node-1");
    const connecting = net.peers.b2.connectTcp(address.b1[0], port, 10_000);
    await areHeld(1);
    const tunnel = { "projectcalico.org/IPv4VXLANTunnelAddr": address.b2[0] };
    const { metadata, ...rest } = node([address.b2[1]], "node-2");
    const other = { ...rest, metadata: { ...metadata, annotations: tunnel } };
    await (engine as Engine).applies(() => policy.write("node.json", other));
    expect(typeof (await connecting)).toBe("object");
    expect(typeof (await net.peers.b2.connectTcp(address.b1[1], port, 10_000))).toBe("object");
  });

  test("onStop=keep: unknown addresses stay shut out, and the next run knows its way in", async () => {
    const running = await start(...held, "--set", "onStop=keep");
    const attempt = (): Promise<unknown> => net.peers.a.connectTcp(address.b1[0], port, 500);
    const waiting = attempt();
    await areHeld(1);
    expect(await running.stop()).toBe(0);
    expect(await waiting).toBe("timeout");
    expect(await attempt()).toBe("timeout");
    await start(...held);
    const connecting = net.peers.a.connectTcp(address.b1[0], port, 10_000);
    await areHeld(1);
    await becomesKnown();
    expect(typeof (await connecting)).toBe("object");
    await engine?.stop();
    // A run without a range takes the chain away, whatever its rule is.
    engine = await Engine.start(net.router, [policy.path]);
    expect(net.router.check(["nft", "list", "chains"])).not.toContain("to_hold");
  });

  test.each([
    ["more workers", ["--workers", "1"], ["--workers", "3"]],
    ["fewer workers", ["--workers", "3"], ["--workers", "1"]],
    ["workers at the number to wait in", ["--workers", "1", "--queue", "4722"], ["--workers", "1"]],
    ["the observer at that number", ["--queue", "4721"], ["--queue", "4720"]],
  ])("%s than the run before: what its rules still send passes nobody", async (_, before, after) => {
    policy.write("policy.json", list([closed("Egress"), learns]));
    const running = await start("--set", "unknownLocalIp=hold(500)", "--set", "onStop=keep", ...before);
    const to = await net.peers.b1.openUdp({ family: 4, localPort: port });
    const from = await net.peers.a.openUdp({ family: 4, host: address.b1[0], port });
    await running.stop();
    let isReady = false;
    const restarted = start("--set", "unknownLocalIp=hold(500)", ...after).finally(() => {
      isReady = true;
    });
    let sent = 0;
    while (!isReady) {
      await from.send("x;");
      sent++;
    }
    await restarted;
    expect(sent).toBeGreaterThan(100);
    expect(await to.receives("x;", SILENCE_MS)).toBe("timeout");
  });

  test.each([
    ["drop", "timeout"],
    ["accept", "open"],
  ])("a kill: bypass=%s decides about unknown addresses too", async (bypass, outcome) => {
    policy.write("policy.json", networkPolicy("db", { podSelector: { matchLabels: { app: "db" } } }));
    const running = await start("--set", `bypass=${bypass}`);
    await running.kill();
    // To b1, which is managed, and to b2, which isn't.
    for (const to of [address.b1[0], address.b2[1]]) {
      const result = await net.peers.a.connectTcp(to, port, 500);
      expect(typeof result === "string" ? result : "open").toBe(outcome);
    }
    engine = null;
  });

  test("rules that others removed come back with the range", async () => {
    const running = await start(...held);
    net.router.check(["nft", "flush", "ruleset"]);
    await running.reaches("the repair", () => running.stderr.includes("put back"));
    await waitFor(
      "the table",
      () => net.router.run(["nft", "list", "chain", "inet", "verdictd", "input_first"]).status === 0,
    );
    const connecting = net.peers.a.connectTcp(address.b1[0], port, 10_000);
    await areHeld(1);
    await becomesKnown();
    expect(typeof (await connecting)).toBe("object");
    net.router.check(["nft", "flush", "set", "inet", "verdictd", "known4"]);
    await waitFor("its elements", () =>
      net.router.check(["nft", "list", "set", "inet", "verdictd", "known4"]).includes(address.a[0]),
    );
  });

  test("without --pod-range the Node says it, now or later", async () => {
    const said = { ...node(["10.1.1.1"]), spec: { podCIDRs: [ranges[0] as string, ranges[2] as string] } };
    policy.write("node.json", node(["10.1.1.1"]));
    engine = await Engine.start(net.router, [policy.path], ["--node-name", "node-1", ...held]);
    expect(typeof (await net.peers.a.connectTcp(address.b1[0], port))).toBe("object");
    await engine.applies(() => policy.write("node.json", said));
    const connecting = net.peers.a.connectTcp(address.b1[1], port, 10_000);
    await areHeld(1);
    await becomesKnown();
    expect(typeof (await connecting)).toBe("object");
  });
});

/** A script that ends well when it's connected. */
function connects(host: string, port: number): string {
  return `require("net").connect(${port}, "${host}").on("connect", () => process.exit(0)).on("error", () => process.exit(1))`;
}
