/**
 * The demo as a first user runs it, for real: everything as expected, and nothing left behind, neither at the end nor
 * when it is interrupted at any point. Needs root, and a build (`npm test` makes one).
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const main = fileURLToPath(new URL("../../../dist/main.js", import.meta.url));
/** In the environment of the demo, and so of every process that it starts. */
const marker = `VERDICTD_DEMO_TEST_${process.pid}`;
const skipReason = process.getuid?.() !== 0 ? "needs root" : existsSync(main) ? null : "needs a build: npm run build";

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
    expect(leftovers(demo.child)).toEqual([]);
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
      demo.child.kill(signal);
      demo.child.kill(signal); // an impatient user
      expect((await demo.exit).code).toBe(code);
      expect(leftovers(demo.child)).toEqual([]);
    },
    60_000,
  );
});

function start() {
  const child = spawn(process.execPath, [main, "demo"], {
    stdio: ["ignore", "pipe", "pipe"],
    env: { ...process.env, [marker]: "1" },
  });
  let [stdout, stderr] = ["", ""];
  const watchers: (() => void)[] = [];
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
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
  return { child, exit, printed, stdout: () => stdout };
}

/** Namespaces, temporary directories and processes that belonged to the demo and are still there. */
function leftovers({ pid }: ChildProcess): string[] {
  const namespaces = existsSync("/run/netns") ? readdirSync("/run/netns").filter((n) => n.startsWith(`vd${pid}-`)) : [];
  const directories = readdirSync(tmpdir()).filter((name) => name.startsWith(`verdictd-demo-${pid}-`));
  const processes = readdirSync("/proc").filter((id) => /^\d+$/.test(id) && belongsToDemo(id));
  return [...namespaces, ...directories, ...processes];
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
