/**
 * Whether a server has a kind that a custom resource definition brings, and under which version. Definitions come and go
 * while we run; a server that is starting may not have read them yet, so one look that finds nothing says little.
 */
import type { ApiClient } from "./api-client.ts";
import { ApiError } from "./api-error.ts";
import { type ApiResource, type OptionalResource, resourceAt } from "./resources.ts";

/** Null where the server says that it has none. Throws ApiError where it doesn't say. */
export async function findResource(
  client: ApiClient,
  optional: OptionalResource,
  signal: AbortSignal,
): Promise<ApiResource | null> {
  for (const version of optional.versions) {
    const served = await readServed(client, `/apis/${optional.group}/${version}`, signal);
    if (served.includes(optional.plural)) return resourceAt(optional, version);
  }
  return null;
}

async function readServed(client: ApiClient, path: string, signal: AbortSignal): Promise<readonly unknown[]> {
  try {
    const { resources } = ((await client.request(path, { signal })) ?? {}) as { readonly resources?: unknown };
    if (!Array.isArray(resources)) throw new ApiError(0, "an answer that is no list of resources");
    return resources.map((resource) => resource?.name);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}
