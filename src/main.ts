#!/usr/bin/env node
/** The command line's entry, and the only place that ends the process. */
import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { benchCommand } from "./cli/bench.ts";
import { checkCommand } from "./cli/check.ts";
import { demoCommand } from "./cli/demo.ts";
import { diffCommand } from "./cli/diff.ts";
import { CliExit } from "./cli/exit.ts";
import { explainCommand } from "./cli/explain.ts";
import { matrixCommand } from "./cli/matrix.ts";
import { removeCommand } from "./cli/remove.ts";
import { runCommand } from "./cli/run.ts";

/** From package.json, which lies beside dist/ and src/ alike. */
function version(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

const program = new Command("verdictd")
  .description("packet verdicts from EC2 security groups, network ACLs and Kubernetes NetworkPolicy, and why")
  .version(version(), "-v, --version", "print the version")
  .helpOption("-h, --help", "show help")
  .showSuggestionAfterError()
  .addCommand(demoCommand())
  .addCommand(runCommand())
  .addCommand(removeCommand())
  .addCommand(explainCommand())
  .addCommand(checkCommand())
  .addCommand(matrixCommand())
  .addCommand(diffCommand())
  .addCommand(benchCommand());

for (const command of [program, ...program.commands]) {
  command.exitOverride().showHelpAfterError("(--help lists the flags)");
}

try {
  await program.parseAsync();
  process.exitCode ??= 0;
} catch (error) {
  if (error instanceof CliExit) {
    if (error.message !== "") process.stderr.write(`verdictd: ${error.message.replaceAll("\n", "\nverdictd: ")}\n`);
    process.exit(error.code);
  }
  // Commander has said what is wrong already; help and version are no errors.
  if (error instanceof CommanderError) process.exit(error.exitCode === 0 ? 0 : 2);
  process.stderr.write(`verdictd: a defect of ours; please report it\n${(error as Error).stack ?? String(error)}\n`);
  process.exit(70);
}
