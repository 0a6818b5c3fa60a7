/**
 * Denied attempts as fast as one core sends them, from one address with random source ports and from random addresses,
 * and connections that are allowed beside them. Connections have all CPUs: what the flood's core lacks isn't the
 * engine's doing.
 */
import { quantile } from "../statistics.ts";
import { clientAddress, macs, pairCount, ports, serverAddress } from "../topology.ts";
import { readRows, readSummary, type Turn } from "../turn.ts";

const connectionsPerSecond = 200;
const patienceMs = 3000;

export async function measureDenyFlood(turn: Turn, seconds: number): Promise<void> {
  for (const sources of ["ports", "addresses"] as const) {
    await turn.flush();
    const { lane } = turn.contestant;
    const before = { cpu: turn.serverTime(), at: performance.now(), queue: turn.queueCounts() };
    const flood = turn.traffic("flood", {
      ...{ from: clientAddress(0), to: serverAddress(0), pairs: 1, port: ports.denied, mac: macs.clientRouter },
      ...{ protocol: "tcp", sources, seconds },
    });
    const pair = { from: clientAddress(0), to: serverAddress(0), pairs: pairCount, port: ports.accept };
    const pace = { first: 20_000, seconds, rate: connectionsPerSecond, timeout: patienceMs };
    const connections = lane.traffic("connect", { ...pair, ...pace }, null, turn.signal);
    // Awaited below; until then a failure is nobody's surprise.
    connections.catch(() => {});
    const { sent = 0, ns = Number.NaN } = readSummary(await flood);
    const after = { cpu: turn.serverTime(), at: performance.now(), queue: turn.queueCounts() };
    const legitimate = await connections;
    const { opened = 0, failed = 0 } = readSummary(legitimate);
    const times = readRows(legitimate).map(([time = 0]) => time);
    turn.record(`${sources}.sent`, "1/s", (sent / ns) * 1e9);
    turn.record(`${sources}.connected`, "share", opened / (opened + failed));
    turn.record(`${sources}.connect.p50`, "ns", quantile(times, 0.5));
    turn.record(`${sources}.connect.p99`, "ns", quantile(times, 0.99));
    turn.record(`${sources}.cpu`, "share", (after.cpu - before.cpu) / 1e6 / (after.at - before.at));
    const queued = after.queue.delivered - before.queue.delivered + after.queue.dropped - before.queue.dropped;
    turn.record(`${sources}.queued`, "share", queued / sent);
  }
}
