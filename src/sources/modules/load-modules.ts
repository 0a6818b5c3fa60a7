/**
 * Files of `--evaluator` → evaluators. A module is code: it is imported once on every thread that judges, and may do
 * whatever this process may.
 */
import { statSync } from "node:fs";
import { extname, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { evaluatorNames } from "../../engine/evaluators.ts";
import { ContractError } from "../../evaluators/custom/failures.ts";
import { type PreparedEvaluator, prepareEvaluator } from "../../evaluators/custom/prepare.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import { describeLoadError } from "./load-error.ts";

export interface LoadedModule {
  /** As the user named it. */
  readonly path: string;
  /** What other threads import. */
  readonly url: string;
  readonly evaluator: PreparedEvaluator;
}

/** Counters and traces have no room for more. */
const maxModules = 16;
const LOAD_TIMEOUT_MS = 10_000;

/** In the order given. What is wrong is added to `problems`, each with its place and remedy. */
export async function loadModules(paths: readonly string[], problems: string[]): Promise<readonly LoadedModule[]> {
  if (paths.length > maxModules) {
    problems.push(`--evaluator: ${paths.length} modules are more than the ${maxModules} that there is room for`);
    return [];
  }
  const modules: LoadedModule[] = [];
  for (const path of paths) {
    const taken = evaluatorNames(modules.map((module) => module.evaluator));
    const url = pathToFileURL(resolve(path)).href;
    try {
      refuseUnfit(path);
      modules.push({ path, url, evaluator: prepareEvaluator(await importInTime(url), taken) });
    } catch (error) {
      problems.push(`--evaluator ${path}: ${describeLoadError(error, path)}`);
    }
  }
  return modules;
}

function refuseUnfit(path: string): void {
  if (!statSync(path).isFile()) throw new ContractError("it is no file; name a JavaScript module");
  if (/^\.[cm]?tsx?$/.test(extname(path))) {
    throw new ContractError("this version loads no TypeScript; name the JavaScript that is made from it");
  }
}

/** What awaits something for ever at its top level would keep us waiting without a word. */
async function importInTime(url: string): Promise<Readonly<Record<string, unknown>>> {
  let timer: NodeJS.Timeout | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const seconds = LOAD_TIMEOUT_MS / 1000;
    const late = new ContractError(`it isn't loaded after ${seconds} s; what does it await at its top level?`);
    timer = setTimeout(() => reject(late), LOAD_TIMEOUT_MS);
  });
  try {
    return await Promise.race([import(url), deadline]);
  } finally {
    clearTimeout(timer);
  }
}

/** What is wrong with them for this inventory: made once on this thread, so that it's known before a packet comes. */
export function checkModules(modules: readonly LoadedModule[], inventory: Inventory, knobs: Knobs): readonly string[] {
  return modules.flatMap(({ path, evaluator }) =>
    evaluator.check(inventory, knobs).map((problem) => `--evaluator ${path}: ${problem}`),
  );
}
