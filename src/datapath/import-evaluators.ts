/** Users' evaluators on this thread. The control thread has loaded the same modules before, and found nothing wrong. */
import { type PreparedEvaluator, prepareEvaluator } from "../evaluators/custom/prepare.ts";

/** In the order of the program's. */
export async function importEvaluators(urls: readonly string[]): Promise<readonly PreparedEvaluator[]> {
  const evaluators: PreparedEvaluator[] = [];
  for (const url of urls) evaluators.push(prepareEvaluator(await import(url), []));
  return evaluators;
}
