/** The packet path over a million packets of every kind: it allocates nothing, and what V8 has optimised stays so. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Report } from "./packet-path-process.ts";

const hooks = new URL("../support/register-typescript.mjs", import.meta.url).pathname;
const packetsPerRound = 1_000_000;
/** An object takes 16 bytes or more, so that one for 32 packets is found. What V8 finds too seldom called to optimise has some. */
const mostBytesPerPacket = 0.5;

/** Room for all that a round could allocate: nothing is collected unless it's asked for. */
const heapFlags = ["--expose-gc", "--min-semi-space-size=128", "--max-semi-space-size=128"];

/** Judges packets in a process of its own, which has nothing else to do. */
async function judge(mode: "allocation" | "littering" | "deopt", flags: readonly string[]): Promise<Report> {
  const child = fork(new URL("packet-path-process.ts", import.meta.url), [mode], {
    execArgv: [...flags, "--import", hooks],
    timeout: 120_000,
    // V8 says on standard output what it logs, too.
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const ended = once(child, "exit");
  const [report] = (await Promise.race([once(child, "message"), ended.then(() => [])])) as [Report?];
  await ended;
  if (!report) throw new Error(`no report: exit ${child.exitCode}, ${child.signalCode}`);
  return report;
}

/** The least growth of several rounds: whatever grows the heap in all of them is the loop's. */
function bytesPerPacket({ bytes }: Report): number {
  expect(bytes.length).toBeGreaterThan(1);
  // Had it been collected in between, it would have shrunk.
  for (const growth of bytes) expect(growth).toBeGreaterThanOrEqual(0);
  return Math.min(...bytes) / packetsPerRound;
}

test("a packet allocates nothing, whatever it is and whoever judges it", { timeout: 150_000 }, async () => {
  const report = await judge("allocation", heapFlags);
  expect(report.packets).toBeGreaterThan(4 * packetsPerRound);
  // It has been everywhere.
  for (const answer of ["accept rule", "accept related", "accept midstream", "accept state", "accept default-allow"]) {
    expect(report.answers).toContain(answer);
  }
  for (const answer of ["deny rule", "deny no-rule-matches", "deny invalid-state", "deny unparseable"]) {
    expect(report.answers).toContain(answer);
  }
  expect(bytesPerPacket(report), `heap growth: ${report.bytes}`).toBeLessThan(mostBytesPerPacket);
});

test("one object for twenty packets would be found", { timeout: 150_000 }, async () => {
  const report = await judge("littering", heapFlags);
  expect(bytesPerPacket(report), `heap growth: ${report.bytes}`).toBeGreaterThan(mostBytesPerPacket);
});

test("what V8 has optimised stays so, over changes of programs, families and states", {
  timeout: 150_000,
}, async (context) => {
  const directory = mkdtempSync(join(tmpdir(), "verdictd-deopt-"));
  try {
    await judge("deopt", ["--log-deopt", `--logfile=${join(directory, "v8.log")}`]);
    const isMark = (line: string): boolean => line.includes("/deopt-markers.ts:");
    // Each thread has a log of its own.
    const logs = readdirSync(directory).map((file) => readFileSync(join(directory, file), "utf8").split("\n"));
    const deopts = (logs.find((lines) => lines.some(isMark)) ?? []).filter((line) => line.startsWith("code-deopt,"));
    const start = deopts.findIndex(isMark);
    const end = deopts.findLastIndex(isMark);
    if (start < 0 || end === start) return context.skip("this V8 doesn't log deoptimisations as those before it did");
    const ours = /\/src\/(?:net|model|evaluators|engine|datapath)\//;
    // Of the first of them nothing is asked: that it is here shows that the pattern finds what it looks for.
    expect(deopts.slice(0, start).some((line) => ours.test(line))).toBe(true);
    expect(deopts.slice(start, end).filter((line) => ours.test(line))).toEqual([]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
