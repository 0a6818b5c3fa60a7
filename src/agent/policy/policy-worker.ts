/** The thread that reads the files and the cluster, compiles what they say, and tells the agent what came of it. */
import { hostname } from "node:os";
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "../../kernel/addon-loader.ts";
import { listHostAddresses } from "../../kernel/links.ts";
import { NetlinkClient, NetlinkProtocol } from "../../kernel/netlink-client.ts";
import { type InventoryChange, noChange } from "../../model/inventory-change.ts";
import type { FileError } from "../../sources/files/file-error.ts";
import type { ApiClient } from "../../sources/kubernetes/api/api-client.ts";
import type { ClusterOptions } from "../../sources/kubernetes/api/kubeconfig.ts";
import { connect } from "../../sources/kubernetes/api/open-cluster.ts";
import { checkModules, loadModules } from "../../sources/modules/load-modules.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { PolicyFeed } from "./policy-feed.ts";
import { PolicySources } from "./policy-sources.ts";
import type { PolicyMessage, PolicyOptions, PolicyRequest } from "./protocol.ts";
import { PolicyStatusWriter } from "./status/policy-status-writer.ts";

const port = parentPort;
if (port === null) throw new Error("agent/policy/policy-worker is started as a worker thread");
const { directories, vpcs, cluster, told, nodeName, podRanges, knobs, modules: paths } = workerData as PolicyOptions;
const say = (message: PolicyMessage): void => port.postMessage(message);
/** How often the agent hears how the cluster's API is doing. */
const CLUSTER_STATUS_INTERVAL_MS = 1000;
/** How long an address of the host that came or went is missed. */
const HOST_CHECK_INTERVAL_MS = 1000;
const timers: NodeJS.Timeout[] = [];

const policies = cluster !== null && (told.conditions || told.events) ? tellPolicies(cluster) : null;
const sources = new PolicySources({ directories, vpcs, cluster, policies }, (reasons) =>
  say({ kind: "stale", reasons }),
);
const tellCluster = (): void => {
  const status = sources.clusterStatus;
  if (status !== null) say({ kind: "cluster", status });
};
let route: NetlinkClient | null = null;
let feed: PolicyFeed | null = null;
let isWatching = false;
let isStopped = false;

port.on("message", (request: PolicyRequest) => {
  if (request.kind === "stop") {
    isStopped = true;
    for (const timer of timers) clearInterval(timer);
    sources.close();
    policies?.close();
    feed?.close();
    route?.close();
    port.close();
    return;
  }
  if (request.kind === "learn") {
    feed?.learn(request.names);
    return;
  }
  if (request.kind === "settled") {
    feed?.settled(request.number);
    return;
  }
  feed?.applied();
  if (isWatching) return;
  isWatching = true;
  // What was read and posted isn't needed any more.
  collectGarbage();
  sources.watch((change) => feed?.onChange(change));
  timers.push(setInterval(() => feed?.checkHost(), HOST_CHECK_INTERVAL_MS));
});

if (cluster !== null) timers.push(setInterval(tellCluster, CLUSTER_STATUS_INTERVAL_MS));
const problems: string[] = [];
const modules = await loadModules(paths, problems);
const startMs = performance.now();
const { change, errors } = await sources.load().catch((error: unknown) => {
  if (!(error instanceof Error && error.name === "ClusterAccessError")) throw error;
  problems.push(error.message);
  return { change: noChange, errors: [] };
});
// What was parsed isn't needed any more; what is made of it now needs the room.
if (cluster !== null) collectGarbage();
if (!isStopped) begin(change, errors, performance.now() - startMs);

function begin(change: InventoryChange, errors: readonly FileError[], readMs: number): void {
  const { store } = sources;
  if (modules.length > 0 && errors.length === 0) problems.push(...checkModules(modules, store.inventory(), knobs));
  // A name that no node has would leave every pod unfiltered.
  if (cluster !== null && nodeName !== null && !isStopped && problems.length === 0 && store.node(nodeName) === null) {
    problems.push(`--node-name ${nodeName}: the cluster has no such node; take a name of kubectl get nodes`);
  }
  const client = new NetlinkClient(loadAddon(), NetlinkProtocol.route);
  route = client;
  feed = new PolicyFeed(
    {
      store,
      knobs,
      evaluators: modules.map(({ evaluator }) => evaluator),
      nodeName,
      podRanges,
      server: sources.server,
    },
    () => listHostAddresses(client),
    say,
  );
  feed.add(change);
  const isUsable = errors.length + problems.length === 0;
  tellCluster();
  say({ kind: "loaded", update: isUsable ? feed.take() : null, report: feed.report(), errors, problems, readMs });
}

function tellPolicies(cluster: ClusterOptions): PolicyStatusWriter {
  let client: Promise<ApiClient> | null = null;
  return new PolicyStatusWriter(
    {
      request: async (path, options) => {
        client ??= connect(cluster);
        return (await client).request(path, options);
      },
    },
    { ...told, nodeName: nodeName ?? hostname() },
    { isInForce: () => feed?.isIdle === true, onComplaint: (text) => say({ kind: "complaint", text }) },
  );
}
