/**
 * Runs the tests and the demo on other versions of Node, with the addon as it was built: npm's package `node` brings the
 * binaries, into a temporary folder. As root, for the kernel's tests.
 *
 *   node scripts/node-versions.mjs [24 26 …] [-- ARGUMENTS OF VITEST]
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const given = process.argv.slice(2);
const at = given.indexOf("--");
const versions = at < 0 ? given : given.slice(0, at);
const vitestArguments = at < 0 ? [] : given.slice(at + 1);
if (versions.some((version) => !/^\d+(\.\d+){0,2}$/.test(version))) {
  process.stderr.write("usage: node scripts/node-versions.mjs [24 26 …] [-- ARGUMENTS OF VITEST]\n");
  process.exit(2);
}

const folder = mkdtempSync(join(tmpdir(), "verdictd-node-"));
let failures = 0;
try {
  for (const version of versions.length > 0 ? versions : ["24", "26"]) {
    const prefix = join(folder, version);
    const install = ["install", "--prefix", prefix, "--no-save", "--no-audit", "--no-fund", `node@${version}`];
    if (!succeeds(`fetching Node ${version}`, "npm", install, process.env)) continue;
    const bin = join(prefix, "node_modules", "node", "bin");
    const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ""}` };
    const { stdout } = spawnSync(join(bin, "node"), ["--version"], { encoding: "utf8" });
    const name = `Node ${stdout.trim()}`;
    succeeds(`${name}: npm test`, "npm", ["test", "--", ...vitestArguments], env);
    succeeds(`${name}: npm start`, "npm", ["start"], env);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = failures === 0 ? 0 : 1;

function succeeds(what, command, args, env) {
  process.stdout.write(`\n== ${what}\n`);
  const { status, signal } = spawnSync(command, args, { cwd: root, env, stdio: "inherit" });
  if (status === 0) return true;
  failures++;
  process.stdout.write(`== ${what}: ${signal ?? `exit ${status}`}\n`);
  return false;
}
