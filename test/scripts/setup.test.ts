/**
 * The set-up scripts, in a checkout of their own: the real scripts with stand-ins for npm, g++, tsc and the native
 * build that note that they ran, and as whom.
 */
import { spawnSync } from "node:child_process";
import {
  appendFileSync,
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";

const scripts = fileURLToPath(new URL("../../scripts", import.meta.url));
const isRoot = process.getuid?.() === 0;
const nobody = 65534;
/** A user of this machine with a home of their own, as those who call sudo have; null without one. */
const person = readFileSync("/etc/passwd", "utf8")
  .split("\n")
  .map((line) => line.split(":"))
  .map(([, , uid = "0", , , home = ""]) => ({ uid: Number(uid), home }))
  .find(({ uid, home }) => uid > 0 && existsSync(home) && lstatSync(home).uid === uid)?.uid;
const made: string[] = [];
if (!isRoot) console.warn("test/scripts/setup: what sudo does is skipped: needs root");
else if (person === undefined) console.warn("test/scripts/setup: one test is skipped: needs a user with a home");

afterEach(() => {
  for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
});

describe("set-up", () => {
  it("takes every step of a bare clone, in order", () => {
    const clone = bareClone();
    expect(runIn(clone, "build.mjs").status).toBe(0);
    expect(steps(clone)).toEqual(["npm ci", "native", "g++", "g++", "g++", "tsc"]);
    expect(lstatSync(join(clone, "dist/main.js")).mode & 0o111).toBe(0o111);
  });

  it("does nothing twice", () => {
    const clone = bareClone();
    runIn(clone, "build.mjs");
    const again = runIn(clone, "build.mjs");
    // The native build decides for itself.
    expect(steps(clone)).toEqual(["npm ci", "native", "g++", "g++", "g++", "tsc", "native"]);
    expect(again).toMatchObject({ status: 0, stdout: "", stderr: "" });
  });

  it.each([
    { file: "src/main.ts", repeated: ["native", "tsc"] },
    { file: "tsconfig.json", repeated: ["native", "tsc"] },
    { file: "bench/lab-host.cc", repeated: ["native", "g++"] },
    { file: "bench/queue-loop.cc", repeated: ["native", "g++"] },
    { file: "bench/traffic/traffic.cc", repeated: ["native", "g++"] },
    { file: "package-lock.json", repeated: ["npm ci", "native", "tsc"] },
  ])("after a change of $file it repeats $repeated", ({ file, repeated }) => {
    const clone = bareClone();
    runIn(clone, "build.mjs");
    const before = steps(clone).length;
    appendFileSync(join(clone, file), "\n");
    utimesSync(join(clone, file), new Date(), new Date(Date.now() + 5000));
    expect(runIn(clone, "build.mjs").status).toBe(0);
    expect(steps(clone).slice(before)).toEqual(repeated);
  });

  it("drops a compiled file whose source is gone", () => {
    const clone = bareClone();
    runIn(clone, "build.mjs");
    writeFileSync(join(clone, "dist/orphan.js"), "");
    appendFileSync(join(clone, "src/main.ts"), "\n");
    runIn(clone, "build.mjs");
    expect(readdirSync(join(clone, "dist"))).toEqual(["main.js"]);
  });

  it("keeps the last good build where the compiler fails, and says what failed", () => {
    const clone = bareClone();
    runIn(clone, "build.mjs");
    appendFileSync(join(clone, "src/main.ts"), "\n");
    writeFileSync(join(clone, "node_modules/.bin/tsc"), "#!/bin/sh\nexit 2\n");
    const failed = runIn(clone, "build.mjs");
    expect(failed.status).toBe(1);
    expect(failed.stderr).toContain("Set-up stopped: tsc failed.");
    expect(existsSync(join(clone, "dist/main.js"))).toBe(true);
    expect(readdirSync(join(clone, "build")).filter((name) => name.startsWith("dist-"))).toEqual([]);
  });
});

describe("a machine that can't", () => {
  it.each([
    { name: "Node is too old", preload: "Object.defineProperty(process, 'versions', { value: { node: '20.18.3' } })" },
    { name: "it isn't Linux", preload: "Object.defineProperty(process, 'platform', { value: 'darwin' })" },
  ])("one sentence and exit 3 where $name", ({ preload }) => {
    const result = runIn(bareClone(), "build.mjs", {
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(preload)}`,
    });
    expect(result.status).toBe(3);
    expect(result.stderr.trim().split("\n")).toEqual([expect.stringMatching(/^verdictd needs /)]);
  });

  it("one sentence and exit 3 where there is no compiler", () => {
    const result = runIn(bareClone(), "build.mjs", { CXX: "/nowhere/g++" });
    expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining("apt-get install g++") });
    expect(result.stderr.trim()).not.toContain("\n");
  });

  it.skipIf(!isRoot)(
    "start without root says what to type, before it sets anything up (needs root to be nobody)",
    () => {
      const clone = bareClone(nobody);
      const result = runIn(clone, "start.mjs", {}, nobody);
      expect(result).toMatchObject({ status: 3, stderr: expect.stringContaining("sudo npm start") });
      expect(steps(clone)).toEqual([]);
    },
  );
});

describe.skipIf(!isRoot)("under sudo (needs root)", () => {
  const sudo = { SUDO_UID: String(nobody), SUDO_GID: String(nobody), npm_config_cache: "/root/.npm" };

  it.skipIf(person === undefined)("runs the steps as the user who called (needs one with a home)", () => {
    const clone = bareClone(person);
    const env = { ...sudo, SUDO_UID: String(person), SUDO_GID: String(person) };
    expect(runIn(clone, "build.mjs", env)).toMatchObject({ status: 0 });
    expect(new Set(runners(clone))).toEqual(new Set([String(person)]));
    expect(ownedByRoot(clone)).toEqual([]);
  });

  it("runs them as root for a user without a home for npm, who then owns all of it", () => {
    const clone = bareClone(nobody);
    expect(runIn(clone, "build.mjs", sudo)).toMatchObject({ status: 0 });
    expect(new Set(runners(clone))).toEqual(new Set(["0"]));
    expect(ownedByRoot(clone)).toEqual([]);
  });

  it("repairs what an earlier run as root left", () => {
    const clone = bareClone(nobody);
    expect(runIn(clone, "build.mjs").status).toBe(0);
    expect(ownedByRoot(clone)).not.toEqual([]);
    appendFileSync(join(clone, "src/main.ts"), "\n");
    expect(runIn(clone, "build.mjs", sudo)).toMatchObject({ status: 0 });
    expect(ownedByRoot(clone).filter((path) => path !== "steps")).toEqual([]);
  });

  it("hands over what it made in a checkout that only root can write", () => {
    const clone = bareClone();
    expect(runIn(clone, "build.mjs", sudo)).toMatchObject({ status: 0 });
    for (const name of ["node_modules", "dist", "build"]) expect(ownedByRoot(join(clone, name))).toEqual([]);
  });
});

/** A checkout with our scripts, and tools that append what they do and who does it to the file `steps`. */
function bareClone(owner = 0): string {
  const clone = mkdtempSync(join(tmpdir(), "verdictd-setup-"));
  made.push(clone);
  cpSync(scripts, join(clone, "scripts"), { recursive: true });
  const tool = (path: string, lines: string[]) => {
    mkdirSync(join(clone, path, ".."), { recursive: true });
    writeFileSync(join(clone, path), `${lines.join("\n")}\n`);
    chmodSync(join(clone, path), 0o755);
  };
  const note = (what: string) => `echo "${what} $(id -u)" >> "${clone}/steps"`;
  const tsc = ["#!/bin/sh", note("tsc"), 'while [ $# -gt 1 ]; do shift; done; mkdir -p "$1" && : > "$1/main.js"'];
  tool("tools/tsc", tsc);
  tool("tools/cxx", ["#!/bin/sh", note("g++"), 'while [ "$1" != -o ]; do shift; done; : > "$2"']);
  tool("tools/npm.js", [
    'const { appendFileSync, cpSync, mkdirSync, writeFileSync } = require("node:fs");',
    `appendFileSync("${clone}/steps", "npm " + process.argv[2] + " " + process.getuid() + "\\n");`,
    'mkdirSync("node_modules/.bin", { recursive: true });',
    'cpSync("tools/tsc", "node_modules/.bin/tsc");',
    'writeFileSync("node_modules/.package-lock.json", "{}");',
  ]);
  tool("scripts/build-native.mjs", [
    'import { appendFileSync } from "node:fs";',
    `appendFileSync("${clone}/steps", "native " + process.getuid() + "\\n");`,
  ]);
  for (const file of [
    "package-lock.json",
    "tsconfig.json",
    "tsconfig.build.json",
    "bench/lab-host.cc",
    "bench/queue-loop.cc",
    "bench/traffic/traffic.cc",
    "src/main.ts",
  ]) {
    tool(file, ["{}"]);
  }
  writeFileSync(join(clone, "steps"), "");
  if (owner !== 0) chownTree(clone, owner);
  return clone;
}

function runIn(clone: string, script: string, env: Record<string, string> = {}, uid?: number) {
  const { SUDO_UID: _uid, SUDO_GID: _gid, ...rest } = process.env;
  const result = spawnSync(process.execPath, [join(clone, "scripts", script)], {
    cwd: clone,
    encoding: "utf8",
    env: { ...rest, npm_execpath: join(clone, "tools/npm.js"), CXX: join(clone, "tools/cxx"), ...env },
    ...(uid === undefined ? {} : { uid, gid: uid }),
  });
  return { status: result.status, stdout: result.stdout, stderr: result.stderr };
}

function steps(clone: string): string[] {
  return lines(clone).map((line) => line.replace(/ \d+$/, ""));
}

function runners(clone: string): string[] {
  return lines(clone).map((line) => line.split(" ").at(-1) ?? "");
}

function lines(clone: string): string[] {
  return readFileSync(join(clone, "steps"), "utf8").split("\n").filter(Boolean);
}

function ownedByRoot(root: string): string[] {
  return readdirSync(root, { recursive: true, encoding: "utf8" }).filter(
    (path) => lstatSync(join(root, path)).uid === 0,
  );
}

function chownTree(path: string, owner: number): void {
  chownSync(path, owner, owner);
  if (!lstatSync(path).isDirectory()) return;
  for (const name of readdirSync(path)) chownTree(join(path, name), owner);
}
