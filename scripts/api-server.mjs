/**
 * Builds the API server that some tests need, outside of the checkout, and prints where the binary is:
 *
 *   VERDICTD_TEST_APISERVER=$(node scripts/api-server.mjs) npm test
 *
 * Its sources are beside the checkout, or where VERDICTD_APISERVER_SOURCE says; they are built once, in minutes, and
 * again when they change. Exit 3 where it can't be had: no sources, no Go, no modules.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { homedir } from "node:os";
import { delimiter, join, resolve } from "node:path";

const UNAVAILABLE = 3;
const source = resolve(
  process.env.VERDICTD_APISERVER_SOURCE ?? join(import.meta.dirname, "..", "..", "shared", "tools", "apiserver"),
);
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "verdictd");
const env = { ...process.env, PATH: [process.env.PATH, "/usr/local/go/bin", "/usr/lib/go/bin"].join(delimiter) };

function unavailable(why) {
  process.stderr.write(`no API server: ${why}\n`);
  process.exit(UNAVAILABLE);
}

if (!existsSync(join(source, "build.sh"))) unavailable(`there is no ${source}/build.sh`);
const files = readdirSync(source, { withFileTypes: true })
  .filter((entry) => entry.isFile() && /\.(go|mod|sum|sh)$/.test(entry.name))
  .map(({ name }) => name)
  .sort();
const hash = createHash("sha256");
for (const name of files) hash.update(`${name}\0`).update(readFileSync(join(source, name)));
const folder = join(cache, `apiserver-${hash.digest("hex").slice(0, 16)}`);
const binary = join(folder, "apiserver");
if (!existsSync(binary)) build();
process.stdout.write(`${binary}\n`);

function build() {
  if (spawnSync("go", ["version"], { env }).status !== 0) unavailable("it takes Go to build it");
  mkdirSync(folder, { recursive: true });
  // Two builds at once don't disturb each other: the last one done is kept.
  const work = mkdtempSync(join(folder, "build-"));
  process.on("exit", () => rmSync(work, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));
  for (const name of files) {
    copyFileSync(join(source, name), join(work, name));
    chmodSync(join(work, name), 0o755); // the originals may be read-only
  }
  const run = (command, args) => spawnSync(command, args, { cwd: work, env, stdio: ["ignore", 2, 2] }).status;
  if (run("go", ["mod", "download"]) !== 0) unavailable("its modules can't be fetched");
  const status = run("./build.sh", ["./apiserver"]);
  if (status !== 0) process.exit(status ?? 1);
  renameSync(join(work, "apiserver"), binary);
}
