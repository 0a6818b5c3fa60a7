/**
 * Objects that are almost ours: left out like all that no policy concerns, but with an error, because somebody believes
 * that they count.
 */
import { isObject, type JsonObject, refuse } from "../../evaluators/kubernetes/reading.ts";
import type { Report } from "../../model/finding.ts";
import { nearestOf } from "../../model/nearest.ts";
import { kinds } from "./kinds.ts";

/** `List` is of the core group, as its items' kinds are of theirs. */
const groupsOf = new Map<string, readonly string[]>([
  ["List", [""]],
  ...Object.entries(kinds).flatMap(([kind, { groups }]) => [[kind, groups] as const, [`${kind}List`, groups] as const]),
]);
/** Where each kind has one meaning: what lies in the wrong one of them is nobody else's either. */
const ourGroups = new Set([...groupsOf.values()].flat());

/** What an unknown kind was meant to be; null for what may well be somebody else's. */
export function meantKind({ kind, apiVersion }: JsonObject): string | null {
  if (typeof kind !== "string" || groupsOf.has(kind)) return null;
  const meant = nearestOf(kind, groupsOf.keys());
  if (meant === null || typeof apiVersion !== "string") return meant;
  const groups = groupsOf.get(meant) ?? [];
  const group = groupOf(apiVersion);
  return groups.includes(group) || nearestOf(group, groups) !== null ? meant : null;
}

/** Reports an object of another kind, or of another group, that was meant for one of ours; silent about all others. */
export function reportNearMiss(object: JsonObject, file: string, report: Report): void {
  const { kind, apiVersion } = object;
  if (typeof kind !== "string") return;
  const place = { origin: { file, name: nameOf(object) }, report };
  const meant = meantKind(object);
  if (meant !== null) {
    const message = `${kind} is no kind that is known here, so this object is left out; write kind: ${meant}`;
    refuse({ ...place, path: "kind" }, "unknown-kind", null, message);
    return;
  }
  const groups = groupsOf.get(kind);
  if (groups === undefined || typeof apiVersion !== "string") return;
  const group = groupOf(apiVersion);
  if (groups.includes(group) || !(ourGroups.has(group) || nearestOf(group, groups) !== null)) return;
  const version = apiVersion.slice(apiVersion.indexOf("/") + 1);
  const right = groups[0] === "" ? version : `${groups[0]}/${version}`;
  const message = `there is no ${kind} in apiVersion ${apiVersion}, so this object is left out; write apiVersion: ${right}`;
  refuse({ ...place, path: "apiVersion" }, "unknown-api-version", "AN-64", message);
}

/** The empty text for the core group, whose versions stand alone. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** `networkpolicy shop/db`, as far as it says so. */
function nameOf({ kind, metadata }: JsonObject): string {
  const { name, namespace } = isObject(metadata) ? metadata : {};
  if (typeof name !== "string") return `${kind}`;
  return typeof namespace === "string" ? `${kind} ${namespace}/${name}` : `${kind} ${name}`;
}
