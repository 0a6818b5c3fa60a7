/**
 * Domain names (AN-28 – AN-30) by real packets: a pod asks a real server of DNS, by UDP and TCP, and from its answer on the
 * addresses are open to that pod, and to no other.
 */

import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { DnsType, encodeDns, withLength } from "../support/dns.ts";
import type { Zone } from "../support/dns-server.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { NodeEngine } from "../support/node-cluster.ts";
import { createNodeLab, type NodeLab, nodeAddress, outsideAddress, settleNode } from "../support/node-lab.ts";
import type { Peer } from "../support/peer.ts";

if (skipReason !== null) console.warn(`test/agent/domain-names: skipped: ${skipReason}`);

const a = (name: string, data: string, ttl = 600) => ({ name, type: DnsType.a, data, ttl });
const at = (host: number): string => `203.0.113.${host}`;
const many = Array.from({ length: 120 }, (_, i) => a("many.example.com", at(100 + i)));
const flood = Array.from({ length: 300 }, (_, i) => `flood${i}.example.com`);
const zone: Zone = {
  ...Object.fromEntries(flood.map((name, i) => [name, [a(name, `198.18.${i >> 8}.${i & 255}`)]])),
  "www.example.com": [a("www.example.com", at(21))],
  "a.b.example.com": [a("a.b.example.com", at(22))],
  "alias.example.com": [
    { name: "alias.example.com", type: DnsType.cname, data: "edge.cdn.net" },
    a("edge.cdn.net", at(23)),
  ],
  "example.com": [a("example.com", at(24))],
  "www.other.org": [a("www.other.org", at(25))],
  "tcp.example.com": [a("tcp.example.com", at(26))],
  "six.example.com": [{ name: "six.example.com", type: DnsType.aaaa, data: "2001:db8:9::21", ttl: 600 }],
  "short.example.com": [a("short.example.com", at(27), 1)],
  "held.example.com": [a("held.example.com", at(28))],
  "many.example.com": many,
  "trick.example.com": [a("trick.example.com", at(29))],
  "node.example.com": [a("node.example.com", at(30))],
  "node2.example.com": [a("node2.example.com", at(31))],
  "raw.example.com": [a("raw.example.com", at(32))],
};

/** DNS past connection tracking, as a cache of names on the node has it. */
const notrack = `table inet raw {
  chain prerouting { type filter hook prerouting priority -300; udp dport 53 notrack; udp sport 53 notrack; }
  chain output { type filter hook output priority -300; udp sport 53 notrack; }
}`;

/** Within this time only a connection comes about whose first SYN passed: the second one follows after a second. */
const FIRST_SYN_MS = 800;

const everywhere = [{ networks: ["0.0.0.0/0", "::/0"] }];
const port = (number: number) => ({ destinationPort: { number } });

function clusterPolicy(domainNames: readonly string[] | null, name = "names", priority = 10) {
  const names = { action: "Accept", to: [{ domainNames }], protocols: [{ tcp: port(8080) }] };
  const dns = {
    action: "Accept",
    to: [{ networks: [`${outsideAddress[0]}/32`, `${nodeAddress[0]}/32`] }],
    protocols: [{ udp: port(53) }, { tcp: port(53) }],
  };
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name },
    spec: {
      tier: "Admin",
      priority,
      subject: { pods: { namespaceSelector: {}, podSelector: {} } },
      egress: [...(domainNames === null ? [] : [names]), dns, { action: "Deny", to: everywhere }],
    },
  };
}
const example = clusterPolicy(["*.Example.com"]);

const withOtherWeb = { policies: [example], pods: { web: { createdAt: "2026-11-21T12:00:00Z" } } };

/** Asks as a resolver does; resolves when the answer is there. Its bytes are told apart by the name in them. */
async function ask(
  peer: Peer,
  name: string,
  type: number = DnsType.a,
  server: string = outsideAddress[0],
): Promise<void> {
  const socket = await peer.openUdp({ host: server, port: 53 });
  await socket.send(encodeDns({ flags: 0x0100, question: name, type }).toString("latin1"));
  expect(await socket.receives(name.split(".")[0] as string)).toBe("received");
  await socket.close();
}

async function askByTcp(peer: Peer, name: string): Promise<void> {
  const connection = await peer.connectTcp(outsideAddress[0], 53);
  if (typeof connection === "string") return expect.fail(connection);
  await connection.send(withLength(encodeDns({ flags: 0x0100, question: name })).toString("latin1"));
  // Its last bytes: the address, of which the last one is a letter's.
  expect(await connection.receives("\u001a")).toBe("received");
  await connection.close();
}

async function connect(peer: Peer, host: string): Promise<string> {
  const connection = await peer.connectTcp(host, 8080, FIRST_SYN_MS);
  if (typeof connection === "string") return connection;
  await connection.close();
  return "open";
}

