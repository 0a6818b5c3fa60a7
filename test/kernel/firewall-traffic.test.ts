/**
 * The firewall's rules with real packets: a client, a router that runs the firewall and a table-driven engine, and a
 * server, which is the managed address; a second server shares a bridge with it.
 *
 *     client 10.7.1.2 ── router ── br0 10.7.2.1 ─┬─ server 10.7.2.2   (managed)
 *     fd07:1::2                    fd07:2::1     └─ neighbour 10.7.2.3
 */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markHeld, markStates, markVerdict } from "../../src/model/mark.ts";
import { createLab, type Namespace, skipReason, waitFor } from "../support/namespace.ts";
import { type Conversation, Peer } from "../support/peer.ts";
import { FirewallDriver, type FirewallText } from "./firewall-driver.ts";

const { acceptThis, acceptBoth, deny } = markVerdict;
const server4 = "10.7.2.2";
const server6 = "fd07:2::2";
const managed = [server4, server6];
const DROP = 0;
/** Nothing came for this long: for what must not arrive. */
const SILENCE_MS = 150;

describe.skipIf(skipReason !== null)(`packets through the table (${skipReason ?? "root"})`, () => {
  const lab = createLab();
  let router: Namespace;
  let hosts: Record<"client" | "server" | "neighbour", Namespace>;
  let client: Peer;
  let server: Peer;
  let neighbour: Peer;
  let host: Peer;
  let firewall: FirewallDriver;
  let port = 5000;
  let epoch = 0;

  beforeAll(() => {
    router = lab.namespace("router");
    hosts = { client: lab.namespace("client"), server: lab.namespace("server"), neighbour: lab.namespace("neighbour") };
    for (const [name, namespace] of Object.entries(hosts)) lab.link(router, name, namespace, "eth0");
    router.sysctl("net/ipv4/ip_forward", "1");
    router.sysctl("net/ipv6/conf/all/forwarding", "1");
    router.bridge("br0", ["server", "neighbour"]);
    const wire = (namespace: Namespace, net: number, last: number): void => {
      namespace.address("eth0", `10.7.${net}.${last}/24`);
      namespace.address("eth0", `fd07:${net}::${last}/64`);
      namespace.route("default", `10.7.${net}.1`);
      namespace.check(["ip", "-6", "route", "add", "default", "via", `fd07:${net}::1`]);
    };
    router.address("client", "10.7.1.1/24");
    router.address("client", "fd07:1::1/64");
    router.address("br0", "10.7.2.1/24");
    router.address("br0", "fd07:2::1/64");
    wire(hosts.client, 1, 2);
    wire(hosts.server, 2, 2);
    wire(hosts.neighbour, 2, 3);
    client = new Peer(hosts.client);
    server = new Peer(hosts.server);
    neighbour = new Peer(hosts.neighbour);
    host = new Peer(router);
  });
  afterAll(() => lab.destroy());

  beforeEach(async () => {
    port += 1;
    router.run(["nft", "delete", "table", "inet", "foreign"]);
    await firewall?.ask({ op: "remove" });
    await firewall?.kill();
    firewall = new FirewallDriver(router);
  });

  async function start(change: Partial<FirewallText> = {}): Promise<void> {
    await firewall.ask({ op: "startQueue" });
    await firewall.install({ managed, ...change });
    await publish();
  }
  async function publish(): Promise<void> {
    epoch += 1;
    await firewall.ask({ op: "sweepEpoch", epoch });
    await firewall.ask({ op: "publishEpoch", epoch });
  }
  const nibble = (): number => ((epoch - 1) % 15) + 1;
  const answer = (byte: number): Promise<unknown> =>
    firewall.ask({ op: "answer", byte: byte === DROP ? DROP : byte | nibble() });
  const foreign = (rules: string): string =>
    router.check(["nft", "-f", "-"], { input: `table inet foreign {\n${rules}\n}\n` });
  /** The bytes of the packets that the queue had for this test's port, or of another protocol. */
  const states = async (): Promise<number[]> => (await firewall.takeSeen()).map(({ byte }) => byte);
  const marks = (): string[] =>
    router
      .check(["cat", "/proc/net/nf_conntrack"])
      .split("\n")
      .filter((line) => line.includes(`port=${port} `))
      .map((line) => Number(/mark=(\d+)/.exec(line)?.[1] ?? 0).toString(16));

  /** A UDP server on the managed address and a client socket that speaks to it. */
  async function udp(family: 4 | 6 = 4): Promise<{ from: Conversation; to: Conversation }> {
    const to = await server.openUdp({ family, localPort: port });
    const from = await client.openUdp({ family, host: family === 4 ? server4 : server6, port });
    return { from, to };
  }

  it.each([4, 6] as const)("an accepted flow is asked about once, then stays in the kernel (IPv%i)", async (family) => {
    await start();
    await answer(acceptBoth);
    const { from, to } = await udp(family);
    for (let i = 0; i < 20; i++) {
      await from.send(`ping${i};`);
      expect(await to.receives(`ping${i};`)).toBe("received");
      await to.send(`pong${i};`);
      expect(await from.receives(`pong${i};`)).toBe("received");
    }
    expect(await states()).toEqual([markStates.original]);
    expect(await firewall.packets()).toMatchObject({
      queued: 1,
      judged_accept: 1,
      decided_accept: 39,
      unjudged_drop: 0,
    });
    if (family === 4) expect(marks()).toEqual([`${(0x30 | nibble()).toString(16)}000000`]);
  });

  it("UDP in one direction, which never is established, stays in the kernel too", async () => {
    await start();
    await answer(acceptBoth);
    const { from, to } = await udp();
    for (let i = 0; i < 10; i++) {
      await from.send(`one way ${i};`);
      expect(await to.receives(`one way ${i};`)).toBe("received");
    }
    expect(await states()).toHaveLength(1);
  });

  it("a flow accepted in this direction alone has its replies dropped in the kernel, without a reset (NA-19)", async () => {
    await start();
    await answer(acceptThis);
    await server.listenTcp(port);
    expect(await client.connectTcp(server4, port, 400)).toBe("timeout");
    expect(await states()).toEqual([markStates.original]);
    const { decided_deny } = await firewall.packets();
    expect(decided_deny).toBeGreaterThan(0);
  });

  it("a dropped first packet leaves no entry, and the next one is asked about again (NP-73)", async () => {
    await start();
    await answer(DROP);
    const { from, to } = await udp();
    await from.send("first;");
    await waitFor("the question", async () => (await firewall.packets()).queued === 1);
    expect(marks()).toEqual([]);
    await answer(acceptBoth);
    await from.send("second;");
    expect(await to.receives("second;")).toBe("received");
    expect(await to.receives("first;", SILENCE_MS)).toBe("timeout");
  });

  it("a new epoch asks again about live flows, and loses nothing", async () => {
    await start();
    await answer(acceptBoth);
    await server.listenTcp(port);
    const talk = await client.converse(server, server4, port);
    for (let i = 0; i < 5; i++) {
      await publish();
      await answer(acceptBoth);
      await talk.client.send(`${i};`);
      expect(await talk.server.receives(`${i};`)).toBe("received");
      expect(marks()).toEqual([`${(0x30 | nibble()).toString(16)}000000`]);
    }
    const seen = await states();
    expect(seen.length).toBeGreaterThanOrEqual(6);
    expect(seen.filter((byte) => byte !== markStates.original && byte !== markStates.reply)).toEqual([]);
  });

  it("an epoch's number is swept before it's used again: 16 epochs later nothing old counts", async () => {
    await start();
    await answer(acceptBoth);
    const { from, to } = await udp();
    await from.send("old;");
    expect(await to.receives("old;")).toBe("received");
    for (let i = 0; i < 15; i++) await publish();
    await answer(DROP);
    await from.send("new;");
    expect(await to.receives("new;", SILENCE_MS)).toBe("timeout");
    expect(await states()).toHaveLength(2);
  });

  it("a cut TCP flow is marked denied, both ends are reset, and its entry stays (NP-70, PL-26)", async () => {
    await start();
    await answer(acceptBoth);
    await server.listenTcp(port);
    const talk = await client.converse(server, server4, port);
    await publish();
    await answer(deny);
    await talk.client.send("still there?");
    expect(await talk.client.receives("never", 2000)).toBe("ECONNRESET");
    expect(marks()).toEqual([`${nibble().toString(16)}000000`]);
    await talk.server.send("and you?");
    expect(await talk.server.receives("never", 2000)).toBe("ECONNRESET");
    expect((await firewall.packets()).decided_deny).toBeGreaterThan(0);
    expect(await talk.server.receives("still there?", 0)).not.toBe("received");
  });

  it("denyAction=reject tells the client at once", async () => {
    await start({ knobs: { denyAction: "reject" } });
    await answer(deny);
    await server.listenTcp(port);
    expect(await client.connectTcp(server4, port)).toBe("ECONNREFUSED");
    expect(await client.connectTcp(server6, port)).toBe("ECONNREFUSED");
    expect(marks()).toEqual([]);
  });

  describe("nobody judges", () => {
    it("bypass=drop: without a listener nothing managed passes, everything else does", async () => {
      await firewall.install({ managed });
      expect(hosts.client.run(["ping", "-c1", "-W1", server4]).status).toBe(1);
      expect(hosts.client.run(["ping", "-c1", "-W1", server6]).status).toBe(1);
      expect(hosts.client.run(["ping", "-c1", "-W2", "10.7.2.3"]).status).toBe(0);
      expect(hosts.client.run(["ping", "-c1", "-W2", "fd07:2::3"]).status).toBe(0);
      expect((await firewall.packets()).queued).toBe(2);
    });

    it("bypass=accept: without a listener it passes, undecided", async () => {
      await firewall.install({ managed, knobs: { bypass: "accept" } });
      expect(hosts.client.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      expect(hosts.client.run(["ping", "-c1", "-W2", server6]).status).toBe(0);
      expect(await firewall.packets()).toMatchObject({ unjudged_accept: 4, judged_accept: 0 });
    });

    it.each([
      ["drop", false],
      ["accept", true],
    ] as const)("overflow=%s: what doesn't fit into the queue", async (overflow, passes) => {
      await firewall.ask({ op: "startQueue", maxLength: 2, failOpen: overflow === "accept" });
      await firewall.install({ managed, knobs: { overflow } });
      const { from, to } = await udp();
      firewall.pause();
      for (let i = 0; i < 8; i++) await from.send(`${i};`);
      expect(await to.receives("7;", passes ? 2000 : SILENCE_MS)).toBe(passes ? "received" : "timeout");
      firewall.resume();
      expect((await firewall.packets()).unjudged_accept).toBe(passes ? 6 : 0);
    });

    it("keep: what was decided goes on after us, what wasn't is dropped; the next run takes over (PL-10)", async () => {
      await start();
      await answer(acceptBoth);
      const { from, to } = await udp();
      await from.send("a;");
      expect(await to.receives("a;")).toBe("received");
      await firewall.ask({ op: "keep" });
      await firewall.kill();
      await from.send("b;");
      expect(await to.receives("b;")).toBe("received");
      const other = await client.openUdp({ host: server4, port });
      await other.send("c;");
      expect(await to.receives("c;", SILENCE_MS)).toBe("timeout");
      // Nothing passes while the table is replaced: a stream of packets of undecided flows, none of which arrives.
      const stream = hosts.client.spawn(["ping", "-i", "0.002", "-w", "2", server4]);
      const report = new Promise<string>((resolve) => {
        let text = "";
        stream.stdout.on("data", (chunk: Buffer) => {
          text += chunk;
        });
        stream.on("exit", () => resolve(text));
      });
      firewall = new FirewallDriver(router);
      await firewall.ask({ op: "startQueue" });
      for (let i = 0; i < 3; i++) await firewall.install({ managed });
      const text = await report;
      expect(text).toMatch(/ 0 received/);
      expect(Number(/(\d+) packets transmitted/.exec(text)?.[1])).toBeGreaterThan(50);
    });
  });

  describe("what another table does to marks", () => {
    const rewrite = (value: string): string =>
      foreign(`chain c {\n type filter hook forward priority 15;\n meta mark set ${value}\n }`);

    it.each(["0", "0x1", "0xffffffff", "0x01000000", "0x0f000000"])(
      "a chain between ours that sets packet marks to %s opens nothing",
      async (value) => {
        await start();
        await answer(deny);
        rewrite(value);
        const { from, to } = await udp();
        for (const text of ["a;", "b;"]) {
          await from.send(text);
          expect(await to.receives(text, SILENCE_MS)).toBe("timeout");
        }
        expect(hosts.client.run(["ping", "-c1", "-W1", server6]).status).toBe(1);
        expect((await firewall.packets()).queued).toBeGreaterThanOrEqual(3);
        // Traffic that is none of ours isn't hurt by it.
        expect(hosts.client.run(["ping", "-c1", "-W2", "10.7.2.3"]).status).toBe(0);
      },
    );

    it("bits of ours that a packet brings along are forgotten: they aren't a verdict", async () => {
      foreign("chain c {\n type filter hook prerouting priority -150;\n meta mark set 0x10000000\n }");
      await start();
      await answer(DROP);
      const { from, to } = await udp();
      await from.send("a;");
      expect(await to.receives("a;", SILENCE_MS)).toBe("timeout");
      expect(await states()).toEqual([markStates.original]);
    });

    it("other owners' bits survive, in both marks, and none of ours is left on the packet", async () => {
      foreign(`
        counter clean { }
        chain before { type filter hook prerouting priority -100; meta mark set 0x00abc123 ct mark set ct mark | 0x00000080 ; }
        chain after { type filter hook postrouting priority 0; udp dport ${port} meta mark 0x00abc123 counter name clean ; }`);
      await start();
      await answer(acceptBoth | markHeld.sg);
      const { from, to } = await udp();
      for (const text of ["a;", "b;"]) {
        await from.send(text);
        expect(await to.receives(text)).toBe("received");
      }
      expect((await firewall.takeSeen()).map((s) => s.others)).toEqual([0xabc123]);
      expect(router.check(["nft", "list", "counter", "inet", "foreign", "clean"])).toMatch(/packets 2 /);
      expect(marks()).toEqual([`${(0x70 | nibble()).toString(16)}000080`]);
      // Undecided again, what was held stays; removed, nothing of ours does.
      expect(await firewall.ask({ op: "clearDecisions" })).toBeGreaterThanOrEqual(1);
      expect(marks()).toEqual(["40000080"]);
      await answer(acceptBoth);
      await from.send("c;");
      expect(await to.receives("c;")).toBe("received");
      expect((await states()).at(-1)).toBe(markStates.original | markHeld.sg);
      await firewall.ask({ op: "remove" });
      expect(marks()).toEqual(["80"]);
    });
  });

  describe("what the engine is told", () => {
    it("a reply, when its flow is asked about again", async () => {
      await start();
      await answer(acceptBoth);
      const { from, to } = await udp();
      await from.send("a;");
      expect(await to.receives("a;")).toBe("received");
      await publish();
      await answer(acceptBoth | markHeld.k8s);
      await firewall.takeSeen();
      await to.send("b;");
      expect(await from.receives("b;")).toBe("received");
      expect(await states()).toEqual([markStates.reply]);
      await publish();
      await answer(acceptBoth);
      await from.send("c;");
      expect(await to.receives("c;")).toBe("received");
      expect(await states()).toEqual([markStates.original | markHeld.k8s]);
    });

    it("an ICMP error about an accepted flow: related, each time, and the flow's mark stays (PL-21)", async () => {
      await start();
      await answer(acceptBoth);
      // Nobody listens on the port: the server answers with port unreachable.
      const from = await client.openUdp({ host: server4, port });
      await from.send("anyone?");
      await waitFor("an error", async () => (await firewall.packets()).judged_accept === 2);
      // What the engine says of the error is about the error alone.
      await answer(acceptThis | markHeld.k8s);
      await from.send("anyone?");
      await waitFor("another", async () => (await firewall.packets()).judged_accept === 3);
      expect(await states()).toEqual([markStates.original, markStates.related, markStates.related]);
      expect(marks()).toEqual([`${(0x30 | nibble()).toString(16)}000000`]);
    });

    it("an ICMP error about a flow that was denied dies with it", async () => {
      await start();
      await answer(acceptBoth);
      await server.listenTcp(port);
      const talk = await client.converse(server, server4, port);
      await publish();
      await answer(deny);
      await talk.client.send("x");
      expect(await talk.client.receives("never")).toBe("ECONNRESET");
      await firewall.takeSeen();
      const { decided_deny } = await firewall.packets();
      const { sendRaw, ipPacket } = await import("../support/raw-packet.ts");
      const quoted = ipPacket("10.7.1.2", server4, 6, [
        talk.client.localPort >> 8,
        talk.client.localPort & 255,
        port >> 8,
        port & 255,
        0,
        0,
        0,
        0,
      ]);
      const body = [3, 3, 0, 0, 0, 0, 0, 0, ...quoted];
      let sum = 0;
      for (let k = 0; k < body.length; k += 2) sum += (body[k]! << 8) | (body[k + 1] ?? 0);
      while (sum > 0xffff) sum = (sum & 0xffff) + (sum >> 16);
      body[2] = (~sum >> 8) & 255;
      body[3] = ~sum & 255;
      sendRaw(hosts.server, [ipPacket(server4, "10.7.1.2", 1, body)]);
      await waitFor("its end", async () => (await firewall.packets()).decided_deny > decided_deny);
      expect(await states()).toEqual([]);
    });

    it("a TCP packet in the middle of a flow that tracking doesn't know (PL-26)", async () => {
      await server.listenTcp(port);
      router.check(["nft", "-f", "-"], {
        input: `table inet foreign {\n chain raw { type filter hook prerouting priority -300; tcp dport ${port} notrack\n tcp sport ${port} notrack\n }\n}\n`,
      });
      await start();
      await answer(acceptThis);
      const talk = await client.converse(server, server4, port);
      expect(new Set(await states())).toEqual(new Set([markStates.untracked]));
      router.check(["nft", "delete", "table", "inet", "foreign"]);
      await answer(acceptBoth);
      await talk.client.send("hello;");
      expect(await talk.server.receives("hello;")).toBe("received");
      const [first] = await states();
      expect(first).toBe(markStates.midstream);
    });

    it("a flow whose destination was rewritten (AN-31)", async () => {
      foreign(`chain nat { type nat hook prerouting priority dstnat; ip daddr 10.99.0.1 dnat ip to ${server4} ; }`);
      await start();
      await answer(acceptBoth);
      const to = await server.openUdp({ localPort: port });
      const from = await client.openUdp({ host: "10.99.0.1", port });
      await from.send("through a service;");
      expect(await to.receives("through a service;")).toBe("received");
      expect(await states()).toEqual([markStates.original | 8]);
    });

    it("an invalid packet, never remembered (PL-27)", async () => {
      await start();
      await answer(acceptBoth);
      // conntrack takes no SYN with FIN.
      const { sendRaw, ipPacket } = await import("../support/raw-packet.ts");
      const tcp = [0x30, 0x39, port >> 8, port & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x03, 0x20, 0, 0, 0, 0, 0];
      sendRaw(hosts.client, [ipPacket("10.7.1.2", server4, 6, tcp)]);
      await waitFor("the packet", async () => (await firewall.packets()).judged_accept === 1);
      expect(await states()).toEqual([markStates.invalid]);
      expect(marks()).toEqual([]);
    });

    it("an expected connection, as a new flow, though it inherits its master's mark (PL-27)", async () => {
      foreign(`
        ct helper tftp { type "tftp" protocol udp; }
        chain helper { type filter hook prerouting priority 0; udp dport ${port} ct helper set "tftp" ; }`);
      await start();
      await answer(acceptBoth | markHeld.sg);
      const to = await server.openUdp({ localPort: port });
      const from = await client.openUdp({ host: server4, port });
      // RFC 1350: a read request; the data comes from another port of the server.
      await from.send("\0\u0001file\0octet\0");
      expect(await to.receives("file")).toBe("received");
      expect(router.check(["cat", "/proc/net/nf_conntrack_expect"])).toMatch(/tftp|proto=17/);
      await firewall.takeSeen();
      const data = await server.openUdp({ host: "10.7.1.2", port: from.localPort });
      await answer(DROP);
      await data.send("data;");
      await waitFor("the question", async () => (await firewall.packets()).queued === 2);
      expect(await states()).toEqual([markStates.original]);
      expect(await from.receives("data;", SILENCE_MS)).toBe("timeout");
      // Accepted, it's decided on its own account, in one direction too.
      await from.send("\0\u0001file\0octet\0");
      expect(await to.receives("file")).toBe("received");
      await answer(acceptBoth);
      for (const text of ["1;", "2;", "3;"]) {
        await data.send(text);
        expect(await from.receives(text)).toBe("received");
      }
      expect(await states()).toHaveLength(1);
    });
  });

  describe("hooks", () => {
    it("input: a managed address speaks to the host", async () => {
      await start();
      await answer(DROP);
      expect(hosts.server.run(["ping", "-c1", "-W1", "10.7.2.1"]).status).toBe(1);
      await answer(acceptBoth);
      expect(hosts.server.run(["ping", "-c1", "-W2", "10.7.2.1"]).status).toBe(0);
      expect(hosts.server.run(["ping", "-c1", "-W2", "fd07:2::1"]).status).toBe(0);
    });

    it("output: the host's own packets, to the addresses that want it, and no others (SG-83a, NP-56)", async () => {
      await start();
      await answer(DROP);
      // The echo request isn't judged, its reply is: on the input hook, as a reply of a flow that nobody asked about.
      expect(router.run(["ping", "-c1", "-W1", server4]).status).toBe(1);
      expect(await states()).toEqual([markStates.reply]);
      await firewall.ask({ op: "addAddresses", managed, output: managed });
      expect(router.run(["ping", "-c1", "-W1", server4]).status).toBe(1);
      expect(await states()).toEqual([markStates.original]);
      await answer(acceptBoth);
      expect(router.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      expect(router.run(["ping", "-c1", "-W2", server6]).status).toBe(0);
      expect(await states()).toEqual([markStates.original, markStates.original]);
    });

    it("a reset that the kernel sends for a cut flow reaches a host whose output is judged", async () => {
      await start({ output: managed });
      await answer(acceptBoth);
      await host.listenTcp(port);
      const out = await server.connectTcp("10.7.2.1", port);
      if (typeof out === "string") throw new Error(out);
      await publish();
      await answer(deny);
      await out.send("x");
      expect(await out.receives("never")).toBe("ECONNRESET");
    });

    it("postrouting stands in for forward", async () => {
      await start({ hook: "postrouting" });
      await answer(DROP);
      expect(hosts.client.run(["ping", "-c1", "-W1", server4]).status).toBe(1);
      await answer(acceptBoth);
      expect(hosts.client.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      expect(hosts.client.run(["ping", "-c1", "-W2", server6]).status).toBe(0);
      expect(hosts.server.run(["ping", "-c1", "-W2", "10.7.2.1"]).status).toBe(0);
    });
  });

  describe.skipIf(!existsSync("/proc/sys/net/bridge"))("inside a bridge", () => {
    it("is judged when the bridge is enforced, and only then (T-3, PL-11)", async () => {
      await start();
      await answer(DROP);
      expect(hosts.neighbour.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      await firewall.ask({ op: "enforceBridges", names: ["br0"] });
      expect(hosts.neighbour.run(["ping", "-c1", "-W1", server4]).status).toBe(1);
      expect(hosts.neighbour.run(["ping", "-c1", "-W1", server6]).status).toBe(1);
      await answer(acceptBoth);
      expect(hosts.neighbour.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      expect(hosts.neighbour.run(["ping", "-c1", "-W2", server6]).status).toBe(0);
      await firewall.takeSeen();
      // From outside through the router onto the bridge: one question.
      expect(hosts.client.run(["ping", "-c1", "-W2", server4]).status).toBe(0);
      expect(await states()).toEqual([markStates.original]);
    });

    it("a broadcast frame is no way round: not to a managed address, and not from one", async () => {
      await start();
      await firewall.ask({ op: "enforceBridges", names: ["br0"] });
      await answer(DROP);
      const broadcast = ["lladdr", "ff:ff:ff:ff:ff:ff", "dev", "eth0", "nud", "permanent"];
      hosts.neighbour.check(["ip", "neighbour", "replace", server4, ...broadcast]);
      hosts.server.check(["ip", "neighbour", "replace", "10.7.2.3", ...broadcast]);
      const atServer = await server.openUdp({ localPort: port });
      const atNeighbour = await neighbour.openUdp({ localPort: port });
      const toServer = await neighbour.openUdp({ host: server4, port });
      const toNeighbour = await server.openUdp({ host: "10.7.2.3", port });
      await toServer.send("a;");
      await toNeighbour.send("b;");
      expect(await atServer.receives("a;", SILENCE_MS)).toBe("timeout");
      expect(await atNeighbour.receives("b;", SILENCE_MS)).toBe("timeout");
      expect((await firewall.packets()).misdelivered).toBeGreaterThanOrEqual(2);
      hosts.neighbour.check(["ip", "neighbour", "delete", server4, "dev", "eth0"]);
      hosts.server.check(["ip", "neighbour", "delete", "10.7.2.3", "dev", "eth0"]);
    });
  });
});
