/**
 * The closing line of a check, from vitest's JSON report: `N passed, N failed, N skipped`. The lint run counts as one
 * test. Exit 0 only where nothing failed and something ran.
 *
 *   node scripts/summary.mjs REPORT.json EXIT_OF_TESTS EXIT_OF_LINT
 */
import { existsSync, readFileSync } from "node:fs";

const [file = "", testsExit = "1", lintExit = "1"] = process.argv.slice(2);
const report = existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : null;

let passed = report ? report.numPassedTests : 0;
let failed = report ? report.numFailedTests : 0;
const skipped = report ? report.numPendingTests + report.numTodoTests : 0;

for (const suite of report ? report.testResults : []) {
  // A file that fails to load has no test of its own to count.
  if (suite.status === "failed" && !suite.assertionResults.some((test) => test.status === "failed")) {
    process.stdout.write(`failed: ${suite.name}\n`);
    failed++;
  }
  for (const test of suite.assertionResults) {
    if (test.status === "failed") process.stdout.write(`failed: ${suite.name}: ${test.fullName}\n`);
  }
}
if (lintExit === "0") passed++;
else {
  process.stdout.write("failed: npm run lint\n");
  failed++;
}
// Neither a run that died before its report, nor an error outside of any test, may look like a success.
if (report === null || (testsExit !== "0" && failed === 0)) {
  process.stdout.write(`failed: npm test ended with ${testsExit}\n`);
  failed++;
}

process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
