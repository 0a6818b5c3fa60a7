/** Security groups are stateful: replies pass, and tracked flows outlive their rules while untracked ones don't. */
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import type { Conversation } from "../support/peer.ts";
import { gained } from "../support/rule-counters.ts";
import { address, createTopology, ping, settle, type Topology } from "../support/topology.ts";
import {
  allEgress,
  describeInstances,
  describeNetworkAcls,
  describeSecurityGroups,
  describeSubnets,
  networkAcl,
  openEntries,
  type PermissionRow,
} from "../support/vpc.ts";

if (skipReason !== null) console.warn(`test/agent/security-group: skipped: ${skipReason}`);

const anyone = ["0.0.0.0/0", "::/0"];
/** `a` alone, by address. */
const onlyA = [`${address.a[0]}/32`, `${address.a[1]}/128`];
const tcp22 = (peers: readonly string[]): PermissionRow => ({ protocol: "tcp", from: 22, peers });
const udp53 = (peers: readonly string[]): PermissionRow => ({ protocol: "udp", from: 53, peers });
const onlyIpv4: readonly PermissionRow[] = [{ protocol: "-1", peers: ["0.0.0.0/0"] }];

describe.skipIf(skipReason !== null)("security groups", () => {
  let net: Topology;
  let engine: Engine | null = null;
  const policy = new PolicyDirectory();

  beforeAll(async () => {
    net = createTopology();
    await settle(net);
    for (const port of [22, 80]) await net.peers.b1.listenTcp(port);
    await net.peers.a.listenTcp(80);
    policy.write(
      "vpc.json",
      describeSubnets({ "subnet-a": ["10.1.1.0/24", "fd00:1:1::/64"], "subnet-b": ["10.1.2.0/24", "fd00:1:2::/64"] }),
    );
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries)]));
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
  });

  afterAll(() => {
    net?.lab.destroy();
    policy.remove();
  });

  /** Only b1 is managed, with these rules: `a` is an outside host. */
  const allow = (ingress: readonly PermissionRow[], egress: readonly PermissionRow[] = allEgress): void =>
    policy.write("groups.json", describeSecurityGroups([{ id: "sg-b1", ingress, egress }]));

  const start = async (...knobs: string[]): Promise<Engine> => {
    policy.write(
      "instances.json",
      describeInstances([{ instance: "i-b1", subnet: "subnet-b", addresses: address.b1, groups: ["sg-b1"] }]),
    );
    return resume(...knobs);
  };

  const resume = async (...knobs: string[]): Promise<Engine> => {
    engine = await Engine.start(
      net.router,
      [policy.path],
      knobs.flatMap((knob) => ["--set", knob]),
    );
    return engine;
  };

  const say = async (from: Conversation, to: Conversation, text: string): Promise<boolean> => {
    await from.send(text);
    return (await to.receives(text, 300)) === "received";
  };

  interface Row {
    readonly name: string;
    readonly before: readonly PermissionRow[];
    readonly egress: readonly PermissionRow[];
    readonly after: readonly PermissionRow[];
    readonly family: 0 | 1;
    readonly knobs: readonly string[];
    readonly stays: boolean;
  }
  const row = (name: string, stays: boolean, change: Partial<Row> = {}): Row => ({
    name,
    before: [tcp22(anyone)],
    egress: allEgress,
    after: [],
    family: 0,
    knobs: [],
    stays,
    ...change,
  });
  const rows: readonly Row[] = [
    row("T-22: from anyone, answers open to anyone: untracked, cut", false),
    row("T-22: the same over IPv6", false, { family: 1 }),
    row("T-23: from one address: tracked, stays", true, { before: [tcp22(onlyA)] }),
    row("T-23: the same over IPv6", true, { before: [tcp22(onlyA)], family: 1 }),
    row("SG-61: from anyone, answers not open to anyone: tracked, stays", true, { egress: [] }),
    row("SG-64: egress open for IPv4 alone: IPv4 is untracked, cut", false, { egress: onlyIpv4 }),
    row("SG-64: egress open for IPv4 alone: IPv6 is tracked, stays", true, { egress: onlyIpv4, family: 1 }),
    row("SG-66: narrowed to another address: untracked, cut", false, { after: [tcp22(["198.51.100.0/24"])] }),
    row("SG-66: narrowed to this address: stays", true, { after: [tcp22(onlyA)] }),
    row("SG-67, sgOnChange=strict: tracked, cut all the same", false, {
      before: [tcp22(onlyA)],
      knobs: ["sgOnChange=strict"],
    }),
  ];

  test.each(rows.map((each) => [each.name, each] as const))(
    "a live TCP connection when its rule goes: %s",
    async (_, { before, egress, after, family, knobs, stays }) => {
      allow(before, egress);
      const running = await start(...knobs);
      const clientFirst = await net.peers.a.converse(net.peers.b1, address.b1[family], 22);
      const serverFirst = await net.peers.a.converse(net.peers.b1, address.b1[family], 22);
      expect(await say(clientFirst.client, clientFirst.server, "hello")).toBe(true);
      await running.applies(() => allow(after, egress));
      expect(await say(clientFirst.client, clientFirst.server, "client;")).toBe(stays);
      expect(await say(serverFirst.server, serverFirst.client, "server;")).toBe(stays);
      expect(await say(serverFirst.client, serverFirst.server, "client;")).toBe(stays);
      // New ones are judged by the rules of now.
      const isOpenNow = after.some(({ peers }) => peers.some((peer) => onlyA.includes(peer)));
      const another = await net.peers.a.connectTcp(address.b1[family], 22, isOpenNow ? 2000 : 200);
      expect(typeof another).toBe(isOpenNow ? "object" : "string");
      // A tracked flow is kept again by the next change, too (the memory survives epochs).
      await running.applies(() => allow([...after, { protocol: "tcp", from: 81, peers: ["198.51.100.7/32"] }], egress));
      expect(await say(clientFirst.client, clientFirst.server, "later;")).toBe(stays);
    },
  );

  test.each([
    ["untracked, cut", "killed", anyone, [], false],
    ["tracked, stays", "killed", onlyA, [], true],
    ["tracked, stays", "stopped with onStop=keep", onlyA, ["onStop=keep"], true],
    ["tracked, cut under sgOnChange=strict", "killed", onlyA, ["sgOnChange=strict"], false],
  ] as const)("SG-66 across a restart in which the rule goes: %s (%s)", async (_, how, peers, knobs, stays) => {
    allow([tcp22(peers)]);
    const running = await start(...knobs);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 22);
    expect(await say(client, server, "one")).toBe(true);
    // A clean stop with onStop=remove takes all of ours out of the kernel, the memory of flows included.
    await (how === "killed" ? running.kill() : running.stop());
    allow([]);
    await resume(...knobs.filter((knob) => knob !== "onStop=keep"));
    expect(await say(server, client, "two")).toBe(stays);
    expect(await say(client, server, "three")).toBe(stays);
  });

  test("SG-40 across a restart: what the address's owner before was admitted for isn't its new owner's", async () => {
    allow([tcp22(onlyA)]);
    const running = await start();
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 22);
    expect(await say(client, server, "one")).toBe(true);
    await running.kill();
    allow([]);
    policy.write(
      "instances.json",
      describeInstances([{ instance: "i-other", subnet: "subnet-b", addresses: address.b1, groups: ["sg-b1"] }]),
    );
    await resume();
    expect(await say(client, server, "two")).toBe(false);
  });

  test.each([
    ["untracked, cut", anyone, false],
    ["tracked, stays", onlyA, true],
  ] as const)("SG-61: a live UDP flow when its rule goes: %s", async (_, peers, stays) => {
    allow([udp53(peers)]);
    const running = await start();
    const server = await net.peers.b1.openUdp({ localPort: 53 });
    const client = await net.peers.a.openUdp({ host: address.b1[0], port: 53 });
    expect(await say(client, server, "one")).toBe(true);
    expect(await say(server, client, "two")).toBe(true);
    await running.applies(() => allow([]));
    expect(await say(client, server, "three")).toBe(stays);
    await server.close();
    await client.close();
  });

  test("SG-62: ICMP is tracked whoever may send it: a running ping outlives its rule", async () => {
    allow([{ protocol: "icmp", from: 8, to: -1, peers: ["0.0.0.0/0"] }]);
    const running = await start();
    const replies = new PingReplies(net);
    await replies.reach(2);
    await running.applies(() => allow([]));
    expect(ping(net.hosts.a, address.b1[0])).toBe(false);
    await replies.reach(replies.count + 3);
  });

  test("T-24, SG-60: replies leave without an egress rule, and nothing else does", async () => {
    allow([{ protocol: "tcp", from: 80, peers: anyone }], []);
    await start();
    for (const family of [0, 1] as const) {
      const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[family], 80);
      expect(await say(client, server, "request")).toBe(true);
      expect(await say(server, client, "response")).toBe(true);
      expect(await net.peers.b1.connectTcp(address.a[family], 80, 200)).toBe("timeout");
    }
  });

  test("SG-66: an added rule applies to the next packet: the retransmitted SYN connects", async () => {
    allow([]);
    const running = await start();
    const attempt = net.peers.a.connectTcp(address.b1[0], 22, 5000);
    await running.applies(() => allow([tcp22(anyone)]));
    expect(typeof (await attempt)).toBe("object");
  });

  test("SG-28: a group's new member is let in by reference at once, and a former one cut", async () => {
    const member = (groups: readonly string[]) =>
      policy.write(
        "instances.json",
        describeInstances([
          { instance: "i-b1", subnet: "subnet-b", addresses: address.b1, groups: ["sg-b1"] },
          { instance: "i-a", subnet: "subnet-a", addresses: address.a, groups },
        ]),
      );
    policy.write(
      "groups.json",
      describeSecurityGroups([
        { id: "sg-b1", ingress: [tcp22(["sg-client"])], egress: [] },
        { id: "sg-client", ingress: [], egress: allEgress },
        { id: "sg-other", ingress: [], egress: allEgress },
      ]),
    );
    member(["sg-other"]);
    const running = await resume();
    expect(await net.peers.a.connectTcp(address.b1[0], 22, 200)).toBe("timeout");
    await running.applies(() => member(["sg-client"]));
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 22);
    await running.applies(() => member(["sg-other"]));
    // The live flow is tracked; a new one has no rule.
    expect(await say(client, server, "still here")).toBe(true);
    expect(await net.peers.a.connectTcp(address.b1[0], 22, 200)).toBe("timeout");
  });

  test("a kept flow goes back into the kernel: after a change one packet of it is queued, no more", async () => {
    allow([tcp22(onlyA)]);
    const running = await start();
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 22);
    await running.applies(() => allow([]));
    const count = await gained(net.router, async () => {
      for (let i = 0; i < 20; i++) {
        expect(await say(client, server, `q${i};`)).toBe(true);
        expect(await say(server, client, `a${i};`)).toBe(true);
      }
    });
    // The data and its acknowledgement may both be on their way before the first is decided.
    expect(count.queued).toBeGreaterThan(0);
    expect(count.queued).toBeLessThanOrEqual(2);
  });
});

/** Echo requests with one identifier, ten a second, from `a` to b1, and the replies so far. */
class PingReplies {
  count = 0;
  #wake: () => void = () => {};

  constructor(net: Topology) {
    const child = net.hosts.a.spawn(["ping", "-n", "-i", "0.1", address.b1[0]]);
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (!line.includes("bytes from")) return;
      this.count++;
      this.#wake();
    });
  }

  async reach(count: number): Promise<void> {
    const end = performance.now() + 5000;
    while (this.count < count) {
      if (performance.now() > end) throw new Error(`${this.count} replies, not ${count}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 100);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}
