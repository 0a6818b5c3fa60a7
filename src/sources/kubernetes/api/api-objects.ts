/**
 * What an API server says, put into the store: read to our model at once, so that nothing keeps the server's text. An
 * object that can't be read has no effect but its finding, as in a file.
 */
import type { Finding } from "../../../model/finding.ts";
import type { InventoryStore } from "../../inventory-store.ts";
import { kinds } from "../kinds.ts";
import { readMetadata } from "../metadata.ts";
import { emptyParts, type KubernetesParts } from "../parts.ts";
import type { PolicyObserver } from "./policy-observer.ts";
import type { ApiObject, ReflectorSink } from "./reflector.ts";
import type { ApiResource } from "./resources.ts";

const lists: Readonly<Record<string, keyof KubernetesParts>> = {
  Pod: "pods",
  Namespace: "namespaces",
  Node: "nodes",
  Service: "services",
  NetworkPolicy: "networkPolicies",
};

const nobody = (): void => {};

export class ApiObjects implements ReflectorSink {
  readonly #store: InventoryStore;
  readonly #file: string;
  readonly #observer: PolicyObserver | null;
  /** Names that a list that isn't complete yet has named so far, by kind. */
  readonly #listed = new Map<string, Set<string>>();

  /** `server` stands where a file's name does. */
  constructor(store: InventoryStore, server: string, observer: PolicyObserver | null = null) {
    this.#store = store;
    this.#file = server;
    this.#observer = observer;
  }

  put(resource: ApiResource, object: ApiObject): void {
    const findings: Finding[] = [];
    const kind = kinds[resource.kind];
    const metadata = kind && this.#readMetadata(resource, object, (finding) => findings.push(finding));
    if (!kind || !metadata) return;
    const parts = emptyParts();
    kind.read({ ...object, kind: resource.kind, apiVersion: resource.apiVersion }, metadata, parts);
    const { origin } = metadata.place;
    this.#listed.get(resource.kind)?.add(origin.name);
    // Nothing was made of it: what it was before doesn't stay.
    const isUsed = parts[listOf(resource)].length > 0;
    if (!isUsed) this.#store.removeObject(listOf(resource), origin);
    this.#store.putObject(origin, parts, findings);
    if (isPolicy(resource)) this.#observer?.put(origin.name, { resource, object, findings, isUsed });
  }

  remove(resource: ApiResource, object: ApiObject): void {
    const metadata = this.#readMetadata(resource, object, nobody);
    if (!metadata) return;
    this.#store.removeObject(listOf(resource), metadata.place.origin);
    this.#observer?.remove(metadata.place.origin.name);
  }

  listing({ kind }: ApiResource): void {
    this.#listed.set(kind, new Set());
  }

  listed(resource: ApiResource): void {
    const listed = this.#listed.get(resource.kind) ?? new Set();
    this.#listed.delete(resource.kind);
    this.#keepOnly(resource, listed);
  }

  /** The server has no such kind any more. */
  clear(resource: ApiResource): void {
    this.#keepOnly(resource, new Set());
  }

  #keepOnly(resource: ApiResource, names: ReadonlySet<string>): void {
    const list = listOf(resource);
    const gone: string[] = [];
    for (const name of this.#store.objectNames(list, this.#file)) {
      if (name.startsWith(`${resource.kind} `) && !names.has(name)) gone.push(name);
    }
    for (const name of gone) this.#store.removeObject(list, { file: this.#file, name });
    this.#observer?.keepOnly(resource.kind, names);
  }

  #readMetadata({ kind, apiVersion }: ApiResource, object: ApiObject, report: (finding: Finding) => void) {
    const isNamespaced = kinds[kind]?.isNamespaced === true;
    return readMetadata({ ...object, apiVersion }, kind, isNamespaced, this.#file, report);
  }
}

function isPolicy(resource: ApiResource): boolean {
  const list = listOf(resource);
  return list === "networkPolicies" || list === "adminPolicies";
}

function listOf({ kind }: ApiResource): keyof KubernetesParts {
  return lists[kind] ?? "adminPolicies";
}
