/** A packet as the reference engine sees it, and the packet that answers it. */
import type { Ip } from "./ip.ts";

export interface Packet {
  readonly source: Ip;
  readonly destination: Ip;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  readonly viaService: boolean;
  readonly isFragment: boolean;
  /** It answers a flow that was accepted. */
  readonly isReply: boolean;
}

export const TCP = 6;
export const UDP = 17;
export const SCTP = 132;
export const ICMP = 1;
export const ICMPV6 = 58;

export function answerTo(packet: Packet): Packet {
  return {
    ...packet,
    source: packet.destination,
    destination: packet.source,
    sourcePort: packet.destinationPort,
    destinationPort: packet.sourcePort,
    icmpType: answerType(packet),
    isReply: true,
  };
}

/** RFC 792, RFC 950, RFC 4443. */
function answerType({ protocol, icmpType }: Packet): number {
  const pairs =
    protocol === ICMP
      ? [
          [8, 0],
          [13, 14],
          [15, 16],
          [17, 18],
        ]
      : protocol === ICMPV6
        ? [[128, 129]]
        : [];
  for (const [question, answer] of pairs) {
    if (icmpType === question) return answer as number;
    if (icmpType === answer) return question as number;
  }
  return icmpType;
}

export interface Subject {
  readonly own: Ip;
  readonly peer: Ip;
}

/** Whose gate it is that the packet meets in this direction, and who is on the other side. */
export function endsOf(packet: Packet, direction: "egress" | "ingress"): Subject {
  return direction === "egress"
    ? { own: packet.source, peer: packet.destination }
    : { own: packet.destination, peer: packet.source };
}

/**
 * What one layer says: it accepts finally (`accept`), it denies, or the next one is asked: with nothing said (`next`), because
 * a rule or an exemption lets the packet pass (`allow`, PL-4: not the stage's default either), or because it doesn't know
 * this end at all (`unmanaged`, PL-2).
 */
export type Word = "next" | "allow" | "accept" | "deny" | "unmanaged";
