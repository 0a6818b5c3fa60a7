/** The thread that reads the files, compiles what they say, and tells the agent what came of it. */
import { parentPort, workerData } from "node:worker_threads";
import { loadAddon } from "../../kernel/addon-loader.ts";
import { listHostAddresses } from "../../kernel/links.ts";
import { NetlinkClient, NetlinkProtocol } from "../../kernel/netlink-client.ts";
import { FileSource } from "../../sources/files/file-source.ts";
import { checkModules, loadModules } from "../../sources/modules/load-modules.ts";
import { collectGarbage } from "../collect-garbage.ts";
import { PolicyFeed } from "./policy-feed.ts";
import type { PolicyMessage, PolicyOptions, PolicyRequest } from "./protocol.ts";

const port = parentPort;
if (port === null) throw new Error("agent/policy/policy-worker is started as a worker thread");
const { directories, vpcs, nodeName, knobs, modules: paths } = workerData as PolicyOptions;
const say = (message: PolicyMessage): void => port.postMessage(message);

const route = new NetlinkClient(loadAddon(), NetlinkProtocol.route);
const problems: string[] = [];
const modules = await loadModules(paths, problems);
const source = new FileSource(directories, vpcs);
const startMs = performance.now();
const { store, change, errors } = await source.load();
const readMs = performance.now() - startMs;
if (modules.length > 0 && errors.length === 0) problems.push(...checkModules(modules, store.inventory(), knobs));
const feed = new PolicyFeed(
  { store, knobs, evaluators: modules.map(({ evaluator }) => evaluator), nodeName },
  () => listHostAddresses(route),
  say,
);
feed.add(change);
const isUsable = errors.length + problems.length === 0;
say({ kind: "loaded", update: isUsable ? feed.take() : null, report: feed.report(), errors, problems, readMs });

/** How long an address of the host that came or went is missed. */
const HOST_CHECK_INTERVAL_MS = 1000;
let hostTimer: NodeJS.Timeout | undefined;
let isWatching = false;
port.on("message", (request: PolicyRequest) => {
  if (request.kind === "stop") {
    clearInterval(hostTimer);
    source.close();
    feed.close();
    route.close();
    port.close();
    return;
  }
  if (request.kind === "settled") {
    feed.settled(request.number);
    return;
  }
  feed.applied();
  if (isWatching) return;
  isWatching = true;
  // What was read and posted isn't needed any more.
  collectGarbage();
  source.watch((loaded) => feed.onChange(loaded));
  hostTimer = setInterval(() => feed.checkHost(), HOST_CHECK_INTERVAL_MS);
});
