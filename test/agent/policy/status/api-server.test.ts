/** Conditions and events on a real API server, by two nodes that don't know of each other. */
import { afterEach, expect, test } from "vitest";
import { PolicySources } from "../../../../src/agent/policy/policy-sources.ts";
import { PolicyStatusWriter } from "../../../../src/agent/policy/status/policy-status-writer.ts";
import { connect } from "../../../../src/sources/kubernetes/api/open-cluster.ts";
import { ApiClient, type ApiObject, ApiScope } from "../../../support/api-client.ts";
import { apiSkipReason, kubeconfigPath } from "../../../support/api-server.ts";
import { waitFor } from "../../../support/namespace.ts";

const closers: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

interface Node {
  readonly complaints: string[];
  readonly requests: string[];
}

/** As the policy thread has it: list, watch, commit; what is committed is in force at once. */
async function node(nodeName: string): Promise<Node> {
  const cluster = { kubeconfig: kubeconfigPath, context: null };
  const client = await connect(cluster);
  const self: Node = { complaints: [], requests: [] };
  const policies = new PolicyStatusWriter(
    {
      request: (path, options) => {
        self.requests.push(`${options.method} ${path}`);
        return client.request(path, options);
      },
    },
    { conditions: true, events: true, nodeName },
    { isInForce: () => true, onComplaint: (text) => self.complaints.push(text) },
    { spreadMs: 300, tickMs: 10, paceMs: 10, repeatMs: 60_000, firstPauseMs: 100, mostPauseMs: 60_000 },
  );
  const sources = new PolicySources({ directories: [], vpcs: [], cluster, policies }, () => {});
  closers.push(() => policies.close());
  closers.push(() => sources.close());
  await sources.load();
  sources.watch(() => {});
  return self;
}

type Said = {
  readonly type: string;
  readonly status: string;
  readonly message: string;
  readonly observedGeneration: number;
};

async function find(client: ApiClient, policy: ApiObject): Promise<ApiObject | undefined> {
  const all = (await client.list(policy.apiVersion, policy.kind)) ?? [];
  return all.find(({ metadata }) => metadata.name === policy.metadata.name);
}

async function conditions(client: ApiClient, policy: ApiObject): Promise<readonly Said[]> {
  return ((await find(client, policy))?.status as { conditions?: readonly Said[] } | undefined)?.conditions ?? [];
}

async function eventsAbout(
  client: ApiClient,
  namespace: string,
  { metadata }: ApiObject,
): Promise<readonly ApiObject[]> {
  const events = (await client.list("v1", "Event", namespace)) ?? [];
  return events.filter(({ involvedObject }) => (involvedObject as { name?: string }).name === metadata.name);
}

function clusterPolicy(name: string, label: string, operator: string): ApiObject {
  // It selects nobody but this test's own, wherever the server is.
  const selector = { matchExpressions: [{ key: "verdictd-test", operator: "In", values: [label] }] };
  const from = [{ namespaces: { matchExpressions: [{ key: "verdictd-test", operator, values: [label] }] } }];
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name },
    spec: {
      tier: "Admin",
      priority: 1000,
      subject: { namespaces: selector },
      ingress: [{ name: "a", action: "Accept", from }],
    },
  };
}

test.skipIf(apiSkipReason !== null)(
  `good and bad policies get their conditions and events, once for all nodes${apiSkipReason === null ? "" : ` (${apiSkipReason})`}`,
  async (context) => {
    const client = new ApiClient(kubeconfigPath ?? "");
    closers.push(() => client.close());
    if ((await client.list("policy.networking.k8s.io/v1alpha2", "ClusterNetworkPolicy")) === null) {
      context.skip("this server has no ClusterNetworkPolicy");
    }
    const scope = new ApiScope(client);
    closers.push(() => scope.remove());
    const nodes = [await node("node-1"), await node("node-2")];
    const namespace = await scope.namespace("shop");
    const good = clusterPolicy(`${scope.name}-good`, scope.name, "In");
    const bad = clusterPolicy(`${scope.name}-bad`, scope.name, "Near");
    const badPeers = [{ ipBlock: { cidr: "10.0.0.0/8", except: ["192.168.0.0/16"] } }];
    const network: ApiObject = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { name: "db", namespace },
      spec: { podSelector: { matchLabels: { app: "db" } }, policyTypes: ["Ingress"], ingress: [{ from: badPeers }] },
    };
    await scope.create(good, bad);
    // A cluster with its validation refuses it.
    const takesBad = await scope.create(network).then(
      () => true,
      () => false,
    );
    await waitFor(
      "the conditions",
      async () => {
        const both = [await conditions(client, good), await conditions(client, bad)];
        return both.every((some) => some.length === 2);
      },
      20_000,
    );
    const said = async (policy: ApiObject): Promise<readonly string[]> =>
      (await conditions(client, policy)).map(
        ({ type, status, observedGeneration }) => `${type}=${status} ${observedGeneration}`,
      );
    expect(await said(good)).toEqual(["Accepted=True 1", "Programmed=True 1"]);
    expect(await said(bad)).toEqual(["Accepted=False 1", "Programmed=True 1"]);
    expect((await conditions(client, bad))[0]?.message).toContain("Near");
    expect((await conditions(client, good))[1]?.message).toMatch(/node-[12]$/);
    await waitFor("the event", async () => (await eventsAbout(client, "default", bad)).length > 0, 20_000);
    expect(await eventsAbout(client, "default", bad)).toMatchObject([{ type: "Warning", reason: "InvalidPolicy" }]);
    expect(await eventsAbout(client, "default", good)).toEqual([]);
    if (takesBad) {
      await waitFor("the event", async () => (await eventsAbout(client, namespace, network)).length > 0, 20_000);
      expect(await eventsAbout(client, namespace, network)).toHaveLength(1);
    }

    // Mended: both follow.
    await client.patch(bad, { spec: clusterPolicy("x", scope.name, "In").spec as object });
    await waitFor(
      "the new conditions",
      async () => (await said(bad)).join() === "Accepted=True 2,Programmed=True 2",
      20_000,
    );
    const about = ({ metadata }: ApiObject): number =>
      nodes.flatMap(({ requests }) => requests).filter((request) => request.includes(`/${metadata.name}/`)).length;
    const before = about(good);
    await client.patch(good, { metadata: { labels: { team: "a" } } });
    const next = clusterPolicy(`${scope.name}-next`, scope.name, "In");
    await scope.create(next);
    await waitFor("conditions of a policy after it", async () => (await conditions(client, next)).length === 2, 20_000);
    expect(about(good)).toBe(before);
    await scope.remove();
    await waitFor("the policies' end", async () => (await find(client, good)) === undefined, 20_000);
    expect(nodes.flatMap(({ complaints }) => complaints)).toEqual([]);
  },
  60_000,
);
