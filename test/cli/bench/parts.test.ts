/** The bench's own arithmetic, options and readings. */
import { describe, expect, test } from "vitest";
import { type BenchFlags, readBenchOptions, splitWords } from "../../../src/cli/bench/options.ts";
import { expandCpus } from "../../../src/cli/bench/placement.ts";
import { cpuTimeOf, memoryOf, processesOf } from "../../../src/cli/bench/process-usage.ts";
import { Recorder } from "../../../src/cli/bench/recorder.ts";
import { withoutQueue } from "../../../src/cli/bench/rules-alone.ts";
import { distribution, median, quantile, turnOf } from "../../../src/cli/bench/statistics.ts";
import { readRows, readSummary } from "../../../src/cli/bench/turn.ts";
import { parseSize, variantsOf } from "../../../src/cli/bench/variants.ts";
import { renderRuleset } from "../../../src/kernel/ruleset.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { defaultMarkLayout } from "../../../src/model/mark.ts";

describe("statistics", () => {
  test("the median is the middle, or between the two of it", () => {
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([])).toBeNaN();
  });

  test("a quantile is a sample", () => {
    const samples = Array.from({ length: 1000 }, (_, i) => 1000 - i);
    expect(quantile(samples, 0.5)).toBe(500);
    expect(quantile(samples, 0.999)).toBe(999);
  });

  test("a distribution shows the tail as closely as the middle", () => {
    const points = distribution(
      Array.from({ length: 10_000 }, (_, i) => i + 1),
      40,
    );
    expect(points[0]).toEqual({ share: 0, value: 1 });
    expect(points[10]?.share).toBeCloseTo(0.9);
    expect(points[20]?.share).toBeCloseTo(0.99);
    expect(points[20]?.value).toBe(9900);
    expect(points.at(-1)?.value).toBe(9999);
    expect(distribution([])).toEqual([]);
  });

  test("everybody has each turn once", () => {
    const orders = [0, 1, 2].map((rotation) =>
      [0, 1, 2].map((turn) => turnOf(["a", "b", "c"], rotation, turn)).join(""),
    );
    expect(orders).toEqual(["abc", "bca", "cab"]);
  });
});

describe("options", () => {
  const read = (flags: Partial<BenchFlags>) => readBenchOptions({ layout: "spread", pin: false, ...flags });

  test("the full form is the default; the short one has fewer rotations", () => {
    expect(read({})).toMatchObject({ form: "full", rotations: 5, seconds: 2 });
    expect(read({ short: true })).toMatchObject({ form: "short", rotations: 3, seconds: 1 });
    expect(read({ short: true, rotations: "7", seconds: "3" })).toMatchObject({ rotations: 7, seconds: 3 });
  });

  test("every part is measured unless some are named; without any the command line gives an empty list", () => {
    for (const flags of [{}, { only: [] }]) {
      const options = read(flags);
      expect("parts" in options && options.parts.length).toBeGreaterThan(5);
    }
    expect(read({ only: ["rtt"] })).toMatchObject({ parts: ["rtt"] });
  });

  test("all problems are told at once", () => {
    const problems = read({
      only: ["nothing"],
      rotations: "0",
      sizes: "10",
      peer: "a",
      trafficCpu: "0",
      layout: "odd",
    });
    expect(problems).toHaveLength(6);
  });

  test("CPUs that aren't there are refused", () => {
    expect(read({ pin: true, engineCpu: "4096", trafficCpu: "0" })).toEqual([
      expect.stringMatching(/^--engine-cpu 4096/),
    ]);
  });

  test.each([
    ["kube-network-policies --queue 100", ["kube-network-policies", "--queue", "100"]],
    [`a "b c" d'e f'g`, ["a", "b c", "de fg"]],
    ["  ", []],
    [`a "b`, null],
    [`a"b" 'c`, null],
  ])("words of %s", (text, words) => {
    expect(splitWords(text)).toEqual(words);
  });
});

describe("variants", () => {
  test("a size is POLICIES/ENDPOINTS", () => {
    expect(parseSize("10/100", "spread")).toEqual({
      policies: 10,
      endpoints: 100,
      kinds: "kubernetes",
      layout: "spread",
    });
    expect(parseSize("1000/10000/all", "together")).toMatchObject({ kinds: "all", layout: "together" });
    expect(parseSize("10", "spread")).toBeNull();
  });

  test("names are unique and short enough for namespaces", () => {
    const sizes = ["0/100", "10/100", "1000/10000", "1000/10000/all"].map((text) => parseSize(text, "spread")!);
    const names = variantsOf(sizes, true).map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("v-1k-10k-all");
    expect(names).toContain("peer");
    expect(Math.max(...names.map((name) => name.length))).toBeLessThan(20);
  });
});

test("a list of CPUs", () => {
  expect(expandCpus("0-2,5")).toEqual([0, 1, 2, 5]);
});

test("what the traffic program prints", () => {
  const output = "lost=2 ns=100\n12 5\n13 6\n";
  expect(readSummary(output)).toEqual({ lost: 2, ns: 100 });
  expect(readRows(output)).toEqual([
    [12, 5],
    [13, 6],
  ]);
});

test("values are kept by part, metric, placement and variant", () => {
  const recorder = new Recorder();
  recorder.value("rtt", "p50", "ns", "free", "c", 1);
  recorder.value("rtt", "p50", "ns", "free", "c", 2);
  recorder.value("rtt", "p50", "ns", "pinned", "c", 3);
  expect(recorder.series.map(({ placement, values }) => [placement, values])).toEqual([
    ["free", [1, 2]],
    ["pinned", [3]],
  ]);
});

test("this process has a session, CPU time and memory", () => {
  const self = processesOf(process.pid);
  expect(self).toContain(process.pid);
  const before = cpuTimeOf(process.pid);
  expect(Array.from({ length: 2e6 }, (_, i) => i).reverse()[0]).toBe(2e6 - 1);
  expect(cpuTimeOf(process.pid)).toBeGreaterThan(before);
  const { now, peak } = memoryOf(process.pid);
  expect(now).toBeGreaterThan(10 << 20);
  expect(peak).toBeGreaterThan(10 << 20);
});

describe("our rules without a queue", () => {
  const listing = renderRuleset({
    mark: defaultMarkLayout,
    queue: { first: 4720, total: 1 },
    useNativeQueue: true,
    knobs: defaultKnobs,
    hook: "forward",
    managed: "all",
    output: [],
    epoch: 3,
  }).replace(/set epoch \{[^}]*\}/, "set epoch {\n\t\ttype mark\n\t\telements = { 0x03000000 }\n\t}");

  test("have the answer in the queue's place, of the same epoch", () => {
    const changed = withoutQueue(listing);
    expect(changed).not.toMatch(/\bqueue num\b|\bqueue to\b/);
    expect(changed).toContain("meta mark set meta mark & 0x00ffffff | 0x23000000 accept");
    expect(changed.length).toBeGreaterThan(listing.length - 200);
  });

  test("a listing that isn't ours is refused", () => {
    expect(() => withoutQueue("table inet other {\n}")).toThrow("isn't as it was expected");
  });
});
