import { setTimeout } from "node:timers/promises";
import { afterEach, expect, test } from "vitest";
import {
  type PolicyStatusOptions,
  type PolicyStatusTiming,
  PolicyStatusWriter,
} from "../../../../src/agent/policy/status/policy-status-writer.ts";
import { ApiError } from "../../../../src/sources/kubernetes/api/api-error.ts";
import { waitFor } from "../../../support/namespace.ts";
import { badPeer, clusterPolicy, FakeCluster, networkPolicy, seen } from "./fake-cluster.ts";

const timing: PolicyStatusTiming = {
  spreadMs: 20,
  tickMs: 2,
  paceMs: 0,
  repeatMs: 60_000,
  firstPauseMs: 10,
  mostPauseMs: 60_000,
};
const badNetworkPolicy = networkPolicy("db", { podSelector: { matchLabels: { app: 1 } }, policyTypes: ["Ingress"] });

const writers: PolicyStatusWriter[] = [];
afterEach(() => {
  for (const writer of writers.splice(0)) writer.close();
});

interface Node {
  readonly writer: PolicyStatusWriter;
  readonly complaints: string[];
  isInForce: boolean;
}

function node(
  cluster: FakeCluster,
  options: Partial<PolicyStatusOptions> = {},
  times: Partial<PolicyStatusTiming> = {},
): Node {
  const complaints: string[] = [];
  const self: Node = {
    complaints,
    isInForce: true,
    writer: new PolicyStatusWriter(
      cluster,
      { conditions: true, events: true, nodeName: "node-1", ...options },
      { isInForce: () => self.isInForce, onComplaint: (text) => complaints.push(text) },
      { ...timing, ...times },
    ),
  };
  writers.push(self.writer);
  cluster.watch(self.writer);
  return self;
}

/** Long enough for whatever is still coming. */
const settle = (): Promise<void> => setTimeout(100);

test("what isn't in force on this node isn't said to be", async () => {
  const cluster = new FakeCluster();
  const one = node(cluster);
  one.isInForce = false;
  cluster.put(clusterPolicy("a"));
  one.writer.committed();
  await settle();
  expect(cluster.written).toEqual([]);
  one.isInForce = true;
  await waitFor("the conditions", () => cluster.conditions("a").length === 2);
  // Seen, but not yet part of a commit.
  cluster.put(clusterPolicy("b"));
  await settle();
  expect(cluster.conditions("b")).toEqual([]);
  one.writer.committed();
  await waitFor("the conditions", () => cluster.conditions("b").length === 2);
  expect(cluster.written.every(({ contentType }) => contentType === "application/apply-patch+yaml")).toBe(true);
  expect(cluster.written[0]?.path).toBe(
    "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies/a/status?fieldManager=verdictd&force=true",
  );
});

test("many nodes come to one status, and then are quiet; their events are one", async () => {
  const cluster = new FakeCluster();
  const nodes = Array.from({ length: 30 }, (_, i) => node(cluster, { nodeName: `node-${i}` }, { spreadMs: 1000 }));
  for (const generation of [1, 2]) {
    const before = cluster.written.length;
    cluster.put(clusterPolicy("a", {}, generation));
    cluster.put(clusterPolicy("b", badPeer, generation));
    for (const { writer } of nodes) writer.committed();
    const methods = (): string[] => cluster.written.slice(before).map(({ method }) => method);
    await waitFor("each node to have tried its event", () => methods().filter((each) => each === "POST").length === 30);
    await settle();
    expect(cluster.conditions("a").map(({ type, status }) => `${type}=${status}`)).toEqual([
      "Accepted=True",
      "Programmed=True",
    ]);
    expect(cluster.conditions("b").map(({ type, status }) => `${type}=${status}`)).toEqual([
      "Accepted=False",
      "Programmed=True",
    ]);
    // Without a look at what others wrote there would be sixty.
    const patches = methods().filter((method) => method === "PATCH").length;
    expect(patches).toBeLessThan(30);
    expect(patches).toBeGreaterThanOrEqual(2);
    const posts = cluster.written.slice(before).filter(({ method }) => method === "POST");
    expect(posts.length).toBe(30);
    expect(new Set(posts.map(({ body }) => (body.metadata as { name: string }).name)).size).toBe(1);
  }
  expect(nodes.flatMap(({ complaints }) => complaints)).toEqual([]);
});

