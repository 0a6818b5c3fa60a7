/**
 * `run --kubernetes` on a node whose API server is real: it enforces when it's in sync and not before, what the server
 * says is soon in the kernel, and a server that is gone changes nothing of it.
 */
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ApiClient as SourceClient } from "../../src/sources/kubernetes/api/api-client.ts";
import { ClusterAccess } from "../../src/sources/kubernetes/api/cluster-access.ts";
import type { ApiClient, ApiObject } from "../support/api-client.ts";
import { OwnApiServer, ownServerSkipReason } from "../support/api-server.ts";
import { Engine } from "../support/engine.ts";
import { namespaceObject, networkPolicy, node, pod } from "../support/kubernetes.ts";
import { skipReason as labSkipReason, waitFor } from "../support/namespace.ts";
import { createNodeLab, type NodeLab, nodeAddress, podAddress, settleNode } from "../support/node-lab.ts";
import { Relay } from "../support/relay.ts";

const skipReason = labSkipReason ?? ownServerSkipReason;
if (skipReason !== null) console.warn(`test/agent/kubernetes: skipped: ${skipReason}`);

/** Longer: VERDICTD_CHANGES=400, at a quiet moment, with VERDICTD_P99_MS=50. */
const changes = Number(process.env.VERDICTD_CHANGES ?? 40);
/** On a machine with other work; what is promised is 50 at a quiet moment. */
const p99Ms = Number(process.env.VERDICTD_P99_MS ?? 1000);

const web = pod("web", { app: "web" }, podAddress.web) as unknown as ApiObject;
const stranger = pod("stranger", { app: "stranger" }, podAddress.stranger) as unknown as ApiObject;
const dbFromWeb = networkPolicy("db", {
  podSelector: { matchLabels: { app: "db" } },
  policyTypes: ["Ingress"],
  ingress: [{ from: [{ podSelector: { matchLabels: { app: "web" } } }] }],
}) as ApiObject;

