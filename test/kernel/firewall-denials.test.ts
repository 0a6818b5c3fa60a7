/** Denied attempts that the table remembers: whom they stop, whom they don't, and when they are forgotten. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markHeld, markRemember, markStates, markVerdict } from "../../src/model/mark.ts";
import { crc32c } from "../support/crc32c.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { icmpv6, ipPacket, sendRaw, tcp, tcpFlag, udp, withUdpChecksum } from "../support/raw-packet.ts";
import { FirewallLab, SILENCE_MS, server4, server6 } from "./firewall-lab.ts";

const { acceptBoth, deny } = markVerdict;
const remember = deny | markRemember;
const client = { 4: "10.7.1.2", 6: "fd07:1::2" } as const;
const server = { 4: server4, 6: server6 } as const;
type Kind = (family: 4 | 6, port: number, attempt: number) => number[];

/** SCTP's INIT. Source: RFC 9260 3.3.2. */
const sctp: Kind = (family, port, attempt) => {
  const init = [1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 16, 0, 0, 1, 0, 1, 0, 0, 0, 1];
  const ports = [attempt >> 8, attempt & 255, port >> 8, port & 255, 0, 0, 0, 0];
  const sum = crc32c([...ports, 0, 0, 0, 0, ...init]);
  const checksum = [sum & 255, (sum >> 8) & 255, (sum >> 16) & 255, sum >>> 24];
  return ipPacket(client[family], server[family], 132, [...ports, ...checksum, ...init]);
};
const kinds: Readonly<Record<string, Kind>> = {
  UDP: (f, port, attempt) =>
    ipPacket(client[f], server[f], 17, withUdpChecksum(client[f], server[f], udp(attempt, port))),
  TCP: (f, port, attempt) => ipPacket(client[f], server[f], 6, tcp(client[f], server[f], attempt, port, tcpFlag.syn)),
  "an echo request": (f, _port, attempt) => {
    const identifier = [attempt >> 8, attempt & 255, 0, 1];
    if (f === 6) return ipPacket(client[6], server6, 58, icmpv6(client[6], server6, 128, identifier));
    const sum = 0x0800 + attempt + 1;
    const checksum = ~((sum & 0xffff) + (sum >>> 16)) & 0xffff;
    return ipPacket(client[4], server4, 1, [8, 0, checksum >> 8, checksum & 255, ...identifier]);
  },
};

