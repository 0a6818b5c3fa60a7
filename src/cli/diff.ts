/** `diff`: the flows whose verdict changes between two directories, with the reason before and after. Offline. */
import type { Writable } from "node:stream";
import { Command } from "commander";
import { type DiffSide, diffInventories, type InventoryDiff } from "../engine/diff/diff.ts";
import { renderDiffJson, renderDiffText } from "../engine/diff/render-diff.ts";
import { TooManyFlows } from "../engine/matrix/matrix.ts";
import { EndpointNames } from "../engine/render-explain-names.ts";
import { loadInventory } from "../sources/load-inventory.ts";
import { styleFor } from "./demo/style.ts";
import { CliExit } from "./exit.ts";
import { ChunkedOutput } from "./explain/chunked-output.ts";
import type { OfflineStreams } from "./matrix.ts";
import { compileOffline, type Judges, type PolicyFlags, readJudges } from "./offline.ts";
import { repeatable } from "./repeatable.ts";

interface DiffFlags extends Omit<PolicyFlags, "dir"> {
  readonly json?: boolean;
  readonly exitCode?: boolean;
}

export function diffCommand(streams: OfflineStreams = process): Command {
  return new Command("diff")
    .description("the flows whose verdict changes between two directories, and why")
    .argument("<old>", "directory of AWS JSON and Kubernetes YAML")
    .argument("<new>", "the same, changed")
    .addOption(repeatable("--evaluator <module>", "your own evaluator, a JavaScript module, for both"))
    .addOption(repeatable("--set <knob=value>", "a knob of README.md, for both"))
    .option("--json", "one JSON document")
    .option("--exit-code", "exit with 1 where something changes")
    .action((oldDir: string, newDir: string, flags: DiffFlags) => diff(oldDir, newDir, flags, streams));
}

async function diff(
  oldDir: string,
  newDir: string,
  flags: DiffFlags,
  { stdout, stderr }: OfflineStreams,
): Promise<void> {
  const problems: string[] = [];
  const judges = await readJudges({ ...flags, dir: [oldDir, newDir] }, problems);
  if (problems.length > 0) throw new CliExit(2, problems.join("\n"));
  const before = await loadSide(oldDir, judges, stderr);
  const after = await loadSide(newDir, judges, stderr);
  let found: InventoryDiff;
  try {
    found = diffInventories(before, after);
  } catch (error) {
    if (!(error instanceof TooManyFlows)) throw error;
    throw new CliExit(2, `${error.message}; compare parts of them`);
  }
  const output = new ChunkedOutput(stdout);
  output.write(
    flags.json === true ? renderDiffJson(found) : renderDiffText(found, styleFor(stdout, process.env), oldDir, newDir),
  );
  await output.end();
  if (flags.exitCode === true && found.changes.length > 0) throw new CliExit(1);
}

/** What is wrong with the two is no matter of the difference: `check` tells it. Throws CliExit 2. */
async function loadSide(directory: string, judges: Judges, stderr: Writable): Promise<DiffSide> {
  const { inventory, errors } = await loadInventory({ directories: [directory] });
  if (errors.length > 0) throw new CliExit(2, errors.map((e) => `${e.file}: ${e.message}`).join("\n"));
  const { length } = inventory.findings;
  if (length > 0)
    stderr.write(`${directory}: ${length === 1 ? "a finding" : `${length} findings`}; check tells more\n`);
  return { inventory, program: compileOffline(inventory, judges), names: new EndpointNames(inventory) };
}
