/**
 * Lets a plain `node` (20 has no type stripping) run the checkout's .ts files as they stand, worker threads included:
 * `node --import ./test/support/typescript-hooks.mjs FILE.ts`. For tests that must run our code in another process, in
 * another network namespace. Types are removed by rolldown, which vitest brings.
 */
import { readFile } from "node:fs/promises";
import { register } from "node:module";
import { isMainThread } from "node:worker_threads";

/** Module hook: called by Node in the hooks thread, which loads this file too. */
export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const { transformSync } = await import("rolldown/utils");
  const path = new URL(url);
  const result = transformSync(path.pathname, await readFile(path, "utf8"), { sourcemap: false });
  if (result.errors.length > 0) throw new Error(result.errors.map((e) => e.message).join("\n"));
  return { format: "module", source: result.code, shortCircuit: true };
}

// Node shares the main thread's hooks with the worker threads; registering them again would run them twice.
if (isMainThread) register(import.meta.url);
