/** Whole IP packets as bytes, and the tool that sends them as they are from a namespace. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseAddress, toBytes } from "../../src/net/address.ts";
import type { Namespace } from "./namespace.ts";

const source = fileURLToPath(new URL("raw-send.cc", import.meta.url));
const tool = fileURLToPath(new URL("../../build/test/raw-send", import.meta.url));

/** Sends the packets from the namespace. */
export function sendRaw(from: Namespace, packets: readonly (readonly number[])[]): void {
  runTool(from, [], packets);
}

/** Sends Ethernet frames by an interface of the namespace. */
export function sendFrames(from: Namespace, device: string, frames: readonly (readonly number[])[]): void {
  runTool(from, ["-i", device], frames);
}

/** Compiles the tool where it isn't up to date. */
function runTool(from: Namespace, options: readonly string[], packets: readonly (readonly number[])[]): void {
  if (!existsSync(tool) || statSync(tool).mtimeMs < statSync(source).mtimeMs) {
    mkdirSync(fileURLToPath(new URL("../../build/test", import.meta.url)), { recursive: true });
    const built = spawnSync("g++", ["-O1", "-o", tool, source], { encoding: "utf8" });
    if (built.status !== 0) throw new Error(built.error?.message ?? built.stderr);
  }
  from.check([tool, ...options, ...packets.map((bytes) => Buffer.from(bytes).toString("hex"))]);
}

/** The hardware address of an interface. */
export function macOf(namespace: Namespace, device: string): number[] {
  const [link] = JSON.parse(namespace.check(["ip", "-j", "link", "show", device])) as { address: string }[];
  return [...Buffer.from((link?.address ?? "").replaceAll(":", ""), "hex")];
}

export type FrameHeader = "VLAN" | "S-VLAN" | "PPPoE";

/**
 * An Ethernet frame round an IP packet, with these headers in between, outermost first: `VLAN` 802.1Q with VLAN 0,
 * `S-VLAN` 802.1ad with VLAN 0, `PPPoE` a session. Source: IEEE 802.1Q 9.6, RFC 2516.
 */
export function frame(
  from: readonly number[],
  to: readonly number[],
  packet: readonly number[],
  headers: readonly FrameHeader[] = [],
): number[] {
  const isIpv6 = (packet[0] ?? 0) >> 4 === 6;
  let type = isIpv6 ? 0x86dd : 0x0800;
  let content = [...packet];
  for (const header of headers.toReversed()) {
    if (header !== "PPPoE") {
      content = [0, 0, ...u16(type), ...content];
      type = header === "VLAN" ? 0x8100 : 0x88a8;
    } else {
      content = [0x11, 0, 0, 1, ...u16(content.length + 2), ...u16(isIpv6 ? 0x57 : 0x21), ...content];
      type = 0x8864;
    }
  }
  return [...to, ...from, ...u16(type), ...content];
}

/** An IP packet round a payload; the family follows from the addresses. Lengths and the IPv4 checksum are right. */
export function ipPacket(
  from: string,
  to: string,
  protocol: number,
  payload: readonly number[],
  hopLimit = 64,
): number[] {
  const source4or6 = bytesOf(from);
  const destination = bytesOf(to);
  if (source4or6.length === 16) {
    return [0x60, 0, 0, 0, ...u16(payload.length), protocol, hopLimit, ...source4or6, ...destination, ...payload];
  }
  const header = [
    0x45,
    0,
    ...u16(20 + payload.length),
    0x12,
    0x34,
    0,
    0,
    hopLimit,
    protocol,
    0,
    0,
    ...source4or6,
    ...destination,
  ];
  return [...withChecksum(header, 10), ...payload];
}

export function udp(sourcePort: number, port: number, data = [0x78]): number[] {
  return [...u16(sourcePort), ...u16(port), ...u16(8 + data.length), 0, 0, ...data];
}

export const tcpFlag = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

/** A TCP header without data and with its checksum: tracking takes no other. */
export function tcp(from: string, to: string, sourcePort: number, port: number, flags: number): number[] {
  const header = [...u16(sourcePort), ...u16(port), 0, 0, 0, 1, 0, 0, 0, 1, 0x50, flags, 0xff, 0xff, 0, 0, 0, 0];
  return withTransportChecksum(from, to, 6, header, 16);
}

/** The bytes of `udp` with the checksum that IPv6 wants. */
export function withUdpChecksum(from: string, to: string, datagram: readonly number[]): number[] {
  return withTransportChecksum(from, to, 17, datagram, 6);
}

/** An ICMPv6 message with its checksum. */
export function icmpv6(from: string, to: string, type: number, body: readonly number[] = [0, 0, 0, 0]): number[] {
  return withTransportChecksum(from, to, 58, [type, 0, 0, 0, ...body], 2);
}

/** ICMP port unreachable, quoting a packet. */
export function icmpPortUnreachable(quoted: readonly number[]): number[] {
  return withChecksum([3, 3, 0, 0, 0, 0, 0, 0, ...quoted.slice(0, 28)], 2);
}

function withChecksum(bytes: number[], at: number): number[] {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += ((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0);
  while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16);
  const result = [...bytes];
  result.splice(at, 2, ...u16(~sum & 0xffff));
  return result;
}

/** The checksum at `at`, over the pseudo-header and the bytes. */
function withTransportChecksum(
  from: string,
  to: string,
  protocol: number,
  bytes: readonly number[],
  at: number,
): number[] {
  const pseudo = [...bytesOf(from), ...bytesOf(to), ...u16(bytes.length), 0, protocol];
  return withChecksum([...pseudo, ...bytes], pseudo.length + at).slice(pseudo.length);
}

function u16(value: number): [number, number] {
  return [(value >> 8) & 255, value & 255];
}

function bytesOf(text: string): number[] {
  const address = parseAddress(text);
  if (address === null) throw new Error(`no address: ${text}`);
  return toBytes(address);
}
