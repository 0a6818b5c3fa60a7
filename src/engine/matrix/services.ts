/**
 * What flows are asked about: the ports of each protocol in classes that no policy tells apart, so that one port of
 * each class stands for all of them.
 */
import { answeringIcmpType } from "../../model/flow.ts";
import { formatProtocol, hasPorts, isIcmp, Protocol } from "../../net/protocol.ts";
import type { Mentions, PortRange } from "./mentions.ts";

export interface Service {
  /** IP protocol number. */
  readonly protocol: number;
  /** The ports that it stands for; empty where the protocol has none. */
  readonly ranges: readonly PortRange[];
  /** It stands for all ports that nobody mentions. */
  readonly isRest: boolean;
  /** The one that is judged; 0 where the protocol has none. */
  readonly port: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  /** Echo requests of either family, by the family's own protocol. */
  readonly isEcho: boolean;
}

/** Several inventories give the ports that none of them tells apart. Ascending by protocol, then by port. */
export function listServices(mentions: readonly Mentions[]): readonly Service[] {
  const protocols = new Set(mentions.flatMap(({ ports }) => [...ports.keys()]));
  const withPorts = [...protocols].sort((a, b) => a - b);
  const others = [...new Set(mentions.flatMap((m) => m.protocols))].sort((a, b) => a - b);
  return [
    ...withPorts.flatMap((protocol) =>
      cutPorts(
        protocol,
        mentions.flatMap(({ ports }) => ports.get(protocol) ?? []),
      ),
    ),
    ...listIcmp(mentions),
    ...others.map((protocol) => withoutPorts(protocol, 0, 0)),
  ];
}

/** One port of one protocol, or a protocol without ports; ICMP is the echo request. */
export function singleService(protocol: number, port: number): Service {
  if (!hasPorts(protocol)) return withoutPorts(protocol, isIcmp(protocol) ? echoRequest(protocol) : 0, 0);
  return { protocol, ranges: [{ from: port, to: port }], isRest: false, port, icmpType: 0, icmpCode: 0, isEcho: false };
}

/** Port 0 is nobody's: no client can name it. */
function cutPorts(protocol: number, mentioned: readonly PortRange[]): readonly Service[] {
  const service = (ranges: readonly PortRange[], isRest: boolean, port: number): Service => {
    return { protocol, ranges, isRest, port, icmpType: 0, icmpCode: 0, isEcho: false };
  };
  const starts = new Set([1]);
  for (const { from, to } of mentioned) starts.add(Math.max(1, from)).add(to + 1);
  const sorted = [...starts].filter((start) => start <= 65535).sort((a, b) => a - b);
  const services: Service[] = [];
  const rest: PortRange[] = [];
  sorted.forEach((from, i) => {
    const to = (sorted[i + 1] ?? 65536) - 1;
    if (!mentioned.some((range) => range.from <= from && range.to >= to)) rest.push({ from, to });
    else services.push(service([{ from, to }], false, from));
  });
  const last = rest.at(-1);
  if (last) services.push(service(rest, true, last.from));
  return services;
}

function listIcmp(mentions: readonly Mentions[]): readonly Service[] {
  const found = new Map<string, Service>();
  const add = (protocol: number, type: number, code: number): void => {
    found.set(`${protocol} ${type} ${code}`, withoutPorts(protocol, type, code));
  };
  for (const { protocol, type, code } of mentions.flatMap((m) => m.icmp)) {
    found.set("echo", { ...withoutPorts(Protocol.icmp, echoRequest(Protocol.icmp), 0), isEcho: true });
    // An answer is judged with the flow that it answers.
    const isEcho = type === echoRequest(protocol) || type === answeringIcmpType(protocol, echoRequest(protocol));
    if (type !== null && !isEcho) add(protocol, type, code ?? 0);
  }
  return [...found.values()].sort(
    (a, b) => a.protocol - b.protocol || a.icmpType - b.icmpType || a.icmpCode - b.icmpCode,
  );
}

function withoutPorts(protocol: number, icmpType: number, icmpCode: number): Service {
  return { protocol, ranges: [], isRest: false, port: 0, icmpType, icmpCode, isEcho: false };
}

/** RFC 792, RFC 4443. */
function echoRequest(protocol: number): number {
  return protocol === Protocol.icmpv6 ? 128 : 8;
}

/** `tcp 80,8000-8100`, `tcp+udp any but 53`, `ping`; `anything` where `some` are all of `all`, and those are all that there is. */
export function formatServices(some: readonly Service[], all: readonly Service[]): string {
  if (some.length === all.length && some.some((service) => service.isRest)) return "anything";
  const names = new Map<string, string[]>();
  for (const protocol of new Set(some.map((service) => service.protocol))) {
    const [name, what] = formatProtocolServices(protocol, some, all);
    names.set(what, [...(names.get(what) ?? []), name]);
  }
  return [...names].map(([what, own]) => `${own.join("+")} ${what}`.trim()).join("; ");
}

/** `tcp` and `80,443`; what is the same for several protocols is said once. */
function formatProtocolServices(
  protocol: number,
  some: readonly Service[],
  all: readonly Service[],
): readonly [name: string, what: string] {
  const own = some.filter((service) => service.protocol === protocol);
  const name = /^\d/.test(formatProtocol(protocol)) ? `protocol ${protocol}` : formatProtocol(protocol);
  if (isIcmp(protocol)) return [own.map(formatIcmp).join(","), ""];
  if (!hasPorts(protocol)) return [name, ""];
  if (!own.some((service) => service.isRest)) return [name, formatPorts(own)];
  const missing = all.filter((service) => service.protocol === protocol && !some.includes(service));
  if (missing.length === 0) return [name, "any"];
  const [plain, but] = [formatPorts(own), `any but ${formatPorts(missing)}`];
  return [name, plain.length < but.length ? plain : but];
}

function formatIcmp({ protocol, icmpType, icmpCode, isEcho }: Service): string {
  if (isEcho) return "ping";
  if (icmpType === echoRequest(protocol)) return protocol === Protocol.icmp ? "ping" : "ping6";
  return `${formatProtocol(protocol)} ${icmpType}/${icmpCode}`;
}

/** `22,80-81`, neighbours joined. */
export function formatPorts(services: readonly Service[]): string {
  const ranges = services.flatMap((service) => service.ranges).sort((a, b) => a.from - b.from);
  const joined: { from: number; to: number }[] = [];
  for (const { from, to } of ranges) {
    const last = joined.at(-1);
    if (last && last.to + 1 >= from) last.to = Math.max(last.to, to);
    else joined.push({ from, to });
  }
  return joined.map(({ from, to }) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
