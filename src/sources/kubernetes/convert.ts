/**
 * Kubernetes objects, as `kubectl get -o yaml` prints them or a user writes them, to the inventory. Pure: files and the
 * API bring the same objects here. Kinds that no policy concerns are skipped, almost silently; an object of ours that is broken is
 * reported and opens nothing (DEF-7).
 */
import { isObject, type JsonObject, type Place, refuse } from "../../evaluators/kubernetes/reading.ts";
import type { Report } from "../../model/finding.ts";
import type { KubernetesInventory } from "../../model/kubernetes.ts";
import { kinds } from "./kinds.ts";
import { KubernetesStore } from "./kubernetes-store.ts";
import { readMetadata } from "./metadata.ts";
import { groupOf, meantKind, reportNearMiss } from "./near-miss.ts";
import { emptyParts, type KubernetesParts } from "./parts.ts";

/**
 * Reads one object or `List`. Null, without a finding, for what isn't a Kubernetes object at all; no parts for one of
 * a kind, or of an API group, that doesn't concern policies (AN-64).
 */
export function convertKubernetesDocument(document: unknown, file: string, report: Report): KubernetesParts | null {
  if (!isObject(document) || typeof document.kind !== "string") return null;
  const isOurs =
    document.kind === "List" || Object.hasOwn(kinds, itemKind(document.kind)) || meantKind(document) !== null;
  if (typeof document.apiVersion !== "string" && !isOurs) return null;
  const parts = emptyParts();
  convertObject(document, file, report, parts, 0);
  return parts;
}

/** The inventory of these parts alone, in any order; those of one file in the file's order. */
export function assembleKubernetes(parts: readonly KubernetesParts[], report: Report): KubernetesInventory {
  const files = new Map<string, KubernetesParts[]>();
  for (const part of parts) {
    const [first] = Object.values(part).flat();
    if (first === undefined) continue;
    const known = files.get(first.origin.file);
    if (known) known.push(part);
    else files.set(first.origin.file, [part]);
  }
  const store = new KubernetesStore();
  for (const [file, some] of files) store.replace(file, some);
  store.reportAll(report);
  return store.inventory();
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
