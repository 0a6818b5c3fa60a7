/**
 * Who reaches whom: every ordered pair of endpoints, each service of the destination and ping, over both families;
 * what is expected of it beside what was observed.
 */

import type { Service } from "../lab/lab-host.ts";
import type { Lab } from "./lab.ts";
import { type Endpoint, endpoints } from "./topology.ts";

/** A denied probe waits this long; an open one of the lab takes well under a millisecond. */
const timeoutMs = 400;

/** One thing to try. */
export interface Probe {
  readonly from: Endpoint;
  readonly to: Endpoint;
  readonly protocol: "tcp" | "udp" | "icmp";
  /** 0 for ping. */
  readonly port: number;
  readonly family: "ipv4" | "ipv6";
}

/** What the policy says of a probe: `open`, or the word for who closes it (`sg`, `acl`, `np`). */
export type Expectation = "open" | (string & {});

export interface Outcome {
  readonly probe: Probe;
  readonly expected: Expectation;
  readonly isOpen: boolean;
}

/** Every probe that the lab allows, in order of row, column, service and family. */
export function allProbes(): Probe[] {
  return endpoints.flatMap((from) =>
    endpoints
      .filter((to) => to !== from)
      .flatMap((to) =>
        [...to.services, { protocol: "icmp" as const, port: 0 }].flatMap(({ protocol, port }) =>
          (["ipv4", "ipv6"] as const).map((family) => ({ from, to, protocol, port, family })),
        ),
      ),
  );
}

export function isAsExpected(outcome: Outcome): boolean {
  return outcome.isOpen === (outcome.expected === "open");
}

/**
 * Sends all probes at once. One that contradicts what is expected is tried again before it is believed: on a busy
 * machine an answer can be late, and a wrong verdict will be wrong twice.
 */
export async function observe(
  lab: Lab,
  probes: readonly Probe[],
  expectations: readonly Expectation[],
): Promise<Outcome[]> {
  return Promise.all(
    probes.map(async (probe, i) => {
      const expected = expectations[i] ?? "error";
      const outcome = { probe, expected, isOpen: await tryOnce(lab, probe) };
      return isAsExpected(outcome) ? outcome : { ...outcome, isOpen: await tryOnce(lab, probe) };
    }),
  );
}

/**
 * Waits until every probe gets through, without any enforcement: what is closed later was closed by the engine.
 * Throws where the lab doesn't come up.
 */
export async function waitForLab(lab: Lab, probes: readonly Probe[], limitMs = 10_000): Promise<void> {
  const end = performance.now() + limitMs;
  let closed = probes;
  while (closed.length > 0) {
    const isOpen = await Promise.all(closed.map((probe) => tryOnce(lab, probe)));
    closed = closed.filter((_, i) => !isOpen[i]);
    const [first] = closed;
    if (first && performance.now() > end) {
      throw new Error(`the lab itself doesn't connect ${first.from.name} with ${first.to.name} (${first.protocol})`);
    }
  }
}

/** The outcomes of one cell of the printed matrix. */
export function cellOf(outcomes: readonly Outcome[], from: Endpoint, to: Endpoint, service: Service): Outcome[] {
  return outcomes.filter(
    ({ probe }) =>
      probe.from === from && probe.to === to && probe.protocol === service.protocol && probe.port === service.port,
  );
}

async function tryOnce(lab: Lab, { from, to, protocol, port, family }: Probe): Promise<boolean> {
  const { isOpen } = await lab.host(from).probe(protocol, to[family], port, timeoutMs);
  return isOpen;
}
