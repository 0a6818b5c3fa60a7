/**
 * What a server may do for a long time, or once in its life: go away and come back, change its certificate, refuse a
 * token until the new one is there, lose history, send what no server should.
 */
import { afterEach, describe, expect, it, vi } from "vitest";
import type { ApiTimeouts } from "../../../../src/sources/kubernetes/api/api-client.ts";
import type { ApiSourceOptions } from "../../../../src/sources/kubernetes/api/api-source.ts";
import { ApiDouble, doubleSkipReason } from "../../../support/api-double.ts";
import { refusal, silence, text } from "../../../support/api-tricks.ts";
import { adminPolicy, namespace, networkPolicy, pod } from "./objects.ts";
import { patiently, WatchedCluster } from "./watched-cluster.ts";

if (doubleSkipReason !== null) console.warn(`test/sources/kubernetes/api/double-changes: skipped: ${doubleSkipReason}`);

vi.setConfig({ testTimeout: 150_000 });

let double: ApiDouble;
let cluster: WatchedCluster;

/** In sync, and watching. */
async function start(changed: Partial<ApiSourceOptions> = {}, timeouts: Partial<ApiTimeouts> = {}): Promise<void> {
  double = await ApiDouble.start();
  double.apply(namespace("a"));
  double.apply(adminPolicy("red", 5));
  double.apply(networkPolicy("a", "web"));
  for (let i = 1; i <= 5; i++) double.apply(pod("a", i));
  cluster = await WatchedCluster.start(double.kubeconfig, changed, timeouts);
  await patiently("watches", () => double.isWatched);
  await isSame();
}
const isSame = () => cluster.holds(() => double.objects());
const problems = () => cluster.source.status().problems.join("\n");
/** Long enough without an answer to be told, and then told no more. */
const saysSo = async (pattern: RegExp): Promise<void> => {
  const says = () => cluster.problems.some((told) => told.some((one) => pattern.test(one)));
  await patiently("problems", says).catch(() =>
    expect(cluster.problems.flat()).toContainEqual(expect.stringMatching(pattern)),
  );
};
const isWell = () => patiently("no problem", () => problems() === "");

