/**
 * The closing line of a check, from vitest's JSON reports: `N passed, N failed, N skipped`. Each other command counts as
 * one test. Exit 0 only where nothing failed and something ran.
 *
 *   node scripts/summary.mjs COMMAND=EXIT … REPORT.json EXIT …
 */
import { existsSync, readFileSync } from "node:fs";

const sums = { passed: 0, failed: 0, skipped: 0 };
const given = process.argv.slice(2);
while (given.length > 0) {
  const argument = given.shift();
  const command = /^(.+)=(\d+)$/.exec(argument);
  if (command) addCommand(command[1], command[2]);
  else addReport(argument, given.shift() ?? "1");
}
process.stdout.write(`${sums.passed} passed, ${sums.failed} failed, ${sums.skipped} skipped\n`);
process.exitCode = sums.failed === 0 && sums.passed > 0 ? 0 : 1;

function addCommand(name, exit) {
  if (exit === "0") sums.passed++;
  else fail(name);
}

function addReport(file, exit) {
  const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;
  const failedBefore = sums.failed;
  if (report) {
    sums.passed += report.numPassedTests;
    sums.failed += report.numFailedTests;
    sums.skipped += report.numPendingTests + report.numTodoTests;
  }
  for (const suite of report ? report.testResults : []) {
    // A file that fails to load has no test of its own to count.
    if (suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed")) fail(suite.name);
    for (const test of suite.assertionResults) {
      if (test.status === "failed") process.stdout.write(`failed: ${suite.name}: ${test.fullName}\n`);
    }
  }
  // Neither a run that died before its report, nor an error outside of any test, may look like a success.
  if (report === null || (exit !== "0" && sums.failed === failedBefore)) fail(`npm test ended with ${exit}`);
}

function fail(what) {
  process.stdout.write(`failed: ${what}\n`);
  sums.failed++;
}
