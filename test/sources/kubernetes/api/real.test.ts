/**
 * A real API server in its rare moments: history lost, watches dropped and reset, restarts, a new token, definitions that
 * come and go; the same for one without its watch cache, and for an older one. After each, what is known is what the
 * server lists, and nothing was missing meanwhile.
 */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ApiClient, type ApiObject, ApiScope } from "../../../support/api-client.ts";
import {
  apiSkipReason,
  kubeconfigPath,
  OwnApiServer,
  ownServerSkipReason,
  provoke,
} from "../../../support/api-server.ts";
import { createPolicyCrds, readPolicyCrds } from "../../../support/shared-api-server.ts";
import { adminPolicy, namespace, networkPolicy, node, pod, service } from "./objects.ts";
import { patiently, readableResources, WatchedCluster } from "./watched-cluster.ts";

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const ANP_CRD = `${CRDS}/adminnetworkpolicies.policy.networking.k8s.io`;
const withoutCrds = readPolicyCrds().length === 0;
if (ownServerSkipReason !== null) console.warn(`test/sources/kubernetes/api/real: skipped: ${ownServerSkipReason}`);
if (apiSkipReason !== null) console.warn(`test/sources/kubernetes/api/real: skipped: ${apiSkipReason}`);

/** All that a server has of our kinds, freshly listed. */
async function listAll(client: ApiClient): Promise<ApiObject[]> {
  const objects: ApiObject[] = [];
  for (const { apiVersion, kind } of readableResources) objects.push(...((await client.list(apiVersion, kind)) ?? []));
  return objects;
}

