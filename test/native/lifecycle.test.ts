/**
 * Every step of a socket's life, and every way a worker or the process may end at it. Each in a process of its own: a
 * crash is an exit by a signal, a hang a timeout. Packets go through the real queue.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { skipReason } from "../support/namespace.ts";
import { createQueueLab, type QueueLab } from "./queue-lab.ts";

const steps = [
  "addon loaded",
  "constructed",
  "constructed, packets queued",
  "not bound",
  "started",
  "started, packets queued",
  "blocked in the callback",
  "busy in the callback",
  "busy in the error handler",
  "closed in the callback",
  "closed in this turn",
  "closed before",
  "waiting for an answer",
  "an exchange under way",
  "an exchange under way, closed",
] as const;
/** Of ten workers in traffic. Longer: VERDICTD_CHURN_SECONDS=600 node scripts/sanitize.mjs test/native/lifecycle.test.ts */
const churnSeconds = Number(process.env.VERDICTD_CHURN_SECONDS ?? 3);
const lifecycleProcess = new URL("lifecycle-process.ts", import.meta.url).pathname;
const registerPath = new URL("../support/register-typescript.mjs", import.meta.url).pathname;

if (skipReason !== null) console.warn(`test/native/lifecycle: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`sockets and threads (${skipReason ?? "as root"})`, () => {
  let lab: QueueLab;
  beforeAll(() => {
    lab = createQueueLab();
  });
  afterAll(() => lab?.lab.destroy());

  /** What it printed; it must exit with 0, silently, and leave no queue. */
  async function play(args: readonly string[], flags: readonly string[] = [], patienceMs = 12_000): Promise<string> {
    const child = lab.namespace.spawn([
      process.execPath,
      ...flags,
      "--import",
      registerPath,
      lifecycleProcess,
      ...args,
    ]);
    let stdout = "";
    let stderr = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => {
      stderr += text;
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), patienceMs);
    const [status, signal] = await new Promise<[number | null, string | null]>((resolve) =>
      child.once("close", (code, by) => resolve([code, by])),
    );
    clearTimeout(timer);
    expect({ args, status, signal, stderr }).toEqual({ args, status: 0, signal: null, stderr: "" });
    expect(lab.queues()).toEqual([]);
    return stdout;
  }

  it.each(steps)("a worker is terminated, one exits, the process exits: %s", async (step) => {
    const lines = (await play([step])).trim().split("\n");
    expect(lines.map((line) => JSON.parse(line))).toEqual([
      ["terminated", 1, []],
      ["exited", 0, []],
    ]);
  });

  it("ten workers open and close in traffic, half of them terminated", {
    timeout: 2000 * churnSeconds + 60_000,
  }, async () => {
    const args = ["many workers", String(churnSeconds)];
    const { statuses, left, ...sums } = JSON.parse(await play(args, [], 1000 * churnSeconds + 30_000));
    expect({ statuses, left }).toEqual({ statuses: [0], left: [] });
    expect(sums.received).toBe(sums.answered);
    // Otherwise nothing of it was tested.
    expect(sums.received).toBeGreaterThan(100);
    expect(sums.rounds).toBeGreaterThan(50);
    expect(sums.terminated).toBeGreaterThan(5);
  });

  it("sockets that nobody closes are collected; one that is started is not", async () => {
    expect(JSON.parse(await play(["garbage"], ["--expose-gc"]))).toEqual({ isHeld: true, left: [] });
  });
});
