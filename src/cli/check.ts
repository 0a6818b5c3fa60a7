/** `check`: everything that is wrong with an inventory, or legal and probably not meant, at once. Offline. */
import { Command } from "commander";
import { lint } from "../engine/lint/lint.ts";
import { type Finding, formatFinding } from "../model/finding.ts";
import { loadInventory } from "../sources/load-inventory.ts";
import { clusterFlags, readCluster } from "./cluster-flags.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { ChunkedOutput } from "./explain/chunked-output.ts";
import type { OfflineStreams } from "./matrix.ts";
import { compileOffline, type PolicyFlags, readJudges } from "./offline.ts";
import { repeatable } from "./repeatable.ts";

interface CheckFlags extends PolicyFlags {
  readonly json?: boolean;
}

export function checkCommand(streams: OfflineStreams = process): Command {
  return new Command("check")
    .description("what is wrong with policies, or legal and probably not meant: all of it at once")
    .addOption(repeatable("--dir <dir>", "directory of AWS JSON and Kubernetes YAML"))
    .addOption(clusterFlags.kubernetes)
    .addOption(clusterFlags.kubeconfig)
    .addOption(clusterFlags.context)
    .addOption(repeatable("--evaluator <module>", "your own evaluator, a JavaScript module"))
    .addOption(repeatable("--set <knob=value>", "a knob of README.md"))
    .option("--json", "one line of JSON for each finding")
    .action((flags: CheckFlags) => check(flags, streams));
}

async function check(flags: CheckFlags, { stdout }: OfflineStreams): Promise<void> {
  const problems: string[] = [];
  const judges = await readJudges(flags, problems);
  if (problems.length > 0) throw new CliExit(2, problems.join("\n"));
  const { inventory, errors } = await loadInventory({ directories: flags.dir, cluster: readCluster(flags) });
  const unreadable = errors.map(({ file, message }): Finding => {
    return { severity: "error", code: "unreadable-file", rule: null, file, path: "", message };
  });
  // What a file that can't be read would have said is unknown: nothing can be said of the whole.
  const findings =
    errors.length > 0 ? [...unreadable, ...inventory.findings] : lint(inventory, compileOffline(inventory, judges));
  const errorCount = findings.filter((finding) => finding.severity === "error").length;

  const output = new ChunkedOutput(stdout);
  const style = styleFor(stdout, process.env);
  for (const finding of findings) {
    if (flags.json === true) output.write(`${renderJson(finding)}\n`);
    else {
      const tint = finding.severity === "error" ? style.bad : style.warn;
      const { path, ...rest } = finding;
      const text = path === "" ? `${rest.file}: error: ${rest.message}` : formatFinding(finding);
      output.write(`${text.replace(`: ${finding.severity}: `, `: ${tint(finding.severity)}: `)}\n`);
    }
    await output.flush();
  }
  if (flags.json !== true) output.write(`${summarize(errorCount, findings.length - errorCount)}\n`);
  await output.end();
  if (errors.length > 0) throw new CliExit(2);
  if (errorCount > 0) throw new CliExit(1);
}

function renderJson({ severity, code, rule, file, path, message, remedy }: Finding): string {
  return JSON.stringify({ severity, code, rule, file, path, message, remedy: remedy ?? null });
}

function summarize(errors: number, warnings: number): string {
  if (errors + warnings === 0) return "nothing to report";
  const count = (n: number, word: string): string => `${n === 0 ? "no" : n} ${word}${n === 1 ? "" : "s"}`;
  return `${count(errors, "error")}, ${count(warnings, "warning")}`;
}
