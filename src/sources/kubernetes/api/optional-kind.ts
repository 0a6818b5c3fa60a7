/**
 * Whether a server has a kind that a custom resource definition brings, and under which version. Definitions come and go
 * while we run; a server that is starting may not have read them yet, so one look that finds nothing says little. All
 * versions of a kind have the same objects: one that is served only under versions of others isn't one that has none.
 */
import type { ApiClient } from "./api-client.ts";
import { ApiError, UnreadableKindError } from "./api-error.ts";
import { type ApiResource, type OptionalResource, resourceAt } from "./resources.ts";

/**
 * Null where the server says that it has none. Throws UnreadableKindError where it has objects of it and none that we can
 * read, ApiError where it doesn't say.
 */
export async function findResource(
  client: ApiClient,
  optional: OptionalResource,
  signal: AbortSignal,
): Promise<ApiResource | null> {
  const isServedAt = async (version: string): Promise<boolean> => {
    const answer = await lookUp(client, `/apis/${optional.group}/${version}`, signal);
    return answer !== null && fieldsOf(answer, "resources", "name").includes(optional.plural);
  };
  for (const version of optional.versions) if (await isServedAt(version)) return resourceAt(optional, version);
  const group = await lookUp(client, `/apis/${optional.group}`, signal);
  const others: string[] = [];
  for (const version of group === null ? [] : fieldsOf(group, "versions", "version")) {
    if (typeof version !== "string" || optional.versions.includes(version)) continue;
    if (await isServedAt(version)) others.push(version);
  }
  const [other] = others;
  if (other === undefined) return null;
  const first = await lookUp(client, `${resourceAt(optional, other).path}?limit=1`, signal);
  // Gone in between.
  if (first === null) return null;
  const { items } = first as { readonly items?: unknown };
  if (items === null || (Array.isArray(items) && items.length === 0)) return null;
  throw new UnreadableKindError(others, optional.versions);
}

/** Null where there's nothing of that path. */
async function lookUp(client: ApiClient, path: string, signal: AbortSignal): Promise<unknown> {
  try {
    return (await client.request(path, { signal })) ?? {};
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/** One field of each entry of a list. */
function fieldsOf(answer: unknown, list: string, field: string): readonly unknown[] {
  const entries = (answer as Readonly<Record<string, unknown>>)[list];
  if (!Array.isArray(entries)) throw new ApiError(0, `an answer that is no list of ${list}`);
  return entries.map((entry) => entry?.[field]);
}
