/**
 * What the engine costs the first packet of a flow: the round trip of one UDP byte, each from a source port of its own
 * so that it is a flow of its own. The two variants share router, cables and rules, and take turns, so that whatever
 * else the machine does meets both.
 */
import { percentile } from "../percentile.ts";
import type { Lab } from "./lab.ts";
import { endpointNamed } from "./topology.ts";

/** Microseconds. */
export interface LatencyRow {
  readonly name: string;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly samples: number;
  readonly lost: number;
}

const rounds = 12;
const samplesEachRound = 200;
const firstPort = 10_000;

/** Nobody's policy concerns internet → monitor, so it isn't diverted; figlet → dns is allowed by two policies. */
const variants = [
  { name: "no queue", from: "internet", to: "monitor", port: 8125 },
  { name: "verdictd", from: "figlet", to: "dns", port: 53 },
] as const;

export async function measureLatency(lab: Lab): Promise<LatencyRow[]> {
  const samples = variants.map(() => ({ nanoseconds: [] as number[], lost: 0 }));
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < variants.length; turn++) {
      const index = (round + turn) % variants.length;
      const { from, to, port } = variants[index]!;
      const host = lab.host(endpointNamed(from));
      const at = firstPort + round * samplesEachRound;
      const result = await host.roundTrips(endpointNamed(to).ipv4, port, at, samplesEachRound);
      samples[index]!.nanoseconds.push(...result.nanoseconds);
      samples[index]!.lost += result.lost;
    }
  }
  return variants.map(({ name }, i) => summarize(name, samples[i]!.nanoseconds, samples[i]!.lost));
}

export function summarize(name: string, nanoseconds: readonly number[], lost: number): LatencyRow {
  const sorted = Float64Array.from(nanoseconds).sort();
  const at = (share: number): number => percentile(sorted, share) / 1000;
  return { name, p50: at(0.5), p99: at(0.99), p999: at(0.999), samples: sorted.length, lost };
}
