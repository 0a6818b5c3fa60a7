/**
 * The bench for real, in a few seconds: what it prints, that it leaves nothing, also where it's interrupted. Needs root,
 * and a build (`npm test` makes one).
 */
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";
import type { BenchResult } from "../../../src/cli/bench/report/result.ts";
import { waitFor } from "../../support/namespace.ts";

const main = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));
const skipReason = process.getuid?.() !== 0 ? "needs root" : existsSync(main) ? null : "needs a build: npm run build";
const directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-bench-`));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

if (skipReason !== null) console.warn(`test/cli/bench: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`verdictd bench${skipReason ? ` (skipped: ${skipReason})` : ""}`, () => {
  it("measures round trips beside no queue and a loop in C, and leaves nothing", async () => {
    const [json, html] = [join(directory, "rtt.json"), join(directory, "rtt.html")];
    const flags = ["--only", "rtt", "--rotations", "1", "--seconds", "1", "--sizes", "10/100", "--no-pin"];
    const bench = start([...flags, "--json", json, "--html", html]);
    expect(await bench.exit).toBe(0);
    expect(bench.stdout()).toMatch(/round trip p99, back to back ÷ C's/);
    const { figures, distributions } = JSON.parse(readFileSync(json, "utf8")) as BenchResult;
    for (const variant of ["none", "rules", "c", "c-batch", "v-10-100"]) {
      const mine = figures.filter((f) => f.variant === variant && f.part === "rtt");
      expect(mine.find((f) => f.metric === "back-to-back.lost")?.values).toEqual([0]);
      const roundTrip = mine.find((f) => f.metric === "back-to-back.p50")?.median ?? 0;
      expect(roundTrip).toBeGreaterThan(mine.find((f) => f.metric === "back-to-back.one-way.p50")?.median ?? Infinity);
      expect(distributions.find((d) => d.variant === variant && d.metric === "back-to-back")?.count).toBe(2000);
    }
    expect(readFileSync(html, "utf8")).toContain("<h2>Distributions</h2>");
    expect(leftovers(bench.pid)).toEqual([]);
  }, 60_000);

  it.each([
    { name: "while engines start", after: /starting: verdictd/, signal: "SIGINT", code: 130 },
    { name: "while it measures", after: /rotation 1/, signal: "SIGTERM", code: 143 },
  ] as const)(
    "interrupted $name ($signal) it leaves nothing",
    async ({ after, signal, code }) => {
      const bench = start(["--only", "update", "--rotations", "1", "--sizes", "10/100", "--no-pin"]);
      await bench.said(after);
      process.kill(-bench.pid, signal);
      expect(await bench.exit).toBe(code);
      expect(leftovers(bench.pid)).toEqual([]);
    },
    60_000,
  );

  it("killed, it leaves namespaces and files, no process, and the next one removes the rest", async () => {
    const killed = start(["--only", "rtt", "--rotations", "1", "--sizes", "10/100", "--no-pin"]);
    await killed.said(/rotation 1/);
    process.kill(killed.pid, "SIGKILL");
    await killed.exit;
    await waitFor("its processes to end", () => processesOf(killed.pid).length === 0);
    expect(leftovers(killed.pid)).not.toEqual([]);
    const next = start(["--only", "rtt", "--rotations", "1", "--sizes", "10/100", "--no-pin"]);
    await next.said(/starting/);
    process.kill(next.pid, "SIGTERM");
    await next.exit;
    expect(leftovers(killed.pid)).toEqual([]);
  }, 60_000);

  it("refuses what it can't do", async () => {
    const bench = start(["--only", "nothing", "--rotations", "x"]);
    expect(await bench.exit).toBe(2);
    expect(bench.stderr()).toMatch(/--only nothing/);
    expect(bench.stderr()).toMatch(/--rotations x/);
  });
});

function start(flags: readonly string[]) {
  const child = spawn(process.execPath, [main, "bench", ...flags], {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
  let [stdout, stderr] = ["", ""];
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
    for (const watcher of watchers) watcher();
  });
  const exit = new Promise<number | null>((resolve) => child.on("close", resolve));
  const said = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const watcher = () => pattern.test(stderr) && resolve();
      watchers.add(watcher);
      watcher();
      child.on("close", () => reject(new Error(`ended before it said ${pattern}:\n${stderr}`)));
    });
  return { pid: child.pid ?? 0, exit, said, stdout: () => stdout, stderr: () => stderr };
}

/** Namespaces, temporary directories and processes of a bench. */
function leftovers(pid: number): string[] {
  const theirs = (directory: string, start: string): string[] =>
    existsSync(directory) ? readdirSync(directory).filter((name) => name.startsWith(start)) : [];
  return [...theirs("/run/netns", `vd${pid}-`), ...theirs(tmpdir(), `verdictd-bench-${pid}-`), ...processesOf(pid)];
}

/** Those that were started in a namespace of the bench: by its name, or over its files. */
function processesOf(pid: number): string[] {
  const names = [`/vd${pid}-`, `/verdictd-bench-${pid}-`];
  return readdirSync("/proc").filter((id) => /^\d+$/.test(id) && names.some((name) => commandOf(id).includes(name)));
}

function commandOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/cmdline`, "latin1");
  } catch {
    return "";
  }
}