describe.skipIf(ownServerSkipReason !== null).each([
  { name: "as it is", flags: [] },
  { name: "without its watch cache", flags: ["--watch-cache=false"] },
  { name: "older, without WatchList", flags: ["--feature-gates", "WatchList=false"] },
])(`a server $name (${ownServerSkipReason ?? "as built"})`, ({ flags }) => {
  let server: OwnApiServer;
  let client: ApiClient;
  let cluster: WatchedCluster;
  let turn = 10;
  /** Names of what the tests have deleted. */
  const deleted: string[] = [];

  beforeAll(async () => {
    server = await OwnApiServer.start({ flags });
    client = server.client();
    if (!withoutCrds) await createPolicyCrds(client);
    await client.create(namespace("a", { team: "red" }));
    await client.create(node("node-1", "192.0.2.1"));
    await client.create(service("a", "web", "10.96.0.10"));
    await client.create(networkPolicy("a", "web"));
    for (let i = 1; i <= 8; i++) await client.create(pod("a", i));
    if (!withoutCrds) await patiently("the definition", async () => (await client.list(...anp)) !== null);
    if (!withoutCrds) await client.create(adminPolicy("red", 5));
    // Silence is no failure here: this server's bookmarks come once a minute.
    cluster = await WatchedCluster.start(server.kubeconfig, {}, { answerMs: 10_000, watchMs: 150_000 });
  });
  afterAll(async () => {
    cluster?.close();
    client?.close();
    await server?.remove();
  });

  const anp = ["policy.networking.k8s.io/v1alpha1", "AdminNetworkPolicy"] as const;
  const isSame = () => cluster.holds(() => listAll(client));
  const remove = async (object: ApiObject): Promise<void> => {
    deleted.push(
      `${object.kind} ${object.metadata.namespace ? `${object.metadata.namespace}/` : ""}${object.metadata.name}`,
    );
    await client.delete(object);
  };
  /** A pod comes, another changes, another goes, and a policy. */
  const change = async (): Promise<void> => {
    const i = turn++;
    await client.create(pod("a", i));
    await client.patch(pod("a", 1), { metadata: { labels: { turn: String(i) } } });
    await remove(i === 10 ? pod("a", 2) : pod("a", i - 1));
    await client.create(networkPolicy("a", `policy-${i}`));
    if (i > 10) await remove(networkPolicy("a", `policy-${i - 1}`));
  };
  const isWell = () => patiently("no problem", () => cluster.source.status().problems.length === 0);
  const watches = () => cluster.source.status().kinds.reduce((sum, kind) => sum + kind.watches, 0);
  /** Nothing went but what the test deleted, and each once; what came and went while nobody could tell us isn't known. */
  const isComplete = () => {
    expect(cluster.removed.filter((name) => !deleted.includes(name))).toEqual([]);
    expect(new Set(cluster.removed).size).toBe(cluster.removed.length);
  };

  it("is known, in several pages", async () => {
    await isSame();
    expect(cluster.store.sizes()).toMatchObject({ pods: 8, nodes: 1, services: 1, networkPolicies: 1 });
    expect(cluster.store.sizes().adminPolicies).toBe(withoutCrds ? 0 : 1);
  });

  it.each(["drop-watches", "abort-watches", "compact", "expire"] as const)("%s", async (action) => {
    await change();
    const before = watches();
    await provoke(client, action);
    await change();
    await isSame();
    isComplete();
    if (action !== "compact") await patiently("new watches", () => watches() > before);
    await change();
    await isSame();
    isComplete();
  });

  it("all of them in one, while objects change", async () => {
    for (const action of ["compact", "drop-watches", "expire", "abort-watches", "compact", "abort-watches"] as const) {
      await change();
      await provoke(client, action);
    }
    await change();
    await isSame();
    isComplete();
  });

  it.each([
    ["restarted", "SIGTERM"],
    ["killed and started again", "SIGKILL"],
  ] as const)("%s on the same data", async (_, signal) => {
    await change();
    await isSame();
    await server.stop(signal);
    await patiently("a problem to be told", () => cluster.source.status().problems.length > 0);
    isComplete();
    await server.start();
    await change();
    await isSame();
    isComplete();
    await isWell();
  });

  it("started again with another token, which the kubeconfig has by then", async () => {
    await server.stop();
    await server.start(["--token", "another"]);
    client.close();
    client = server.client();
    await change();
    await isSame();
    isComplete();
    await server.stop();
    await server.start(["--token", "and-another"]);
    client.close();
    client = server.client();
    await change();
    await isSame();
    isComplete();
  });

  it.skipIf(withoutCrds)("a definition deleted and made again while it's watched", async () => {
    deleted.push("AdminNetworkPolicy red");
    await client.must("DELETE", ANP_CRD);
    await patiently("the definition to go", async () => (await client.list(...anp)) === null);
    await isSame();
    isComplete();
    await isWell();
    const crd = readPolicyCrds().find((text) => text.includes("name: adminnetworkpolicies."));
    await client.must("POST", CRDS, crd, "application/yaml");
    await patiently("the definition", async () => (await client.list(...anp)) !== null);
    await client.create(adminPolicy("blue", 7));
    await isSame();
    expect(cluster.store.sizes().adminPolicies).toBe(1);
    isComplete();
  });

  it.skipIf(withoutCrds)("a definition that serves another version only, and then ours again", async () => {
    interface Version {
      readonly name: string;
    }
    const { spec } = (await client.must("GET", ANP_CRD)) as {
      readonly spec: { readonly versions: readonly Version[] };
    };
    const [ours] = spec.versions;
    const setVersions = (versions: readonly object[]) =>
      client.must("PATCH", ANP_CRD, { spec: { versions } }, "application/merge-patch+json");
    await setVersions([
      { ...ours, served: false },
      { ...ours, name: "v1beta1", served: true, storage: false },
    ]);
    const isTold = () => cluster.source.status().problems.some((text) => /served only as v1beta1/.test(text));
    await patiently("it to be told", isTold);
    isComplete();
    expect(cluster.store.sizes().adminPolicies).toBe(1);
    await setVersions([{ ...ours }, { ...ours, name: "v1beta1", served: false, storage: false }]);
    await isWell();
    await isSame();
    isComplete();
  });
});

describe.skipIf(apiSkipReason !== null)(`a shared server (${apiSkipReason ?? "as given"})`, () => {
  it("is known, changes of it too, and a namespace that goes takes its objects along", async () => {
    const client = new ApiClient(kubeconfigPath ?? "");
    const scope = new ApiScope(client);
    const cluster = new WatchedCluster(kubeconfigPath ?? "", { pageSize: 5 }, { answerMs: 30_000, watchMs: 150_000 });
    const ours = () => cluster.store.inventory().kubernetes.pods.filter((one) => one.namespace.startsWith(scope.name));
    try {
      const home = await scope.namespace("a");
      for (let i = 1; i <= 7; i++) await scope.create(pod(home, i));
      await cluster.source.start();
      expect(ours().map(({ name }) => name)).toEqual([1, 2, 3, 4, 5, 6, 7].map((i) => `pod-${i}`));
      await client.patch(pod(home, 3), { metadata: { labels: { app: "other" } } });
      await patiently("the label", () => ours()[2]?.labels.app === "other");
      await client.delete(namespace(home));
      await patiently("the namespace to go", () => ours().length === 0);
    } finally {
      cluster.close();
      await scope.remove();
      client.close();
    }
  });
});
