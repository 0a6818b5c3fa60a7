/** The module hook of register-typescript.mjs; Node runs it in a thread of its own. */
import { readFile } from "node:fs/promises";
import { transformSync } from "rolldown/utils";

export async function load(url, context, nextLoad) {
  if (!url.startsWith("file:") || !url.endsWith(".ts")) return nextLoad(url, context);
  const path = new URL(url);
  const result = transformSync(path.pathname, await readFile(path, "utf8"), { sourcemap: false });
  if (result.errors.length > 0) throw new Error(result.errors.map((e) => e.message).join("\n"));
  return { format: "module", source: result.code, shortCircuit: true };
}
