/** Directories → inventory, once. */
import type { Inventory } from "../../model/inventory.ts";
import type { FileError } from "./file-error.ts";
import { FileSource } from "./file-source.ts";

export interface Loaded {
  /** What the files say as far as they can be read; to be used only where there are no errors. */
  readonly inventory: Inventory;
  /** Files and directories that can't be used at all, in order of path. */
  readonly errors: readonly FileError[];
}

/** Reads everything; never throws for what the files hold. */
export async function loadInventory(roots: readonly string[]): Promise<Loaded> {
  return new FileSource(roots).load();
}