describe.skipIf(doubleSkipReason !== null)(`a server that changes (${doubleSkipReason ?? "the double"})`, () => {
  afterEach(async () => {
    cluster.close();
    await patiently("the connections to be closed", () => double.connections === 0);
    await double.remove();
  });

  it("is away and comes back: all stays as it was, then what has changed is there", async () => {
    await start();
    await double.goDown();
    await saysSo(/ECONNREFUSED.*see whether it runs/);
    double.delete(pod("a", 1));
    double.apply(pod("a", 7));
    expect(cluster.removed).toEqual([]);
    expect(cluster.source.isSynced).toBe(true);
    await double.listen();
    await isSame();
    await isWell();
    expect(cluster.removed).toEqual(["Pod a/pod-1"]);
  });

  it("is away and comes back with nothing of before: what isn't listed any more goes, and nothing else", async () => {
    await start();
    await double.goDown();
    double.delete(pod("a", 1));
    double.delete(networkPolicy("a", "web"));
    double.expire();
    await double.listen();
    await isSame();
    expect(cluster.removed.sort()).toEqual(["NetworkPolicy a/web", "Pod a/pod-1"]);
  });

  it("watches that fall silent are opened again, those with bookmarks aren't", async () => {
    await start();
    double.muteWatches("Pod");
    double.delete(pod("a", 2));
    const timer = setInterval(() => double.bookmark("NetworkPolicy"), 100);
    const before = cluster.source.status().kinds.find(({ kind }) => kind === "NetworkPolicy")?.watches;
    try {
      await isSame();
    } finally {
      clearInterval(timer);
    }
    expect(cluster.source.status().kinds.find(({ kind }) => kind === "NetworkPolicy")?.watches).toBe(before);
    expect(cluster.removed).toEqual(["Pod a/pod-2"]);
  });

  it("a watch goes on from the last bookmark", async () => {
    await start({}, { watchMs: 10_000 });
    double.bookmark("Pod");
    double.apply(pod("a", 8));
    await isSame();
    double.bookmark("Pod");
    let from: string | null = null;
    const lists = double.asked.filter((what) => what === "list Pod").length;
    double.play("Pod", "watch", (_, asked, serve) => {
      from = asked.url.searchParams.get("resourceVersion");
      serve();
    });
    await new Promise((resolve) => setImmediate(resolve));
    double.endWatches("Pod");
    await patiently("another watch", () => from !== null);
    const last = double.objects().find(({ metadata }) => metadata.name === "pod-8")?.metadata.resourceVersion;
    expect(Number(from)).toBeGreaterThan(Number(last));
    expect(double.asked.filter((what) => what === "list Pod")).toHaveLength(lists);
  });

  it("events twice, and versions that go back", async () => {
    await start({}, { watchMs: 10_000 });
    const event = (type: string, object: object) => double.say("Pod", `${JSON.stringify({ type, object })}\n`);
    double.apply(pod("a", 9, { tier: "new" }));
    const stored = double.objects().find(({ metadata }) => metadata.name === "pod-9");
    if (stored === undefined) expect.fail("it's there");
    for (let i = 0; i < 3; i++) event("ADDED", stored);
    const old = { ...stored, metadata: { ...stored.metadata, resourceVersion: "7" } };
    event("MODIFIED", old);
    double.delete(pod("a", 4));
    event("DELETED", { ...pod("a", 4), metadata: { ...pod("a", 4).metadata, resourceVersion: "8" } });
    event("DELETED", { ...pod("a", 44), metadata: { ...pod("a", 44).metadata, resourceVersion: "9" } });
    await isSame();
    double.endWatches("Pod");
    double.apply(pod("a", 10));
    await isSame();
    expect(cluster.removed).toEqual(["Pod a/pod-4"]);
  });

  it("objects of wrong types have no effect but their own, and a finding", async () => {
    await start({}, { watchMs: 10_000 });
    const garbage = [
      { metadata: { name: 5, resourceVersion: "1" } },
      { metadata: { name: "x", namespace: ["a"], resourceVersion: "2" } },
      { ...pod("a", 11), metadata: { name: "pod-11", namespace: "a", labels: "no", resourceVersion: "3" }, status: [] },
      { ...pod("a", 12), spec: { containers: { a: 1 }, nodeName: 7 }, status: { podIPs: "x", podIP: {} } },
      {
        metadata: { name: "y", namespace: "a", resourceVersion: "4", labels: { a: 1, b: null } },
        status: { podIP: "::zz" },
      },
    ];
    for (const object of [...garbage, { metadata: null }])
      double.say("Pod", `${JSON.stringify({ type: "ADDED", object })}\n`);
    const policy = { ...networkPolicy("a", "bad"), spec: { podSelector: 7, ingress: "all", policyTypes: ["Ingress"] } };
    double.apply(policy);
    double.apply(pod("a", 13));
    await patiently("what came after", () =>
      cluster.store.inventory().kubernetes.pods.some(({ name }) => name === "pod-13"),
    );
    await patiently("findings", () => cluster.store.findings().length > 2);
    // One that was good and is bad now doesn't stay as it was.
    double.apply({ ...networkPolicy("a", "web"), spec: "nothing" });
    double.expire();
    double.cutWatches("Pod");
    double.cutWatches("NetworkPolicy");
    await isSame();
    expect(cluster.removed.filter((name) => /pod-[1-5]$/.test(name))).toEqual([]);
  });

  it("an object of a megabyte arrives, one without end doesn't take all memory", async () => {
    await start({}, { watchMs: 10_000 });
    const large = pod("a", 20);
    double.apply({ ...large, metadata: { ...large.metadata, annotations: { much: "x".repeat(1_400_000) } } });
    await isSame();
    const before = process.memoryUsage().rss;
    double.play("Pod", "watch", (answer) => {
      answer.writeHead(200);
      const piece = "x".repeat(1 << 20);
      const pump = (): void => {
        if (!answer.destroyed) answer.write(piece, () => setImmediate(pump));
      };
      pump();
    });
    double.endWatches("Pod");
    await patiently("the end of it", () => double.tricksLeft === 0);
    double.apply(pod("a", 21));
    await isSame();
    expect(process.memoryUsage().rss - before).toBeLessThan(200 << 20);
  });

  it("a token that is refused until the file has the new one", async () => {
    await start();
    double.requireToken("second");
    for (const kind of ["Pod", "AdminNetworkPolicy", "NetworkPolicy"]) double.cutWatches(kind);
    double.delete(pod("a", 1));
    await saysSo(/401.*token/);
    expect(cluster.removed).toEqual([]);
    double.writeToken("second");
    await isSame();
    await isWell();
  });

  it("a token that is refused before anything is known", async () => {
    double = await ApiDouble.start();
    double.apply(pod("a", 1));
    double.requireToken("second");
    cluster = new WatchedCluster(double.kubeconfig);
    const started = cluster.source.start();
    await saysSo(/401.*token/);
    expect(cluster.source.isSynced).toBe(false);
    double.writeToken("second");
    await started;
    await isSame();
  });

  it("a certificate of another CA, until the file has that", async () => {
    await start();
    double.changeCertificate();
    double.delete(pod("a", 1));
    await saysSo(/certificate/);
    expect(cluster.removed).toEqual([]);
    double.writeCa();
    await isSame();
    await isWell();
  });

  it("definitions come and go while we run", async () => {
    await start();
    double.setServed("AdminNetworkPolicy", false);
    await isSame();
    double.setServed("AdminNetworkPolicy", true);
    double.apply(adminPolicy("again", 9));
    await isSame();
    expect(cluster.removed).toEqual(["AdminNetworkPolicy red"]);
    await isWell();
  });

  describe("policies served only under a version that we can't read", () => {
    const serveAs = (version: string) => double.serveAs("AdminNetworkPolicy", `policy.networking.k8s.io/${version}`);
    const unreadable = /AdminNetworkPolicy: there are objects, served only as v1beta1,.*v1alpha1 as well/;

    it("those that were known stay, and it's told until they can be read again", async () => {
      await start();
      serveAs("v1beta1");
      await saysSo(unreadable);
      double.apply({ ...adminPolicy("blue", 6), apiVersion: "policy.networking.k8s.io/v1beta1" });
      // Long past the time after which a kind that isn't served is gone.
      const looks = () => double.asked.filter((what) => what === "list AdminNetworkPolicy").length;
      const before = looks();
      await patiently("more looks", () => looks() > before + 5);
      expect(cluster.removed).toEqual([]);
      expect(problems()).toMatch(unreadable);
      serveAs("v1alpha1");
      await isSame();
      await isWell();
      expect(cluster.store.sizes().adminPolicies).toBe(2);
      expect(cluster.removed).toEqual([]);
    });

    it("at a start nothing is in sync, until they can be read", async () => {
      double = await ApiDouble.start();
      double.apply(adminPolicy("red", 5));
      serveAs("v1beta1");
      cluster = new WatchedCluster(double.kubeconfig);
      const started = cluster.source.start();
      await saysSo(unreadable);
      expect(
        cluster.source
          .status()
          .kinds.filter(({ isSynced }) => !isSynced)
          .map(({ kind }) => kind),
      ).toEqual(["AdminNetworkPolicy"]);
      serveAs("v1alpha1");
      await started;
      await isSame();
      await isWell();
    });

    it("while there are none, it's as if the kind weren't served", async () => {
      double = await ApiDouble.start();
      serveAs("v1beta1");
      cluster = await WatchedCluster.start(double.kubeconfig);
      expect(cluster.problems.flat().filter((told) => unreadable.test(told))).toEqual([]);
      double.apply(adminPolicy("red", 5));
      await saysSo(unreadable);
      double.delete(adminPolicy("red", 5));
      await isWell();
    });

    it("the last one of them deleted, none is known any more", async () => {
      await start();
      serveAs("v1beta1");
      await saysSo(unreadable);
      double.delete(adminPolicy("red", 5));
      await patiently("the policy to go", () => cluster.removed.length > 0);
      expect(cluster.removed).toEqual(["AdminNetworkPolicy red"]);
      await isWell();
    });
  });

  it("a definition that can't be looked up for a while stays as it was", async () => {
    await start();
    double.play(null, "discovery", refusal(503), Number.POSITIVE_INFINITY);
    double.play("AdminNetworkPolicy", "watch", refusal(404), 1);
    double.play("AdminNetworkPolicy", "list", refusal(404), 1);
    double.cutWatches("AdminNetworkPolicy");
    await saysSo(/503/);
    expect(cluster.removed).toEqual([]);
    double.stopTricks();
    await isSame();
    expect(cluster.removed).toEqual([]);
  });

  it("a definition that is missing for a moment, as a server starts, stays as it was", async () => {
    await start({ graceMs: 2000 });
    double.play("AdminNetworkPolicy", "watch", refusal(404), 1);
    double.play("AdminNetworkPolicy", "list", refusal(404), 1);
    double.play(null, "discovery", refusal(404), 6);
    double.cutWatches("AdminNetworkPolicy");
    await patiently("the tricks", () => double.tricksLeft === 0);
    await patiently("another watch", () => double.watches("AdminNetworkPolicy") === 1);
    await isSame();
    expect(cluster.removed).toEqual([]);
  });

  it.each([
    ["end at once", /ended at once/, text("")],
    ["are nonsense", /no JSON/, text("{\n")],
    ["fail with an ERROR", /500/, text('{"type":"ERROR","object":{"kind":"Status","code":500}}\n')],
  ])(
    "watches that %s each time: a list makes up for them, we don't hammer the server, and it's told",
    async (_, pattern, trick) => {
      await start({ backoff: { firstMs: 50, mostMs: 1000 } });
      double.play("Pod", "watch", trick, Number.POSITIVE_INFINITY);
      double.endWatches("Pod");
      double.delete(pod("a", 1));
      await saysSo(pattern);
      await isSame();
      const asked = () => double.asked.filter((what) => what.endsWith(" Pod")).length;
      const before = asked();
      const startMs = performance.now();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      const seconds = (performance.now() - startMs) / 1000;
      expect((asked() - before) / seconds).toBeLessThan(12); // 27 and more, were each try like the first
      double.stopTricks();
      await isWell();
      await isSame();
    },
  );

  it("closed while it lists, and before it's in sync, it ends", async () => {
    double = await ApiDouble.start();
    double.play("Pod", "list", silence, 1);
    cluster = new WatchedCluster(double.kubeconfig);
    const started = cluster.source.start();
    await patiently("the list", () => double.tricksLeft === 0);
    cluster.close();
    cluster.close();
    await started;
    expect(cluster.source.isSynced).toBe(false);
  });

  it("closed, it tells nothing and asks nothing", async () => {
    await start();
    cluster.close();
    await patiently("the connections to be closed", () => double.connections === 0);
    const asked = double.asked.length;
    const told = cluster.problems.length;
    double.delete(pod("a", 1));
    await new Promise((resolve) => setTimeout(resolve, 500));
    expect([double.asked.length, cluster.problems.length, cluster.removed]).toEqual([asked, told, []]);
  });
});
