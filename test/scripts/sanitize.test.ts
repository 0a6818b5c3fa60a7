/** The addon under AddressSanitizer and UndefinedBehaviorSanitizer, in short; `node scripts/sanitize.mjs` is the long form. */
import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { skipReason } from "../support/namespace.ts";

const script = fileURLToPath(new URL("../../scripts/sanitize.mjs", import.meta.url));
const tests = ["packet-parser", "lifecycle", "netlink-socket"].map((name) => `test/native/${name}.test.ts`);
if (skipReason !== null) console.warn(`test/scripts/sanitize: skipped: ${skipReason}`);

test.skipIf(skipReason !== null)(
  "the parser, sockets that come and go on ten threads, and netlink: no report",
  {
    timeout: 300_000,
  },
  () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, [script, ...tests], { encoding: "utf8" });
    expect(`${stdout}\n${stderr}`).not.toMatch(/AddressSanitizer|runtime error/);
    expect(status, `${stdout.slice(-2000)}\n${stderr.slice(-2000)}`).toBe(0);
  },
);
