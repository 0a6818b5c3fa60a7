/** What the verbs have in common: policies, knobs and evaluators of their own. */
import type { Writable } from "node:stream";
import { compileProgram } from "../engine/compiler.ts";
import type { Program } from "../engine/program.ts";
import { formatFinding } from "../model/finding.ts";
import type { Inventory } from "../model/inventory.ts";
import { type Knobs, parseKnobs } from "../model/knobs.ts";
import { type LoadOptions, loadInventory } from "../sources/load-inventory.ts";
import { checkModules, type LoadedModule, loadModules } from "../sources/modules/load-modules.ts";
import { type ClusterFlags, readCluster } from "./cluster-flags.ts";
import { CliExit } from "./exit.ts";

export interface PolicyFlags extends ClusterFlags {
  readonly dir: readonly string[];
  readonly set: readonly string[];
  readonly evaluator: readonly string[];
}

/** What judges, besides the inventory. */
export interface Judges {
  readonly knobs: Knobs;
  readonly modules: readonly LoadedModule[];
}

/** Adds what is wrong with `--dir`, `--set` and `--evaluator` to `problems`. */
export async function readJudges(flags: PolicyFlags, problems: string[]): Promise<Judges> {
  const { knobs, issues } = parseKnobs(flags.set);
  problems.push(...issues.map(({ text, message }) => `--set ${text}: ${message}`));
  if (flags.dir.length === 0 && flags.evaluator.length === 0 && readCluster(flags) === null) {
    problems.push(
      "--dir: name at least one directory of policies, such as --dir examples/vpc; or a cluster with --kubernetes, or an " +
        "--evaluator of your own",
    );
  }
  return { knobs, modules: await loadModules(flags.evaluator, problems) };
}

/** Throws CliExit 2 where a user's evaluator can't be made for this inventory. */
export function compileOffline(inventory: Inventory, { knobs, modules }: Judges): Program {
  const problems = checkModules(modules, inventory, knobs);
  if (problems.length > 0) throw new CliExit(2, problems.join("\n"));
  return compileProgram(inventory, knobs, { custom: modules.map((module) => module.evaluator) });
}

/** Findings go to `stderr`. Throws CliExit 2 for what can't be read. */
export async function loadOffline(source: LoadOptions, stderr: Writable): Promise<Inventory> {
  const { inventory, errors } = await loadInventory(source);
  for (const finding of inventory.findings) stderr.write(`${formatFinding(finding)}\n`);
  if (errors.length > 0) throw new CliExit(2, errors.map((e) => `${e.file}: ${e.message}`).join("\n"));
  return inventory;
}