describe.skipIf(skipReason !== null)("domain names", () => {
  let net: NodeLab;
  let node: NodeEngine;

  beforeAll(async () => {
    net = createNodeLab("veth");
    for (const host of [...Array.from({ length: 13 }, (_, i) => 20 + i), 150])
      net.out.address("eth0", `${at(host)}/24`);
    net.out.address("eth0", "2001:db8:9::21/64");
    await settleNode(net);
    await net.peers.out.listenTcp(8080);
    const server = new URL("../support/dns-server.ts", import.meta.url);
    const servers = [
      net.out.node(server, [JSON.stringify(zone)]),
      net.node.node(server, [JSON.stringify(zone), nodeAddress[0]]),
    ];
    for (const { stdout } of servers) await once(stdout, "data");
    node = await NodeEngine.start(net.node, { policies: [example] });
  });

  afterAll(async () => {
    await node?.stop();
    net?.lab.destroy();
  });

  test.each<[string, name: string, host: string, after: string]>([
    ["a name below", "www.example.com", at(21), "open"],
    ["T-66 AN-29 two labels below, as a resolver mixes cases", "A.b.ExAmple.cOm", at(22), "open"],
    ["AN-30 through an alias", "alias.example.com", at(23), "open"],
    ["T-66 the name itself", "example.com", at(24), "timeout"],
    ["a name that no rule means", "www.other.org", at(25), "timeout"],
    ["one of 120 addresses, in an answer of fragments", "many.example.com", at(150), "open"],
  ])("%s", async (_, name, host, after) => {
    const { web, db } = net.peers;
    expect(await connect(web, host)).toBe("timeout");
    await ask(web, name);
    expect(await connect(web, host)).toBe(after);
    expect(await connect(db, host)).toBe("timeout");
  });

  test("by TCP, in two segments", async () => {
    const { web, db } = net.peers;
    expect(await connect(web, at(26))).toBe("timeout");
    await askByTcp(web, "tcp.example.com");
    expect(await connect(web, at(26))).toBe("open");
    expect(await connect(db, at(26))).toBe("timeout");
  });

  test("an answer to what the pod hasn't asked teaches nothing", async () => {
    const { web } = net.peers;
    const socket = await web.openUdp({ host: outsideAddress[0], port: 53 });
    await socket.send(encodeDns({ flags: 0x0100, question: "unasked.trick.example.com" }).toString("latin1"));
    expect(await socket.receives("trick")).toBe("received");
    await socket.close();
    expect(await connect(web, at(29))).toBe("timeout");
    await ask(web, "trick.example.com");
    expect(await connect(web, at(29))).toBe("open");
  });

  test("of a server on the pod's own node", async () => {
    const { web, db } = net.peers;
    expect(await connect(web, at(30))).toBe("timeout");
    await ask(web, "node.example.com", DnsType.a, nodeAddress[0]);
    expect(await connect(web, at(30))).toBe("open");
    expect(await connect(db, at(30))).toBe("timeout");
  });

  test("past connection tracking, on the own node and elsewhere", async () => {
    const { web } = net.peers;
    net.node.check(["nft", "-f", "-"], { input: notrack });
    await ask(web, "node2.example.com", DnsType.a, nodeAddress[0]);
    expect(await connect(web, at(31))).toBe("open");
    await ask(web, "raw.example.com");
    expect(await connect(web, at(32))).toBe("open");
    net.node.check(["nft", "delete", "table", "inet", "raw"]);
  });

  test("the other family's address, asked for over IPv4", async () => {
    const { web } = net.peers;
    expect(await connect(web, "2001:db8:9::21")).toBe("timeout");
    await ask(web, "six.example.com", DnsType.aaaa);
    expect(await connect(web, "2001:db8:9::21")).toBe("open");
  });

  test("what has expired ends new flows only, and no other change ends the ones that there are", {
    timeout: 40_000,
  }, async () => {
    const { web, out } = net.peers;
    await ask(web, "short.example.com");
    const flow = await web.converse(out, at(27), 8080);
    await waitFor("the end of its time", async () => (await connect(web, at(27))) === "timeout", 20_000);
    await flow.client.send("still there");
    expect(await flow.server.receives("still there")).toBe("received");
    await node.set({ policies: [example, clusterPolicy(["*.example.org"], "later", 20)] });
    await flow.client.send("after a change");
    expect(await flow.server.receives("after a change")).toBe("received");
    await node.set({ policies: [clusterPolicy(["*.example.org"])] });
    await flow.client.send("no rule means it");
    expect(await flow.server.receives("no rule means it", 1500)).not.toBe("received");
    await node.set({ policies: [example] });
  });

  test("a pod that has the address after it must ask for itself", async () => {
    const { web } = net.peers;
    await ask(web, "held.example.com");
    expect(await connect(web, at(28))).toBe("open");
    await node.set(withOtherWeb);
    expect(await connect(web, at(28))).toBe("timeout");
    await ask(web, "held.example.com");
    expect(await connect(web, at(28))).toBe("open");
  });

  test("whose answers are seen is known where our rules are looked after, and what was seen is told", async () => {
    const metrics = net.node.check(["curl", "-s", "http://127.0.0.1:9472/metrics"]);
    expect(metrics).toContain("verdictd_kernel_rules_restored_total 0");
    expect(metrics).toContain('verdictd_dns_answers_total{result="malformed"} 0');
    expect(metrics).toMatch(/verdictd_dns_answers_total\{result="learnt"\} [1-9]/);
    expect(metrics).toMatch(/verdictd_dns_answers_total\{result="other"\} [1-9]/);
    expect(metrics).toMatch(/verdictd_dns_waits_total\{result="in-force"\} [1-9]/);
  });

  test("a pod that asks for one new name after the other is heard so often, and the node changes seldom", async () => {
    const { web, db } = net.peers;
    const read = (metric: RegExp) =>
      Number(metric.exec(net.node.check(["curl", "-s", "http://127.0.0.1:9472/metrics"]))?.[1]);
    const epoch = read(/^verdictd_epoch (\d+)/m);
    const told = node.engine.events.length;
    const socket = await web.openUdp({ host: outsideAddress[0], port: 53 });
    for (const question of flood) await socket.send(encodeDns({ flags: 0x0100, question }).toString("latin1"));
    expect(await socket.receives("flood299")).toBe("received");
    await socket.close();
    expect(read(/result="capped"\} (\d+)/)).toBeGreaterThan(0);
    expect(read(/^verdictd_epoch (\d+)/m) - epoch).toBeLessThan(100);
    expect(node.engine.events.length).toBe(told);
    await ask(db, "www.example.com");
    expect(await connect(db, at(21))).toBe("open");
  });

  test("a pod that no rule names domains for meanwhile keeps what it was told", async () => {
    const { web } = net.peers;
    await ask(web, "held.example.com");
    expect(await connect(web, at(28))).toBe("open");
    await node.set({ ...withOtherWeb, policies: [clusterPolicy(null)] });
    expect(await connect(web, at(28))).toBe("timeout");
    await node.set(withOtherWeb);
    expect(await connect(web, at(28))).toBe("open");
  });

  test("an agent that comes again knows no name, but ends no flow that its name still admits", {
    timeout: 30_000,
  }, async () => {
    const { web, out } = net.peers;
    const [first] = example.spec.egress;
    const withRules = (...rules: readonly object[]) => {
      const { egress } = example.spec;
      return { ...withOtherWeb, policies: [{ ...example, spec: { ...example.spec, egress: [...rules, ...egress] } }] };
    };
    const other = { ...first, to: [{ domainNames: ["*.example.net"] }] };
    await node.set(withRules(other));
    await ask(web, "held.example.com");
    const flow = await web.converse(out, at(28), 8080);
    const inode = net.node.check(["stat", "-Lc", "%i", "/proc/self/ns/net"]).trim();
    for (const [what, text] of [
      ["owners", "web@2026"],
      ["names", "held.example.com"],
    ]) {
      const file = `/run/verdictd/${inode}.${what}.json`;
      await waitFor(`the memory of ${what}`, () => existsSync(file) && readFileSync(file, "utf8").includes(text ?? ""));
    }
    await node.restart();
    expect(await connect(web, at(28))).toBe("timeout");
    await flow.client.send("still there");
    expect(await flow.server.receives("still there")).toBe("received");
    await ask(web, "held.example.com");
    expect(await connect(web, at(28))).toBe("open");
    await node.restart();
    // NP-70, AN-2: another rule for names in front of it means nothing for this flow.
    await node.set(withRules(other, { action: "Deny", to: [{ networks: [`${at(28)}/32`] }] }));
    await flow.client.send("denied before it");
    expect(await flow.server.receives("denied before it", 1500)).not.toBe("received");
  });

  test("DNS of decided flows goes on where the agent hangs", async () => {
    const { web } = net.peers;
    const socket = await web.openUdp({ host: outsideAddress[0], port: 53 });
    const query = (name: string) => socket.send(encodeDns({ flags: 0x0100, question: name }).toString("latin1"));
    await query("www.example.com");
    expect(await socket.receives("www")).toBe("received");
    process.kill(node.engine.child.pid as number, "SIGSTOP");
    try {
      // As many as the queue takes are lost.
      for (let i = 0; i < 128; i++) await query("www.other.org");
      await query("alias.example.com");
      expect(await socket.receives("alias")).toBe("received");
    } finally {
      process.kill(node.engine.child.pid as number, "SIGCONT");
    }
    await socket.close();
  });

  test("DNS goes on where nobody observes it", async () => {
    const { web } = net.peers;
    const socket = await web.openUdp({ host: outsideAddress[0], port: 53 });
    const query = (name: string) => socket.send(encodeDns({ flags: 0x0100, question: name }).toString("latin1"));
    await query("www.example.com");
    expect(await socket.receives("www")).toBe("received");
    await node.engine.kill();
    await query("alias.example.com");
    expect(await socket.receives("alias")).toBe("received");
    await socket.close();
    await node.restart();
    await ask(web, "www.example.com");
    expect(await connect(web, at(21))).toBe("open");
  });
});
