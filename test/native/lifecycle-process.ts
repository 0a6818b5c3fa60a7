/**
 * The main thread of lifecycle tests, inside the namespace of queue-lab.ts: `lifecycle-process.ts STEP` starts workers
 * that go as far as STEP: one that is terminated, one that exits by itself, and one that runs while the whole process
 * exits. Prints a line of JSON after each; the exit status is the test.
 */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { waitFor } from "../support/namespace.ts";
import { loadTestedAddon } from "./addon.ts";
import { installQueueRule, openQueue, parseQueues } from "./queue-lab.ts";

const step = process.argv[2] ?? "";
const workerFile = new URL("lifecycle-worker.ts", import.meta.url);

function queues(): unknown[] {
  return parseQueues(readFileSync("/proc/net/netfilter/nfnetlink_queue", "utf8"));
}

/** A worker that has come as far as the step. */
async function startWorker(data: object): Promise<{ worker: Worker; exited: Promise<number> }> {
  const worker = new Worker(workerFile, { workerData: data });
  const exited = new Promise<number>((resolve) => worker.once("exit", resolve));
  const reached = new Promise<void>((resolve, reject) => {
    worker.once("message", () => resolve());
    worker.once("error", reject);
  });
  await reached;
  return { worker, exited };
}

function print(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

async function endAtStep(): Promise<void> {
  // The supervisor's way, and the queue is free for the next worker.
  const first = await startWorker({ step });
  await first.worker.terminate();
  print(["terminated", await first.exited, queues()]);
  openQueue(loadTestedAddon()).socket.close();
  // With whatever it has open.
  const second = await startWorker({ step, isExiting: true });
  print(["exited", await second.exited, queues()]);
  openQueue(loadTestedAddon()).socket.close();
  await startWorker({ step });
  process.exit(0);
}

const PATIENCE_MS = 25_000;

/**
 * Ten workers at a time, each with a queue of its own, opening and closing sockets for so many seconds at least while another
 * thread sends to all of them. Every other worker is terminated wherever it is, and another takes its place.
 */
async function manyWorkers(seconds: number): Promise<unknown> {
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const first = 100;
  const total = 10;
  installQueueRule(loadTestedAddon(), { first, total });
  const sender = new Worker(
    `const sender = require("node:dgram").createSocket("udp4");
     sender.bind(9000);
     const burst = () => {
       for (let i = 0; i < 40; i++) sender.send("x", 9000, "127.0.0." + (1 + Math.floor(Math.random() * 250)), () => {});
       setImmediate(burst);
     };
     sender.once("listening", burst);`,
    { eval: true },
  );
  const until = performance.now() + seconds * 1000;
  const sums = { rounds: 0, received: 0, answered: 0, terminated: 0 };
  // A slow machine takes longer to do enough.
  const latest = until + PATIENCE_MS;
  const isOver = (): boolean => {
    const nowMs = performance.now();
    const { rounds, received, terminated } = sums;
    return nowMs > latest || (nowMs > until && rounds > 50 && received > 100 && terminated > 10);
  };
  const statuses = new Set<number>();
  const churn = async (i: number): Promise<void> => {
    for (let turn = 0; !isOver(); turn++) {
      const isTerminated = (i + turn) % 2 === 0;
      const rounds = isTerminated ? 1e9 : 5 + random(40);
      const { worker, exited } = await startWorker({ step: "churn", queue: first + i, rounds, seed: random(1e6) });
      worker.on("message", (stats?: { received: number; sent: number }) => {
        if (stats === undefined) return; // a thread that is terminated in its postMessage sends that
        sums.rounds++;
        sums.received += stats.received;
        sums.answered += stats.sent;
      });
      if (isTerminated) {
        await new Promise((resolve) => setTimeout(resolve, random(40)));
        await worker.terminate();
        sums.terminated++;
      } else {
        statuses.add(await exited);
      }
    }
  };
  await Promise.all(Array.from({ length: total }, (_, i) => churn(i)));
  await sender.terminate();
  installQueueRule(loadTestedAddon());
  return { ...sums, statuses: [...statuses], left: queues() };
}

/** Sockets of both classes that nobody closes: collected, and their queues freed. */
async function collectGarbage(): Promise<unknown> {
  const addon = loadTestedAddon();
  const collect = (globalThis as { gc?: () => void }).gc;
  if (collect === undefined) throw new Error("needs --expose-gc");
  for (let i = 0; i < 50; i++) {
    openQueue(addon, { queue: 200 + i });
    new addon.NetlinkSocket(0);
  }
  await waitFor("the queues to be freed", () => {
    collect();
    return queues().length === 0;
  });
  // One that is started is held by the event loop until it's closed.
  const started = openQueue(addon, { queue: 300 });
  started.socket.start(
    () => {},
    () => {},
  );
  const socket = new WeakRef(started.socket);
  for (let i = 0; i < 20; i++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const isHeld = queues().length === 1;
  socket.deref()?.close();
  return { isHeld, left: queues() };
}

if (step === "many workers") print(await manyWorkers(Number(process.argv[3])));
else if (step === "garbage") print(await collectGarbage());
else await endAtStep();
