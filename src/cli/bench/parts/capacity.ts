/**
 * What a verdict costs: packets wait in the queue while nobody serves it, and then all are served at once; and new flows
 * come faster than anybody can serve them. Both by the CPU time of whoever serves. With a CPU of its own, how busy that
 * was is told too: it has the softirqs that the process doesn't pay for.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { expandCpus } from "../placement.ts";
import { busyTime } from "../process-usage.ts";
import { clientAddress, macs, pairCount, ports, serverAddress } from "../topology.ts";
import type { Turn } from "../turn.ts";

/** Less than the queue of either loop or engine holds. */
const preloaded = 6000;
const preloads = 3;
/** All of them fit into the table of connections. */
const flows = 150_000;
const pollMs = 2;
const patienceMs = 30_000;

export async function measureCapacity(turn: Turn): Promise<void> {
  const { server } = turn.contestant;
  await flood(turn, 0, 2000);
  await drained(turn);
  // Timers that were due while it was stopped are over then.
  await sleep(300);

  let verdicts = 0;
  let cpu = 0;
  for (let i = 0; i < preloads; i++) {
    await turn.flush();
    server.pause();
    await flood(turn, 2000, preloaded);
    const { waiting } = turn.queueCounts();
    const before = turn.serverTime();
    server.resume();
    await drained(turn);
    verdicts += waiting;
    cpu += turn.serverTime() - before;
  }
  turn.record("preloaded.verdicts", "1/s", (verdicts / cpu) * 1e9);

  await turn.flush();
  const cpus = turn.placement.server === null ? null : expandCpus(turn.placement.server);
  const before = { ...turn.queueCounts(), cpu: turn.serverTime(), busy: busyTime(cpus ?? []), at: performance.now() };
  await flood(turn, 0, flows);
  await drained(turn);
  const after = { ...turn.queueCounts(), cpu: turn.serverTime(), busy: busyTime(cpus ?? []), at: performance.now() };
  const served = after.delivered - before.delivered;
  turn.record("flood.flows", "1/s", (served / (after.cpu - before.cpu)) * 1e9);
  turn.record("flood.cost", "ns", (after.cpu - before.cpu) / served);
  turn.record("flood.served", "share", served / (served + after.dropped - before.dropped));
  if (cpus !== null) turn.record("flood.flows-by-busy-cpu", "1/s", (served / (after.busy - before.busy)) * 1e9);
  await turn.flush();
}

/** Flow after flow of all pairs. */
async function flood(turn: Turn, first: number, count: number): Promise<void> {
  await turn.traffic("flood", {
    ...{ from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.sink, mac: macs.clientRouter },
    ...{ protocol: "udp", sources: "sequential", first, count },
  });
}

async function drained(turn: Turn): Promise<void> {
  const end = performance.now() + patienceMs;
  while (turn.queueCounts().waiting > 0) {
    turn.signal.throwIfAborted();
    if (performance.now() > end) throw new Error(`${turn.contestant.variant.title} leaves packets in its queue`);
    await sleep(pollMs);
  }
}