if (skipReason !== null) console.warn(`test/kernel/firewall-denials: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`denied attempts (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  let attempt = 30_000;
  beforeAll(() => {
    l = new FirewallLab();
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  const remembered = async () => (await l.firewall.packets()).remembered_deny;
  const send = (kind: Kind, family: 4 | 6, port = l.port): void => {
    attempt += 1;
    sendRaw(l.hosts.client, [kind(family, port, attempt)]);
  };
  /** Sends one, and says who refused it. */
  const outcome = async (kind: Kind, family: 4 | 6, port = l.port): Promise<"kernel" | "engine"> => {
    const before = await l.firewall.packets();
    send(kind, family, port);
    let result: "kernel" | "engine" | null = null;
    await waitFor("a refusal", async () => {
      const now = await l.firewall.packets();
      if (now.remembered_deny > before.remembered_deny) result = "kernel";
      else if (now.judged_deny > before.judged_deny) result = "engine";
      return result !== null;
    });
    return result ?? expect.fail("neither");
  };

  const rows = Object.keys(kinds).flatMap((name) => ([4, 6] as const).map((family) => [name, family] as const));
  it.each(rows)("%s, IPv%i: one is judged, the next ones die in the kernel (NP-73)", async (name, family) => {
    const kind = kinds[name] as Kind;
    await l.start();
    await l.answer(remember);
    expect(await outcome(kind, family)).toBe("engine");
    for (let i = 0; i < 5; i++) expect(await outcome(kind, family)).toBe("kernel");
    if (name !== "an echo request") {
      expect(await outcome(kind, family, l.port + 1000)).toBe("engine");
      expect(await outcome(kind, family, l.port + 1000)).toBe("kernel");
    }
    // A change of nobody, and one of all.
    await l.change({});
    expect(await outcome(kind, family)).toBe("engine");
    expect(await outcome(kind, family)).toBe("kernel");
    await l.publish();
    await l.answer(remember);
    expect(await outcome(kind, family)).toBe("engine");
    expect(await outcome(kind, family)).toBe("kernel");
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    await l.firewall.ask({ op: "restore" });
    expect(await outcome(kind, family)).toBe("engine");
    expect(await outcome(kind, family)).toBe("kernel");
    expect(l.marks()).toEqual([]);
  });

  it("SCTP: by destination port too", async () => {
    await l.start();
    await l.answer(remember);
    expect(await outcome(sctp, 4)).toBe("engine");
    expect(await outcome(sctp, 4)).toBe("kernel");
    expect(await outcome(sctp, 4, l.port + 1000)).toBe("engine");
  });

  it("a denial that isn't to stand for others, or of another epoch, is not remembered", async () => {
    await l.start();
    for (const answer of [deny | l.nibble, remember | ((l.nibble % 15) + 1), remember]) {
      await l.firewall.ask({ op: "answer", byte: answer });
      expect(await outcome(kinds.UDP as Kind, 4)).toBe("engine");
      expect(await outcome(kinds.UDP as Kind, 4)).toBe("engine");
    }
  });

  it("a live flow of the same kind goes on, also when it's judged again", async () => {
    await l.start();
    await l.answer(acceptBoth | markHeld.sg);
    const { from, to } = await l.udp();
    await from.send("one;");
    expect(await to.receives("one;")).toBe("received");
    await l.answer(remember);
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("engine");
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("kernel");
    await from.send("two;");
    expect(await to.receives("two;")).toBe("received");
    await to.send("three;");
    expect(await from.receives("three;")).toBe("received");
    // Undecided again, with and without a held bit: both are asked about.
    await l.firewall.ask({ op: "clearDecisions" });
    await l.answer(acceptBoth);
    await l.states();
    await from.send("four;");
    expect(await to.receives("four;")).toBe("received");
    await l.firewall.ask({ op: "clearDecisions" });
    await from.send("five;");
    expect(await to.receives("five;")).toBe("received");
    expect(await l.states()).toEqual([markStates.original | markHeld.sg, markStates.original]);
  });

  it("nor do answers, and what comes in the middle, or through DNAT, count as attempts", async () => {
    l.foreign(`chain nat { type nat hook prerouting priority dstnat; ip daddr 10.99.0.1 dnat ip to ${server4} ; }`);
    await l.start();
    await l.answer(remember);
    const through: Kind = (_, port, at) => ipPacket(client[4], "10.99.0.1", 17, udp(at, port));
    const middle: Kind = (f, port, at) =>
      ipPacket(client[f], server[f], 6, tcp(client[f], server[f], at, port, tcpFlag.ack));
    expect(await outcome(through, 4)).toBe("engine");
    expect(await outcome(through, 4)).toBe("engine");
    for (const name of ["UDP", "TCP"]) {
      expect(await outcome(kinds[name] as Kind, 4)).toBe("engine");
      expect(await outcome(kinds[name] as Kind, 4)).toBe("kernel");
    }
    expect(await outcome(through, 4)).toBe("engine");
    await l.states();
    expect(await outcome(middle, 4)).toBe("engine");
    expect(await l.states()).toEqual([markStates.midstream]);
    // The server's answer on a flow that it was asked on, to a port that it was denied to speak to on its own.
    await l.answer(acceptBoth);
    const to = await l.peers.server.openUdp({ localPort: l.port + 1 });
    const from = await l.peers.client.openUdp({ host: server4, port: l.port + 1 });
    await from.send("ask;");
    expect(await to.receives("ask;")).toBe("received");
    await l.answer(remember);
    const unasked = await l.peers.server.openUdp({ host: client[4], port: from.localPort });
    await unasked.send("a;");
    await waitFor("a denial", async () => (await l.firewall.packets()).judged_deny > 0);
    const before = await remembered();
    await unasked.send("b;");
    await waitFor("a refusal", async () => (await remembered()) > before);
    await to.send("answer;");
    expect(await from.receives("answer;")).toBe("received");
  });

  it("a full set refuses what is in it, and lets nothing else pass", async () => {
    await l.start();
    await l.answer(remember);
    const size = Number(/size (\d+)/.exec(l.router.check(["nft", "list", "set", "inet", "verdictd", "denied4"]))?.[1]);
    const elements = Array.from({ length: size }, (_, i) => `10.200.${i >> 8}.${i & 255} . 10.200.0.1 . tcp . 1`);
    l.router.check(["nft", "-f", "-"], { input: `add element inet verdictd denied4 { ${elements.join(", ")} }\n` });
    const at = await l.peers.server.openUdp({ localPort: l.port + 2 });
    const from = await l.peers.client.openUdp({ host: server4, port: l.port + 2 });
    for (const text of ["a;", "b;"]) {
      await l.states();
      await from.send(text);
      await l.asked(1);
      expect(await at.receives(text, SILENCE_MS)).toBe("timeout");
    }
    expect(await remembered()).toBe(0);
    await l.publish();
    await l.answer(remember);
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("engine");
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("kernel");
  });

  it("denyAction=reject tells the client at once here too", async () => {
    await l.start({ knobs: { denyAction: "reject" } });
    await l.answer(remember);
    for (const address of [server4, server6]) {
      const before = await remembered();
      expect(await l.peers.client.connectTcp(address, l.port)).toBe("ECONNREFUSED");
      expect(await remembered()).toBe(before);
      expect(await l.peers.client.connectTcp(address, l.port)).toBe("ECONNREFUSED");
      expect(await remembered()).toBe(before + 1);
    }
    // Whatever isn't TCP is told by ICMP, by the engine's denial and by the kernel's.
    l.hosts.client.check(["nft", "-f", "-"], {
      input: `table inet told { counter c { }; chain i { type filter hook input priority 0;
        icmp type destination-unreachable icmp code admin-prohibited counter name c
        icmpv6 type destination-unreachable icmpv6 code admin-prohibited counter name c\n }; }`,
    });
    try {
      const told = () =>
        Number(/packets (\d+)/.exec(l.hosts.client.check(["nft", "list", "counter", "inet", "told", "c"]))?.[1]);
      for (const family of [4, 6] as const) {
        for (const by of ["engine", "kernel"]) {
          const before = told();
          expect(await outcome(kinds.UDP as Kind, family)).toBe(by);
          await waitFor("the error", () => told() > before);
        }
      }
    } finally {
      l.hosts.client.check(["nft", "delete", "table", "inet", "told"]);
    }
  });

  it("denyAction=drop is silent; an attempt that is allowed from now on succeeds at once (NP-73)", async () => {
    await l.start();
    await l.answer(remember);
    await l.peers.server.listenTcp(l.port);
    for (let i = 0; i < 2; i++) expect(await l.peers.client.connectTcp(server4, l.port, 300)).toBe("timeout");
    expect(await remembered()).toBeGreaterThan(0);
    await l.publish();
    await l.answer(acceptBoth);
    expect(await l.peers.client.connectTcp(server4, l.port, 900)).toBeTypeOf("object");
  });

  it("in postrouting, and where this host is the source", async () => {
    await l.start({ hook: "postrouting" });
    await l.answer(remember);
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("engine");
    expect(await outcome(kinds.UDP as Kind, 4)).toBe("kernel");
    await l.firewall.ask({ op: "remove" });
    await l.firewall.install({ managed: [server4], output: [server4] });
    await l.publish();
    await l.answer(remember);
    const from = await l.peers.router.openUdp({ host: server4, port: l.port });
    const again = await l.peers.router.openUdp({ host: server4, port: l.port });
    await from.send("x;").catch(() => {});
    await waitFor("a denial", async () => (await l.firewall.packets()).judged_deny > 0);
    await again.send("x;").catch(() => {});
    await waitFor("a refusal", async () => (await remembered()) > 0);
  });
});
