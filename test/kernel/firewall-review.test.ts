/** A change of some addresses' policies: their live flows are asked about again, at once, and no others. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { markHeld, markRemember, markStates, markVerdict } from "../../src/model/mark.ts";
import { skipReason, waitFor } from "../support/namespace.ts";
import type { Conversation } from "../support/peer.ts";
import { FirewallLab, SILENCE_MS, server4, server6 } from "./firewall-lab.ts";

const { acceptBoth, deny } = markVerdict;
const client = { 4: "10.7.1.2", 6: "fd07:1::2" } as const;
const neighbour = { 4: "10.7.2.3", 6: "fd07:2::3" } as const;
const server = { 4: server4, 6: server6 } as const;

if (skipReason !== null) console.warn(`test/kernel/firewall-review: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`flows in review (${skipReason ?? "root"})`, () => {
  let l: FirewallLab;
  beforeAll(() => {
    l = new FirewallLab();
  });
  beforeEach(() => l.reset());
  afterAll(() => l?.destroy());

  const says = async (from: Conversation, to: Conversation, text: string): Promise<void> => {
    await from.send(text);
    expect(await to.receives(text)).toBe("received");
  };
  const hex = (epoch: number): string => `0x${epoch.toString(16).padStart(2, "0")}000000`;
  const sets = () =>
    Object.fromEntries(
      ["current_epoch", "epoch", "reviewed_epoch", "reviewed4", "reviewed6"].map((name) => {
        const text = l.router.check(["nft", "list", "set", "inet", "verdictd", name]);
        return [name, /elements = \{ ([^}]*) \}/.exec(text)?.[1] ?? ""];
      }),
    );
  const search = async (affected: readonly string[], renewed: readonly string[] = []): Promise<number> => {
    const found = await l.change({ affected, renewed });
    const { epoch, current_epoch, ...others } = sets();
    expect(epoch?.split(/,\s+/)).toContain(current_epoch);
    expect(others).toEqual({ reviewed_epoch: "", reviewed4: "", reviewed6: "" });
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    return found;
  };

  it.each([4, 6] as const)(
    "one address's flows, by source or destination, in both directions (IPv%i)",
    async (family) => {
      await l.start();
      await l.answer(acceptBoth | markHeld.sg);
      await l.firewall.ask({ op: "enforceBridges", names: ["br0"] });
      const to = await l.peers.server.openUdp({ family, localPort: l.port });
      const from = await l.peers.client.openUdp({ family, host: server[family], port: l.port });
      const beside = await l.peers.neighbour.openUdp({ family, host: server[family], port: l.port });
      for (const each of [from, beside]) await says(each, to, "one;");
      await l.states();

      // A pod elsewhere: nobody is asked about.
      expect(await search(["192.0.2.77", "2001:db8::77"])).toBe(0);
      for (const each of [from, beside]) await says(each, to, "two;");
      expect(await l.states()).toEqual([]);

      // The source of one.
      expect(await search([client[family]])).toBe(1);
      for (const each of [from, beside]) await says(each, to, "three;");
      expect(await l.states()).toEqual([markStates.original | markHeld.sg]);

      // The other's, which its answer is asked about first.
      expect(await search([neighbour[family]])).toBe(1);
      await l.answer(acceptBoth);
      await says(beside, to, "four;");
      await says(from, to, "five;");
      expect(await l.states()).toEqual([markStates.original | markHeld.sg]);

      // The destination of both; now they're denied, and stay so.
      expect(await search([server[family]])).toBe(2);
      await l.answer(deny);
      for (const each of [from, beside]) {
        await each.send("six;");
        expect(await to.receives("six;", SILENCE_MS)).toBe("timeout");
      }
      expect(await l.states()).toHaveLength(2);
      for (const each of [from, beside]) await each.send("seven;");
      await waitFor("their end", async () => (await l.firewall.packets()).decided_deny >= 2);
      expect(await l.states()).toEqual([]);

      // What is allowed again passes again.
      expect(await search([server[family]])).toBe(2);
      await l.answer(acceptBoth);
      for (const each of [from, beside]) await says(each, to, "eight;");
    },
  );

  it.each([4, 6] as const)("while it lasts, their flows alone count as undecided (IPv%i)", async (family) => {
    await l.start({ managed: [server[family], neighbour[family]] });
    await l.answer(acceptBoth);
    const to = await l.peers.server.openUdp({ family, localPort: l.port });
    const from = await l.peers.client.openUdp({ family, host: server[family], port: l.port });
    const elsewhere = await l.peers.neighbour.openUdp({ family, localPort: l.port });
    const beside = await l.peers.client.openUdp({ family, host: neighbour[family], port: l.port });
    await says(from, to, "one;");
    await says(beside, elsewhere, "one;");
    // As the table is while connection tracking is searched.
    const older = hex(l.nibble);
    l.nibble = (l.nibble % 15) + 1;
    l.router.check(["nft", "-f", "-"], {
      input: `add element inet verdictd reviewed${family} { ${server[family]} }
        flush set inet verdictd epoch
        flush set inet verdictd current_epoch
        add element inet verdictd reviewed_epoch { ${older} }
        add element inet verdictd epoch { ${hex(l.nibble)} }
        add element inet verdictd current_epoch { ${hex(l.nibble)} }\n`,
    });
    await l.answer(acceptBoth);
    await l.states();
    for (const text of ["two;", "three;"]) {
      await says(beside, elsewhere, text);
      await says(elsewhere, beside, text);
      await says(to, from, text);
      await says(from, to, text);
    }
    // Once: what is decided meanwhile counts.
    expect(await l.states()).toEqual([markStates.reply]);
    // Denials are remembered meanwhile.
    await l.answer(deny | markRemember);
    await l.peers.client.connectTcp(server[family], l.port, 100);
    await l.peers.client.connectTcp(server[family], l.port, 100);
    expect((await l.firewall.packets()).remembered_deny).toBeGreaterThan(0);
  });

  it.each([4, 6] as const)(
    "what a flow was held for is forgotten with the address's owner (IPv%i, SG-40)",
    async (family) => {
      await l.start();
      await l.answer(acceptBoth | markHeld.sg | markHeld.k8s);
      const to = await l.peers.server.openUdp({ family, localPort: l.port });
      const from = await l.peers.client.openUdp({ family, host: server[family], port: l.port });
      await says(from, to, "one;");
      await l.states();
      // At once, as the table is while connection tracking is searched.
      l.router.check(["nft", "add", "element", "inet", "verdictd", `renewed${family}`, "{", server[family], "}"]);
      await l.publish();
      await l.answer(acceptBoth | markHeld.sg);
      await says(from, to, "two;");
      expect(await l.states()).toEqual([markStates.original]);
      l.router.check(["nft", "flush", "set", "inet", "verdictd", `renewed${family}`]);
      // And for good, by either end; a review alone forgets nothing.
      await search([server[family]]);
      await says(from, to, "three;");
      expect(await l.states()).toEqual([markStates.original | markHeld.sg]);
      expect(await search([], [client[family]])).toBe(1);
      await says(from, to, "four;");
      expect(await l.states()).toEqual([]);
      await search([client[family]]);
      await says(from, to, "five;");
      expect(await l.states()).toEqual([markStates.original]);
    },
  );

  it("in force at once, whatever the search does: the next packet is asked about", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    for (let i = 0; i < 20; i++) {
      await says(from, to, `${i};`);
      // Once more where the search met it while it was judged.
      expect((await l.states()).length).toBeLessThanOrEqual(1);
      await l.change({ affected: [server4], isAwaited: false });
      await says(from, to, `again ${i};`);
      expect(await l.states()).toEqual([markStates.original]);
    }
    await waitFor("the search", async () => !(await l.firewall.ask<boolean>({ op: "isSearching" })));
  });

  it("changes that follow each other, an epoch among them, leave nothing in review", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    await says(from, to, "a;");
    for (let i = 0; i < 30; i++) {
      await l.change({ affected: [`10.7.9.${i}`, server6], isAwaited: false });
      if (i % 10 === 5) await l.publish();
    }
    await l.answer(acceptBoth);
    expect(await search([server4])).toBeGreaterThanOrEqual(0);
    await waitFor("the searches", async () => !(await l.firewall.ask<boolean>({ op: "isSearching" })));
    expect(sets().reviewed4).toBe("");
    await says(from, to, "b;");
    await l.states();
    await says(from, to, "c;");
    expect(await l.states()).toEqual([]);
  });

  it("rules that are made again in between keep what is in review", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    await says(from, to, "a;");
    await l.change({ affected: [server4], isAwaited: false });
    await l.firewall.ask({ op: "restore" });
    await waitFor("the search", async () => !(await l.firewall.ask<boolean>({ op: "isSearching" })));
    if (!(await l.firewall.ask<boolean>({ op: "isIntact" }))) await l.firewall.ask({ op: "restore" });
    expect(await l.firewall.ask({ op: "isIntact" })).toBe(true);
    await l.states();
    await says(from, to, "b;");
    expect(await l.states()).toEqual([markStates.original]);
  });

  it("PL-21: a flow that is denied meanwhile stays denied when the search comes by", async () => {
    await l.start();
    await l.answer(acceptBoth);
    const { from, to } = await l.udp();
    await says(from, to, "a;");
    await l.answer(deny);
    // Where numbers become few, the search comes at once and may meet a flow that is judged just then.
    for (let i = 0; i < 5; i++) {
      await l.change({ affected: [server4], isAwaited: false });
      await from.send("b;");
      await waitFor("the search", async () => !(await l.firewall.ask<boolean>({ op: "isSearching" })));
      await l.asked(i + 1);
      const before = (await l.firewall.packets()).decided_deny;
      await to.send("c;");
      await waitFor("its end", async () => (await l.firewall.packets()).decided_deny === before + 1);
    }
    expect(await l.states()).toHaveLength(6);
  });

  it("denied attempts are forgotten with it (NP-73)", async () => {
    await l.start();
    await l.answer(deny | markRemember);
    await l.peers.server.listenTcp(l.port);
    for (let i = 0; i < 2; i++) expect(await l.peers.client.connectTcp(server4, l.port, 300)).toBe("timeout");
    expect((await l.firewall.packets()).remembered_deny).toBeGreaterThan(0);
    await l.answer(acceptBoth);
    await search(["192.0.2.77"]);
    expect(await l.peers.client.connectTcp(server4, l.port, 900)).toBeTypeOf("object");
  });
});
