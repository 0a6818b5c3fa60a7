/** A source on an API server, with everything that it told: what tests compare with the server itself. */
import { expect } from "vitest";
import { InventoryStore } from "../../../../src/sources/inventory-store.ts";
import { ApiClient, type ApiTimeouts } from "../../../../src/sources/kubernetes/api/api-client.ts";
import { ApiObjects } from "../../../../src/sources/kubernetes/api/api-objects.ts";
import { ApiSource, type ApiSourceOptions } from "../../../../src/sources/kubernetes/api/api-source.ts";
import { ClusterAccess } from "../../../../src/sources/kubernetes/api/cluster-access.ts";
import { builtInResources, policyResources, resourceAt } from "../../../../src/sources/kubernetes/api/resources.ts";
import type { ApiObject } from "../../../support/api-client.ts";
import { waitFor } from "../../../support/namespace.ts";

/**
 * Waits for long where the machine has other work, and doesn't ask so often that this is the work; what isn't about
 * patience is short, for all of it to happen soon.
 */
export async function patiently(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  await waitFor(what, condition, 60_000, 30);
}

const options: ApiSourceOptions = {
  pageSize: 3,
  backoff: { firstMs: 20, mostMs: 300 },
  watchSeconds: 290,
  discoveryMs: 100,
  graceMs: 300,
  patienceMs: 200,
};
/** Long enough for many servers at once on a busy machine: one that is cut off for being slow is asked again, and slower. */
const timeouts: ApiTimeouts = { answerMs: 2500, watchMs: 4000 };

export const readableResources = [
  ...builtInResources,
  ...policyResources.flatMap((optional) => optional.versions.map((version) => resourceAt(optional, version))),
];

export class WatchedCluster {
  readonly store = new InventoryStore();
  readonly source: ApiSource;
  /** Names of objects that were there and then weren't, as often as that happened. */
  readonly removed: string[] = [];
  /** Each set of problems that was told. */
  readonly problems: (readonly string[])[] = [];
  readonly #server: string;

  constructor(kubeconfig: string, changed: Partial<ApiSourceOptions> = {}, changedTimeouts: Partial<ApiTimeouts> = {}) {
    const access = new ClusterAccess({ kubeconfig, context: null });
    this.#server = access.server;
    const client = new ApiClient(access, { ...timeouts, ...changedTimeouts });
    const listeners = {
      onChange: () => this.#commit(),
      onProblems: () => this.problems.push(this.source.status().problems),
    };
    this.source = new ApiSource(client, this.store, listeners, { ...options, ...changed });
  }

  /** In sync with the server. */
  static async start(...given: ConstructorParameters<typeof WatchedCluster>): Promise<WatchedCluster> {
    const cluster = new WatchedCluster(...given);
    await cluster.source.start();
    return cluster;
  }

  /** Waits until the store holds exactly these objects, read as a file's are; shows what differs where it doesn't. */
  async holds(objects: () => readonly ApiObject[] | Promise<readonly ApiObject[]>): Promise<void> {
    const isEqual = async () => this.#text() === textOf(this.#server, await objects());
    await patiently("the server's objects", isEqual).catch(async () => {
      expect(JSON.parse(this.#text())).toEqual(JSON.parse(textOf(this.#server, await objects())));
    });
  }

  close(): void {
    this.source.close();
  }

  #commit(): void {
    for (const changes of Object.values(this.store.commit().kubernetes)) {
      for (const { before, after } of changes ?? []) {
        if (before !== null && after === null) this.removed.push(before.origin.name);
      }
    }
  }

  #text(): string {
    return printInventory(this.store);
  }
}

/** Objects as a list of the server has them, put into a store of their own. */
function textOf(server: string, objects: readonly ApiObject[]): string {
  const store = new InventoryStore();
  const sink = new ApiObjects(store, server);
  for (const object of objects) {
    const resource = readableResources.find(({ kind }) => kind === object.kind);
    if (resource !== undefined) sink.put(resource, object);
  }
  return printInventory(store);
}

/** Numbers of pods without an address are in the order in which these came, and mean nothing. */
function printInventory(store: InventoryStore): string {
  return JSON.stringify(store.inventory(), (key, value) =>
    key === "addresses" && value?.[0]?.family === 0 ? [] : value,
  );
}
