/** A cluster as a source. The official client is large, so it's loaded where there is a cluster to talk to. */
import type { InventoryStore } from "../../inventory-store.ts";
import { ApiClient } from "./api-client.ts";
import { type ApiListeners, ApiSource } from "./api-source.ts";
import type { ClusterOptions } from "./kubeconfig.ts";

/** Throws ClusterAccessError for a kubeconfig that can't be used. */
export async function openCluster(
  options: ClusterOptions,
  store: InventoryStore,
  listeners: ApiListeners,
): Promise<ApiSource> {
  return new ApiSource(await connect(options), store, listeners);
}

/** For requests of one's own. */
export async function connect(options: ClusterOptions): Promise<ApiClient> {
  const { ClusterAccess } = await import("./cluster-access.ts");
  return new ApiClient(new ClusterAccess(options));
}
