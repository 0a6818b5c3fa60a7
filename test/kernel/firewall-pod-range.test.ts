/** Packets of addresses in the pods' range that nobody is known to have, through the table: who waits, and what then. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markStates, markVerdict } from "../../src/model/mark.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import { ipPacket, sendRaw, tcp, tcpFlag } from "../support/raw-packet.ts";
import type { FirewallText } from "./firewall-driver.ts";
import { FirewallLab, managed, SILENCE_MS, server4, server6 } from "./firewall-lab.ts";

const { acceptBoth } = markVerdict;
const host = ["10.7.2.1", "fd07:2::1"];
const podRange = {
  prefixes: ["10.7.2.0/24", "fd07:2::/64"],
  known: [...host, "10.7.2.3", "fd07:2::3"],
  unknown: "hold",
} as const;
const hooks = ["forward", "postrouting"] as const;
const families = [4, 6] as const;
const cases = hooks.flatMap((hook) => families.map((family) => [hook, family] as const));

if (skipReason !== null) console.warn(`test/kernel/firewall-pod-range: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`addresses that nobody is known to have (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  beforeAll(() => {
    l = new FirewallLab();
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  async function start(change: Partial<FirewallText> = {}): Promise<void> {
    await l.firewall.ask({ op: "startRoom" });
    await l.start({ managed: [], podRange, ...change });
    await l.answer(acceptBoth);
  }
  const held = (count: number): Promise<void> =>
    waitFor(`${count} packets held`, async () => (await l.firewall.ask<number>({ op: "countRoom" })) === count);
  const release = (): Promise<number> => l.firewall.ask({ op: "releaseRoom" });
  const known = { known: { added: managed } };

  it.each(cases)("%s, IPv%i: it waits, then is judged once as any first packet", async (hook, family) => {
    await start({ hook });
    const { from, to } = await l.udp(family);
    for (const text of ["one;", "two;", "three;"]) await from.send(text);
    await held(3);
    expect(await l.states()).toEqual([]);
    await l.change({ ...known, managed: { added: managed }, affected: managed });
    expect(await release()).toBe(3);
    expect(await to.receives("one;two;three;")).toBe("received");
    await to.send("answer;");
    expect(await from.receives("answer;")).toBe("received");
    // Each came before the first one's entry was confirmed.
    expect(await l.states()).toEqual(Array(3).fill(markStates.original));
    expect(await l.firewall.packets()).toMatchObject({ unknown_held: 3, queued: 3, unjudged_drop: 0 });
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
  });

  it.each(cases)("%s, IPv%i: known and nobody's concern, it passes unasked", async (hook, family) => {
    await start({ hook });
    const { from, to } = await l.udp(family);
    await from.send("one;");
    await held(1);
    await l.change(known);
    expect(await release()).toBe(1);
    expect(await to.receives("one;")).toBe("received");
    expect(await l.states()).toEqual([]);
  });

  it.each(families)("IPv%i: what runs the hook again meets the rules as they are by then", async (family) => {
    await start();
    const { from, to } = await l.udp(family);
    await from.send("one;");
    await held(1);
    // Still unknown: it comes back.
    expect(await release()).toBe(1);
    await held(1);
    expect(await to.receives("one;", SILENCE_MS)).toBe("timeout");
    await l.change({ ...known, managed: { added: managed }, affected: managed });
    await l.answer(0);
    expect(await release()).toBe(1);
    await l.asked(1);
    expect(await to.receives("one;", SILENCE_MS)).toBe("timeout");
  });

  it.each(families)("IPv%i: a flow that is decided goes on; one in review waits", async (family) => {
    await start({ managed, podRange: { ...podRange, known: [...podRange.known, ...managed] } });
    const { from, to } = await l.udp(family);
    await from.send("one;");
    expect(await to.receives("one;")).toBe("received");
    await l.change({ known: { removed: managed }, affected: ["10.9.9.9"], isAwaited: false });
    await from.send("two;");
    expect(await to.receives("two;")).toBe("received");
    await l.change({ affected: managed, isAwaited: false });
    await to.send("three;");
    await held(1);
    expect(await from.receives("three;", SILENCE_MS)).toBe("timeout");
  });

  it("a SYN waits, whatever its entry was decided for (PL-26)", async () => {
    await start({ managed, podRange: { ...podRange, known: [...podRange.known, ...managed] } });
    const packet = (flags: number): number[] =>
      ipPacket("10.7.1.2", server4, 6, tcp("10.7.1.2", server4, 40_000, l.port, flags));
    // No reset answers the packet that begins in the middle, so that its entry stays as it is.
    l.hosts.server.check(["nft", "-f", "-"], {
      input: `table inet quiet { chain c { type filter hook output priority 0; tcp sport ${l.port} drop; }; }`,
    });
    try {
      sendRaw(l.hosts.client, [packet(tcpFlag.ack)]);
      await l.asked(1);
      await waitFor("the flow's decision", () => l.marks().includes(l.decided(0x30)));
      await l.change({ known: { removed: managed }, affected: ["10.9.9.9"], isAwaited: false });
      sendRaw(l.hosts.client, [packet(tcpFlag.ack)]);
      await waitFor("the entry's use", async () => (await l.firewall.packets()).decided_accept === 1);
      sendRaw(l.hosts.client, [packet(tcpFlag.syn)]);
      await held(1);
      expect((await l.firewall.packets()).unknown_held).toBe(1);
    } finally {
      l.hosts.server.check(["nft", "delete", "table", "inet", "quiet"]);
    }
  });

  it.each(hooks)("%s: this host's own packets, and the answers, don't wait (NP-56)", async (hook) => {
    await start({ hook });
    for (const to of [server4, server6]) expect(l.pings(l.router, to)).toBe("yes");
    expect((await l.firewall.packets()).unknown_held).toBe(0);
    // Its own connection to this host is the pod's.
    expect(l.pings(l.hosts.server, "10.7.1.1")).toBe("no");
    expect((await l.firewall.packets()).unknown_held).toBeGreaterThan(0);
  });

  it("unknown=drop: they are dropped in the kernel, without a queue", async () => {
    await start({ podRange: { ...podRange, unknown: "drop" } });
    const { from, to } = await l.udp();
    await from.send("one;");
    expect(await to.receives("one;", SILENCE_MS)).toBe("timeout");
    expect(await l.firewall.packets()).toMatchObject({ unknown_held: 0, unknown_drop: 1 });
  });

  it("another range is another table; what is known and decided stays", async () => {
    await start({ podRange: { ...podRange, prefixes: [] } });
    const { from, to } = await l.udp();
    await from.send("one;");
    expect(await to.receives("one;")).toBe("received");
    await l.change({ prefixes: podRange.prefixes, affected: "all" });
    await from.send("two;");
    await held(1);
    await l.change(known);
    await release();
    expect(await to.receives("two;")).toBe("received");
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    await l.firewall.ask({ op: "restore" });
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    await from.send("three;");
    expect(await to.receives("three;")).toBe("received");
  });

  it.each([
    ["an address taken out", ["delete", "element", "inet", "verdictd", "known4", "{ 10.7.2.3 }"]],
    ["an address put in", ["add", "element", "inet", "verdictd", "known6", "{ fd07:2::99 }"]],
    ["the rules of those that wait", ["flush", "chain", "inet", "verdictd", "wait"]],
  ])("somebody else's change is seen: %s", async (_, command) => {
    await start();
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    l.router.check(["nft", ...command]);
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(false);
    await l.firewall.ask({ op: "restore" });
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
  });
});
