/** Established TCP as fast as it goes, and how many of its packets met the queue. */
import { clientAddress, pairCount, ports, serverAddress } from "../topology.ts";
import { readSummary, type Turn } from "../turn.ts";

export const streams = 4;

export async function measureThroughput(turn: Turn, seconds: number): Promise<void> {
  await turn.flush();
  const before = turn.queueCounts();
  const output = await turn.traffic("bulk", {
    ...{ from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.bulk },
    ...{ first: 0, seconds, streams },
  });
  const after = turn.queueCounts();
  const { bytes = 0, ns = Number.NaN } = readSummary(output);
  turn.record("rate", "bit/s", ((bytes * 8) / ns) * 1e9);
  const queued = after.delivered - before.delivered + after.dropped - before.dropped;
  turn.record("queued", "packets", queued);
}
