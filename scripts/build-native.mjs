/**
 * Builds the native addon with one compiler call: node-addon-api and node-api-headers come with the npm packages, so
 * neither node-gyp nor Node's own headers are needed. Does nothing when it is up to date.
 *
 *   node scripts/build-native.mjs [--sanitize]     → build/verdictd.node, or build/verdictd-asan.node
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { hashOf, isCurrent, writeStamp } from "./stamp.mjs";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const sanitize = process.argv.includes("--sanitize");
const name = sanitize ? "verdictd-asan" : "verdictd";
const compiler = process.env.CXX ?? "g++";

const require = createRequire(import.meta.url);
const includes = [
  dirname(require.resolve("node-addon-api/package.json")),
  join(dirname(require.resolve("node-api-headers/package.json")), "include"),
];
const flags = [
  ...["-std=c++17", "-shared", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra", "-Werror"],
  // Their headers are not ours to warn about; NAPI_VERSION 8 is in every Node from 16 on.
  ...includes.flatMap((path) => ["-isystem", path]),
  ...["-DNAPI_VERSION=8", "-DNAPI_DISABLE_CPP_EXCEPTIONS", "-DNODE_GYP_MODULE_NAME=verdictd"],
  // An error that can't be thrown because the thread is being terminated must not abort the process.
  "-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
  ...(sanitize ? ["-O1", "-g", "-fno-omit-frame-pointer", "-fsanitize=address,undefined"] : ["-O2"]),
];
const sources = readdirSync(join(root, "native"))
  .filter((file) => file.endsWith(".cc"))
  .sort()
  .map((file) => join("native", file));

const output = join(root, "build", `${name}.node`);
const stamp = join(root, "build", `${name}.node.stamp`);
const version = spawnSync(compiler, ["-dumpfullversion", "-dumpmachine"], { encoding: "utf8" });
if (version.error) {
  console.error(`verdictd: no C++ compiler (${compiler}): sudo apt-get install g++`);
  process.exit(3);
}
const hash = hashOf(root, ["native"], [compiler, version.stdout, ...flags].join("\n"));
if (!isCurrent(stamp, hash)) {
  process.stderr.write(`set-up: ${compiler} native/*.cc (the addon)\n`);
  mkdirSync(join(root, "build"), { recursive: true });
  rmSync(stamp, { force: true });
  // Renamed when whole: a process that runs keeps the file that it has mapped.
  const unfinished = `${output}.${process.pid}`;
  const built = spawnSync(compiler, [...flags, "-o", unfinished, ...sources], { cwd: root, stdio: "inherit" });
  if (built.status !== 0) {
    rmSync(unfinished, { force: true });
    console.error("verdictd: the native addon did not compile");
    process.exit(1);
  }
  renameSync(unfinished, output);
  writeStamp(stamp, hash);
}
