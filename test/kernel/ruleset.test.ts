import { describe, expect, it } from "vitest";
import { renderQueueChains, renderRuleset } from "../../src/kernel/ruleset.ts";
import type { RulesetConfig } from "../../src/kernel/ruleset-config.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { defaultMarkLayout, type MarkLayout, markLayout } from "../../src/model/mark.ts";
import { parseAddress } from "../../src/net/address.ts";
import { parsePrefix } from "../../src/net/prefix.ts";

const base: RulesetConfig = {
  mark: defaultMarkLayout,
  queue: { first: 4720, total: 2 },
  useNativeQueue: false,
  knobs: defaultKnobs,
  hook: "forward",
  managed: addresses("10.0.0.1", "10.0.0.2", "fd00::1", "10.0.0.1"),
  output: addresses("10.0.0.2"),
  epoch: 0,
};

const podRange = {
  prefixes: ["10.244.1.0/24", "fd00:244::/64"].map((text) => parsePrefix(text)!),
  known: addresses("10.244.1.1", "10.244.1.7", "fd00:244::7"),
};

function addresses(...texts: string[]) {
  return texts.map((text) => parseAddress(text)!);
}

function text(change: Partial<RulesetConfig>): string {
  const config = { ...base, ...change };
  return renderQueueChains(config) + renderRuleset(config);
}

describe("the whole text", () => {
  const rows: readonly (readonly [string, Partial<RulesetConfig>])[] = [
    ["forward", {}],
    ["postrouting", { hook: "postrouting" }],
    [
      "open",
      {
        knobs: {
          bypass: "accept",
          overflow: "accept",
          denyAction: "reject",
          sgTimeouts: "kernel",
          sourceDestCheck: "off",
        },
        useNativeQueue: true,
        epoch: 15,
      },
    ],
    [
      "source-check",
      {
        sourceCheck: {
          bridges: [3, 7],
          bindings: [
            { mac: "02:00:00:00:00:01", addresses: addresses("10.0.0.1", "10.0.0.3", "fd00::1"), isCertain: true },
            { mac: "02:00:00:00:00:02", addresses: addresses("10.0.0.2"), isCertain: false },
          ],
        },
      },
    ],
    ["pod-range", { podRange: { ...podRange, unknown: "hold" } }],
    ["aws-timeouts", { knobs: { ...defaultKnobs, sgTimeouts: "aws" } }],
    ["all-low-mark", { managed: "all", output: "all", mark: markLayout(0xff) as MarkLayout, epoch: 3 }],
  ];
  it.each(rows)("%s", async (name, change) => {
    await expect(text(change)).toMatchFileSnapshot(`testdata/${name}.nft`);
  });
});

describe("what the failure knobs write", () => {
  const rows: readonly (readonly [string, Partial<RulesetConfig>, RegExp, boolean])[] = [
    ["bypass=drop: no bypass in the queue statement", { useNativeQueue: true }, /queue num 4720-4721$/m, true],
    ["bypass=drop, overflow=drop: nothing unjudged passes", {}, /unjudged_accept goto/, false],
    [
      "overflow=accept alone lets a queued packet pass",
      { knobs: { ...defaultKnobs, overflow: "accept" } },
      /meta mark & 0x01000000 == 0x01000000 counter name unjudged_accept goto pass/,
      true,
    ],
    [
      "overflow=accept isn't bypass",
      { useNativeQueue: true, knobs: { ...defaultKnobs, overflow: "accept" } },
      /to_queue queue num .* bypass/,
      false,
    ],
    [
      "denyAction=drop: only confirmed flows are reset",
      {},
      /ct status confirmed meta l4proto tcp reject with tcp reset/,
      true,
    ],
    ["postrouting: no reject at all", { hook: "postrouting" }, /reject/, false],
    ["one queue is one number", { useNativeQueue: true, queue: { first: 7, total: 1 } }, /queue num 7$/m, true],
    [
      "AN-30: without an observer DNS goes on",
      { useNativeQueue: true, queue: { first: 7, total: 2 }, answered: [] },
      /to_names queue num 6 bypass$/m,
      true,
    ],
    ["the xt target isn't text", {}, /queue num/, false],
    ["NP-64: without a range nobody is unknown", {}, /chain unknown|known4|to_hold/, false],
    [
      "NP-64: a queue of its own, before the workers'",
      { useNativeQueue: true, podRange: { ...podRange, unknown: "hold" } },
      /to_hold queue num 4718$/m,
      true,
    ],
    [
      "bypass=accept: what the queue let past is known to the last chain",
      { knobs: { ...defaultKnobs, bypass: "accept" }, podRange: { ...podRange, unknown: "hold" } },
      /chain not_held \{\n\t\tcounter name unjudged_accept goto pass\n/,
      true,
    ],
    [
      "bypass=drop: what should have waited and was let go by somebody else",
      { podRange: { ...podRange, unknown: "hold" } },
      /chain not_held \{\n\t\tcounter name unjudged_drop drop\n[\s\S]*chain forward_last \{[^}]*meta mark & 0x3f000000 == 0x04000000 goto not_held\n\t\tip saddr @managed4/,
      true,
    ],
    ["unknownLocalIp=deny: no queue", { podRange: { ...podRange, unknown: "drop" } }, /to_hold/, false],
    [
      "postrouting: also before the managed ones",
      { hook: "postrouting", podRange: { ...podRange, unknown: "hold" } },
      /chain postrouting_first \{[\s\S]*@known6 jump unknown\n\t\tip saddr @managed4/,
      true,
    ],
    ["no epoch, no element", {}, /set epoch \{\n\t\ttype mark\n\t\tsize 32\n\t\}/, true],
    ["SG-68a, sgTimeouts=kernel: no timeouts of ours", {}, /ct timeout/, false],
    [
      "SG-68a, sgTimeouts=aws, all packets: without sets",
      { knobs: { ...defaultKnobs, sgTimeouts: "aws" }, output: "all" },
      /meta nfproto ipv4 goto flow_timeouts4\n\t\tmeta nfproto ipv6 goto flow_timeouts6\n\t\}/,
      true,
    ],
    ["never asks for established", {}, /ct state[^\n]*established/, false],
  ];
  it.each(rows)("%s", (_, change, pattern, isThere) => {
    expect(pattern.test(text(change))).toBe(isThere);
  });

  it("replaces a leftover before it defines anything, and leaves the queue chain alone", () => {
    const lines = renderRuleset(base, {
      chains: ["forward_first", "old"],
      sets: ["epoch"],
      counters: ["c"],
      timeouts: ["t"],
    }).split("\n");
    expect(lines.slice(0, 8)).toEqual([
      "flush chain inet verdictd forward_first",
      "flush chain inet verdictd old",
      "delete chain inet verdictd forward_first",
      "delete chain inet verdictd old",
      "delete set inet verdictd epoch",
      "delete counter inet verdictd c",
      "delete ct timeout inet verdictd t",
      "table inet verdictd {",
    ]);
    expect(lines.join("\n")).not.toMatch(/flush chain inet verdictd to_queue/);
  });
});
