/**
 * Kubernetes objects, as `kubectl get -o yaml` prints them or a user writes them, to the inventory. Pure: files and the
 * API bring the same objects here. Kinds that no policy concerns are skipped, almost silently; an object of ours that is broken is
 * reported and opens nothing (DEF-7). The inventory of all objects has each object once, each address with one owner
 * and everything in text order, so that the order of files and objects changes nothing (PL-25).
 */
import { isObject, type JsonObject, type Place, refuse } from "../../evaluators/kubernetes/reading.ts";
import { compareAdminPolicies } from "../../model/admin-policy.ts";
import type { Origin, Report } from "../../model/finding.ts";
import type { KubernetesInventory } from "../../model/kubernetes.ts";
import { reportDuplicate } from "../duplicate.ts";
import { reportEqualPriorities } from "./check-admin-policies.ts";
import { reportUnknownNamespaces } from "./check-namespaces.ts";
import { kinds } from "./kinds.ts";
import { readMetadata } from "./metadata.ts";
import { groupOf, meantKind, reportNearMiss } from "./near-miss.ts";
import type { KubernetesParts } from "./parts.ts";
import { numberPods, settleAddresses } from "./settle-addresses.ts";

/**
 * Reads one object or `List`. Null, without a finding, for what isn't a Kubernetes object at all; no parts for one of
 * a kind, or of an API group, that doesn't concern policies (AN-64).
 */
export function convertKubernetesDocument(document: unknown, file: string, report: Report): KubernetesParts | null {
  if (!isObject(document) || typeof document.kind !== "string") return null;
  const isOurs =
    document.kind === "List" || Object.hasOwn(kinds, itemKind(document.kind)) || meantKind(document) !== null;
  if (typeof document.apiVersion !== "string" && !isOurs) return null;
  const parts: KubernetesParts = {
    pods: [],
    namespaces: [],
    nodes: [],
    services: [],
    networkPolicies: [],
    adminPolicies: [],
  };
  convertObject(document, file, report, parts, 0);
  return parts;
}

/** Parts in any order; those of one file in the file's order. */
export function assembleKubernetes(parts: readonly KubernetesParts[], report: Report): KubernetesInventory {
  const all = <K extends keyof KubernetesParts>(key: K): KubernetesParts[K][number][] =>
    firstOfEach(
      parts.flatMap((part): KubernetesParts[K][number][] => part[key]),
      report,
    );
  const adminPolicies = all("adminPolicies").sort((a, b) => compareText(a.tier, b.tier) || compareAdminPolicies(a, b));
  reportEqualPriorities(adminPolicies, report);
  const kubernetes: KubernetesInventory = {
    pods: numberPods(settleAddresses(all("pods").sort(byName), report)),
    namespaces: all("namespaces").sort(byName),
    nodes: all("nodes").sort(byName),
    services: all("services").sort(byName),
    networkPolicies: all("networkPolicies").sort(byName),
    adminPolicies,
  };
  reportUnknownNamespaces(kubernetes, report);
  return kubernetes;
}

/** The same object in two places: the first in order of path counts. Its name is kind, namespace and name. */
function firstOfEach<T extends { readonly origin: Origin }>(objects: readonly T[], report: Report): T[] {
  const first = new Map<string, T>();
  for (const object of [...objects].sort((a, b) => compareText(a.origin.file, b.origin.file))) {
    const other = first.get(object.origin.name);
    if (other) reportDuplicate(object, other, report);
    else first.set(object.origin.name, object);
  }
  return [...first.values()];
}

/** Lists in lists are legal and pointless; YAML aliases can make them endless. */
const maxDepth = 3;

function convertObject(object: JsonObject, file: string, report: Report, parts: KubernetesParts, depth: number): void {
  const kindName = object.kind as string;
  const listOf = itemKind(kindName);
  if (kindName === "List" || (kindName !== listOf && Object.hasOwn(kinds, listOf))) {
    convertList(object, file, report, parts, depth);
    return;
  }
  const kind = Object.hasOwn(kinds, kindName) ? kinds[kindName] : undefined;
  if (!kind || (typeof object.apiVersion === "string" && !kind.groups.includes(groupOf(object.apiVersion)))) {
    reportNearMiss(object, file, report);
    return;
  }
  const metadata = readMetadata(object, kindName, kind.isNamespaced, file, report);
  if (metadata) kind.read(object, metadata, parts);
}

/** Items of a typed list may leave out their kind, as the API prints them. */
function convertList(list: JsonObject, file: string, report: Report, parts: KubernetesParts, depth: number): void {
  const place: Place = { origin: { file, name: `${list.kind}` }, path: "items", report };
  const items = list.items ?? [];
  if (!Array.isArray(items) || depth >= maxDepth) {
    refuse(place, "bad-list", null, `not a list of objects, or too deep in other lists; write one list of objects`);
    return;
  }
  const defaults = list.kind === "List" ? {} : { kind: itemKind(`${list.kind}`), apiVersion: list.apiVersion };
  items.forEach((item: unknown, i) => {
    const object = isObject(item) ? { ...defaults, ...item } : null;
    if (object && typeof (object as JsonObject).kind === "string")
      convertObject(object, file, report, parts, depth + 1);
    else refuse({ ...place, path: `items[${i}]` }, "bad-item", null, "no Kubernetes object; it needs a kind");
  });
}

/** `Pod` for `PodList`; the kind itself for anything else. */
function itemKind(kind: string): string {
  return kind.endsWith("List") && kind !== "List" ? kind.slice(0, -4) : kind;
}

interface Named {
  readonly namespace?: string;
  readonly name: string;
  readonly origin: Origin;
}

function byName(a: Named, b: Named): number {
  return (
    compareText(a.namespace ?? "", b.namespace ?? "") ||
    compareText(a.name, b.name) ||
    compareText(a.origin.name, b.origin.name)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
