/** What happens when something fails: the engine dies, a stranger meddles, packets are garbage, input is bad. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Engine, PolicyDirectory } from "../support/engine.ts";
import { skipReason } from "../support/namespace.ts";
import { ipPacket, sendRaw, udp } from "../support/raw-packet.ts";
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

if (skipReason !== null) console.warn(`test/agent/failure: skipped: ${skipReason}`);

/** b1 takes tcp 80 and every UDP and ICMP packet from a; a may send anything. */
function writePolicy(policy: PolicyDirectory): void {
  policy.write("subnets.json", describeSubnets({ "subnet-a": ["10.1.1.0/24"], "subnet-b": ["10.1.2.0/24"] }));
  policy.write(
    "instances.json",
    describeInstances([
      { instance: "i-a", subnet: "subnet-a", addresses: [address.a[0]], groups: ["sg-a"] },
      { instance: "i-b1", subnet: "subnet-b", addresses: [address.b1[0]], groups: ["sg-b1"] },
    ]),
  );
  policy.write(
    "groups.json",
    describeSecurityGroups([
      { id: "sg-a", ingress: [], egress: allEgress },
      {
        id: "sg-b1",
        ingress: [
          { protocol: "tcp", from: 80, peers: ["sg-a"] },
          { protocol: "udp", from: 1, to: 65535, peers: ["sg-a"] },
        ],
        egress: allEgress,
      },
    ]),
  );
  policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries)]));
}

