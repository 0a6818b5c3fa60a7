/** The table with real packets: when nobody judges, when others meddle with marks, and at every hook. */
import { existsSync } from "node:fs";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markHeld, markStates, markVerdict } from "../../src/model/mark.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import {
  frame,
  icmpPortUnreachable,
  icmpv6,
  ipPacket,
  macOf,
  sendFrames,
  sendRaw,
  udp,
  withUdpChecksum,
} from "../support/raw-packet.ts";
import { DROP, FirewallLab, managed, SILENCE_MS, server4, server6 } from "./firewall-lab.ts";

const { acceptBoth, deny } = markVerdict;

if (skipReason !== null) console.warn(`test/kernel/firewall-failures: skipped: ${skipReason}`);
else if (!existsSync("/proc/sys/net/bridge"))
  console.warn("test/kernel/firewall-failures: bridges are skipped: no br_netfilter");

describe.skipIf(skipReason !== null)(`the table under stress (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  beforeAll(() => {
    l = new FirewallLab();
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  describe("nobody judges", () => {
    it("bypass=drop: without a listener nothing managed passes, everything else does", async () => {
      await l.firewall.install({ managed });
      expect(l.pings(l.hosts.client, server4)).toBe("no");
      expect(l.pings(l.hosts.client, server6)).toBe("no");
      expect(l.pings(l.hosts.client, "10.7.2.3")).toBe("yes");
      expect(l.pings(l.hosts.client, "fd07:2::3")).toBe("yes");
      expect((await l.firewall.packets()).queued).toBe(2);
    });

    it("bypass=accept: without a listener it passes, undecided", async () => {
      await l.firewall.install({ managed, knobs: { bypass: "accept" } });
      expect(l.pings(l.hosts.client, server4)).toBe("yes");
      expect(l.pings(l.hosts.client, server6)).toBe("yes");
      expect(await l.firewall.packets()).toMatchObject({ unjudged_accept: 4, judged_accept: 0 });
    });

    it.each([
      ["drop", false],
      ["accept", true],
    ] as const)("overflow=%s: what doesn't fit into the queue", async (overflow, passes) => {
      await l.firewall.ask({ op: "startQueue", maxLength: 2, failOpen: overflow === "accept" });
      await l.firewall.install({ managed, knobs: { overflow } });
      const { from, to } = await l.udp();
      l.firewall.pause();
      for (let i = 0; i < 8; i++) await from.send(`${i};`);
      expect(await to.receives("7;", passes ? 2000 : SILENCE_MS)).toBe(passes ? "received" : "timeout");
      l.firewall.resume();
      expect((await l.firewall.packets()).unjudged_accept).toBe(passes ? 6 : 0);
    });

    it("keep: what was decided goes on after us, what wasn't is dropped; the next run takes over (PL-10)", async () => {
      await l.start();
      await l.answer(acceptBoth);
      const { from, to } = await l.udp();
      await from.send("a;");
      expect(await to.receives("a;")).toBe("received");
      await l.firewall.ask({ op: "keep" });
      await l.restart();
      await from.send("b;");
      expect(await to.receives("b;")).toBe("received");
      const other = await l.peers.client.openUdp({ host: server4, port: l.port });
      await other.send("c;");
      expect(await to.receives("c;", SILENCE_MS)).toBe("timeout");
      // Nothing passes while the table is replaced: a stream of packets of undecided flows, none of which arrives.
      const stream = l.hosts.client.spawn(["ping", "-i", "0.002", "-w", "1", server4]);
      const report = new Promise<string>((resolve) => {
        let text = "";
        stream.stdout.on("data", (chunk: Buffer) => {
          text += chunk;
        });
        stream.on("exit", () => resolve(text));
      });
      await l.firewall.ask({ op: "startQueue" });
      for (let i = 0; i < 3; i++) await l.firewall.install({ managed });
      const text = await report;
      expect(text).toMatch(/ 0 received/);
      expect(Number(/(\d+) packets transmitted/.exec(text)?.[1])).toBeGreaterThan(50);
    });
  });

  describe("what another table does to marks", () => {
    const rewrite = (value: string): void =>
      l.foreign(`chain c {\n type filter hook forward priority 15;\n meta mark set ${value}\n }`);

    it.each(["0", "0x1", "0xffffffff", "0x01000000", "0x0f000000"])(
      "a chain between ours that sets packet marks to %s opens nothing",
      async (value) => {
        await l.start();
        await l.answer(deny);
        rewrite(value);
        const { from, to } = await l.udp();
        for (const text of ["a;", "b;"]) {
          await from.send(text);
          expect(await to.receives(text, SILENCE_MS)).toBe("timeout");
        }
        expect(l.pings(l.hosts.client, server6)).toBe("no");
        expect((await l.firewall.packets()).queued).toBeGreaterThanOrEqual(3);
        // Traffic that is none of ours isn't hurt by it.
        expect(l.pings(l.hosts.client, "10.7.2.3")).toBe("yes");
      },
    );

    it("bits of ours that a packet brings along are forgotten: they aren't a verdict", async () => {
      l.foreign("chain c {\n type filter hook prerouting priority -150;\n meta mark set 0x10000000\n }");
      await l.start();
      await l.answer(DROP);
      const { from, to } = await l.udp();
      await from.send("a;");
      expect(await to.receives("a;", SILENCE_MS)).toBe("timeout");
      expect(await l.states()).toEqual([markStates.original]);
    });

    it("other owners' bits survive, in both marks, and none of ours is left on the packet", async () => {
      l.foreign(`
        counter clean { }
        chain before { type filter hook prerouting priority -100; meta mark set 0x00abc123 ct mark set ct mark | 0x00000080 ; }
        chain after { type filter hook postrouting priority 0; udp dport ${l.port} meta mark 0x00abc123 counter name clean ; }`);
      await l.start();
      await l.answer(acceptBoth | markHeld.sg);
      const { from, to } = await l.udp();
      for (const text of ["a;", "b;"]) {
        await from.send(text);
        expect(await to.receives(text)).toBe("received");
      }
      expect((await l.firewall.takeSeen()).map((s) => s.others)).toEqual([0xabc123]);
      expect(l.router.check(["nft", "list", "counter", "inet", "foreign", "clean"])).toMatch(/packets 2 /);
      expect(l.marks()).toEqual([`${(0x70 | l.nibble).toString(16)}000080`]);
      // Undecided again, what was held stays; removed, nothing of ours does.
      expect(await l.firewall.ask({ op: "clearDecisions" })).toBeGreaterThanOrEqual(1);
      expect(l.marks()).toEqual(["40000080"]);
      await l.answer(acceptBoth);
      await from.send("c;");
      expect(await to.receives("c;")).toBe("received");
      expect((await l.states()).at(-1)).toBe(markStates.original | markHeld.sg);
      await l.firewall.ask({ op: "remove" });
      expect(l.marks()).toEqual(["80"]);
    });
  });

  describe("hooks", () => {
    it("input: a managed address speaks to the host", async () => {
      await l.start();
      await l.answer(DROP);
      expect(l.pings(l.hosts.server, "10.7.2.1")).toBe("no");
      await l.answer(acceptBoth);
      expect(l.pings(l.hosts.server, "10.7.2.1")).toBe("yes");
      expect(l.pings(l.hosts.server, "fd07:2::1")).toBe("yes");
    });

    it("output: the host's own packets, to the addresses that want it, and no others (SG-83a, NP-56)", async () => {
      await l.start();
      await l.answer(DROP);
      // The echo request isn't judged, its reply is: on the input hook, as a reply of a flow that nobody asked about.
      expect(l.pings(l.router, server4)).toBe("no");
      expect(await l.states()).toEqual([markStates.reply]);
      await l.change({ output: { added: managed } });
      expect(l.pings(l.router, server4)).toBe("no");
      expect(await l.states()).toEqual([markStates.original]);
      await l.answer(acceptBoth);
      expect(l.pings(l.router, server4)).toBe("yes");
      expect(l.pings(l.router, server6)).toBe("yes");
      expect(await l.states()).toEqual([markStates.original, markStates.original]);
    });

    it("a reset that the kernel sends for a cut flow reaches a host whose output is judged", async () => {
      await l.start({ output: managed });
      await l.answer(acceptBoth);
      await l.peers.router.listenTcp(l.port);
      const out = await l.peers.server.connectTcp("10.7.2.1", l.port);
      if (typeof out === "string") throw new Error(out);
      await l.publish();
      await l.answer(deny);
      await out.send("x");
      expect(await out.receives("never")).toBe("ECONNRESET");
    });

    const solicit = [133, 0, 0, 0, 0, 0, 0, 0];
    it.each([
      ["in IPv4, protocol 58", () => ipPacket("10.7.1.2", server4, 58, solicit, 255), markStates.invalid],
      ["routed, which takes one from its hop limit", () => advertise(255), markStates.untracked],
      ["a redirect that was routed", () => redirect(64), markStates.invalid],
    ] as const)("SG-84: what isn't neighbour discovery but has its type is judged: %s", async (_, packet, state) => {
      await l.start();
      await l.answer(DROP);
      sendRaw(l.hosts.client, [packet()]);
      await l.asked(1);
      expect(await l.states()).toEqual([state]);
      expect(l.pings(l.hosts.client, server6)).toBe("no");
    });
    const client6 = "fd07:1::2";
    const advertise = (hopLimit: number) =>
      ipPacket(client6, server6, 58, icmpv6(client6, server6, 136, Array(20).fill(0)), hopLimit);
    const redirect = (hopLimit: number) =>
      ipPacket(client6, server6, 58, icmpv6(client6, server6, 137, Array(36).fill(0)), hopLimit);

    it.each([
      [4, "forward", "10.7.1.2", /Time to live exceeded/],
      [6, "forward", "fd07:1::2", /Hop limit/],
      [4, "postrouting", "10.7.1.2", /Time to live exceeded/],
      [6, "postrouting", "fd07:1::2", /Hop limit/],
    ] as const)(
      "SG-83a, NA-22: the host's own ICMP errors about a first packet aren't judged (IPv%i, %s)",
      async (_, hook, client, expired) => {
        await l.start({ output: managed, hook });
        await l.answer(DROP);
        const ping = (...options: string[]): string =>
          l.hosts.server.run(["ping", "-n", "-c1", "-W1", ...options, client]).stdout;
        expect(ping("-t", "1")).toMatch(expired);
        l.router.check(["ip", "link", "set", "client", "mtu", "1400"]);
        try {
          expect(ping("-M", "do", "-s", "1440")).toMatch(/mtu ?= ?1400/);
        } finally {
          l.router.check(["ip", "link", "set", "client", "mtu", "1500"]);
          l.hosts.server.check(["ip", "route", "flush", "cache"]);
          l.hosts.server.check(["ip", "-6", "route", "flush", "cache"]);
        }
        expect(await l.states()).toEqual([]);
      },
    );

    it("SG-83a: nor are those about an accepted flow; what others say in the host's place is", async () => {
      await l.start({ output: managed });
      await l.answer(acceptBoth);
      expect(l.pings(l.hosts.server, "10.7.1.2")).toBe("yes");
      await l.states();
      const from = await l.peers.server.openUdp({ localPort: l.port, host: "10.7.1.2", port: l.port });
      await from.send("a;");
      // The client answers with port unreachable.
      await l.asked(2);
      expect(await l.states()).toEqual([markStates.original, markStates.related]);
      const expired = (): number => {
        const [names, values] = l.hosts.server.check(["grep", "^Icmp:", "/proc/net/snmp"]).split("\n");
        return Number(values?.split(" ")[names?.split(" ").indexOf("InTimeExcds") ?? -1]);
      };
      const before = expired();
      sendRaw(l.hosts.server, [ipPacket(server4, "10.7.1.2", 17, udp(l.port, l.port), 1)]);
      await waitFor("time exceeded", () => expired() === before + 1);
      const quoted = ipPacket(server4, "10.7.1.2", 17, udp(7, 7));
      sendRaw(l.router, [ipPacket("10.7.1.2", server4, 1, icmpPortUnreachable(quoted))]);
      await l.asked(1);
      expect(await l.states()).toEqual([markStates.invalid]);
    });

    it("postrouting stands in for forward", async () => {
      await l.start({ hook: "postrouting" });
      await l.answer(DROP);
      expect(l.pings(l.hosts.client, server4)).toBe("no");
      await l.answer(acceptBoth);
      expect(l.pings(l.hosts.client, server4)).toBe("yes");
      expect(l.pings(l.hosts.client, server6)).toBe("yes");
      expect(l.pings(l.hosts.server, "10.7.2.1")).toBe("yes");
    });
  });

  describe.skipIf(!existsSync("/proc/sys/net/bridge"))("inside a bridge", () => {
    it("is judged when the bridge is enforced, and only then (T-3, PL-11)", async () => {
      await l.start();
      await l.answer(DROP);
      expect(l.pings(l.hosts.neighbour, server4)).toBe("yes");
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      expect(l.pings(l.hosts.neighbour, server4)).toBe("no");
      expect(l.pings(l.hosts.neighbour, server6)).toBe("no");
      await l.answer(acceptBoth);
      expect(l.pings(l.hosts.neighbour, server4)).toBe("yes");
      expect(l.pings(l.hosts.neighbour, server6)).toBe("yes");
      await l.states();
      // From outside through the router onto the bridge: one question.
      expect(l.pings(l.hosts.client, server4)).toBe("yes");
      expect(await l.states()).toEqual([markStates.original]);
    });

    it.each([
      [4, "10.7.2.3", server4],
      [6, "fd07:2::3", server6],
    ] as const)("a VLAN tag or PPPoE is no way round (PL-11, IPv%i)", async (family, neighbour, server) => {
      await l.start();
      await l.answer(acceptBoth);
      const at = await l.peers.server.openUdp({ family, localPort: l.port });
      const [from, to] = [macOf(l.hosts.neighbour, "eth0"), macOf(l.hosts.server, "eth0")];
      const send = (text: string, headers: readonly ("VLAN" | "PPPoE")[]): void => {
        // From a port of its own, so that each is a flow of its own.
        const datagram = withUdpChecksum(neighbour, server, udp(900 + text.length, l.port, [...Buffer.from(text)]));
        sendFrames(l.hosts.neighbour, "eth0", [frame(from, to, ipPacket(neighbour, server, 17, datagram), headers)]);
      };
      send("nobody asks;", ["VLAN"]);
      expect(await at.receives("nobody asks;")).toBe("received");
      expect(await l.states()).toEqual([]);
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      send("accepted;", ["VLAN"]);
      expect(await at.receives("accepted;")).toBe("received");
      expect(await l.states()).toEqual([markStates.original]);
      await l.answer(DROP);
      send("denied;", ["VLAN"]);
      await l.asked(1);
      send("in a session;", ["PPPoE"]);
      await l.asked(2);
      expect(await at.receives("denied;", SILENCE_MS)).toBe("timeout");
      // Others may have it their way again when we're gone.
      await l.firewall.ask({ op: "remove" });
      send("nobody there;", ["VLAN"]);
      expect(await at.receives("nobody there;")).toBe("received");
    });

    it.each(
      (
        [
          ["VLAN", "VLAN"],
          ["VLAN", "S-VLAN"],
          ["S-VLAN", "VLAN"],
          ["S-VLAN", "S-VLAN"],
          ["VLAN", "VLAN", "VLAN"],
          ["S-VLAN", "S-VLAN", "VLAN"],
        ] as const
      ).map((headers) => [headers.join(", "), headers] as const),
    )("nor are stacked tags: %s (PL-11)", async (_name, headers) => {
      await l.start();
      await l.answer(DROP);
      const at = await l.peers.server.openUdp({ localPort: l.port });
      const send = (text: string, device: string): void => {
        const packet = ipPacket("10.7.2.3", server4, 17, udp(900 + text.length, l.port, [...Buffer.from(text)]));
        const addresses = [macOf(l.hosts.neighbour, device), macOf(l.hosts.server, device)] as const;
        sendFrames(l.hosts.neighbour, device, [frame(...addresses, packet, headers)]);
      };
      const dropped = async () => (await l.firewall.packets()).stacked_tags;
      send("nobody asks;", "eth0");
      expect(await at.receives("nobody asks;")).toBe("received");
      expect(await dropped()).toBe(0);
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      send("hidden;", "eth0");
      await waitFor("the frame to be dropped", async () => (await dropped()) === 1);
      expect(await at.receives("hidden;", SILENCE_MS)).toBe("timeout");
      expect(await l.states()).toEqual([]);
      // Rules that others took away are put back awake.
      l.router.check(["nft", "flush", "ruleset"]);
      expect(await l.firewall.ask({ op: "isIntact" })).toBe(false);
      await l.firewall.ask({ op: "restore" });
      expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
      send("hidden again;", "eth0");
      await waitFor("the frame to be dropped", async () => (await dropped()) === 1);
      await l.firewall.ask({ op: "remove" });
      expect(l.router.check(["nft", "list", "tables"])).toBe("");
      send("nobody there;", "eth0");
      expect(await at.receives("nobody there;")).toBe("received");
    });

    it("stacked tags pass between ports of bridges that aren't ours, and a new port is known soon", async () => {
      const { router } = l;
      const { client, neighbour } = l.hosts;
      router.bridge("br8");
      router.check(["ip", "link", "add", "p8", "type", "veth", "peer", "name", "eth8", "netns", neighbour.name]);
      router.check(["ip", "link", "add", "q8", "type", "veth", "peer", "name", "eth8", "netns", client.name]);
      try {
        for (const port of ["p8", "q8"]) router.check(["ip", "link", "set", port, "up", "master", "br8"]);
        for (const host of [neighbour, client]) host.check(["ip", "link", "set", "eth8", "up"]);
        client.address("eth8", "10.7.8.2/24");
        await l.start();
        await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
        const at = await l.peers.client.openUdp({ localPort: l.port });
        const send = (text: string): void => {
          const packet = ipPacket("10.7.8.3", "10.7.8.2", 17, udp(9, l.port, [...Buffer.from(text)]));
          const addresses = [macOf(neighbour, "eth8"), macOf(client, "eth8")] as const;
          sendFrames(neighbour, "eth8", [frame(...addresses, packet, ["VLAN", "VLAN"])]);
        };
        send("not ours;");
        expect(await at.receives("not ours;")).toBe("received");
        expect(await l.firewall.ask({ op: "areBridgesEnforced" })).toBe(true);
        router.check(["ip", "link", "set", "p8", "nomaster"]);
        expect(await l.firewall.ask({ op: "areBridgesEnforced" })).toBe(false);
        await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
        router.check(["ip", "link", "set", "p8", "master", "br0"]);
        router.check(["ip", "link", "set", "q8", "master", "br0"]);
        send("ours now;");
        // One for each port that the bridge floods.
        await waitFor("the frame to be dropped", async () => (await l.firewall.packets()).stacked_tags >= 1);
      } finally {
        for (const link of ["p8", "q8", "br8"]) router.run(["ip", "link", "delete", link]);
      }
    });

    it("SG-84: neighbour discovery passes unasked with hop limit 255, and is judged with any other", async () => {
      await l.start();
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      await l.answer(DROP);
      l.hosts.server.check(["nft", "-f", "-"], {
        input: `table inet arrivals { counter c { }; chain i { type filter hook input priority 0; icmpv6 type 134 counter name c; }; }`,
      });
      try {
        const arrived = () =>
          Number(/packets (\d+)/.exec(l.hosts.server.check(["nft", "list", "counter", "inet", "arrivals", "c"]))?.[1]);
        const send = (hopLimit: number) =>
          sendRaw(l.hosts.neighbour, [
            ipPacket("fd07:2::3", server6, 58, icmpv6("fd07:2::3", server6, 134, Array(12).fill(0)), hopLimit),
          ]);
        send(255);
        await waitFor("the advertisement", () => arrived() === 1);
        expect(await l.states()).toEqual([]);
        send(254);
        await l.asked(1);
        expect(await l.states()).toEqual([markStates.untracked]);
        expect(arrived()).toBe(1);
      } finally {
        l.hosts.server.check(["nft", "delete", "table", "inet", "arrivals"]);
      }
    });

    it("a broadcast frame is no way round: not to a managed address, and not from one", async () => {
      await l.start();
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      await l.answer(DROP);
      const broadcast = ["lladdr", "ff:ff:ff:ff:ff:ff", "dev", "eth0", "nud", "permanent"];
      l.hosts.neighbour.check(["ip", "neighbour", "replace", server4, ...broadcast]);
      l.hosts.server.check(["ip", "neighbour", "replace", "10.7.2.3", ...broadcast]);
      const atServer = await l.peers.server.openUdp({ localPort: l.port });
      const atNeighbour = await l.peers.neighbour.openUdp({ localPort: l.port });
      const toServer = await l.peers.neighbour.openUdp({ host: server4, port: l.port });
      const toNeighbour = await l.peers.server.openUdp({ host: "10.7.2.3", port: l.port });
      await toServer.send("a;");
      await toNeighbour.send("b;");
      expect(await atServer.receives("a;", SILENCE_MS)).toBe("timeout");
      expect(await atNeighbour.receives("b;", SILENCE_MS)).toBe("timeout");
      expect((await l.firewall.packets()).misdelivered).toBeGreaterThanOrEqual(2);
      l.hosts.neighbour.check(["ip", "neighbour", "delete", server4, "dev", "eth0"]);
      l.hosts.server.check(["ip", "neighbour", "delete", "10.7.2.3", "dev", "eth0"]);
    });
  });
});
