/** What the verbs that only read have in common. */
import type { Writable } from "node:stream";
import { formatFinding } from "../model/finding.ts";
import type { Inventory } from "../model/inventory.ts";
import { type Knobs, parseKnobs } from "../model/knobs.ts";
import { loadInventory } from "../sources/files/load.ts";
import { CliExit } from "./exit.ts";

/** Adds what is wrong with `--dir` and `--set` to `problems`. */
export function readKnobs(
  flags: { readonly dir: readonly string[]; readonly set: readonly string[] },
  problems: string[],
): Knobs {
  const { knobs, issues } = parseKnobs(flags.set);
  problems.push(...issues.map(({ text, message }) => `--set ${text}: ${message}`));
  if (flags.dir.length === 0) {
    problems.push("--dir: name at least one directory of policies, such as --dir examples/vpc");
  }
  return knobs;
}

/** Findings go to `stderr`. Throws CliExit 2 for what can't be read. */
export async function loadOffline(directories: readonly string[], stderr: Writable): Promise<Inventory> {
  const { inventory, errors } = await loadInventory(directories);
  for (const finding of inventory.findings) stderr.write(`${formatFinding(finding)}\n`);
  if (errors.length > 0) throw new CliExit(2, errors.map((e) => `${e.file}: ${e.message}`).join("\n"));
  return inventory;
}
