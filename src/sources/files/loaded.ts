/** What directories of policy files came to. */
import type { Inventory } from "../../model/inventory.ts";
import type { FileError } from "./file-error.ts";

export interface Loaded {
  /** What the files say as far as they can be read; to be used only where there are no errors. */
  readonly inventory: Inventory;
  /** Files and directories that can't be used at all, in order of path. */
  readonly errors: readonly FileError[];
}
