#!/usr/bin/env node
/**
 * A node's agent in a large cluster, for real: loads a real API server, starts `run --kubernetes` in a namespace, and
 * measures the time until it's in sync, its memory, and what changes of pods do to packets. In each round there is a
 * window without changes, one with as many changes of objects that the agent doesn't watch (what the server and the
 * loader cost this machine), and one with changes of pods. Prints JSON. As root, after a build:
 *
 *   VERDICTD_TEST_APISERVER=$(node scripts/api-server.mjs) node scripts/kubernetes-scale.mjs \
 *     [--pods 100000] [--policies 10000] [--namespaces 5000] [--rate 100] [--rounds 10] [--window 10]
 */
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import { root } from "./setup.mjs";

register("../test/support/typescript-hooks.mjs", import.meta.url);
const [{ generateDataset }, { Lane }, { Namespaces }, { percentile }, topology, { OwnApiServer }, { Relay }] =
  await Promise.all([
    import("../src/cli/bench/dataset/dataset.ts"),
    import("../src/cli/bench/lane.ts"),
    import("../src/cli/lab/namespaces.ts"),
    import("../src/cli/percentile.ts"),
    import("../src/cli/bench/topology.ts"),
    import("../test/support/api-server.ts"),
    import("../test/support/relay.ts"),
  ]);

const numbers = { pods: 100_000, policies: 10_000, namespaces: 5_000, rate: 100, rounds: 10, window: 10 };
const options = Object.fromEntries(Object.keys(numbers).map((name) => [name, { type: "string" }]));
for (const [name, text] of Object.entries(parseArgs({ options }).values)) {
  numbers[name] = Number(text);
  if (!Number.isInteger(numbers[name]) || numbers[name] < 1) throw new Error(`--${name} ${text}: a whole number`);
}
const { rate, rounds, window: windowSeconds } = numbers;
const AT_ONCE = 24;
const PROBE_GAP_MICROSECONDS = 2000;

const say = (text) => process.stderr.write(`${text}\n`);
const abort = new AbortController();
const closers = [];
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
  process.on(signal, () => abort.abort());
}
try {
  process.stdout.write(`${JSON.stringify(await measure(), null, 2)}\n`);
} finally {
  for (const close of closers.reverse()) await close();
}

async function measure() {
  const server = await OwnApiServer.start({ flags: ["--keep-status"] });
  closers.push(() => server.remove());
  const client = server.client();
  closers.push(() => client.close());
  const pods = await load(client);

  const namespaces = new Namespaces();
  closers.push(() => namespaces.remove());
  const lane = await Lane.create("scale", namespaces, abort.signal);
  closers.push(() => lane.close());
  const inRouter = (argv) => spawn("nsenter", [`--net=${lane.routerPath}`, "--", ...argv], { stdio: "pipe" });
  const relay = await Relay.start({ spawn: inRouter }, Number(client.server.port));
  closers.push(() => relay.close());

  const agent = startAgent(inRouter, server.kubeconfig);
  closers.push(() => agent.stop());
  await agent.ready;
  const inSyncMs = agent.readyMs();
  say(`in sync after ${(inSyncMs / 1000).toFixed(1)} s`);
  const atStart = memoryOf(agent.pid);
  const windows = { quiet: [], elsewhere: [], pods: [] };
  await client.create({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "scale", namespace: "bench" } });
  const changes = {
    quiet: null,
    elsewhere: (i) =>
      client.patch(
        { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "scale", namespace: "bench" } },
        { data: { turn: String(i) } },
      ),
    pods: (i) => client.patch(pods[(i * 7919) % pods.length], { metadata: { labels: { turn: String(i) } } }),
  };
  const names = Object.keys(windows);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < names.length; i++) {
      abort.signal.throwIfAborted();
      const name = names[(i + round) % names.length];
      windows[name].push(await measureWindow(lane, changes[name], round * names.length + i));
    }
    say(`round ${round + 1} of ${rounds}`);
  }
  const summary = Object.fromEntries(names.map((name) => [name, summarize(windows[name])]));
  return {
    ...numbers,
    inSyncSeconds: inSyncMs / 1000,
    memoryMiB: { inSync: atStart, atEnd: memoryOf(agent.pid) },
    firstPacket: summary,
    p99Ratio: {
      podsToElsewhere: summary.pods.p99 / summary.elsewhere.p99,
      podsToQuiet: summary.pods.p99 / summary.quiet.p99,
    },
    enforcedChanges: agent.epochs(),
  };
}

