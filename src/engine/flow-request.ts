/**
 * A flow as users ask about it: one line of NDJSON, or the flags of the command line. Read straight into the record
 * that evaluators judge, because there may be a million of them.
 */
import { copyAddress, type FlowView, PacketState } from "../model/flow.ts";
import { type Address, Family } from "../net/address.ts";
import { hasPorts, isIcmp, Protocol, parseProtocol } from "../net/protocol.ts";
import { isProblem, type ReferenceProblem, type References } from "./reference.ts";

/** What is wrong with a line, as `explain` prints it. */
export interface FlowError {
  readonly code: ReferenceProblem["code"] | "bad-flow";
  /** The key it concerns; null for the line as a whole. */
  readonly field: string | null;
  readonly message: string;
}

/** The keys that count; others are ignored, and null is as good as absent. */
export interface FlowRequest {
  readonly from?: unknown;
  readonly to?: unknown;
  /** Name in any case, or number; TCP by default. */
  readonly protocol?: unknown;
  readonly port?: unknown;
  readonly sourcePort?: unknown;
  readonly icmpType?: unknown;
  readonly icmpCode?: unknown;
  /** `service`: its destination was translated on the way (AN-31). */
  readonly via?: unknown;
  readonly expect?: unknown;
  readonly expectReply?: unknown;
}

export const defaultSourcePort = 49152;

/** The first packet of the flow that is asked about, in the view; or what is wrong, and the view is worth nothing. */
export function readFlow(value: unknown, references: References, view: FlowView): FlowError | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return bad(null, "a flow is a JSON object with from, to, protocol and port");
  }
  const request: FlowRequest = value;
  const { from, to, via } = request;
  if (typeof from !== "string") return bad("from", "from names the source: an address, an instance or a pod");
  if (typeof to !== "string") return bad("to", "to names the destination: an address, an instance or a pod");

  const protocol = readProtocol(request.protocol);
  if (protocol === null) return bad("protocol", "protocol is tcp, udp, sctp, icmp, icmpv6 or a number up to 255");
  const port = readNumber(request.port, 65535);
  if (port === null) return bad("port", "port is a whole number from 0 to 65535");
  if (port < 0 && hasPorts(protocol)) return bad("port", "tcp, udp and sctp need the destination's port; name it");
  const sourcePort = readNumber(request.sourcePort, 65535);
  if (sourcePort === null) return bad("sourcePort", "sourcePort is a whole number from 0 to 65535");
  const icmpType = readNumber(request.icmpType, 255);
  if (icmpType === null) return bad("icmpType", "icmpType is a whole number from 0 to 255");
  const icmpCode = readNumber(request.icmpCode, 255);
  if (icmpCode === null) return bad("icmpCode", "icmpCode is a whole number from 0 to 255");
  if (via !== undefined && via !== null && via !== "service") return bad("via", 'via is "service" or left out');
  if (!isExpectation(request.expect)) return bad("expect", "expect is accept or deny");
  if (!isExpectation(request.expectReply)) return bad("expectReply", "expectReply is accept or deny");

  const source = references.find(from);
  if (isProblem(source)) return { code: source.code, field: "from", message: source.message };
  const destination = references.find(to);
  if (isProblem(destination)) return { code: destination.code, field: "to", message: destination.message };
  if (!fillAddresses(view, source.addresses, destination.addresses, protocol)) {
    return bad("to", `${to} has no address of a family that ${from} has`);
  }

  view.protocol = protocol;
  view.sourcePort = hasPorts(protocol) ? (sourcePort < 0 ? defaultSourcePort : sourcePort) : 0;
  view.destinationPort = hasPorts(protocol) ? port : 0;
  view.icmpType = isIcmp(protocol) ? (icmpType < 0 ? echoRequest(view) : icmpType) : 0;
  view.icmpCode = isIcmp(protocol) && icmpCode >= 0 ? icmpCode : 0;
  view.viaService = via === "service";
  view.isFragment = false;
  view.state = PacketState.original;
  return null;
}

/**
 * The first family that both have, with the primary address of each; for ICMP its own family where both have it. An
 * endpoint without an address goes with any. False where they have no family in common.
 */
function fillAddresses(view: FlowView, from: readonly Address[], to: readonly Address[], protocol: number): boolean {
  const [source, destination] = [from[0] as Address, to[0] as Address];
  const own = protocol === Protocol.icmpv6 ? Family.ipv6 : protocol === Protocol.icmp ? Family.ipv4 : Family.none;
  if (source.family === Family.none || destination.family === Family.none) {
    copyAddress(view.source, source);
    copyAddress(view.destination, destination);
    return true;
  }
  if (own !== Family.none && fillFamily(view, from, to, own)) return true;
  for (let i = 0; i < from.length; i++) {
    if (fillFamily(view, from, to, (from[i] as Address).family)) return true;
  }
  return false;
}

function fillFamily(view: FlowView, from: readonly Address[], to: readonly Address[], family: Family): boolean {
  const source = firstOf(from, family);
  const destination = firstOf(to, family);
  if (source === null || destination === null) return false;
  copyAddress(view.source, source);
  copyAddress(view.destination, destination);
  return true;
}

function firstOf(addresses: readonly Address[], family: Family): Address | null {
  for (let i = 0; i < addresses.length; i++) {
    const address = addresses[i] as Address;
    if (address.family === family) return address;
  }
  return null;
}

/** RFC 792, RFC 4443. */
function echoRequest(view: FlowView): number {
  return view.protocol === Protocol.icmpv6 || view.source.family === Family.ipv6 ? 128 : 8;
}

function readProtocol(value: unknown): number | null {
  if (value === undefined || value === null) return Protocol.tcp;
  if (typeof value === "string") return parseProtocol(value);
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 255 ? value : null;
}

/** -1 where it is absent, null where it is no whole number from 0 to `max`. */
function readNumber(value: unknown, max: number): number | null {
  if (value === undefined || value === null) return -1;
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= max ? value : null;
}

function isExpectation(value: unknown): boolean {
  return value === undefined || value === null || value === "accept" || value === "deny";
}

function bad(field: string | null, message: string): FlowError {
  return { code: "bad-flow", field, message };
}
