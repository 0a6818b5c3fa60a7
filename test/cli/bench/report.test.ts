/** Values into ratios, goals, tables and the page. */
import { describe, expect, test } from "vitest";
import { partNames } from "../../../src/cli/bench/parts/parts.ts";
import { Recorder, type Unit } from "../../../src/cli/bench/recorder.ts";
import { formatTick, formatValue } from "../../../src/cli/bench/report/format.ts";
import type { Goal } from "../../../src/cli/bench/report/goals.ts";
import { renderHtml } from "../../../src/cli/bench/report/render-html.ts";
import { renderText } from "../../../src/cli/bench/report/render-text.ts";
import { type BenchResult, makeResult, type RunFacts } from "../../../src/cli/bench/report/result.ts";
import { linearScale, logScale, ninesScale, renderBars, renderLines } from "../../../src/cli/bench/report/svg.ts";
import { parseSize, type Variant, variantsOf } from "../../../src/cli/bench/variants.ts";
import { styleFor } from "../../../src/cli/demo/style.ts";

const reference = "v-1k-10k-all";
const large = "v-10k-100k";
const variants: readonly Variant[] = variantsOf(
  ["10/100", "10000/100000", "1000/10000/all"].map((text) => parseSize(text, "spread")!),
  true,
);

type Values = readonly (readonly [
  part: string,
  metric: string,
  unit: Unit,
  placement: string,
  variant: string,
  values: number[],
])[];

function resultOf(
  values: Values,
  samples: Readonly<Record<string, number[]>> = {},
  form: RunFacts["form"] = "full",
): BenchResult {
  const recorder = new Recorder();
  for (const [part, metric, unit, placement, variant, list] of values) {
    for (const value of list) recorder.value(part, metric, unit, placement, variant, value);
  }
  for (const [key, list] of Object.entries(samples)) {
    const [part = "", metric = "", placement = "", variant = ""] = key.split(" ");
    recorder.samples(part, metric, placement, variant, list);
  }
  return makeResult({
    program: { version: "1.2.3", commit: "abc" },
    machine: {
      cpu: "<CPU> & Co",
      cpus: 2,
      memoryBytes: 2 ** 34,
      kernel: "6.1",
      node: "v20",
      queueRule: "xt target",
      loadBefore: 0.5,
    },
    run: {
      ...{
        form,
        begun: "2026-01-01T00:00:00.000Z",
        elapsedSeconds: 60,
        rotations: 3,
        isCut: false,
        seconds: 1,
        parts: partNames,
      },
      placements: [
        { name: "pinned", traffic: "0", server: "1" },
        { name: "free", traffic: null, server: null },
      ],
      ...{ engineFlags: [], peer: null },
    },
    variants,
    recorder,
  });
}

const goalOf = (result: BenchResult, title: string): Goal =>
  result.goals.find((g) => g.title === title) ?? expect.fail(title);

describe("ratios", () => {
  test("are made of values of one rotation", () => {
    // Each rotation has its own speed; the ratio is the same in all.
    const { ratios } = resultOf([
      ["capacity", "flood.flows", "1/s", "pinned", "c", [100, 200, 400]],
      ["capacity", "flood.flows", "1/s", "pinned", reference, [150, 300, 600]],
    ]);
    expect(ratios.find((r) => r.name === "flows")).toMatchObject({
      ...{
        variant: reference,
        over: "c",
        placement: "pinned",
        values: [1.5, 1.5, 1.5],
        median: 1.5,
        p1: 1.5,
        p99: 1.5,
      },
    });
  });

  test("of what is added leave out what there is without a queue", () => {
    const { ratios } = resultOf([
      ["rtt", "back-to-back.p50", "ns", "free", "none", [10, 10, 10]],
      ["rtt", "back-to-back.p50", "ns", "free", "c", [30, 30, 10]],
      ["rtt", "back-to-back.p50", "ns", "free", reference, [20, 15, 12]],
      ["rtt", "back-to-back.p50", "ns", "pinned", reference, [20, 15, 12]],
    ]);
    const added = ratios.filter((r) => r.name === "added.back-to-back");
    // The third has nothing to divide by, and the pinned ones have no base at all.
    expect(added.map((r) => [r.placement, r.variant, r.values])).toEqual([["free", reference, [0.5, 0.25]]]);
  });

  test("of sizes are engines' alone, over the smallest", () => {
    const { ratios } = resultOf([
      ["capacity", "flood.cost", "ns", "pinned", "c", [1]],
      ["capacity", "flood.cost", "ns", "pinned", "v-10-100", [2]],
      ["capacity", "flood.cost", "ns", "pinned", large, [2.1]],
    ]);
    expect(ratios.filter((r) => r.name === "size").map((r) => [r.variant, r.median])).toEqual([[large, 1.05]]);
  });
});

