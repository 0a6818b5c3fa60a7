/** The round trip of a flow's first packet: back to back, and with pauses in which everybody falls asleep. */
import { quantile } from "../statistics.ts";
import { clientAddress, pairCount, ports, serverAddress } from "../topology.ts";
import { readRows, readSummary, type Turn } from "../turn.ts";

interface Mode {
  readonly name: string;
  readonly gapMicroseconds: number;
  /** Per second of the turn's time. */
  readonly samples: number;
}

/** Samples: about what a second holds. */
export const modes: readonly Mode[] = [
  { name: "back-to-back", gapMicroseconds: 0, samples: 4000 },
  { name: "sparse", gapMicroseconds: 2000, samples: 400 },
];
const warmUp = 300;

export async function measureRoundTrips(turn: Turn, seconds: number): Promise<void> {
  await turn.flush();
  await ping(turn, 0, warmUp, 0);
  let first = warmUp;
  for (const { name, gapMicroseconds, samples } of modes) {
    const count = Math.round((samples * seconds) / modes.length);
    const { lost, rows } = await ping(turn, first, count, gapMicroseconds);
    first += count;
    const there = rows.map(([, oneWay = 0]) => oneWay);
    const both = rows.map(([roundTrip = 0]) => roundTrip);
    turn.record(`${name}.p50`, "ns", quantile(both, 0.5));
    turn.record(`${name}.p99`, "ns", quantile(both, 0.99));
    turn.record(`${name}.p99.9`, "ns", quantile(both, 0.999));
    turn.record(`${name}.one-way.p50`, "ns", quantile(there, 0.5));
    turn.record(`${name}.lost`, "packets", lost);
    turn.recordSamples(name, both);
  }
}

async function ping(turn: Turn, first: number, count: number, gap: number) {
  const output = await turn.traffic("rtt", {
    from: clientAddress(0),
    to: serverAddress(0),
    pairs: pairCount,
    port: ports.echo,
    first,
    count,
    gap,
  });
  return { lost: readSummary(output).lost ?? 0, rows: readRows(output) };
}
