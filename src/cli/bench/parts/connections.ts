/** TCP connections a second: opened and reset, one after the other in one thread, and in eight. */
import { clientAddress, pairCount, ports, serverAddress } from "../topology.ts";
import { readSummary, type Turn } from "../turn.ts";

export async function measureConnections(turn: Turn, seconds: number): Promise<void> {
  for (const threads of [1, 8]) {
    await turn.flush();
    const output = await turn.traffic("connect", {
      ...{ from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.accept },
      ...{ first: 0, seconds, threads },
    });
    const { opened = 0, failed = 0, ns = Number.NaN } = readSummary(output);
    turn.record(`threads-${threads}.rate`, "1/s", (opened / ns) * 1e9);
    turn.record(`threads-${threads}.failed`, "packets", failed);
  }
  await turn.flush();
}
