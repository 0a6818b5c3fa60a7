/** What directories of policy files came to. */
import type { InventoryChange } from "../../model/inventory-change.ts";
import type { InventoryStore } from "../inventory-store.ts";
import type { FileError } from "./file-error.ts";

export interface Loaded {
  /** What the files say as far as they can be read; to be used only where there are no errors. */
  readonly store: InventoryStore;
  /** Since the time before; nothing where there are errors: what came since follows when they are gone. */
  readonly change: InventoryChange;
  /** Files and directories that can't be used at all, in order of path. */
  readonly errors: readonly FileError[];
}
