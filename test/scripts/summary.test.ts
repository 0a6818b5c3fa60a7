/** The closing line of a check: never a success where something failed, or where nothing ran. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, describe, expect, it } from "vitest";

const script = fileURLToPath(new URL("../../scripts/summary.mjs", import.meta.url));
const directory = mkdtempSync(join(tmpdir(), "verdictd-summary-"));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const report = (passed: number, failed: number, pending: number, testResults: unknown[] = []) => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: pending,
  numTodoTests: 0,
  testResults,
});
const failure = {
  name: "a.test.ts",
  status: "failed",
  assertionResults: [{ status: "failed", fullName: "it breaks" }],
};
const unloadable = { name: "b.test.ts", status: "failed", assertionResults: [] };

const cases = [
  {
    name: "all well; lint counts as one",
    report: report(10, 0, 2),
    tests: 0,
    lint: 0,
    line: "11 passed, 0 failed, 2 skipped",
    exit: 0,
  },
  {
    name: "a test failed",
    report: report(9, 1, 0, [failure]),
    tests: 1,
    lint: 0,
    line: "10 passed, 1 failed, 0 skipped",
    exit: 1,
  },
  {
    name: "a file can't be loaded",
    report: report(9, 0, 0, [unloadable]),
    tests: 1,
    lint: 0,
    line: "10 passed, 1 failed, 0 skipped",
    exit: 1,
  },
  { name: "lint failed", report: report(10, 0, 0), tests: 0, lint: 1, line: "10 passed, 1 failed, 0 skipped", exit: 1 },
  {
    name: "an error outside of every test",
    report: report(10, 0, 0),
    tests: 1,
    lint: 0,
    line: "11 passed, 1 failed, 0 skipped",
    exit: 1,
  },
  { name: "no report at all", report: null, tests: 0, lint: 0, line: "1 passed, 1 failed, 0 skipped", exit: 1 },
];

describe("the summary", () => {
  it("counts all reports together, and one that is missing", () => {
    const files = [report(10, 0, 2), report(5, 1, 1, [failure])].map((content, i) => {
      const file = join(directory, `report-${i}.json`);
      writeFileSync(file, JSON.stringify(content));
      return file;
    });
    const [first = "", second = ""] = files;
    const sum = (...args: readonly string[]) =>
      spawnSync(process.execPath, [script, ...args], { encoding: "utf8" })
        .stdout.trim()
        .split("\n");
    expect(sum("lint=0", first, "0", second, "1")).toEqual([
      "failed: a.test.ts: it breaks",
      "16 passed, 1 failed, 3 skipped",
    ]);
    expect(sum("lint=0", "build=2", first, "0", join(directory, "none.json"), "1")).toEqual([
      "failed: build",
      "failed: npm test ended with 1",
      "11 passed, 2 failed, 2 skipped",
    ]);
  });

  it.each(cases)("$name → $line", ({ report: content, tests, lint, line, exit }) => {
    const file = join(directory, "report.json");
    rmSync(file, { force: true });
    if (content) writeFileSync(file, JSON.stringify(content));
    const result = spawnSync(process.execPath, [script, `lint=${lint}`, file, String(tests)], { encoding: "utf8" });
    expect(result.stdout.trim().split("\n").at(-1)).toBe(line);
    expect(result.status).toBe(exit);
  });
});