describe("goals", () => {
  const added = "added round trip p50 ÷ C's, back to back, pinned";

  test("are ok, missed, or not measured", () => {
    const values = (engine: number): Values => [
      ["rtt", "back-to-back.p50", "ns", "pinned", "none", [10]],
      ["rtt", "back-to-back.p50", "ns", "pinned", "c", [20]],
      ["rtt", "back-to-back.p50", "ns", "pinned", reference, [engine]],
    ];
    expect(goalOf(resultOf(values(16)), added)).toMatchObject({ value: 0.6, bound: 0.6, isMet: true });
    expect(goalOf(resultOf(values(17)), added)).toMatchObject({ value: 0.7, isMet: false });
    expect(goalOf(resultOf([]), added)).toMatchObject({ value: null, isMet: null });
    expect(resultOf([]).goals.every((g) => g.value === null && g.isMet === null)).toBe(true);
  });

  test("of changes take all samples together, of memory and queued packets the worst", () => {
    const result = resultOf(
      [
        ["update", "memory", "bytes", "pinned", large, [100e6, 401e6, 90e6]],
        ["throughput", "queued", "packets", "pinned", reference, [8, 4, 8]],
        ["live", "pod-elsewhere", "packets", "pinned", reference, [0, 0, 0]],
        ["update", "pause.longest", "ns", "pinned", large, [20e6, 60e6, 30e6]],
      ],
      { [`update policy.packets pinned ${large}`]: [...Array.from({ length: 97 }, () => 4e6), 30e6, 30e6, 30e6] },
    );
    expect(goalOf(result, "a policy's change met by packets, p50")).toMatchObject({ value: 4, isMet: true });
    expect(goalOf(result, "a policy's change met by packets, p99")).toMatchObject({ value: 30, isMet: false });
    expect(goalOf(result, "resident memory")).toMatchObject({ value: 401e6, isMet: false });
    expect(goalOf(result, "packets queued of its streams, one in each direction")).toMatchObject({
      value: 8,
      isMet: true,
    });
    expect(goalOf(result, "live flows judged again after a pod came elsewhere")).toMatchObject({
      value: 0,
      isMet: true,
    });
    expect(goalOf(result, "longest pause of the event loop after the start")).toMatchObject({ value: 30, isMet: true });
  });

  test("aren't judged by the short form", () => {
    expect(resultOf([], {}, "short").goals).toEqual([]);
  });
});

test.each([
  [500, "ns", "500 ns"],
  [16_240, "ns", "16.2 µs"],
  [2_400_000, "ns", "2.4 ms"],
  [1.5, "ms", "1.5 ms"],
  [2_000_000_000, "ns", "2.00 s"],
  [0.9994, "share", "99.94 %"],
  [0.021, "share", "2.1 %"],
  [123_456, "1/s", "123 k/s"],
  [18.9e9, "bit/s", "18.9 Gbit/s"],
  [400e6, "bytes", "400 MB"],
  [12_345, "packets", "12,345"],
  [0.6, "ratio", "0.60"],
  [Number.NaN, "ns", "–"],
] as const)("%d %s reads %s", (value, unit, text) => {
  expect(formatValue(value, unit)).toBe(text);
});

test("an axis has no empty decimals", () => {
  expect(formatTick(2e9, "ns")).toBe("2 s");
  expect(formatTick(20e9, "ns")).toBe("20 s");
  expect(formatTick(1e5, "ns")).toBe("100 µs");
  expect(formatTick(1.5e4, "ns")).toBe("15 µs");
});

