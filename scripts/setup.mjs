/**
 * From a bare clone to built, on Debian or Ubuntu with Node and a C++ compiler: OS packages, npm packages, native
 * addon, the lab's helpers, TypeScript. Nothing is done twice: with everything in place it takes a fraction of a second.
 *
 *   node scripts/setup.mjs
 */

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { findCommand, isRoot, refuse, requireCompiler } from "./host.mjs";
import { giveBack, run } from "./owner.mjs";
import { hashOf, isCurrent, writeStamp } from "./stamp.mjs";

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** What enforcement and the lab call, and the packages that hold it. */
const SYSTEM = { nft: "nftables", ip: "iproute2", ping: "iputils-ping" };

/** Programs in C++ beside the addon: the lab's endpoints, and what the benchmark compares with and sends. */
const HELPERS = ["lab-host", "queue-loop", "traffic"];

/**
 * Brings the checkout up to date, or ends the process: 3 where this machine lacks something, 1 where a step failed.
 * `systemPackages`: `install` where root can, else say the command; `ignore` for what needs none of them.
 */
export function setUp({ systemPackages = "install" } = {}) {
  requireCompiler();
  if (systemPackages === "install") installSystemPackages();
  installNodePackages();
  mkdirSync(join(root, "build"), { recursive: true });
  step("the native addon", () => run(root, process.execPath, ["scripts/build-native.mjs"]));
  for (const name of HELPERS) buildHelper(name);
  buildTypeScript();
  giveBack(root);
}

/** System packages that are missing, by the commands they bring. */
export function missingPackages() {
  return Object.entries(SYSTEM).flatMap(([command, name]) => (findCommand(command) ? [] : [name]));
}

function installSystemPackages() {
  const missing = missingPackages();
  if (missing.length === 0) return;
  const install = ["install", "-y", "--no-install-recommends", ...missing];
  if (!isRoot() || !findCommand("apt-get")) refuse(`Missing on this machine: sudo apt-get ${install.join(" ")}`);
  say(`installing ${missing.join(", ")}`);
  const aptGet = (args) =>
    spawnSync("apt-get", ["-qq", ...args], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    }).status === 0;
  // A fresh image has no package lists, or lists so old that what they name is gone.
  if (!aptGet(install) && !(aptGet(["update"]) && aptGet(install))) {
    refuse(`apt-get could not install ${missing.join(", ")}: run apt-get update && apt-get ${install.join(" ")}`);
  }
}

function installNodePackages() {
  const installed = join(root, "node_modules", ".package-lock.json");
  if (existsSync(installed) && statSync(installed).mtimeMs >= statSync(join(root, "package-lock.json")).mtimeMs) return;
  const stamp = join(root, "node_modules", ".verdictd-lock");
  const hash = hashOf(root, ["package-lock.json"]);
  if (existsSync(installed) && isCurrent(stamp, hash)) return;
  say("npm ci");
  const [command, ...args] = npm();
  step("npm ci", () => run(root, command, [...args, "ci", "--no-audit", "--no-fund", "--loglevel=error"]));
  writeStamp(stamp, hash);
}

/** The npm that started us, or the one beside this Node: sudo's PATH may know neither. */
function npm() {
  if (process.env.npm_execpath?.endsWith(".js")) {
    return [process.execPath, process.env.npm_execpath];
  }
  const beside = join(dirname(process.execPath), "npm");
  return [existsSync(beside) ? beside : "npm"];
}

/** From one file, or from all of a directory. */
function buildHelper(name) {
  const isDirectory = existsSync(join(root, "bench", name));
  const source = isDirectory ? `bench/${name}` : `bench/${name}.cc`;
  const files = isDirectory
    ? readdirSync(join(root, source))
        .filter((file) => file.endsWith(".cc"))
        .map((file) => `${source}/${file}`)
    : [source];
  const stamp = join(root, "build", `${name}.stamp`);
  const target = join(root, "build", name);
  const hash = hashOf(root, [source]);
  if (existsSync(target) && isCurrent(stamp, hash)) return;
  say(`g++ ${source}`);
  const made = `${target}.${process.pid}`;
  const args = ["-std=c++17", "-O2", "-pthread", "-o", made, ...files];
  step(source, () => run(root, process.env.CXX || "g++", args));
  renameSync(made, target);
  writeStamp(stamp, hash);
}

function buildTypeScript() {
  const stamp = join(root, "build", "typescript.stamp");
  const target = join(root, "dist");
  const hash = hashOf(root, ["src", "tsconfig.json", "tsconfig.build.json", "package-lock.json"]);
  if (existsSync(join(target, "main.js")) && isCurrent(stamp, hash)) return;
  say("tsc");
  // Compiled aside and moved into place: a failed build leaves the last good one, and no orphan survives a rename.
  const made = join(root, "build", `dist-${process.pid}`);
  const tsc = join(root, "node_modules", ".bin", "tsc");
  try {
    step("tsc", () => run(root, tsc, ["-p", "tsconfig.build.json", "--outDir", made]));
    chmodSync(join(made, "main.js"), 0o755);
    rmSync(target, { recursive: true, force: true });
    renameSync(made, target);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  writeStamp(stamp, hash);
}

function step(name, work) {
  if (work()) return;
  giveBack(root);
  process.stderr.write(`Set-up stopped: ${name} failed.\n`);
  process.exit(1);
}

/** To standard error: standard output belongs to what comes after. */
function say(text) {
  process.stderr.write(`set-up: ${text}\n`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) setUp();
