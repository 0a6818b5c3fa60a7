/** Loads the modules that each argument lists, as Node itself does it, and prints what came of it as JSON. */
import { loadModules } from "../../../src/sources/modules/load-modules.ts";

const outcomes: { names: string[]; problems: string[] }[] = [];
for (const list of process.argv.slice(2)) {
  const problems: string[] = [];
  const modules = await loadModules(JSON.parse(list) as string[], problems);
  outcomes.push({ names: modules.map(({ evaluator }) => evaluator.name), problems });
}
process.stdout.write(JSON.stringify(outcomes));
