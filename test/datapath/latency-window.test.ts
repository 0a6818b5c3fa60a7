import { expect, test } from "vitest";
import { LatencyHistogram } from "../../src/datapath/latency-histogram.ts";
import { LatencyWindow } from "../../src/datapath/latency-window.ts";

const minute = 60_000;

function histogram(): LatencyHistogram {
  return new LatencyHistogram(new Float64Array(LatencyHistogram.length));
}

test("the first question is answered of all packets", () => {
  const counted = histogram();
  counted.record(100, 3);
  const recent = new LatencyWindow().recent(counted, 5 * minute);
  expect(recent.quantile(0.5) / 100).toBeCloseTo(1, 1);
  expect(recent.scrape().sumMicroseconds).toBe(300);
});

test("what is older than ten minutes doesn't count, what is younger does", () => {
  const counted = histogram();
  const window = new LatencyWindow();
  counted.record(10_000, 1000);
  window.recent(counted, 0);
  counted.record(10, 5);
  window.recent(counted, 5 * minute);
  counted.record(20, 5);
  expect(window.recent(counted, 9 * minute).quantile(0.99) / 10_000).toBeCloseTo(1, 1);
  expect(window.recent(counted, 10 * minute).scrape().sumMicroseconds).toBe(150);
  expect(window.recent(counted, 15 * minute).scrape().sumMicroseconds).toBe(100);
  expect(window.recent(counted, 15 * minute).quantile(0.99) / 20).toBeCloseTo(1, 1);
});

test("nobody asked for an hour: the answer is of that hour", () => {
  const counted = histogram();
  const window = new LatencyWindow();
  counted.record(10_000, 1000);
  window.recent(counted, 0);
  counted.record(10, 5);
  expect(window.recent(counted, 60 * minute).scrape().sumMicroseconds).toBe(50);
});

test("no packet, no quantile", () => {
  expect(new LatencyWindow().recent(histogram(), 0).quantile(0.5)).toBeNaN();
});
