/** Each change in debug, and at info a line a second at most. */
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ChangeLog } from "../../src/agent/change-log.ts";
import type { Logger } from "../../src/telemetry/log.ts";

let debug: unknown[] = [];
let info: unknown[] = [];
const log = {
  debug: (about: object) => debug.push(about),
  info: (about: object) => info.push(about),
} as unknown as Logger;

beforeEach(() => {
  vi.useFakeTimers();
  debug = [];
  info = [];
});
afterEach(() => vi.useRealTimers());

const change = (epoch: number, affected: number | "all" = 1) => ({
  ...{ epoch, managed: epoch, affected, compileMs: 0.25, enforceMs: 0.0004 },
});

test("the first at once, the rest of a second as their sum, and then the next at once again", () => {
  const changes = new ChangeLog(log);
  changes.add(change(2, 5), false);
  expect(info).toEqual([{ epoch: 2, managed: 2, affected: 5, compileMs: 0.25, enforceMs: 0, changes: 1 }]);
  for (const epoch of [3, 4, 5]) changes.add(change(epoch), false);
  vi.advanceTimersByTime(999);
  expect(info).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(info[1]).toEqual({ epoch: 5, managed: 5, affected: 3, compileMs: 0.75, enforceMs: 0.001, changes: 3 });
  vi.advanceTimersByTime(5000);
  expect(info).toHaveLength(2);
  changes.add(change(6), false);
  expect(info).toHaveLength(3);
  expect(debug).toHaveLength(5);
});

test("a thousand in three seconds are a few lines", () => {
  const changes = new ChangeLog(log);
  for (let i = 0; i < 1000; i++) {
    changes.add(change(i), false);
    vi.advanceTimersByTime(3);
  }
  changes.close();
  expect(info).toHaveLength(4);
  expect(info.reduce<number>((sum, line) => sum + (line as { changes: number }).changes, 0)).toBe(1000);
});

test("all stays all; names are debug's alone; what is left is told at the end, and nothing after it", () => {
  const changes = new ChangeLog(log);
  changes.add(change(2), true);
  expect([debug.length, info.length]).toEqual([1, 0]);
  for (const affected of [1, 1, "all", 1] as const) changes.add(change(3, affected), false);
  changes.close();
  expect(info[1]).toMatchObject({ changes: 3, affected: "all" });
  vi.advanceTimersByTime(5000);
  expect(info).toHaveLength(2);
});