describe.skipIf(skipReason !== null)(`run --kubernetes (${skipReason ?? "as root"})`, () => {
  let net: NodeLab;
  let server: OwnApiServer;
  let client: ApiClient;
  let relay: Relay;
  let engine: Engine | null = null;

  beforeAll(async () => {
    server = await OwnApiServer.start();
    client = server.client();
    net = createNodeLab("veth");
    relay = await Relay.start(net.node, Number(client.server.port));
    await settleNode(net);
    await net.peers.db.serve([8080]);
    await client.create(namespaceObject("shop", {}) as ApiObject);
    await client.create(node(nodeAddress) as unknown as ApiObject);
    await client.create(pod("db", { app: "db" }, podAddress.db) as unknown as ApiObject);
    for (const object of [web, stranger, dbFromWeb]) await client.create(object);
  }, 120_000);
  afterAll(async () => {
    await engine?.stop();
    relay?.close();
    client?.close();
    net?.lab.destroy();
    await server?.remove();
  });

  const args = () => ["--kubeconfig", server.kubeconfig, "--node-name", "node-1"];
  const start = async (): Promise<Engine> => {
    const started = new Engine(net.node, args());
    engine = started;
    await started.reaches("ready", () => started.events.some(({ event }) => event === "ready"), 30_000);
    return started;
  };
  const rules = () => net.node.check(["nft", "list", "ruleset"]);
  /** Whether `web` and `stranger` reach the database, in both families. */
  const reach = async (): Promise<string[]> => {
    const probe = async (name: "web" | "stranger", host: string): Promise<string> => {
      const result = await net.peers[name].connectTcp(host, 8080, 1000);
      if (typeof result === "string") return `${name} ${result}`;
      await result.close();
      return `${name} open`;
    };
    return Promise.all(podAddress.db.flatMap((host) => [probe("web", host), probe("stranger", host)]));
  };
  const isolated = ["web open", "stranger timeout", "web open", "stranger timeout"];
  const readyz = (): { status: number; ready: boolean; inventoryStale: boolean; reasons: string[] } => {
    const script = `fetch("http://127.0.0.1:9472/readyz").then(async (answer) =>
      console.log(JSON.stringify({ status: answer.status, ...(await answer.json()) })))`;
    const { status, stdout } = net.node.run([process.execPath, "-e", script]);
    return status === 0 ? JSON.parse(stdout) : { status: 0, ready: false, inventoryStale: false, reasons: [] };
  };

  const page = (path: string): string =>
    net.node.check([
      process.execPath,
      "-e",
      `fetch("http://127.0.0.1:9472${path}").then(async (answer) => console.log(await answer.text()))`,
    ]);

  test("without its server it isn't ready, enforces nothing, says why, and ends in order when asked", async () => {
    await server.stop("SIGKILL");
    const waiting = new Engine(net.node, args());
    engine = waiting;
    try {
      await waiting.reaches("a word of it", () => waiting.stderr.includes("waiting for the API server"));
      await waitFor("the reason", () => readyz().reasons.join().includes("127.0.0.1"), 20_000);
      expect(readyz()).toMatchObject({ status: 503, ready: false });
      expect(waiting.events).toEqual([]);
      // What alerts look at: there before anything is known.
      expect(page("/metrics")).toMatch(/^verdictd_ready 0$/m);
      expect(page("/metrics")).toMatch(/^verdictd_kubernetes_synced\{kind="NetworkPolicy"\} 0$/m);
      expect(rules()).toBe("");
      expect(await waiting.stop()).toBe(0);
      expect(waiting.stderr).toContain("waiting for the policies");
      expect(rules()).toBe("");
    } finally {
      await server.start();
    }
  }, 60_000);

  test("in sync, it enforces; what changes on the server is enforced", async () => {
    const running = await start();
    expect(readyz()).toMatchObject({ status: 200, ready: true, inventoryStale: false, reasons: [] });
    expect(await reach()).toEqual(isolated);
    const applies = async (change: () => Promise<void>): Promise<void> => {
      const before = running.epoch;
      await change();
      await running.reaches(`an epoch after ${before}`, () => running.epoch > before);
    };
    await applies(() => client.patch(stranger, { metadata: { labels: { app: "web" } } }));
    await applies(() => client.patch(web, { metadata: { labels: { app: "other" } } }));
    expect(await reach()).toEqual(["web timeout", "stranger open", "web timeout", "stranger open"]);
    await applies(() => client.delete(dbFromWeb));
    expect(await reach()).toEqual(["web open", "stranger open", "web open", "stranger open"]);
    await applies(() => client.create(dbFromWeb));
    await applies(() => client.patch(stranger, { metadata: { labels: { app: "stranger" } } }));
    await applies(() => client.patch(web, { metadata: { labels: { app: "web" } } }));
    expect(await reach()).toEqual(isolated);
  }, 60_000);

  test.each(["SIGKILL", "SIGTERM"] as const)(
    "a server that is gone (%s) changes nothing; back again, it catches up",
    async (signal) => {
      const running = engine ?? expect.fail("it runs");
      const { epoch } = running;
      await server.stop(signal);
      await waitFor("/readyz to tell", () => readyz().inventoryStale, 20_000);
      expect(readyz()).toMatchObject({ status: 200, ready: true, reasons: [expect.stringContaining("127.0.0.1")] });
      expect(await reach()).toEqual(isolated);
      expect(running.epoch).toBe(epoch);
      await server.start();
      await client.patch(stranger, { metadata: { labels: { app: "web" } } });
      await running.reaches("the change", () => running.epoch > epoch, 45_000);
      expect(await reach()).toEqual(["web open", "stranger open", "web open", "stranger open"]);
      await waitFor("/readyz to be well", () => !readyz().inventoryStale, 20_000);
      await client.patch(stranger, { metadata: { labels: { app: "stranger" } } });
      await running.reaches("the change back", () => running.epoch > epoch + 1);
      expect(await reach()).toEqual(isolated);
    },
    120_000,
  );

  test(`from a watch event to the kernel: the p99 of ${changes} changes`, async () => {
    const running = engine ?? expect.fail("it runs");
    const abort = new AbortController();
    const heard: number[] = [];
    const watcher = new SourceClient(new ClusterAccess({ kubeconfig: server.kubeconfig, context: null }));
    const onLine = () => heard.push(performance.now());
    const path = "/api/v1/namespaces/shop/pods?watch=true&fieldSelector=metadata.name%3Dstranger";
    let isOpen = false;
    const onOpen = () => {
      isOpen = true;
    };
    const watch = watcher.stream(path, { onOpen, onLine }, abort.signal).catch(() => {});
    await waitFor("the watch", () => isOpen && heard.length === 1);
    const took: number[] = [];
    for (let i = 0; i < changes; i++) {
      const { epoch } = running;
      const before = heard.length;
      await client.patch(stranger, { metadata: { labels: { app: i % 2 === 0 ? "web" : "stranger" } } });
      await running.reaches("the change", () => running.epoch > epoch);
      const inForce = performance.now();
      await waitFor("the event", () => heard.length > before);
      took.push(inForce - (heard[before] ?? 0));
    }
    abort.abort();
    await watch;
    took.sort((a, b) => a - b);
    const at = (share: number) => took[Math.min(took.length - 1, Math.floor(share * took.length))] ?? 0;
    const figures = { median: at(0.5), p99: at(0.99), most: at(1) };
    console.log(`from a watch event to the kernel, ms: ${JSON.stringify(figures)}`);
    expect(figures.p99).toBeLessThan(p99Ms);
  }, 120_000);

  test("killed and started again without its server, it tells that the earlier run's rules are in force", async () => {
    await engine?.kill();
    const before = rules();
    await server.stop("SIGKILL");
    const waiting = new Engine(net.node, args());
    engine = waiting;
    try {
      const line = /"level":"info".*waiting for the API server.*an earlier run left are in force/;
      await waiting.reaches("a word of it", () => line.test(waiting.stderr));
      await waitFor("the reason", () => readyz().reasons.join().includes("an earlier run left are in force"), 20_000);
      expect(readyz()).toMatchObject({ status: 503, ready: false });
      expect(await waiting.stop()).toBe(0);
      expect(rules().replace(/packets \d+ bytes \d+/g, "")).toBe(before.replace(/packets \d+ bytes \d+/g, ""));
    } finally {
      await server.start();
    }
    await start();
    expect(await reach()).toEqual(isolated);
  }, 60_000);

  test("asked to end, it leaves nothing", async () => {
    expect(await engine?.stop()).toBe(0);
    engine = null;
    expect(rules()).toBe("");
  });
});
