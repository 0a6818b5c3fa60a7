/**
 * From the pipeline's decision to what the kernel is told: its verdict and our byte of the packet mark, which the last
 * nft chain copies into connection tracking (model/mark.ts).
 */
import type { Decision } from "../engine/decision.ts";
import { Reads } from "../model/evaluator.ts";
import { type FlowView, PacketState } from "../model/flow.ts";
import { markRemember, markVerdict } from "../model/mark.ts";
import { hasPorts, isIcmp, Protocol } from "../net/protocol.ts";

/** linux/netfilter.h */
export const NF_DROP = 0;
export const NF_ACCEPT = 1;
/** The packet is kept: its answer comes later. */
export const NF_STOLEN = 2;
/** The base chain that queued the packet runs again. */
export const NF_REPEAT = 4;

const TCP_SYN = 2;
const TCP_ACK = 16;

/**
 * The mark byte of an accepted packet. Replies are let through in the kernel only where the answering packets were
 * judged and accepted too (NA-19).
 */
export function acceptByte(isReplyAccepted: boolean, heldBits: number, epochNibble: number): number {
  return (isReplyAccepted ? markVerdict.acceptBoth : markVerdict.acceptThis) | heldBits | epochNibble;
}

/** The mark byte of a packet whose flow is to be marked denied, or whose attempt is to be remembered. */
export function denyByte(epochNibble: number, isRemembered: boolean): number {
  return markVerdict.deny | (isRemembered ? markRemember : 0) | epochNibble;
}

/**
 * Whether a denied flow's first packet goes on, marked, to the last chain, which remembers the attempt (addresses,
 * protocol, destination port or ICMP type) and denies the next ones in the kernel, whatever their source port. Only
 * where nothing else decided: no source port, no time, no Service and no missing transport header.
 */
export function remembersDenial(state: PacketState, view: FlowView, tcpFlags: number, decision: Decision): boolean {
  const { protocol } = view;
  return (
    state === PacketState.original &&
    !decision.isFlowAccepted &&
    !decision.isError &&
    (decision.reads & (Reads.sourcePort | Reads.time)) === 0 &&
    !view.viaService &&
    !view.isFragment &&
    (hasPorts(protocol) || isIcmp(protocol)) &&
    (protocol !== Protocol.tcp || isFirstSyn(tcpFlags))
  );
}

/**
 * Whether a denied packet goes on, marked denied, to the last chain, which writes the denial into connection tracking,
 * resets TCP and drops; otherwise it's dropped where it is, so that nothing between our chains can revive it. Only
 * packets of flows that tracking has confirmed have an entry worth marking.
 * `isFlowDenied` is false where the flow stands and this packet alone, a reply, was refused by a stateless evaluator.
 */
export function marksDenial(state: PacketState, protocol: number, tcpFlags: number, isFlowDenied: boolean): boolean {
  if (!isFlowDenied) return false;
  if (state === PacketState.reply) return true;
  return state === PacketState.original && protocol === Protocol.tcp && !isFirstSyn(tcpFlags);
}

/** The packet that asks for a new TCP connection. */
export function isFirstSyn(tcpFlags: number): boolean {
  return (tcpFlags & (TCP_SYN | TCP_ACK)) === TCP_SYN;
}