describe("plots", () => {
  test("a logarithmic axis has its ticks inside", () => {
    const { ticks, at } = logScale(8000, 4e6, String);
    expect(ticks.map((t) => t.value)).toEqual([10_000, 100_000, 1_000_000]);
    expect(at(8000)).toBeCloseTo(0);
    expect(at(4e6)).toBeCloseTo(1);
  });

  test("a linear axis begins at 0 and holds the most", () => {
    const { ticks, at } = linearScale(5.9, String);
    expect(ticks.map((t) => t.value)).toEqual([0, 2, 4, 6]);
    expect(at(6)).toBe(1);
  });

  test("nines are equally far from each other", () => {
    const { ticks, at } = ninesScale(3);
    expect(ticks.map((t) => t.label)).toEqual(["0 %", "50 %", "90 %", "99 %", "99.9 %"]);
    expect(at(0.99) - at(0.9)).toBeCloseTo(at(0.999) - at(0.99));
  });

  test("no number of a drawing is lost, and no text is markup", () => {
    const x = logScale(1, 100, String);
    const lines = renderLines({
      ...{ label: "a <b>", x, y: x, xTitle: "x & y", hasDots: true },
      lines: [
        {
          color: 1,
          name: "<script>",
          points: [
            [1, 1],
            [1000, 0],
            [Number.NaN, 5],
          ],
        },
      ],
    });
    const bars = renderBars("bars", [{ name: "<i>", color: 2, value: 3, low: 0.1, high: 900, text: "3 & more" }]);
    for (const svg of [lines, bars]) {
      expect(svg).not.toMatch(/NaN|Infinity|undefined|<script|<i>|<b>|& /);
      expect(svg.match(/<svg /g)).toHaveLength(1);
    }
  });
});

describe("screen and page", () => {
  const values = ["none", "rules", "c", "c-batch", "v-10-100", large, reference].flatMap(
    (variant, i): Values =>
      (["pinned", "free"] as const).flatMap(
        (placement): Values => [
          ["rtt", "back-to-back.p50", "ns", placement, variant, [10_000 * (i + 1), 11_000 * (i + 1), 9000 * (i + 1)]],
          ["rtt", "back-to-back.p99", "ns", placement, variant, [90_000, 91_000, 92_000]],
          ["capacity", "flood.cost", "ns", placement, variant, [3000 + i, 3100, 3200]],
        ],
      ),
  );
  const samples = Object.fromEntries(
    ["none", "c", reference].map((v, i) => [
      `rtt back-to-back pinned ${v}`,
      Array.from({ length: 500 }, (_, n) => 9000 * (i + 1) + n * n),
    ]),
  );
  const result = resultOf(values, samples);

  test("the screen has ratios first, then goals, then absolutes", () => {
    const text = renderText(result, styleFor({ isTTY: false }, {}));
    const order = [
      "Ratios",
      "added round trip p50",
      "goals",
      "not measured",
      "Absolutes",
      "round trips of first packets",
    ];
    const places = order.map((words) => text.indexOf(words));
    expect(places.every((place, i) => place >= 0 && place > (places[i - 1] ?? -1))).toBe(true);
    expect(text).toContain("3 rotations (fewer than the five");
    expect(text).toContain("traffic on CPU 0, the server on CPU 1");
    expect(text).not.toContain("\u001b");
    expect(text).toMatch(/verdictd, 10,000 policies, 100,000 endpoints +\d+\.\d\d \(\d+\.\d\d – \d+\.\d\d\)/);
  });

  test("both say where the time was up", () => {
    const cut = { ...result, run: { ...result.run, isCut: true } };
    expect(renderText(cut, styleFor({ isTTY: false }, {}))).toContain("medians of up to 3 rotations");
    expect(renderHtml(cut)).toContain("up to 3 rotations");
  });

  test("the page needs nothing from elsewhere, and holds no text as markup", () => {
    const page = renderHtml(result);
    expect(page).not.toMatch(/src=|href=|url\(|<script|@import/);
    expect(page).toContain("default-src 'none'");
    expect(page).toContain("&#60;CPU&#62; &#38; Co");
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
    for (const heading of ["Goals", "Ratios", "Distributions", "How it grows"])
      expect(page).toContain(`<h2>${heading}</h2>`);
    // Two placements of five comparisons' bars or more, one distribution, two curves.
    expect(page.match(/<svg /g)?.length).toBeGreaterThan(6);
  });

  test("JSON survives, values, points and all", () => {
    const copy = JSON.parse(JSON.stringify(result)) as BenchResult;
    expect(copy.schema).toBe(1);
    expect(copy.figures.find((f) => f.variant === "c" && f.metric === "back-to-back.p50")?.values).toEqual([
      30_000, 33_000, 27_000,
    ]);
    expect(copy.distributions[0]?.points[0]).toEqual([0, 9000]);
    expect(copy.variants.find((v) => v.name === reference)?.dataset).toMatchObject({ kinds: "all" });
  });
});
