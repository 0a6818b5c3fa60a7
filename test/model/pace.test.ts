import { expect, test } from "vitest";
import { Pace } from "../../src/model/pace.ts";

test("a few at once, then one in each interval, and after a rest as many again", () => {
  const pace = new Pace({ burst: 3, intervalMs: 25 });
  const taken: number[] = [];
  for (let now = 0; now < 200; now++) if (pace.take(now) === 0) taken.push(now);
  expect(taken).toEqual([0, 1, 2, 25, 50, 75, 100, 125, 150, 175]);
  expect([1000, 1000, 1000].map((now) => pace.take(now))).toEqual([0, 0, 0]);
  expect(pace.take(1000)).toBe(25);
});

test("what it says is how long to wait", () => {
  const pace = new Pace({ burst: 1, intervalMs: 20 });
  expect(pace.take(500)).toBe(0);
  expect(pace.take(507)).toBe(13);
  expect(pace.take(520)).toBe(0);
});
