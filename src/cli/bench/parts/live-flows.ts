/**
 * Many live flows, and changes that concern none or all of them: how many are judged again. Every flow sends one more
 * packet, and those that meet the queue are counted.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { sharesOf } from "../dataset/dataset.ts";
import { changedPolicy, changeFiles, podElsewhere } from "../dataset/lab-objects.ts";
import { changeFile } from "../dataset/write-dataset.ts";
import { EngineServer } from "../queue-server.ts";
import { clientAddress, macs, pairCount, ports, serverAddress } from "../topology.ts";
import type { Turn } from "../turn.ts";

/** A minute's worth of new flows would meet timeouts of the first ones. */
const packetsPerSecond = 50_000;
const limitMs = 60_000;

export async function measureLiveFlows(turn: Turn, _seconds: number, flows: number): Promise<void> {
  const { server, variant } = turn.contestant;
  if (!(server instanceof EngineServer) || variant.dataset === undefined) return;
  await turn.flush();
  await packets(turn, flows);
  // Those that found the queue full the first time.
  await packets(turn, flows);
  turn.record("unchanged", "packets", await packets(turn, flows));
  const shares = sharesOf(variant.dataset);
  const change = async (file: string, text: string | null): Promise<void> => {
    const before = server.enforcement.epoch;
    changeFile(server.directory, file, text);
    await server.enforcement.epochAfter(before, limitMs);
  };
  await change(changeFiles.elsewhere, podElsewhere(true, shares));
  turn.record("pod-elsewhere", "packets", await packets(turn, flows));
  await change(changeFiles.policy, changedPolicy(true));
  turn.record("policy-of-all", "packets", await packets(turn, flows));
  await change(changeFiles.elsewhere, podElsewhere(false, shares));
  await change(changeFiles.policy, changedPolicy(false));
  await turn.flush();
}

/** One packet of each flow; returns how many met the queue. */
async function packets(turn: Turn, flows: number): Promise<number> {
  const before = turn.queueCounts();
  await turn.traffic("flood", {
    ...{ from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.sink, mac: macs.clientRouter },
    ...{ protocol: "udp", sources: "sequential", first: 0, count: flows, rate: packetsPerSecond },
  });
  while (turn.queueCounts().waiting > 0) await sleep(2, undefined, { signal: turn.signal });
  const after = turn.queueCounts();
  return after.delivered - before.delivered + after.dropped - before.dropped;
}
