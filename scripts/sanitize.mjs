/**
 * The addon's tests under AddressSanitizer and UndefinedBehaviorSanitizer: builds it so, and runs test/native with it.
 * Leaks aren't looked for: what Node keeps until its end would be some. As root, for the queues.
 *
 *   node scripts/sanitize.mjs [ARGUMENTS OF VITEST]
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const compiler = process.env.CXX ?? "g++";
const libraries = ["libasan.so", "libubsan.so"].map((name) =>
  spawnSync(compiler, [`-print-file-name=${name}`], { encoding: "utf8" }).stdout?.trim(),
);
if (!libraries.every((path) => path !== undefined && existsSync(path))) {
  process.stderr.write(`verdictd: ${compiler} has no sanitizers' libraries: sudo apt-get install gcc\n`);
  process.exit(3);
}
const built = spawnSync(process.execPath, [join(root, "scripts", "build-native.mjs"), "--sanitize"], {
  stdio: "inherit",
});
if (built.status !== 0) process.exit(built.status ?? 1);

const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const given = process.argv.slice(2);
const { status } = spawnSync(process.execPath, [vitest, "run", ...(given.length > 0 ? given : ["test/native"])], {
  cwd: root,
  stdio: "inherit",
  env: {
    ...process.env,
    LD_PRELOAD: libraries.join(" "),
    ASAN_OPTIONS: "detect_leaks=0:abort_on_error=1",
    UBSAN_OPTIONS: "halt_on_error=1:print_stacktrace=1",
    VERDICTD_ADDON: join(root, "build", "verdictd-asan.node"),
  },
});
process.exitCode = status ?? 1;
