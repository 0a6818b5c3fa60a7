/**
 * Traffic as one number, so that a rule's ports become intervals of numbers: TCP, UDP and SCTP ports side by side, one
 * number for everything whose ports can't be compared (other protocols, fragments), and behind them one for each name of
 * a port that some rule uses.
 */
import type { FlowView } from "../../model/flow.ts";
import { Protocol } from "../../net/protocol.ts";

/** Traffic without comparable ports; no rule with ports contains it (NP-62, AN-45). */
export const noPorts = 3 << 16;

/** Never allocates. */
export function trafficKey(view: FlowView): number {
  if (view.isFragment) return noPorts;
  switch (view.protocol) {
    case Protocol.tcp:
      return view.destinationPort;
    case Protocol.udp:
      return (1 << 16) | view.destinationPort;
    case Protocol.sctp:
      return (2 << 16) | view.destinationPort;
    default:
      return noPorts;
  }
}

/** The first number of a protocol with ports. */
export function protocolBase(protocol: number): number {
  return protocol === Protocol.tcp ? 0 : protocol === Protocol.udp ? 1 << 16 : 2 << 16;
}

/** Traffic to the port of this name, by the name's number. */
export function namedTraffic(name: number): number {
  return (1 << 18) + name;
}
