/** Why a module can't be loaded, where in it, and what helps. */
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describeThrown } from "../../evaluators/custom/failures.ts";
import { describeSystemError, systemCode } from "../files/file-error.ts";

const CHECK_TIMEOUT_MS = 10_000;

/** `line 2: Unexpected token ';'`. */
export function describeLoadError(error: unknown, path: string): string {
  const code = systemCode(error);
  if (code === "ENOENT" || code === "ENOTDIR") {
    return "there is no such file; name a JavaScript module, such as examples/allow-list.js";
  }
  if (error instanceof Error && "syscall" in error) return describeSystemError(error);
  if (!(error instanceof SyntaxError)) return describeThrown(error);
  const line = findSyntaxError(path);
  if (line !== null) return `line ${line}: ${error.message}`;
  // As a module it has no mistake: it was read as something else, or what it imports has one.
  return /'export'|import statement/.test(error.message)
    ? "a package.json says that its .js files aren't ES modules; give it a name that ends in .mjs"
    : `it or what it imports can't be loaded: ${error.message}`;
}

/**
 * The line, or null where the file itself is right. An error of `import` doesn't say it; the parser says it to whoever
 * runs it as a program. The file isn't executed.
 */
function findSyntaxError(path: string): string | null {
  const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "--check", "-"], {
    input: readFileSync(path),
    encoding: "utf8",
    timeout: CHECK_TIMEOUT_MS,
  });
  return status === 0 ? null : (/^\[stdin\]:(\d+)$/m.exec(stderr)?.[1] ?? null);
}
