/**
 * Directories → inventory, once. A file that can't be used is an error of the whole: its caller keeps what is in force,
 * or doesn't start.
 */
import type { Inventory } from "../../model/inventory.ts";
import { FileCache } from "./file-cache.ts";
import type { FileError } from "./file-error.ts";

export interface Loaded {
  /** What the files say as far as they can be read; to be used only where there are no errors. */
  readonly inventory: Inventory;
  /** Files and directories that can't be used at all, in order of path. */
  readonly errors: readonly FileError[];
}

/** Reads everything; never throws for what the files hold. */
export async function loadInventory(roots: readonly string[]): Promise<Loaded> {
  return (await new FileCache(roots).scan()).loaded;
}