test("versions that disagree about a policy don't fight", async () => {
  const cluster = new FakeCluster();
  const old = node(cluster, { events: false });
  const policy = clusterPolicy("a", badPeer);
  cluster.put(policy);
  // The young one finds nothing wrong with it, whatever the watch brings.
  const young = node(cluster, { events: false });
  const { put } = young.writer;
  young.writer.put = (name, what) => put.call(young.writer, name, { ...what, findings: [] });
  cluster.put(policy);
  for (const { writer } of [old, young]) writer.committed();
  await settle();
  await settle();
  expect(cluster.written.length).toBeLessThanOrEqual(3);
  expect(cluster.conditions("a")).toHaveLength(2);
});

test("a bad NetworkPolicy has an event and no status; a good one nothing", async () => {
  const cluster = new FakeCluster();
  const { writer } = node(cluster);
  cluster.put(badNetworkPolicy);
  cluster.put(networkPolicy("web", { podSelector: {}, policyTypes: ["Ingress"] }));
  writer.committed();
  await waitFor("the event", () => cluster.written.length > 0);
  await settle();
  expect(cluster.written.map(({ method, path }) => `${method} ${path}`)).toEqual([
    "POST /api/v1/namespaces/shop/events",
  ]);
});

test.each([
  [{ conditions: true, events: false }, ["PATCH"]],
  [{ conditions: false, events: true }, ["POST"]],
])("only what was asked for is written: %o", async (options, methods) => {
  const cluster = new FakeCluster();
  const { writer } = node(cluster, options);
  cluster.put(clusterPolicy("b", badPeer));
  writer.committed();
  await waitFor("a request", () => cluster.written.length > 0);
  await settle();
  expect(cluster.written.map(({ method }) => method)).toEqual(methods);
});

test("what isn't allowed is said once, with the remedy, and not asked again soon", async () => {
  const cluster = new FakeCluster();
  const { writer, complaints } = node(cluster, { events: false });
  cluster.failures.push(new ApiError(403, "403 forbidden"));
  for (const name of ["a", "b", "c"]) cluster.put(clusterPolicy(name));
  writer.committed();
  await settle();
  expect(cluster.written).toHaveLength(1);
  expect(complaints).toHaveLength(1);
  expect(complaints[0]).toMatch(/--policy-status: .*403.*allow patch/);
});

test("a server that is busy or away is asked again; it's said once", async () => {
  const cluster = new FakeCluster();
  const { writer, complaints } = node(cluster, { events: false });
  cluster.failures.push(new ApiError(503, "503"), new ApiError(503, "503"), new ApiError(429, "429", 30));
  cluster.put(clusterPolicy("a"));
  writer.committed();
  await waitFor("the conditions", () => cluster.conditions("a").length === 2);
  expect(cluster.written).toHaveLength(4);
  expect(complaints).toHaveLength(2);
});

test("what the server won't take is said, and not sent again", async () => {
  const cluster = new FakeCluster();
  const { writer, complaints } = node(cluster, { events: false });
  cluster.failures.push(new ApiError(422, "422 invalid"));
  cluster.put(clusterPolicy("a"));
  writer.committed();
  await settle();
  expect(cluster.written).toHaveLength(1);
  expect(complaints).toHaveLength(1);
});

test("policies that are gone, or were made anew meanwhile, are no complaint", async () => {
  const cluster = new FakeCluster();
  const { writer, complaints } = node(cluster);
  const { name, seen: what } = seen(clusterPolicy("gone"));
  writer.put(name, what);
  writer.committed();
  await waitFor("the request", () => cluster.written.length === 1);
  cluster.failures.push(new ApiError(409, "409 uid"));
  cluster.put(clusterPolicy("anew"));
  writer.committed();
  await waitFor("the conditions", () => cluster.conditions("anew").length === 2);
  expect(complaints).toEqual([]);
});

test("after close nothing is written", async () => {
  const cluster = new FakeCluster();
  const { writer } = node(cluster);
  cluster.put(clusterPolicy("a"));
  writer.committed();
  writer.close();
  await settle();
  expect(cluster.written).toEqual([]);
});
