/** Counters in shared memory: what is counted, its sums over several workers, and latencies with their quantiles. */
import { describe, expect, test } from "vitest";
import { Counter, Counters, decisionPlace, sumCounters } from "../../src/datapath/counters.ts";
import { LatencyHistogram, latencyBoundsMicroseconds } from "../../src/datapath/latency-histogram.ts";
import { Reason } from "../../src/model/reason.ts";

function createHistogram(): LatencyHistogram {
  return new LatencyHistogram(new Float64Array(LatencyHistogram.length));
}

describe("latencies", () => {
  test("fall into the first scraped bucket that holds them, bounds included", () => {
    const rows = latencyBoundsMicroseconds.flatMap((bound, i) => [
      [bound, i],
      [bound * 1.0001, i + 1],
      [bound * 0.9999, i],
    ]) as [number, number][];
    for (const [microseconds, bucket] of [...rows, [0, 0], [7, 3], [3e9, latencyBoundsMicroseconds.length]] as const) {
      const histogram = createHistogram();
      histogram.record(microseconds, 2);
      const { buckets, sumMicroseconds } = histogram.scrape();
      expect(buckets.indexOf(2), `${microseconds} µs`).toBe(bucket);
      expect(buckets.reduce((a, b) => a + b)).toBe(2);
      expect(sumMicroseconds).toBe(microseconds * 2);
    }
  });

  test("a quantile is within 3.2 % of the latency that was recorded, from 1 µs to 100 s", () => {
    for (let microseconds = 1; microseconds < 1e8; microseconds *= 1.013) {
      const histogram = createHistogram();
      histogram.record(microseconds, 1);
      expect(Math.abs(histogram.quantile(0.5) / microseconds - 1), `${microseconds} µs`).toBeLessThan(0.032);
    }
  });

  test("quantiles of many latencies are those of the sorted list, within 3.2 %", () => {
    const histogram = createHistogram();
    // Most are short and few are long, as latencies are; each is of several packets.
    const latencies = Array.from({ length: 5000 }, (_, i) => 8 + 4e4 / ((i * 7919) % 5000 || 1));
    for (const microseconds of latencies) histogram.record(microseconds, 3);
    const sorted = latencies.sort((a, b) => a - b);
    for (const q of [0.01, 0.5, 0.9, 0.99, 0.999, 1]) {
      const exact = sorted[Math.ceil(q * sorted.length) - 1] as number;
      expect(Math.abs(histogram.quantile(q) / exact - 1), `quantile ${q}`).toBeLessThan(0.032);
    }
  });

  test("of no packets there is no quantile", () => {
    expect(createHistogram().quantile(0.5)).toBeNaN();
  });

  test("what isn't a time after all is still counted, as nothing or as very long", () => {
    const histogram = createHistogram();
    histogram.record(-5, 1);
    histogram.record(Number.POSITIVE_INFINITY, 1);
    const { buckets } = histogram.scrape();
    expect([buckets[0], buckets.at(-1)]).toEqual([1, 1]);
  });
});

describe("counters", () => {
  test("of several workers are summed, and stay the workers' own", () => {
    const blocks = [new Counters(), new Counters(), new Counters()] as const;
    blocks.forEach((block, i) => {
      block.add(Counter.packets, i + 1);
      block.countDecision(decisionPlace(true, 2, Reason.rule));
      block.latency.record(100 * (i + 1), 1);
    });
    blocks[1].countDecision(decisionPlace(false, -1, Reason.unparseable));
    const total = sumCounters(blocks);
    expect(total.get(Counter.packets)).toBe(6);
    expect(total.decisions()).toEqual([
      { verdict: "deny", evaluator: null, reason: "unparseable", packets: 1 },
      { verdict: "accept", evaluator: 2, reason: "rule", packets: 3 },
    ]);
    expect(total.latency.scrape().sumMicroseconds).toBe(600);
    expect(Math.abs(total.latency.quantile(0.5) / 200 - 1)).toBeLessThan(0.032);
    expect(blocks.map((block) => block.get(Counter.packets))).toEqual([1, 2, 3]);
    expect(sumCounters([]).decisions()).toEqual([]);
  });

  test("two views of one block count together: the writer's and the reader's", () => {
    const writer = new Counters();
    const reader = new Counters(writer.buffer);
    writer.countDecision(decisionPlace(false, 0, Reason["no-rule-matches"]));
    writer.latency.record(10, 1);
    expect(reader.decisions()).toEqual([{ verdict: "deny", evaluator: 0, reason: "no-rule-matches", packets: 1 }]);
    expect(reader.latency.scrape().sumMicroseconds).toBe(10);
  });

  test("a reason or an evaluator that there is no room for counts as none, and for nobody else", () => {
    const counters = new Counters();
    counters.countDecision(decisionPlace(false, 99, Reason.rule));
    counters.countDecision(decisionPlace(false, 0, 500));
    expect(counters.decisions()).toEqual([
      { verdict: "deny", evaluator: null, reason: "rule", packets: 1 },
      { verdict: "deny", evaluator: 0, reason: "unspecified", packets: 1 },
    ]);
  });
});
