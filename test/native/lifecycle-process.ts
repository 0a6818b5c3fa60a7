/**
 * The main thread of lifecycle tests, inside the namespace of queue-lab.ts: `lifecycle-process.ts STEP` starts workers
 * that go as far as STEP: one that is terminated, one that exits by itself, and one that runs while the whole process
 * exits. Prints a line of JSON after each; the exit status is the test.
 */
import { readFileSync } from "node:fs";
import { Worker } from "node:worker_threads";
import { waitFor } from "../support/namespace.ts";
import { loadTestedAddon } from "./addon.ts";
import { openQueue, parseQueues } from "./queue-lab.ts";

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

/** Ten workers at once, each with a queue of its own, opening and closing; some terminated on the way. */
async function manyWorkers(): Promise<unknown> {
  let seed = 42;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return (seed >>> 8) % below;
  };
  const statuses = await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const { worker, exited } = await startWorker({ step: "churn", queue: 100 + i, rounds: 20 + random(60), seed: i });
      if (i % 2 === 0) {
        await waitFor("some of the rounds", () => queues().length > 0 || random(3) === 0);
        await worker.terminate();
      }
      return exited;
    }),
  );
  return { statuses, left: queues() };
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

if (step === "many workers") print(await manyWorkers());
else if (step === "garbage") print(await collectGarbage());
else await endAtStep();
