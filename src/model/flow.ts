/**
 * A flow as evaluators see it: the tuple of its original direction, after DNAT and before SNAT (DEF-1).
 */
import { type Address, type AddressView, Family } from "../net/address.ts";
import { hasPorts, isIcmp, Protocol } from "../net/protocol.ts";
import { Reason } from "./reason.ts";

/**
 * What connection tracking says of the packet that asks. `original` and `reply` are of a flow with a known
 * orientation; `related` is an ICMP error about one; `midstream` is TCP without SYN in a flow that tracking has just
 * met; `untracked` and `invalid` are its own words.
 */
export const PacketState = { original: 0, reply: 1, related: 2, midstream: 3, untracked: 4, invalid: 5 } as const;
export type PacketState = (typeof PacketState)[keyof typeof PacketState];

/**
 * Whether an admission is remembered and survives a change of rules (SG-61, SG-66): a stage is held when it was
 * admitted as tracked and no part of it as untracked.
 */
export const Tracking = { none: 0, tracked: 1, untracked: 2 } as const;
export type Tracking = (typeof Tracking)[keyof typeof Tracking];

/** Immutable description of a flow, as `explain` reads it or a test writes it. Numbers in host order. */
export interface Flow {
  readonly source: Address;
  readonly destination: Address;
  /** IP protocol number. */
  readonly protocol: number;
  /** 0–65535; 0 where the protocol has none. */
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** 0–255; 0 where the protocol isn't ICMP. */
  readonly icmpType: number;
  readonly icmpCode: number;
  /** The destination was rewritten, by DNAT or by IPVS: the flow went through a Service (AN-31). */
  readonly viaService: boolean;
  /** A fragment without its transport header: ports and ICMP type are unknown (SG-91). */
  readonly isFragment: boolean;
}

/**
 * The one record an engine reuses for every packet. Evaluators read the flow from it and may set the answer's
 * `reason`, `rule` and `tracking`; they must keep no reference to it.
 */
export interface FlowView extends Omit<{ -readonly [K in keyof Flow]: Flow[K] }, "source" | "destination"> {
  readonly source: AddressView;
  readonly destination: AddressView;
  state: PacketState;
  /** The flow was admitted before in a way that outlives what it was admitted for (AN-30, NP-70). */
  isHeld: boolean;
  /** The classes that the evaluator's own `classOf` gave for the two addresses; set before each call. */
  sourceClass: number;
  destinationClass: number;
  /** Answer: why. Reset to `unspecified` before each call. */
  reason: Reason;
  /** Answer: index into the evaluator's `rules`, or -1 for none. Reset to -1 before each call. */
  rule: number;
  /** Answer: whether this admission survives a change of rules. Reset to `none` before each call. */
  tracking: Tracking;
}

export function createFlowView(): FlowView {
  return {
    source: createAddressView(),
    destination: createAddressView(),
    protocol: 0,
    sourcePort: 0,
    destinationPort: 0,
    icmpType: 0,
    icmpCode: 0,
    viaService: false,
    isFragment: false,
    state: PacketState.original,
    isHeld: false,
    sourceClass: 0,
    destinationClass: 0,
    reason: Reason.unspecified,
    rule: -1,
    tracking: Tracking.none,
  };
}

/**
 * No address. The words had their widest values once: V8 then keeps them as doubles from the start, and needn't change
 * its mind, and throw away optimised code, when the first address of the upper half comes.
 */
function createAddressView(): AddressView {
  const widest = 0xffffffff;
  const view: AddressView = { family: Family.none, w0: widest, w1: widest, w2: widest, w3: widest };
  view.w0 = 0;
  view.w1 = 0;
  view.w2 = 0;
  view.w3 = 0;
  return view;
}

/** Writes a flow into a view, as an original packet. */
export function fillFlowView(view: FlowView, flow: Flow): void {
  copyAddress(view.source, flow.source);
  copyAddress(view.destination, flow.destination);
  view.protocol = flow.protocol;
  view.sourcePort = flow.sourcePort;
  view.destinationPort = flow.destinationPort;
  view.icmpType = flow.icmpType;
  view.icmpCode = flow.icmpCode;
  view.viaService = flow.viaService;
  view.isFragment = flow.isFragment;
  view.state = PacketState.original;
  view.isHeld = false;
}

/**
 * Turns the view round, from a flow to the packet that answers it or back: ends and ports are swapped, and an ICMP
 * request becomes its reply.
 */
export function reverseFlowView(view: FlowView): void {
  const { source: s, destination: d } = view;
  const { family, w0, w1, w2, w3 } = s;
  copyAddress(s, d);
  d.family = family;
  d.w0 = w0;
  d.w1 = w1;
  d.w2 = w2;
  d.w3 = w3;
  const port = view.sourcePort;
  view.sourcePort = view.destinationPort;
  view.destinationPort = port;
  if (isIcmp(view.protocol)) view.icmpType = answeringIcmpType(view.protocol, view.icmpType);
}

export function copyAddress(to: AddressView, from: Address): void {
  to.family = from.family;
  to.w0 = from.w0;
  to.w1 = from.w1;
  to.w2 = from.w2;
  to.w3 = from.w3;
}

/** True for a flow whose ports can be compared: TCP, UDP or SCTP with its transport header present. */
export function hasKnownPorts(flow: Pick<Flow, "protocol" | "isFragment">): boolean {
  return !flow.isFragment && hasPorts(flow.protocol);
}

/**
 * The ICMP type that answers this one, or that this one answers; the type itself where it has no counterpart.
 * Source: RFC 792 (echo 8/0, timestamp 13/14, information 15/16), RFC 950 (mask 17/18), RFC 4443 (echo 128/129).
 */
export function answeringIcmpType(protocol: number, type: number): number {
  if (protocol === Protocol.icmpv6) return type === 128 ? 129 : type === 129 ? 128 : type;
  if (type === 8) return 0;
  if (type === 0) return 8;
  if (type >= 13 && type <= 18) return type % 2 === 1 ? type + 1 : type - 1;
  return type;
}

/**
 * ICMPv6 neighbour discovery: router and neighbour solicitation and advertisement, redirect (SG-84). A flow that somebody
 * describes is taken for real. A packet isn't: what is real never leaves the kernel, which knows the hop limit, and what
 * only has such a type comes as `untracked` or `invalid`, because tracking has no flows of these types.
 * Source: RFC 4861 4; net/netfilter/nf_conntrack_proto_icmpv6.c.
 */
export function isNeighbourDiscovery(
  view: Pick<FlowView, "protocol" | "icmpType" | "source" | "destination" | "state">,
): boolean {
  return (
    view.protocol === Protocol.icmpv6 &&
    view.icmpType >= 133 &&
    view.icmpType <= 137 &&
    view.source.family !== Family.ipv4 &&
    view.destination.family !== Family.ipv4 &&
    view.state === PacketState.original
  );
}
