/**
 * Directories and clusters → inventory, once. A file or server that can't be used is an error of the whole: its caller keeps
 * what is in force, or doesn't start.
 */
import type { Inventory } from "../model/inventory.ts";
import type { FileError } from "./files/file-error.ts";
import { FileSource } from "./files/file-source.ts";
import { InventoryStore } from "./inventory-store.ts";
import type { ApiSource } from "./kubernetes/api/api-source.ts";
import type { ClusterOptions } from "./kubernetes/api/kubeconfig.ts";
import { openCluster } from "./kubernetes/api/open-cluster.ts";

export interface LoadOptions {
  readonly directories: readonly string[];
  /** Of EC2, these VPCs alone; all where there are none. */
  readonly vpcs?: readonly string[];
  readonly cluster?: ClusterOptions | null;
}

export interface LoadedInventory {
  readonly inventory: Inventory;
  readonly errors: readonly FileError[];
}

/** Reads everything; never throws for what files and clusters hold, nor for a server that doesn't answer. */
export async function loadInventory({ directories, vpcs = [], cluster = null }: LoadOptions): Promise<LoadedInventory> {
  const store = new InventoryStore(vpcs);
  const errors: FileError[] = [];
  if (cluster !== null) errors.push(...(await readCluster(cluster, store)));
  if (directories.length > 0) errors.push(...(await new FileSource(directories, store).load()).errors);
  return { inventory: store.inventory(), errors };
}

/** Unlike the agent, whoever asks once doesn't wait for a server that fails. */
async function readCluster(options: ClusterOptions, store: InventoryStore): Promise<readonly FileError[]> {
  let api: ApiSource | null = null;
  try {
    let fail = (): void => {};
    const failed = new Promise<void>((resolve) => {
      fail = resolve;
    });
    api = await openCluster(options, store, { onChange: () => {}, onProblems: () => fail() });
    await Promise.race([api.start(), failed]);
    return api.status().problems.map((problem) => ({ file: "--kubernetes", message: problem }));
  } catch (error) {
    if (!(error instanceof Error && error.name === "ClusterAccessError")) throw error;
    return [{ file: "--kubernetes", message: error.message }];
  } finally {
    api?.close();
  }
}