/** Everything into the server; returns the cluster's pods. */
async function load(client) {
  const spec = { policies: numbers.policies, endpoints: numbers.pods, kinds: "kubernetes", layout: "spread" };
  const pods = [];
  const start = performance.now();
  let count = 0;
  const made = new Set();
  for (const { text } of generateDataset(spec)) {
    const { items } = text.includes('"kind":"List"') ? JSON.parse(text) : { items: [JSON.parse(text)] };
    // Namespaces come before what is in them: the server refuses it otherwise.
    for (const kinds of [["Namespace", "Node"], null]) {
      const some = items.filter(({ kind }) => (kinds === null) !== ["Namespace", "Node"].includes(kind));
      const fresh = some.filter(({ kind, metadata }) => kind !== "Namespace" || !made.has(metadata.name));
      await inParallel(fresh, (object) => createWhole(client, object));
      count += fresh.length;
      for (const { kind, metadata } of fresh) if (kind === "Namespace") made.add(metadata.name);
      for (const object of fresh)
        if (object.kind === "Pod" && object.metadata.namespace !== "bench") pods.push(bare(object));
    }
  }
  const missing = Math.max(0, numbers.namespaces - made.size);
  const more = Array.from({ length: missing }, (_, i) => ({
    ...{ apiVersion: "v1", kind: "Namespace", metadata: { name: `empty-${i}`, labels: { team: `team-${i % 20}` } } },
  }));
  await inParallel(more, (object) => createWhole(client, object));
  say(`${count + missing} objects loaded in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  return pods;
}

function bare({ apiVersion, kind, metadata: { name, namespace } }) {
  return { apiVersion, kind, metadata: { name, namespace } };
}

/** With its status, which this server keeps. `kube-system` is there already. */
async function createWhole(client, object) {
  const { apiVersion, kind, metadata } = object;
  const group = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const home = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  const plural = kind === "NetworkPolicy" ? "networkpolicies" : `${kind.toLowerCase()}s`;
  const answer = await client.request("POST", `${group}${home}/${plural}`, object);
  if (answer.status !== 201 && answer.status !== 409) {
    throw new Error(`${kind} ${metadata.name}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }
}

async function inParallel(items, act) {
  let next = 0;
  const work = async () => {
    while (next < items.length) {
      abort.signal.throwIfAborted();
      await act(items[next++]);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
}

function startAgent(inRouter, kubeconfig) {
  const args = ["run", "--kubeconfig", kubeconfig, "--node-name", "node-0", "--log-level", "warn"];
  const start = performance.now();
  const child = inRouter([process.execPath, `${root}/dist/main.js`, ...args]);
  let [readyAt, epochs, complaint] = [0, 0, ""];
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaint = (complaint + text).slice(-2000);
  });
  const closed = new Promise((resolve) => child.once("close", resolve));
  const ready = new Promise((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      epochs++;
      if (JSON.parse(line).event !== "ready") return;
      readyAt = performance.now();
      resolve();
    });
    closed.then(() => reject(new Error(`the agent ended:\n${complaint}`)));
    abort.signal.addEventListener("abort", () => reject(abort.signal.reason));
  });
  ready.catch(() => {});
  return {
    pid: child.pid, // nsenter becomes the agent
    ready,
    readyMs: () => readyAt - start,
    epochs: () => epochs,
    async stop() {
      child.kill("SIGTERM");
      await closed;
    },
  };
}

/** First packets, back and forth, and how late the agent answers other questions, while something changes or nothing. */
async function measureWindow(lane, change, number) {
  const count = Math.round((windowSeconds * 1e6) / PROBE_GAP_MICROSECONDS);
  const { clientAddress, serverAddress, pairCount, ports } = topology;
  const from = { from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.echo };
  const end = new AbortController();
  const changing = change === null ? Promise.resolve({ changes: 0 }) : keepChanging(change, number, end.signal);
  const [trips, answers] = await Promise.all([
    lane.traffic("rtt", { ...from, first: number * count, count, gap: PROBE_GAP_MICROSECONDS }, null, abort.signal),
    lane.inRouter("get", { port: 9472, path: "/livez", interval: 5000, seconds: windowSeconds }, null, abort.signal),
  ]);
  end.abort();
  const lines = trips.trim().split("\n");
  return {
    lost: Number(/lost=(\d+)/.exec(trips)?.[1] ?? 0),
    trips: lines.slice(1).map((line) => Number(line.split(" ")[0])),
    answers: answers.trim().split("\n").map(Number).filter(Number.isFinite),
    ...(await changing),
  };
}

/** So many a second, each begun at its time however long others take. */
async function keepChanging(change, number, signal) {
  const start = performance.now();
  const running = new Set();
  let changes = 0;
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - start) / 1000) * rate);
    for (; changes < due; changes++) {
      const one = change(number * 1_000_000 + changes).finally(() => running.delete(one));
      running.add(one);
    }
    await setTimeout(5);
  }
  await Promise.all(running);
  return { changes };
}

/** Microseconds of a first packet there and back; the longest answer of the agent's main thread, in milliseconds. */
function summarize(windows) {
  const sorted = (values) => Float64Array.from(values).sort();
  const all = sorted(windows.flatMap(({ trips }) => trips));
  const answers = sorted(windows.flatMap((one) => one.answers));
  return {
    packets: all.length,
    lost: windows.reduce((sum, { lost }) => sum + lost, 0),
    changes: windows.reduce((sum, { changes }) => sum + changes, 0),
    p50: percentile(all, 0.5) / 1000,
    p99: percentile(all, 0.99) / 1000,
    "p99.9": percentile(all, 0.999) / 1000,
    p99OfWindows: windows.map(({ trips }) => percentile(sorted(trips), 0.99) / 1000),
    mainThreadMs: { p99: percentile(answers, 0.99) / 1e6, most: (answers.at(-1) ?? 0) / 1e6 },
  };
}

function memoryOf(pid) {
  const text = readFileSync(`/proc/${pid}/status`, "utf8");
  const of = (field) => Math.round(Number(new RegExp(`${field}:\\s+(\\d+)`).exec(text)?.[1]) / 1024);
  return { resident: of("VmRSS"), most: of("VmHWM") };
}
