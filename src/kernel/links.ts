/**
 * What rtnetlink says of this namespace's interfaces: names, bridges and their ports, addresses. Read only.
 * Source: linux/rtnetlink.h, linux/if_link.h, linux/if_addr.h.
 */
import { type Address, Family, fromBytes } from "../net/address.ts";
import { type NetlinkClient, netlinkFailure } from "./netlink-client.ts";
import {
  decodeAttributes,
  decodeHostUint32,
  decodeString,
  encodeMessage,
  encodeString,
  NetlinkFlag,
  NLMSG_HDRLEN,
} from "./netlink-message.ts";

const RTM_GETLINK = 18;
const RTM_GETADDR = 22;
/** struct ifinfomsg: family, pad, type (u16), index (s32), flags (u32), change (u32). */
export const IFINFOMSG_LENGTH = 16;
const IFINFOMSG_INDEX = 4;
/** struct ifaddrmsg: family, prefix length, flags, scope, index (u32). */
const IFADDRMSG_LENGTH = 8;
const IFADDRMSG_INDEX = 4;
const IFLA_IFNAME = 3;
const IFLA_MASTER = 10;
const IFLA_LINKINFO = 18;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const IFLA_BR_NF_CALL_IPTABLES = 36;
const IFLA_BR_NF_CALL_IP6TABLES = 37;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
/** ENODEV; EINVAL and ERANGE for what can't be a name. */
const NO_SUCH_NAME: readonly number[] = [19, 22, 34];

export interface Link {
  readonly index: number;
  readonly name: string;
  /** `bridge`, `veth` …; the empty string for a device without one. */
  readonly kind: string;
  /** Index of the bridge (or bond …) that it's a port of; 0 for none. */
  readonly master: number;
  /** Whether a bridge hands its IPv4 and IPv6 packets to netfilter; null where it is no bridge. */
  readonly bridgeFilter: BridgeFilter | null;
}

export interface BridgeFilter {
  readonly ipv4: boolean;
  readonly ipv6: boolean;
}

export interface LinkAddress {
  readonly linkIndex: number;
  /** The interface's own address. */
  readonly address: Address;
  readonly prefixLength: number;
}

/** Every interface of the namespace. Blocks. */
export function listLinks(client: NetlinkClient): readonly Link[] {
  const flags = NetlinkFlag.request | NetlinkFlag.dump;
  return client
    .request("list links", [
      (sequence) => encodeMessage(RTM_GETLINK, flags, sequence, new Uint8Array(IFINFOMSG_LENGTH)),
    ])
    .map(readLink);
}

/** The interface of that name, or null. Cheap: nothing is listed. Blocks. */
export function findLink(client: NetlinkClient, name: string): Link | null {
  const flags = NetlinkFlag.request | NetlinkFlag.ack;
  const { answers, errors } = client.tryRequest([
    (sequence) =>
      encodeMessage(RTM_GETLINK, flags, sequence, new Uint8Array(IFINFOMSG_LENGTH), encodeString(IFLA_IFNAME, name)),
  ]);
  const failure = errors[0];
  if (failure && !NO_SUCH_NAME.includes(failure.errno)) throw netlinkFailure(`find link ${name}`, failure);
  return answers[0] && !failure ? readLink(answers[0]) : null;
}

/** Every address of the namespace's interfaces. Blocks. */
export function listAddresses(client: NetlinkClient): readonly LinkAddress[] {
  const flags = NetlinkFlag.request | NetlinkFlag.dump;
  return client
    .request("list addresses", [
      (sequence) => encodeMessage(RTM_GETADDR, flags, sequence, new Uint8Array(IFADDRMSG_LENGTH)),
    ])
    .flatMap((message) => {
      const attributes = decodeAttributes(message, NLMSG_HDRLEN + IFADDRMSG_LENGTH);
      // On a point-to-point link IFA_ADDRESS is the other end.
      const bytes = attributes.get(IFA_LOCAL) ?? attributes.get(IFA_ADDRESS);
      if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return [];
      return {
        linkIndex: decodeHostUint32(message, NLMSG_HDRLEN + IFADDRMSG_INDEX),
        address: fromBytes(bytes),
        prefixLength: message[NLMSG_HDRLEN + 1] ?? 0,
      };
    });
}

/** The addresses by which others know this host: those of every interface but the loopback ones. Blocks. */
export function listHostAddresses(client: NetlinkClient): readonly Address[] {
  return listAddresses(client)
    .map(({ address }) => address)
    .filter((address) => !isLoopback(address));
}

function isLoopback({ family, w0, w1, w2, w3 }: Address): boolean {
  return family === Family.ipv4 ? w3 >>> 24 === 127 : w0 === 0 && w1 === 0 && w2 === 0 && w3 === 1;
}

function readLink(message: Uint8Array): Link {
  const attributes = decodeAttributes(message, NLMSG_HDRLEN + IFINFOMSG_LENGTH);
  const info = decodeAttributes(attributes.get(IFLA_LINKINFO) ?? new Uint8Array(0));
  const kind = decodeString(info.get(IFLA_INFO_KIND));
  const data = decodeAttributes(info.get(IFLA_INFO_DATA) ?? new Uint8Array(0));
  return {
    index: decodeHostUint32(message, NLMSG_HDRLEN + IFINFOMSG_INDEX),
    name: decodeString(attributes.get(IFLA_IFNAME)),
    kind,
    master: decodeHostUint32(attributes.get(IFLA_MASTER)),
    bridgeFilter:
      kind === "bridge"
        ? { ipv4: data.get(IFLA_BR_NF_CALL_IPTABLES)?.[0] === 1, ipv6: data.get(IFLA_BR_NF_CALL_IP6TABLES)?.[0] === 1 }
        : null,
  };
}
