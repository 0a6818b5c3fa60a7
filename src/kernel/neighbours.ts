/**
 * Who is behind which hardware address, and behind which port of a bridge, as rtnetlink tells it: the neighbour tables
 * and the bridges' forwarding tables; and forwarding entries that don't age.
 * Source: linux/neighbour.h, linux/rtnetlink.h, net/bridge/br_fdb.c.
 */
import { type Address, fromBytes } from "../net/address.ts";
import type { NetlinkClient } from "./netlink-client.ts";
import {
  concatBytes,
  decodeAttributes,
  decodeHostUint32,
  encodeAttribute,
  encodeMessage,
  hostUint16,
  hostUint32,
  isLittleEndian,
  NetlinkFlag,
  NLMSG_HDRLEN,
} from "./netlink-message.ts";

const RTM_NEWNEIGH = 28;
const RTM_GETNEIGH = 30;
const AF_UNSPEC = 0;
const AF_BRIDGE = 7;
/** struct ndmsg: family, pad (u8, u16), index (s32), state (u16), flags, type. */
const NDMSG_LENGTH = 12;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NDA_VLAN = 5;
const NDA_MASTER = 9;
const NUD_INCOMPLETE = 0x01;
const NUD_REACHABLE = 0x02;
const NUD_FAILED = 0x20;
const NUD_NOARP = 0x40;
const NUD_PERMANENT = 0x80;
const NTF_MASTER = 0x04;
const NLM_F_REPLACE = 0x100;

/** An address that this host knows the hardware address of. */
export interface Neighbour {
  readonly linkIndex: number;
  readonly address: Address;
  /** `aa:bb:…`, lower case. */
  readonly mac: string;
}

/** A bridge's knowledge that a hardware address is behind a port. */
export interface ForwardingEntry {
  readonly bridgeIndex: number;
  readonly portIndex: number;
  readonly mac: string;
  /** `local`: the bridge's own; `static`: doesn't age; `learned`: ages after some minutes of silence. */
  readonly kind: "local" | "static" | "learned";
  /** As the kernel has it, or null without VLANs. */
  readonly vlan: Uint8Array | null;
}

/** Blocks. */
export function listNeighbours(client: NetlinkClient): readonly Neighbour[] {
  return dump(client, "list neighbours", AF_UNSPEC).flatMap(({ index, state, attributes }) => {
    const address = attributes.get(NDA_DST);
    const mac = formatMac(attributes.get(NDA_LLADDR));
    if (address === undefined || (address.length !== 4 && address.length !== 16) || mac === null) return [];
    if ((state & (NUD_INCOMPLETE | NUD_FAILED | NUD_NOARP)) !== 0) return [];
    return [{ linkIndex: index, address: fromBytes(address), mac }];
  });
}

/** Of all bridges. Blocks. */
export function listForwarding(client: NetlinkClient): readonly ForwardingEntry[] {
  return dump(client, "list forwarding entries", AF_BRIDGE).flatMap(({ index, state, attributes }) => {
    const master = attributes.get(NDA_MASTER);
    const mac = formatMac(attributes.get(NDA_LLADDR));
    if (master === undefined || mac === null) return [];
    const kind = (state & NUD_PERMANENT) !== 0 ? "local" : (state & NUD_NOARP) !== 0 ? "static" : "learned";
    const vlan = attributes.get(NDA_VLAN) ?? null;
    return [{ bridgeIndex: decodeHostUint32(master), portIndex: index, mac, kind, vlan }];
  });
}

/** Makes an entry static, or learned again. Blocks; throws KernelError where the port is gone. */
export function setForwarding(client: NetlinkClient, entry: ForwardingEntry, kind: "static" | "learned"): void {
  const header = concatBytes([
    Uint8Array.of(AF_BRIDGE, 0, 0, 0),
    hostUint32(entry.portIndex),
    hostUint16(kind === "static" ? NUD_NOARP : NUD_REACHABLE),
    Uint8Array.of(NTF_MASTER, 0),
  ]);
  const attributes = [
    encodeAttribute(
      NDA_LLADDR,
      Uint8Array.from(entry.mac.split(":"), (byte) => Number.parseInt(byte, 16)),
    ),
    ...(entry.vlan === null ? [] : [encodeAttribute(NDA_VLAN, entry.vlan)]),
  ];
  const flags = NetlinkFlag.request | NetlinkFlag.ack | NetlinkFlag.create | NLM_F_REPLACE;
  client.request(`make the forwarding entry of ${entry.mac} ${kind}`, [
    (sequence) => encodeMessage(RTM_NEWNEIGH, flags, sequence, header, ...attributes),
  ]);
}

interface Row {
  readonly index: number;
  readonly state: number;
  readonly attributes: ReadonlyMap<number, Uint8Array>;
}

function dump(client: NetlinkClient, operation: string, family: number): readonly Row[] {
  const header = new Uint8Array(NDMSG_LENGTH);
  header[0] = family;
  const flags = NetlinkFlag.request | NetlinkFlag.dump;
  return client
    .request(operation, [(sequence) => encodeMessage(RTM_GETNEIGH, flags, sequence, header)])
    .map((message) => ({
      index: decodeHostUint32(message, NLMSG_HDRLEN + 4),
      state: new DataView(message.buffer, message.byteOffset + NLMSG_HDRLEN + 8, 2).getUint16(0, isLittleEndian),
      attributes: decodeAttributes(message, NLMSG_HDRLEN + NDMSG_LENGTH),
    }));
}

/** Null for anything but six bytes that aren't all zero. */
function formatMac(bytes: Uint8Array | undefined): string | null {
  if (bytes === undefined || bytes.length !== 6 || bytes.every((byte) => byte === 0)) return null;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(":");
}
