/**
 * Directories → inventory, once. A file that can't be used is an error of the whole: its caller keeps what is in force,
 * or doesn't start.
 */
import { FileCache } from "./file-cache.ts";
import type { Loaded } from "./loaded.ts";

/** Reads everything; never throws for what the files hold. */
export async function loadInventory(roots: readonly string[], vpcIds: readonly string[] = []): Promise<Loaded> {
  return (await new FileCache(roots, vpcIds).scan()).loaded;
}
