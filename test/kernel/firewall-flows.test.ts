/** The table with real packets: what happens to flows, and what the engine is told about them. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markHeld, markStates, markVerdict } from "../../src/model/mark.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { ipPacket, sendRaw, tcp, tcpFlag } from "../support/raw-packet.ts";
import { DROP, FirewallLab, SILENCE_MS, server4, server6 } from "./firewall-lab.ts";

const { acceptThis, acceptBoth, deny } = markVerdict;

if (skipReason !== null) console.warn(`test/kernel/firewall-flows: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`flows through the table (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  beforeAll(() => {
    l = new FirewallLab();
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  it.each([4, 6] as const)("an accepted flow is asked about once, then stays in the kernel (IPv%i)", async (family) => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp(family);
    for (let i = 0; i < 20; i++) {
      await from.send(`ping${i};`);
      expect(await to.receives(`ping${i};`)).toBe("received");
      await to.send(`pong${i};`);
      expect(await from.receives(`pong${i};`)).toBe("received");
    }
    expect(await l.states()).toEqual([markStates.original]);
    expect(await l.firewall.packets()).toMatchObject({
      queued: 1,
      judged_accept: 1,
      decided_accept: 39,
      unjudged_drop: 0,
    });
    if (family === 4) expect(l.marks()).toEqual([l.decided(0x30)]);
  });

  it("UDP in one direction, which never is established, stays in the kernel too", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    for (let i = 0; i < 10; i++) {
      await from.send(`one way ${i};`);
      expect(await to.receives(`one way ${i};`)).toBe("received");
    }
    expect(await l.states()).toHaveLength(1);
  });

  it("a flow accepted in this direction alone has its replies dropped in the kernel, without a reset (NA-19)", async () => {
    await l.start();
    await l.answer(acceptThis);
    await l.peers.server.listenTcp(l.port);
    expect(await l.peers.client.connectTcp(server4, l.port, 400)).toBe("timeout");
    expect(await l.states()).toEqual([markStates.original]);
    const { decided_deny } = await l.firewall.packets();
    expect(decided_deny).toBeGreaterThan(0);
  });

  it("a dropped first packet leaves no entry, and the next one is asked about again (NP-73)", async () => {
    await l.start();
    await l.answer(DROP);
    const { from, to } = await l.udp();
    await from.send("first;");
    await l.asked(1);
    expect(l.marks()).toEqual([]);
    await l.answer(acceptBoth);
    await from.send("second;");
    expect(await to.receives("second;")).toBe("received");
    expect(await to.receives("first;", SILENCE_MS)).toBe("timeout");
  });

  it("a new epoch asks again about live flows, and loses nothing", async () => {
    await l.start();
    await l.answer(acceptBoth);
    await l.peers.server.listenTcp(l.port);
    const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
    for (let i = 0; i < 5; i++) {
      await l.publish();
      await l.answer(acceptBoth);
      await talk.client.send(`${i};`);
      expect(await talk.server.receives(`${i};`)).toBe("received");
      expect(l.marks()).toEqual([l.decided(0x30)]);
    }
    const seen = await l.states();
    expect(seen.length).toBeGreaterThanOrEqual(6);
    expect(seen.filter((byte) => byte !== markStates.original && byte !== markStates.reply)).toEqual([]);
  });

  it("an epoch's number is swept before it's used again: 16 epochs later nothing old counts", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    await from.send("old;");
    expect(await to.receives("old;")).toBe("received");
    for (let i = 0; i < 15; i++) await l.publish();
    await l.answer(DROP);
    await from.send("new;");
    expect(await to.receives("new;", SILENCE_MS)).toBe("timeout");
    expect(await l.states()).toHaveLength(2);
  });

  it("a cut TCP flow is marked denied, both ends are reset, and its entry stays (NP-70, PL-26)", async () => {
    await l.start();
    await l.answer(acceptBoth);
    await l.peers.server.listenTcp(l.port);
    const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
    await l.publish();
    await l.answer(deny);
    await talk.client.send("still there?");
    expect(await talk.client.receives("never", 2000)).toBe("ECONNRESET");
    expect(l.marks()).toEqual([l.decided(0)]);
    await talk.server.send("and you?");
    expect(await talk.server.receives("never", 2000)).toBe("ECONNRESET");
    expect((await l.firewall.packets()).decided_deny).toBeGreaterThan(0);
    expect(await talk.server.receives("still there?", 0)).not.toBe("received");
  });

  it.each([
    [4, "10.7.1.2", server4],
    [6, "fd07:1::2", server6],
  ] as const)(
    "PL-26, SG-66: a SYN is a new flow, whatever its entry was accepted or held for (IPv%i)",
    async (_, client, server) => {
      // No reset answers the packet that begins in the middle, so that its entry stays as it is.
      l.hosts.server.check(["nft", "-f", "-"], {
        input: `table inet quiet { chain c { type filter hook output priority 0; tcp sport ${l.port} tcp flags & rst == rst drop; }; }`,
      });
      try {
        await l.start();
        await l.answer(acceptBoth | markHeld.sg | markHeld.k8s);
        await l.peers.server.listenTcp(l.port);
        const from = 20_000 + l.port;
        const ack = ipPacket(client, server, 6, tcp(client, server, from, l.port, tcpFlag.ack));
        sendRaw(l.hosts.client, [ack]);
        await l.asked(1);
        await waitFor("the flow's decision", () => l.marks().includes(l.decided(0xf0)));
        sendRaw(l.hosts.client, [ack]);
        await waitFor("the entry's use", async () => (await l.firewall.packets()).decided_accept === 1);
        expect(await l.states()).toEqual([markStates.midstream]);
        await l.answer(DROP);
        expect(await l.peers.client.connectTcp(server, l.port, 400, from)).toBe("timeout");
        expect(new Set(await l.states())).toEqual(new Set([markStates.original]));
        // The engine's word about the SYN is the connection's: nothing is left of what was held.
        await l.answer(acceptBoth);
        expect(await l.peers.client.connectTcp(server, l.port, 3000, from)).toBeTypeOf("object");
        expect(l.marks()).toEqual([l.decided(0x30)]);
      } finally {
        l.hosts.server.check(["nft", "delete", "table", "inet", "quiet"]);
      }
    },
  );

  it("denyAction=reject tells the client at once", async () => {
    await l.start({ knobs: { denyAction: "reject" } });
    await l.answer(deny);
    await l.peers.server.listenTcp(l.port);
    expect(await l.peers.client.connectTcp(server4, l.port)).toBe("ECONNREFUSED");
    expect(await l.peers.client.connectTcp(server6, l.port)).toBe("ECONNREFUSED");
    expect(l.marks()).toEqual([]);
  });

  describe("what the engine is told", () => {
    it("a reply, when its flow is asked about again", async () => {
      await l.start();
      await l.answer(acceptBoth);
      const { from, to } = await l.udp();
      await from.send("a;");
      expect(await to.receives("a;")).toBe("received");
      await l.publish();
      await l.answer(acceptBoth | markHeld.k8s);
      await l.states();
      await to.send("b;");
      expect(await from.receives("b;")).toBe("received");
      expect(await l.states()).toEqual([markStates.reply]);
      await l.publish();
      await l.answer(acceptBoth);
      await from.send("c;");
      expect(await to.receives("c;")).toBe("received");
      expect(await l.states()).toEqual([markStates.original | markHeld.k8s]);
    });

    it("an ICMP error about an accepted flow: related, each time, and the flow's mark stays (PL-21)", async () => {
      await l.start();
      await l.answer(acceptBoth);
      // Nobody listens on the port: the server answers with l.port unreachable.
      const from = await l.peers.client.openUdp({ host: server4, port: l.port });
      await from.send("anyone?");
      await l.asked(2);
      // What the engine says of the error is about the error alone.
      await l.answer(acceptThis | markHeld.k8s);
      await from.send("anyone?");
      await l.asked(3);
      expect(await l.states()).toEqual([markStates.original, markStates.related, markStates.related]);
      expect(l.marks()).toEqual([l.decided(0x30)]);
    });

    it("an ICMP error about a flow that was denied dies with it", async () => {
      await l.start();
      await l.answer(acceptBoth);
      await l.peers.server.listenTcp(l.port);
      const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
      await l.publish();
      await l.answer(deny);
      await talk.client.send("x");
      expect(await talk.client.receives("never")).toBe("ECONNRESET");
      await l.states();
      const { decided_deny } = await l.firewall.packets();
      const quoted = ipPacket("10.7.1.2", server4, 6, [
        talk.client.localPort >> 8,
        talk.client.localPort & 255,
        l.port >> 8,
        l.port & 255,
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
      sendRaw(l.hosts.server, [ipPacket(server4, "10.7.1.2", 1, body)]);
      await waitFor("its end", async () => (await l.firewall.packets()).decided_deny > decided_deny);
      expect(await l.states()).toEqual([]);
    });

    it("a TCP packet in the middle of a flow that tracking doesn't know (PL-26)", async () => {
      await l.peers.server.listenTcp(l.port);
      l.router.check(["nft", "-f", "-"], {
        input: `table inet foreign {\n chain raw { type filter hook prerouting priority -300; tcp dport ${l.port} notrack\n tcp sport ${l.port} notrack\n }\n}\n`,
      });
      await l.start();
      await l.answer(acceptThis);
      const talk = await l.peers.client.converse(l.peers.server, server4, l.port);
      expect(new Set(await l.states())).toEqual(new Set([markStates.untracked]));
      l.router.check(["nft", "delete", "table", "inet", "foreign"]);
      await l.answer(acceptBoth);
      await talk.client.send("hello;");
      expect(await talk.server.receives("hello;")).toBe("received");
      const [first] = await l.states();
      expect(first).toBe(markStates.midstream);
    });

    it("a flow whose destination was rewritten (AN-31)", async () => {
      l.foreign(`chain nat { type nat hook prerouting priority dstnat; ip daddr 10.99.0.1 dnat ip to ${server4} ; }`);
      await l.start();
      await l.answer(acceptBoth);
      const to = await l.peers.server.openUdp({ localPort: l.port });
      const from = await l.peers.client.openUdp({ host: "10.99.0.1", port: l.port });
      await from.send("through a service;");
      expect(await to.receives("through a service;")).toBe("received");
      expect(await l.states()).toEqual([markStates.original | 8]);
    });

    it("an invalid packet, never remembered (PL-27)", async () => {
      await l.start();
      await l.answer(acceptBoth);
      // conntrack takes no SYN with FIN.
      const header = [0x30, 0x39, l.port >> 8, l.port & 255, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x03, 0x20, 0, 0, 0, 0, 0];
      sendRaw(l.hosts.client, [ipPacket("10.7.1.2", server4, 6, header)]);
      await l.asked(1);
      expect(await l.states()).toEqual([markStates.invalid]);
      expect(l.marks()).toEqual([]);
    });

    it("an expected connection, as a new flow, though it inherits its master's mark (PL-27)", async () => {
      l.foreign(`
        ct helper tftp { type "tftp" protocol udp; }
        chain helper { type filter hook prerouting priority 0; udp dport ${l.port} ct helper set "tftp" ; }`);
      await l.start();
      await l.answer(acceptBoth | markHeld.sg);
      const to = await l.peers.server.openUdp({ localPort: l.port });
      const from = await l.peers.client.openUdp({ host: server4, port: l.port });
      // RFC 1350: a read request; the data comes from another l.port of the server.
      await from.send("\0\u0001file\0octet\0");
      expect(await to.receives("file")).toBe("received");
      expect(l.router.check(["cat", "/proc/net/nf_conntrack_expect"])).toMatch(/tftp|proto=17/);
      await l.states();
      const data = await l.peers.server.openUdp({ host: "10.7.1.2", port: from.localPort });
      await l.answer(DROP);
      await data.send("data;");
      await l.asked(1);
      expect(await l.states()).toEqual([markStates.original]);
      expect(await from.receives("data;", SILENCE_MS)).toBe("timeout");
      // Accepted, it's decided on its own account, in one direction too.
      await from.send("\0\u0001file\0octet\0");
      expect(await to.receives("file")).toBe("received");
      await l.answer(acceptBoth);
      for (const text of ["1;", "2;", "3;"]) {
        await data.send(text);
        expect(await from.receives(text)).toBe("received");
      }
      expect(await l.states()).toHaveLength(1);
    });
  });
});
