/** The firewall against a real kernel, without traffic: what it makes, changes, replaces and takes away. */
import { existsSync } from "node:fs";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { renderQueueChains, renderRuleset } from "../../src/kernel/ruleset.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { createLab, type Namespace, skipReason } from "../support/namespace.ts";
import { type Command, FirewallDriver } from "./firewall-driver.ts";

const foreign = "table inet foreign {\n\tset epoch {\n\t\ttype mark\n\t}\n\n\tchain forward_first {\n\t}\n}\n";
const native = {
  mark: defaultMarkLayout,
  queue: { first: 4720, total: 4 },
  useNativeQueue: true,
  knobs: defaultKnobs,
  hook: "forward",
  managed: [],
  output: [],
  epoch: 0,
} as const;

if (skipReason !== null) console.warn(`test/kernel/firewall: skipped: ${skipReason}`);
else if (!existsSync("/proc/sys/net/bridge"))
  console.warn("test/kernel/firewall: bridges are skipped: no br_netfilter");

describe.skipIf(skipReason !== null)(`the firewall in a real kernel (${skipReason ?? "root"})`, () => {
  const lab = createLab();
  let n: Namespace;
  let firewall: FirewallDriver;

  beforeAll(() => {
    n = lab.namespace("firewall");
    n.check(["nft", "-f", "-"], { input: foreign });
    firewall = new FirewallDriver(n);
  });
  afterEach(async () => {
    await firewall.ask({ op: "remove" });
  });
  afterAll(() => lab.destroy());

  const ruleset = (): string => n.check(["nft", "list", "ruleset"]);
  const elements = (set: string): string[] => {
    const text = n.check(["nft", "list", "set", "inet", "verdictd", set]);
    return (
      /elements = \{([^}]*)\}/
        .exec(text)?.[1]
        ?.split(",")
        .map((e) => e.trim()) ?? []
    );
  };
  /** `NAME: HOOK PRIORITY` of our base chains, as numbers: the names that nft prints for priorities changed. */
  const hooks = (): string[] => {
    const { nftables } = JSON.parse(n.check(["nft", "-j", "list", "chains", "inet"])) as {
      nftables: { chain?: { table: string; name: string; hook?: string; prio?: number } }[];
    };
    return nftables
      .flatMap(({ chain }) =>
        chain?.table === "verdictd" && chain.hook ? [`${chain.name}: ${chain.hook} ${chain.prio}`] : [],
      )
      .sort();
  };

  it("loads, with the queue rule in its own chain and two base chains to each hook", async () => {
    await firewall.install({ managed: ["10.0.0.1", "fd00::1"], output: ["10.0.0.1"] });
    const queueChain = n.check(["nft", "list", "chain", "inet", "verdictd", "to_queue"]);
    // nft prints its own statement so; and the xt target by its name, or as the statement that it stands for.
    expect(queueChain).toMatch(/queue (num|to) 4720|NFQUEUE/);
    expect(hooks()).toEqual([
      "forward_first: forward 10",
      "forward_last: forward 20",
      "input_first: input 10",
      "input_last: input 20",
      "output_first: output 10",
      "output_last: output 20",
      "source_first: prerouting -310",
    ]);
    expect(elements("managed4")).toEqual(["10.0.0.1"]);
    expect(elements("managed6")).toEqual(["fd00::1"]);
    expect(elements("output4")).toEqual(["10.0.0.1"]);
    expect(elements("epoch")).toEqual([]);
  });

  it("loads in postrouting, between DNAT and SNAT, without a reject", async () => {
    await firewall.install({ managed: ["10.0.0.1"], hook: "postrouting" });
    expect(hooks()).toEqual([
      "input_first: input 110",
      "input_last: input 115",
      "postrouting_first: postrouting 90",
      "postrouting_last: postrouting 95",
      "source_first: prerouting -310",
    ]);
    expect(ruleset()).not.toContain("reject");
  });

  it("moves to postrouting with all that it has, when IPVS comes", async () => {
    await firewall.install({ managed: ["10.0.0.1", "fd00::1"], output: ["10.0.0.1"] });
    await firewall.ask({ op: "publishEpoch", epoch: 3 });
    expect(hooks()).toContain("forward_first: forward 10");
    await firewall.ask({ op: "useHook", hook: "postrouting" });
    expect(hooks().filter((hook) => !hook.startsWith("source"))).toEqual([
      "input_first: input 110",
      "input_last: input 115",
      "postrouting_first: postrouting 90",
      "postrouting_last: postrouting 95",
    ]);
    expect([elements("managed4"), elements("managed6"), elements("epoch")]).toEqual([
      ["10.0.0.1"],
      ["fd00::1"],
      ["0x03000000"],
    ]);
    expect(await firewall.ask({ op: "isIntact" })).toBe(true);
  });

  it("loads for all packets, open failures and rejecting", async () => {
    const knobs = { bypass: "accept", overflow: "accept", denyAction: "reject" } as const;
    await firewall.install({ managed: "all", output: "all", knobs });
    expect(ruleset()).toContain("reject with icmpx admin-prohibited");
    expect(n.check(["nft", "list", "chain", "inet", "verdictd", "to_queue"])).toContain("bypass");
  });

  it("probes: what it says of nft's own queue is what nft says, and nothing is left", async () => {
    const before = ruleset();
    const probe = await firewall.probe();
    const takes =
      n.run(["nft", "-c", "-f", "-"], { input: renderQueueChains(native) + renderRuleset(native) }).status === 0;
    expect(probe).toMatchObject({
      queue: takes ? "native" : "xt",
      acceptsRuleset: true,
      problems: [],
      hasNetAdmin: true,
    });
    expect(probe.nft).toMatch(/^\d+\.\d+/);
    expect(ruleset()).toBe(before);
  });

  const hex = (epoch: number): string => `0x${epoch.toString(16).padStart(2, "0")}000000`;
  /** A change with an epoch of its own, as the table has it. */
  const change = async (sets: Omit<Extract<Command, { op: "change" }>, "op" | "epoch">): Promise<string> => {
    const epoch = await firewall.ask<number>({ op: "takeEpoch" });
    await firewall.ask({ op: "change", epoch, ...sets });
    return hex(epoch);
  };

  it("publishes one epoch after the other, and there is always another one", async () => {
    await firewall.install({ managed: [] });
    const taken: number[] = [];
    for (let i = 0; i < 40; i++) {
      const epoch = await firewall.ask<number>({ op: "takeEpoch" });
      taken.push(epoch);
      await firewall.ask({ op: "publishEpoch", epoch });
    }
    expect(new Set(taken)).toEqual(new Set(Array.from({ length: 15 }, (_, i) => i + 1)));
    const last = [hex(taken.at(-1) ?? 0)];
    expect([elements("epoch"), elements("current_epoch"), elements("reviewed_epoch")]).toEqual([last, last, []]);
  });

  it("changes of some addresses keep what was decided before, as far as there are numbers", async () => {
    await firewall.install({ managed: [] });
    await firewall.ask({ op: "publishEpoch", epoch: 1 });
    const taken = [hex(1)];
    let longest = 0;
    for (let i = 0; i < 40; i++) {
      taken.push(await change({ affected: [`10.0.0.${i}`, "fd00::1"] }));
      expect([elements("current_epoch"), elements("reviewed_epoch")]).toEqual([[taken.at(-1)], []]);
      const counts = elements("epoch");
      longest = Math.max(longest, counts.length);
      // The last ones, none that isn't the last of its number.
      expect(counts.toSorted()).toEqual(taken.slice(-counts.length).toSorted());
    }
    expect(longest).toBe(8);
    expect(await firewall.ask({ op: "isIntact" })).toBe(true);
    expect(elements("reviewed4")).toEqual([]);
    expect(await change({ affected: "all" })).toBe(elements("epoch").join());
  });

  it("adds and removes addresses, thousands at once", async () => {
    const many = Array.from({ length: 6000 }, (_, i) => `10.1.${i >> 8}.${i & 255}`);
    const six = Array.from({ length: 3000 }, (_, i) => `fd00::${(i + 1).toString(16)}`);
    await firewall.install({ managed: ["10.0.0.1", "10.0.0.2"] });
    const added = [...many, ...six];
    await change({ managed: { added }, output: { added: ["fd00::1"] } });
    expect(elements("managed4")).toHaveLength(6002);
    expect(elements("managed6")).toHaveLength(3000);
    await change({ managed: { removed: ["10.0.0.1"] } });
    expect(elements("managed4")).not.toContain("10.0.0.1");
    expect(elements("output6")).toEqual(["fd00::1"]);
    await change({ managed: { removed: added }, output: { removed: ["fd00::1"] } });
    expect(elements("managed4")).toEqual(["10.0.0.2"]);
    expect([elements("managed6"), elements("output6")]).toEqual([[], []]);
  });

  it("changes addresses and epoch in one transaction, after which the rules are known to be intact", async () => {
    await firewall.install({ managed: ["10.0.0.1"] });
    await firewall.ask({ op: "publishEpoch", epoch: 1 });
    expect(await firewall.ask({ op: "isIntact" })).toBe(true);
    const managed = { added: ["10.0.0.2"], removed: ["10.0.0.1"] };
    const epoch = await change({ managed, affected: "all" });
    expect([elements("managed4"), elements("epoch")]).toEqual([["10.0.0.2"], [epoch]]);
    expect(await firewall.ask({ op: "isIntact" })).toBe(true);
    n.check(["nft", "add", "element", "inet", "verdictd", "managed4", "{ 10.0.0.3 }"]);
    await change({ managed: { added: ["10.0.0.4"] } });
    expect(await firewall.ask({ op: "isIntact" })).toBe(false);
  });

  it("goes to all packets and back without forgetting the epoch", async () => {
    await firewall.install({ managed: ["10.0.0.1"] });
    await firewall.ask({ op: "publishEpoch", epoch: 3 });
    const second = await change({ managed: "all", output: { added: ["10.0.0.9"] } });
    expect(ruleset()).toMatch(/chain forward_first \{[^}]*\t\tiif != "lo" goto divert\n/);
    expect(elements("output4")).toEqual(["10.0.0.9"]);
    expect(elements("epoch")).toEqual([hex(3), second]);
    const back = { managed: { added: ["10.0.0.1"] }, output: { removed: ["10.0.0.9"] } };
    const third = await change(back);
    expect(ruleset()).not.toContain(`iif != "lo" goto divert`);
    expect([elements("managed4"), elements("output4")]).toEqual([["10.0.0.1"], []]);
    expect(elements("epoch")).toEqual([hex(3), second, third]);
  });

  it("replaces what an earlier run left, unknown chains and sets too", async () => {
    await firewall.install({ managed: ["10.0.0.1"], hook: "postrouting", queue: 4700 });
    await firewall.ask({ op: "publishEpoch", epoch: 7 });
    await firewall.kill();
    n.check(["nft", "add", "set", "inet", "verdictd", "old_set", "{ type ipv4_addr; }"]);
    n.check(["nft", "add", "chain", "inet", "verdictd", "old_chain"]);
    n.check(["nft", "add", "rule", "inet", "verdictd", "old_chain", "ip", "saddr", "@old_set", "goto", "divert"]);
    firewall = new FirewallDriver(n);
    await firewall.install({ managed: ["10.0.0.5"], queue: 4801 });
    expect(hooks()).toHaveLength(7);
    expect(ruleset()).not.toMatch(/old_set|old_chain|postrouting|4700/);
    expect([elements("managed4"), elements("epoch")]).toEqual([["10.0.0.5"], []]);
    const again = ruleset();
    await firewall.install({ managed: ["10.0.0.5"], queue: 4801 });
    expect(ruleset()).toBe(again);
  });

  it("removes all of its own, and nothing of others; twice is once", async () => {
    const before = ruleset();
    await firewall.install({ managed: ["10.0.0.1"] });
    await firewall.ask({ op: "remove" });
    await firewall.ask({ op: "remove" });
    expect(ruleset()).toBe(before);
    expect(before).toBe(foreign);
  });

  it("says what nft says when it refuses, and which line", async () => {
    n.check(["nft", "add", "table", "inet", "verdictd"]);
    n.check(["nft", "add", "map", "inet", "verdictd", "managed4", "{ type ipv4_addr : verdict; }"]);
    await expect(firewall.install({ managed: [] })).rejects.toMatchObject({
      code: "VERDICTD_NFT",
      message: expect.stringMatching(/^nft -f .*: .*Error: .*managed4/),
    });
  });

  it("lists links and addresses", async () => {
    n.check(["ip", "link", "add", "one", "type", "veth", "peer", "name", "two"]);
    n.bridge("br0", ["one"]);
    n.address("br0", "10.5.0.1/24");
    n.address("br0", "fd05::1/64");
    const links = await firewall.links();
    const bridge = links.find((link) => link.name === "br0");
    expect(bridge).toMatchObject({ kind: "bridge", master: 0, bridgeFilter: { ipv4: false, ipv6: false } });
    expect(links.find((link) => link.name === "one")).toMatchObject({ kind: "veth", master: bridge!.index });
    const own = (await firewall.addresses()).filter((a) => a.linkIndex === bridge!.index);
    expect(own.map((a) => `${a.address}/${a.prefixLength}`)).toEqual(
      expect.arrayContaining(["10.5.0.1/24", "fd05::1/64"]),
    );
  });

  it.skipIf(!existsSync("/proc/sys/net/bridge"))(
    "filters the bridges it's told to, and puts them back (T-3)",
    async () => {
      const filters = async () =>
        Object.fromEntries(
          (await firewall.links()).flatMap((l) =>
            l.bridgeFilter ? [[l.name, `${l.bridgeFilter.ipv4} ${l.bridgeFilter.ipv6}`]] : [],
          ),
        );
      const tags = () => ["vlan", "pppoe"].map((kind) => n.check(["cat", tagSwitch(kind)]).trim());
      const tagSwitch = (kind: string) => `/proc/sys/net/bridge/bridge-nf-filter-${kind}-tagged`;
      n.sysctl("net/bridge/bridge-nf-filter-pppoe-tagged", "1");
      expect(tags()).toEqual(["0", "1"]);
      n.bridge("br1");
      n.bridge("br2");
      n.check(["ip", "link", "set", "br2", "type", "bridge", "nf_call_iptables", "1"]);
      const before = await filters();
      expect(before).toMatchObject({ br1: "false false", br2: "true false" });
      await firewall.install({ managed: [] });
      expect(await firewall.ask({ op: "enforceBridges", names: ["br1", "br2", "br9"] })).toEqual(["br9"]);
      expect(await filters()).toMatchObject({ br0: "false false", br1: "true true", br2: "true true" });
      expect(tags()).toEqual(["1", "1"]);
      // Others switch it off: that is noticed, and what was there first is still what is put back.
      expect(await firewall.ask({ op: "areBridgesEnforced" })).toBe(true);
      n.sysctl("net/bridge/bridge-nf-filter-vlan-tagged", "0");
      expect(await firewall.ask({ op: "areBridgesEnforced" })).toBe(false);
      expect(await firewall.ask({ op: "enforceBridges", names: ["br1"] })).toEqual([]);
      expect(await filters()).toMatchObject({ br1: "true true", br2: "true false" });
      n.bridge("br3");
      expect(await firewall.ask({ op: "enforceBridges", names: ["br1", "br3"] })).toEqual([]);
      n.check(["ip", "link", "delete", "br3"]);
      await firewall.ask({ op: "remove" });
      expect(await filters()).toEqual(before);
      expect(tags()).toEqual(["0", "1"]);
    },
  );
});
