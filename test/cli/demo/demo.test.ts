/**
 * The demo as a first user runs it, for real: everything as expected, and nothing left behind, neither at the end nor
 * when it is interrupted at any point. Needs root, and a build (`npm test` makes one).
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));
const script = fileURLToPath(new URL("../../../scripts/start.mjs", import.meta.url));
/** In the environment of the demo, and so of every process that it starts. */
const marker = `VERDICTD_DEMO_TEST_${process.pid}`;
const skipReason = process.getuid?.() !== 0 ? "needs root" : existsSync(main) ? null : "needs a build: npm run build";

if (skipReason !== null) console.warn(`test/cli/demo: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`npm start${skipReason ? ` (skipped: ${skipReason})` : ""}`, () => {
  it("shows everything as expected on one screen, ends with 0, and leaves nothing", async () => {
    const before = rootRules();
    const demo = start();
    expect(await demo.exit).toEqual({ code: 0, stderr: "" });
    const screen = demo.stdout();
    expect(screen).toContain("396 of 396 observed as expected");
    expect(screen).toMatch(/new connections denied after \d+\.\d ms, the open one was cut after \d+\.\d ms/);
    expect(screen).toMatch(/verdictd +\d/);
    expect(screen).not.toContain("\u001b[");
    expect(screen.split("\n").length).toBeLessThanOrEqual(40);
    expect(leftovers(demo)).toEqual([]);
    expect(rootRules()).toBe(before);
  }, 120_000);

  it.each([
    { name: "while the lab is built", after: /^verdictd/m, signal: "SIGINT", code: 130 },
    { name: "while the engine starts", after: /^ lab/m, signal: "SIGTERM", code: 143 },
    { name: "while probes are under way", after: /^ policy/m, signal: "SIGINT", code: 130 },
    { name: "while the policy changes", after: /^ why/m, signal: "SIGHUP", code: 129 },
  ] as const)(
    "interrupted $name ($signal) it leaves nothing",
    async ({ after, signal, code }) => {
      const demo = start();
      await demo.printed(after);
      // As a terminal does it: to everybody in the foreground. Twice, from an impatient user.
      process.kill(-(demo.child.pid as number), signal);
      process.kill(-(demo.child.pid as number), signal);
      expect(await demo.exit).toEqual({ code, stderr: "Interrupted; cleaning up.\n" });
      expect(demo.stdout()).not.toMatch(/expected sg, observed|! /);
      expect(leftovers(demo)).toEqual([]);
    },
    60_000,
  );

  it("npm start, asked to end, ends the demo in order", async () => {
    const demo = start([script]);
    await demo.printed(/^ lab/m);
    demo.child.kill("SIGTERM");
    expect(await demo.exit).toEqual({ code: 143, stderr: "Interrupted; cleaning up.\n" });
    expect(leftovers(demo)).toEqual([]);
  }, 60_000);

  it.each([
    {
      name: "npm",
      argv: ["-e", `require("child_process").spawn(process.execPath, ["${script}"], {stdio: "inherit"})`],
    },
    { name: "npm's script", argv: [script] },
  ])(
    "$name killed, the demo doesn't go on without it",
    async ({ argv }) => {
      const demo = start(argv);
      await demo.printed(/^ lab/m);
      demo.child.kill("SIGKILL");
      // The demo holds the pipes until it has cleaned up.
      expect((await demo.exit).stderr).toBe("Interrupted; cleaning up.\n");
      expect(leftovers(demo)).toEqual([]);
      expect(demo.stdout()).not.toContain("who reaches whom");
    },
    60_000,
  );

  it("killed, it leaves namespaces, and the next one says that it removes them", async () => {
    const killed = start();
    await killed.printed(/^ lab/m);
    killed.child.kill("SIGKILL");
    await killed.exit;
    const next = start();
    await next.printed(/^ swept +\d+ network namespaces that an earlier run left/m);
    next.child.kill("SIGTERM");
    await next.exit;
    expect(leftovers(killed)).toEqual([]);
    expect(leftovers(next)).toEqual([]);
  }, 60_000);
});

function start(argv: readonly string[] = [main, "demo"]) {
  const child = spawn(process.execPath, argv, {
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
    env: { ...process.env, [marker]: "1" },
  });
  let [stdout, stderr] = ["", ""];
  const pids = new Set<string>();
  const watchers: (() => void)[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const id of family()) pids.add(id);
    for (const watcher of watchers) watcher();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    stderr += text;
  });
  const exit = new Promise<{ code: number | null; stderr: string }>((resolve) => {
    child.on("close", (code) => resolve({ code, stderr }));
  });
  const printed = (pattern: RegExp) =>
    new Promise<void>((resolve, reject) => {
      const watcher = () => pattern.test(stdout) && resolve();
      watchers.push(watcher);
      watcher();
      child.on("close", () => reject(new Error(`ended before it printed ${pattern}:\n${stdout}${stderr}`)));
    });
  return { child, pids, exit, printed, stdout: () => stdout };
}

/** Namespaces, temporary directories and processes that belonged to the demo and are still there. */
function leftovers({ pids }: { readonly pids: ReadonlySet<string> }): string[] {
  const theirs = (directory: string, pattern: RegExp): string[] =>
    existsSync(directory) ? readdirSync(directory).filter((name) => pids.has(pattern.exec(name)?.[1] ?? "")) : [];
  return [...theirs("/run/netns", /^vd(\d+)-/), ...theirs(tmpdir(), /^verdictd-demo-(\d+)-/), ...family()];
}

/** The demo's processes, those that started it included. */
function family(): string[] {
  return readdirSync("/proc").filter((id) => /^\d+$/.test(id) && belongsToDemo(id));
}

function belongsToDemo(id: string): boolean {
  try {
    return readFileSync(`/proc/${id}/environ`, "utf8").includes(marker);
  } catch {
    return false; // it ended while we looked
  }
}

function rootRules(): string {
  return spawnSync("nft", ["list", "ruleset"], { encoding: "utf8" }).stdout;
}
