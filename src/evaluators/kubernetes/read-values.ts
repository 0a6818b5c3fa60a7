/** CIDRs and protocol names, as both kinds of policy write them. */
import { type Prefix, parsePrefix } from "../../net/prefix.ts";
import { Protocol } from "../../net/protocol.ts";
import { type Place, refuse } from "./reading.ts";

/** `address/length`; null, and reported, for anything else. */
export function readCidr(value: unknown, place: Place, rule: string): Prefix | null {
  const prefix = typeof value === "string" ? parsePrefix(value) : null;
  if (prefix) return prefix;
  const found = value === undefined || value === null ? "nothing" : JSON.stringify(value);
  return refuse(place, "bad-cidr", rule, `${found} is no CIDR, so this element is invalid; write ADDRESS/LENGTH`);
}

const protocols: Readonly<Record<string, number>> = { TCP: Protocol.tcp, UDP: Protocol.udp, SCTP: Protocol.sctp };

/** The number of `TCP` (also where it is absent), `UDP` or `SCTP`; case-sensitive (NP-40, AN-40, AN-65). */
export function readProtocol(value: unknown, place: Place, rule: string): number | null {
  if (value === undefined || value === null) return Protocol.tcp;
  if (typeof value === "string" && Object.hasOwn(protocols, value)) return protocols[value] as number;
  const message = `${JSON.stringify(value)} is no protocol, so this element is invalid; write TCP, UDP or SCTP`;
  return refuse(place, "unknown-protocol", rule, message);
}
