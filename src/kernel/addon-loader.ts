/** Finds and loads the native addon; the same relative path serves src/ and dist/. */
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Addon } from "./addon.ts";
import { KernelError } from "./error.ts";

/** Throws VERDICTD_ADDON_MISSING with the remedy where it hasn't been built. Each thread gets its own instance. */
export function loadAddon(): Addon {
  const path = fileURLToPath(new URL("../../build/verdictd.node", import.meta.url));
  if (!existsSync(path)) {
    throw new KernelError(
      "VERDICTD_ADDON_MISSING",
      "load the native addon",
      2,
      `${path} is missing; run npm run build`,
    );
  }
  const addon = createRequire(import.meta.url)(path) as Addon;
  addon.initialize(KernelError);
  return addon;
}
