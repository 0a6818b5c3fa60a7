/**
 * What an API server says, put into the store: read to our model at once, so that nothing keeps the server's text. An
 * object that can't be read has no effect but its finding, as in a file.
 */
import type { Finding } from "../../../model/finding.ts";
import type { InventoryStore } from "../../inventory-store.ts";
import { type Kind, kinds } from "../kinds.ts";
import { readMetadata } from "../metadata.ts";
import { emptyParts } from "../parts.ts";
import type { PolicyObserver } from "./policy-observer.ts";
import type { ApiObject, ReflectorSink } from "./reflector.ts";
import type { ApiResource } from "./resources.ts";

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
    const { list, read } = kindOf(resource);
    const whole = { ...object, kind: resource.kind, apiVersion: resource.apiVersion };
    const metadata = this.#readMetadata(resource, whole, (finding) => findings.push(finding));
    if (!metadata) return;
    const parts = emptyParts();
    read(whole, metadata, parts);
    const { origin } = metadata.place;
    this.#listed.get(resource.kind)?.add(origin.name);
    // Nothing was made of it: what it was before doesn't stay.
    const isUsed = parts[list].length > 0;
    if (!isUsed) this.#store.removeObject(list, origin);
    this.#store.putObject(origin, parts, findings);
    if (list === "networkPolicies" || list === "adminPolicies")
      this.#observer?.put(origin.name, { resource, object, findings, isUsed });
  }

  remove(resource: ApiResource, object: ApiObject): void {
    const { kind, apiVersion } = resource;
    const metadata = this.#readMetadata(resource, { ...object, kind, apiVersion }, nobody);
    if (!metadata) return;
    this.#store.removeObject(kindOf(resource).list, metadata.place.origin);
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
    const { list } = kindOf(resource);
    const gone: string[] = [];
    for (const name of this.#store.objectNames(list, this.#file)) {
      if (name.startsWith(`${resource.kind} `) && !names.has(name)) gone.push(name);
    }
    for (const name of gone) this.#store.removeObject(list, { file: this.#file, name });
    this.#observer?.keepOnly(resource.kind, names);
  }

  /** Of an object with its kind and version, which those in lists leave out. */
  #readMetadata(resource: ApiResource, object: ApiObject, report: (finding: Finding) => void) {
    return readMetadata(object, resource.kind, kindOf(resource).isNamespaced, this.#file, report);
  }
}

function kindOf({ kind }: ApiResource): Kind {
  const known = kinds[kind];
  if (!known) throw new TypeError(`no kind that is read: ${kind}`);
  return known;
}
