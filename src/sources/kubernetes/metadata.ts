/** What every object says of itself: namespace, name, labels, age. */
import {
  at,
  isObject,
  type JsonObject,
  type Place,
  readObject,
  refuse,
  wrongType,
} from "../../evaluators/kubernetes/reading.ts";
import type { Report } from "../../model/finding.ts";
import type { Labels } from "../../model/labels.ts";

/** What metadata says of any object; its place carries the origin. */
export interface Metadata {
  readonly namespace: string;
  /** The namespace isn't written, so that it is `default`. */
  readonly isHomeless: boolean;
  readonly name: string;
  readonly labels: Labels;
  readonly createdAt: string;
  readonly owner: { readonly kind: string; readonly name: string } | null;
  readonly place: Place;
}

const noLabels: Labels = {};

/** Null, and reported, for an object without a readable name: it has no effect (NP-12). */
export function readMetadata(
  object: JsonObject,
  kind: string,
  isNamespaced: boolean,
  file: string,
  report: Report,
): Metadata | null {
  const raw = isObject(object.metadata) ? object.metadata : {};
  const { name, namespace = null, creationTimestamp } = raw;
  if (typeof name !== "string" || name === "") {
    const message = `a ${kind} needs a name, so this one has no effect; give metadata.name`;
    return refuse({ origin: { file, name: kind }, path: "metadata.name", report }, "missing-name", "NP-12", message);
  }
  const home = typeof namespace === "string" && namespace !== "" ? namespace : "default";
  const place: Place = { origin: { file, name: `${kind} ${isNamespaced ? `${home}/` : ""}${name}` }, path: "", report };
  if (isNamespaced && namespace !== null && typeof namespace !== "string") {
    const message = `${JSON.stringify(namespace)} is no namespace's name, so default is taken; write text`;
    refuse({ ...place, path: "metadata.namespace" }, "wrong-type", "NP-12", message);
  }
  if (typeof object.apiVersion !== "string") {
    const message = `apiVersion is missing, so this is taken for the ${kind} of Kubernetes; write apiVersion`;
    refuse({ ...place, path: "apiVersion" }, "missing-api-version", null, message);
  }
  return {
    namespace: home,
    isHomeless: namespace === null || namespace === "",
    name,
    labels: readLabels(field(object, "metadata", place).labels, place, "metadata.labels"),
    createdAt: createdAtText(creationTimestamp),
    owner: readOwner(raw.ownerReferences),
    place,
  };
}

/** The one that controls it; it only gives the pod another name, so that what is broken there is left out. */
function readOwner(references: unknown): Metadata["owner"] {
  if (!Array.isArray(references)) return null;
  const owner: unknown = references.find((reference) => isObject(reference) && reference.controller === true);
  if (!isObject(owner) || typeof owner.name !== "string") return null;
  return { kind: typeof owner.kind === "string" ? owner.kind : "Pod", name: owner.name };
}

/** YAML readers may have made a date of it. */
function createdAtText(value: unknown): string {
  if (value instanceof Date) return value.toISOString();
  return typeof value === "string" ? value : "";
}

/** Without the labels that aren't text, each of them reported (AN-64). */
export function readLabels(value: unknown, place: Place, path: string): Labels {
  if (value === undefined || value === null) return noLabels;
  if (!isObject(value)) {
    wrongType(value, at(place, path), "an object", "AN-64");
    return noLabels;
  }
  const bad = Object.keys(value).filter((key) => typeof value[key] !== "string");
  if (bad.length === 0) return value as Labels;
  for (const key of bad) {
    const message = `a label's value is text, so this label is dropped; quote it: ${JSON.stringify(String(value[key]))}`;
    refuse(at(at(place, path), key), "label-not-a-string", "NP-23", message);
  }
  return Object.fromEntries(Object.entries(value).filter(([key]) => !bad.includes(key))) as Labels;
}

/** An object's field that must be an object too. */
export function field(object: JsonObject, key: string, place: Place): JsonObject {
  const value = object[key];
  if (isObject(value)) return value;
  return value === undefined || value === null ? {} : (readObject(value, at(place, key), "AN-64") ?? {});
}
