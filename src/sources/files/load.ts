/**
 * Directories → inventory, once. A file that can't be used is an error of the whole: its caller keeps what is in force,
 * or doesn't start.
 */
import type { Inventory } from "../../model/inventory.ts";
import type { FileError } from "./file-error.ts";
import { FileSource } from "./file-source.ts";

export interface LoadedInventory {
  readonly inventory: Inventory;
  readonly errors: readonly FileError[];
}

/** Reads everything; never throws for what the files hold. */
export async function loadInventory(
  roots: readonly string[],
  vpcIds: readonly string[] = [],
): Promise<LoadedInventory> {
  const { store, errors } = await new FileSource(roots, vpcIds).load();
  return { inventory: store.inventory(), errors };
}