describe.skipIf(skipReason !== null)("failures", () => {
  let net: Topology;
  let policy: PolicyDirectory;
  let engine: Engine | null = null;

  beforeEach(async () => {
    net = createTopology();
    policy = new PolicyDirectory();
    writePolicy(policy);
    await settle(net);
    await net.peers.b1.listenTcp(80);
    await net.peers.b1.listenTcp(81);
  });

  afterEach(async () => {
    await engine?.stop();
    engine = null;
    net.lab.destroy();
    policy.remove();
  });

  /** `open`, or why a connection from a to b1 fails. */
  const reaches = async (port: number, timeoutMs: number): Promise<string> => {
    const result = await net.peers.a.connectTcp(address.b1[0], port, timeoutMs);
    if (typeof result === "string") return result;
    await result.close();
    return "open";
  };

  test.each([
    ["drop", "timeout", "timeout"],
    ["accept", "open", "open"],
  ] as const)("PL-10: the engine killed with bypass=%s", async (bypass, allowed, denied) => {
    engine = await Engine.start(net.router, [policy.path], ["--set", `bypass=${bypass}`]);
    expect(await reaches(80, 2000)).toBe("open");
    expect(await reaches(81, 300)).toBe("timeout");
    await engine.kill();
    expect(await reaches(80, allowed === "open" ? 2000 : 300)).toBe(allowed);
    expect(await reaches(81, denied === "open" ? 2000 : 300)).toBe(denied);
    // A new engine takes over what the dead one left.
    engine = await Engine.start(net.router, [policy.path]);
    expect(await reaches(80, 2000)).toBe("open");
    expect(await reaches(81, 300)).toBe("timeout");
  });

  test("PL-10: a flow that is decided outlives the engine, whatever bypass says", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const { client, server } = await net.peers.a.converse(net.peers.b1, address.b1[0], 80);
    await engine.kill();
    await client.send("still here");
    expect(await server.receives("still here")).toBe("received");
    await server.send("so am I");
    expect(await client.receives("so am I")).toBe("received");
  });

  test.each([
    ["remove", "open"],
    ["keep", "timeout"],
  ] as const)("PL-10: a clean stop with onStop=%s", async (onStop, expected) => {
    engine = await Engine.start(net.router, [policy.path], ["--set", `onStop=${onStop}`]);
    expect(await engine.stop()).toBe(0);
    expect(await reaches(81, expected === "open" ? 2000 : 300)).toBe(expected);
    const rules = net.router.check(["nft", "list", "ruleset"]);
    if (onStop === "remove") expect(rules).toBe("");
    else expect(rules).toContain("table inet verdictd");
  });

  test("a bridge's flags are put back after a kill, by the next run's clean stop", async () => {
    const flags = () =>
      JSON.parse(net.router.check(["ip", "-d", "-j", "link", "show", "br0"]))[0].linkinfo.info_data.nf_call_iptables;
    const tagged = () => net.router.check(["cat", "/proc/sys/net/bridge/bridge-nf-filter-vlan-tagged"]).trim();
    expect([flags(), tagged()]).toEqual([0, "0"]);
    engine = await Engine.start(net.router, [policy.path]);
    await engine.kill();
    expect([flags(), tagged()]).toEqual([1, "1"]);
    engine = await Engine.start(net.router, [policy.path]);
    expect(await engine.stop()).toBe(0);
    expect([flags(), tagged()]).toEqual([0, "0"]);
  });

  test("onStop=keep: a start that fails doesn't open what is kept closed", async () => {
    engine = await Engine.start(net.router, [policy.path], ["--set", "onStop=keep"]);
    expect(await engine.stop()).toBe(0);
    const occupant = net.router.spawn([
      process.execPath,
      "-e",
      "require('net').createServer().listen(9472,'127.0.0.1',()=>console.log('taken'))",
    ]);
    await new Promise((resolve) => occupant.stdout.once("data", resolve));
    const failing = new Engine(net.router, ["--dir", policy.path]);
    expect(await failing.exits()).toBe(2);
    occupant.kill();
    expect(net.router.check(["nft", "list", "tables"])).toContain("table inet verdictd");
    expect(await reaches(81, 300)).toBe("timeout");
    // …nor one whose queue is taken, which is found out later.
    const holder = net.router.node(new URL("../support/hold-queue.ts", import.meta.url), ["4722"]);
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    const busy = new Engine(net.router, ["--dir", policy.path]);
    expect(await busy.exits()).toBe(3);
    expect(busy.stderr).toContain("queue 4722");
    holder.kill();
    expect(await reaches(81, 300)).toBe("timeout");
  });

  test("SG-40: what an address's former owner was admitted for isn't its next owner's", async () => {
    const groups = describeSecurityGroups([
      { id: "sg-a", ingress: [], egress: [{ protocol: "-1", peers: ["10.0.0.0/8"] }] },
      { id: "sg-b1", ingress: [{ protocol: "udp", from: 7000, peers: ["sg-a"] }], egress: [] },
      { id: "sg-closed", ingress: [], egress: [] },
    ]);
    policy.write("groups.json", groups);
    engine = await Engine.start(net.router, [policy.path]);
    const running = engine;
    const server = await net.peers.b1.openUdp({ localPort: 7000 });
    const client = await net.peers.a.openUdp({ host: address.b1[0], port: 7000 });
    await client.send("one");
    expect(await server.receives("one")).toBe("received");
    await server.send("two");
    expect(await client.receives("two")).toBe("received");
    await running.applies(() =>
      policy.write(
        "instances.json",
        describeInstances([
          { instance: "i-a", subnet: "subnet-a", addresses: [address.a[0]], groups: ["sg-a"] },
          { instance: "i-else", subnet: "subnet-b", addresses: ["10.1.2.99"], groups: ["sg-closed"] },
          { instance: "i-heir", subnet: "subnet-b", addresses: [address.b1[0]], groups: ["sg-closed"] },
        ]),
      ),
    );
    await client.send("three");
    expect(await server.receives("three", 300)).toBe("timeout");
  });

  test("a clean stop puts the bridge's flags back and leaves no mark of ours", async () => {
    const flags = () => net.router.check(["ip", "-d", "-j", "link", "show", "br0"]);
    const callsNetfilter = () => JSON.parse(flags())[0].linkinfo.info_data.nf_call_iptables;
    expect(callsNetfilter()).toBe(0);
    engine = await Engine.start(net.router, [policy.path]);
    expect(callsNetfilter()).toBe(1);
    const { client } = await net.peers.a.converse(net.peers.b1, address.b1[0], 80);
    expect(await engine.stop()).toBe(0);
    expect(callsNetfilter()).toBe(0);
    const marks = net.router.run(["conntrack", "-L", "-m", "0/0"]).stdout.match(/mark=(\d+)/g) ?? [];
    expect(marks.filter((mark) => (Number(mark.slice(5)) & 0xff000000) !== 0)).toEqual([]);
    await client.close();
  });

  test.each(["0", "0x1", "0x00ffffff", "0xffffffff"])(
    "a stranger's chain between ours that sets the packet mark to %s lets nothing through",
    async (mark) => {
      engine = await Engine.start(net.router, [policy.path]);
      net.router.check(["nft", "-f", "-"], {
        input: `table inet stranger {
          chain meddle {
            type filter hook forward priority 15; policy accept;
            meta mark set ${mark}
          }
        }\n`,
      });
      expect(await reaches(81, 300)).toBe("timeout");
      expect(await reaches(80, 300)).toBe("timeout");
      net.router.check(["nft", "delete", "table", "inet", "stranger"]);
      expect(await reaches(80, 2000)).toBe("open");
    },
  );

  test.each([
    ["deny", "timeout"],
    ["accept", "received"],
  ] as const)("PL-9: a packet that can't be parsed gets errorVerdict=%s", async (errorVerdict, _expected) => {
    engine = await Engine.start(net.router, [policy.path], ["--set", `errorVerdict=${errorVerdict}`]);
    // TCP with a header of four bytes; an IPv4 packet whose UDP header ends in its middle; protocol 0.
    const broken = [
      ipPacket(address.a[0], address.b1[0], 6, [0x1f, 0x90, 0, 80]),
      ipPacket(address.a[0], address.b1[0], 17, [0, 53, 0]),
      ipPacket(address.a[0], address.b1[0], 132, [1]),
    ];
    sendRaw(net.hosts.a, broken);
    const running = engine;
    await running.reaches("the packets to be judged", () => unjudgeable(net) + invalid(net) >= broken.length);
    // The engine lives on and judges as before.
    expect(await reaches(80, 2000)).toBe("open");
    expect(await reaches(81, 300)).toBe("timeout");
  });

  test("random bytes behind an IP header: every packet gets one verdict and the engine lives on", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const protocols = [0, 1, 2, 6, 17, 47, 50, 51, 58, 132, 255];
    const packets = Array.from({ length: 220 }, (_, i) =>
      ipPacket(
        address.a[0],
        address.b1[0],
        protocols[i % protocols.length] ?? 0,
        Array.from({ length: (i * 7) % 64 }, (_unused, j) => (i * 31 + j * 17) & 255),
      ),
    );
    sendRaw(net.hosts.a, packets);
    sendRaw(net.hosts.a, [ipPacket(address.a[0], address.b1[0], 17, udp(4000, 4000))]);
    await engine.reaches("an empty queue", () => metric(net, 'verdictd_queue_waiting_packets\\{queue="4722"\\}') === 0);
    const judged = metric(net, "verdictd_verdict_latency_seconds_count");
    expect(metric(net, 'verdictd_kernel_rule_packets_total\\{rule="queued"\\}')).toBe(judged);
    expect(metric(net, "verdictd_verdict_send_errors_total")).toBe(0);
    expect(await reaches(80, 2000)).toBe("open");
  });

  test("a second engine in the namespace is refused by name", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    const second = new Engine(net.router, ["--dir", policy.path, "--listen", "127.0.0.1:9473"]);
    expect(await second.exits()).toBe(3);
    expect(second.stderr).toContain(
      `another verdictd enforces in this network namespace (pid ${engine.child.pid}); stop it first`,
    );
    expect(await reaches(80, 2000)).toBe("open");
  });

  test("a file that breaks on reload changes nothing in force and is told by /readyz and metrics", async () => {
    engine = await Engine.start(net.router, [policy.path]);
    policy.write("groups.json", "{ broken");
    await engine.reaches("the stale flag", () => metric(net, "verdictd_inventory_stale") === 1);
    expect(await reaches(80, 2000)).toBe("open");
    expect(await reaches(81, 300)).toBe("timeout");
    expect(readyz(net)).toContain("groups.json");
    // The same content again: readable, and nothing to judge anew.
    writePolicy(policy);
    await engine.reaches("the files to be readable", () =>
      /"all policies can be read again"/.test(engine?.stderr ?? ""),
    );
    expect(metric(net, "verdictd_inventory_stale")).toBe(0);
    policy.write("acls.json", describeNetworkAcls([networkAcl("acl-1", [], openEntries), networkAcl("acl-2", [], [])]));
    await engine.reaches("a change to be enforced", () => engine?.events.at(-1)?.event === "epoch");
    expect(engine.events.map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test.each([
    ["a file that is no YAML", "bad.yaml", "a: [1,\nb: }", /bad\.yaml.*line 2/],
    ["a file that is no JSON", "bad.json", '{"a": }', /bad\.json/],
  ])("bad input at start: %s ends with 2 and installs nothing", async (_, name, text, message) => {
    policy.write(name, text);
    const failing = new Engine(net.router, ["--dir", policy.path]);
    expect(await failing.exits()).toBe(2);
    expect(failing.stderr).toMatch(message);
    expect(net.router.check(["nft", "list", "ruleset"])).toBe("");
    expect(ping(net.hosts.a, address.b1[0])).toBe(true);
  });

  test("a missing directory ends with 2 and names it", async () => {
    const failing = new Engine(net.router, ["--dir", "/nonexistent/policies"]);
    expect(await failing.exits()).toBe(2);
    expect(failing.stderr).toContain("/nonexistent/policies");
  });
});

function metric(net: Topology, pattern: string): number {
  const text = net.router.run([
    process.execPath,
    "-e",
    "fetch('http://127.0.0.1:9472/metrics').then(async (r) => process.stdout.write(await r.text()))",
  ]).stdout;
  return Number(new RegExp(`^${pattern} (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
}

function readyz(net: Topology): string {
  return net.router.check([
    process.execPath,
    "-e",
    "fetch('http://127.0.0.1:9472/readyz').then(async (r) => process.stdout.write(await r.text()))",
  ]);
}

function unjudgeable(net: Topology): number {
  return metric(net, "verdictd_unparseable_packets_total") || 0;
}

/** Packets that tracking itself calls invalid never reach the parser's complaint. */
function invalid(net: Topology): number {
  return (
    metric(net, 'verdictd_packets_total\\{verdict="deny",reason="invalid-state",evaluator="security-group"\\}') || 0
  );
}
