/** One lint rule on an inventory of documents: its findings in few words. */
import { compileProgram } from "../../../src/engine/compiler.ts";
import type { LintRule } from "../../../src/engine/lint/rule.ts";
import type { Finding } from "../../../src/model/finding.ts";
import type { Inventory } from "../../../src/model/inventory.ts";
import { parseKnobs } from "../../../src/model/knobs.ts";
import { inventoryOf } from "../inventories.ts";

/** `CODE RULE: PLACE: MESSAGE; REMEDY` of each. */
export function run(rule: LintRule, documents: readonly unknown[], settings: readonly string[] = []): string[] {
  return runOn(rule, inventoryOf(documents), settings);
}

export function runOn(rule: LintRule, inventory: Inventory, settings: readonly string[] = []): string[] {
  const findings: Finding[] = [];
  const program = compileProgram(inventory, parseKnobs(settings).knobs);
  rule({ inventory, program }, (finding) => findings.push(finding));
  return findings.map((f) => `${f.code} ${f.rule}: ${f.path}: ${f.message}; ${f.remedy}`);
}
