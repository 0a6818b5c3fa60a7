/** What a rule allows or denies, in words, for explanations. */
import type { PodLookup } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { formatSelector, type Selector } from "../../model/selector.ts";
import { formatProtocol, hasPorts, isIcmp, parseProtocol } from "../../net/protocol.ts";
import type { PortTerm } from "./terms.ts";

export interface RuleText {
  /** `pods app=web in namespace shop or 10.0.0.0/8`, `anywhere`, `nowhere`. */
  readonly peers: string;
  /** `tcp 80, udp 53-60`, `all traffic`, `nothing`. */
  readonly ports: string;
}

export function formatPorts(ports: readonly PortTerm[] | null): string {
  if (ports === null) return "all traffic";
  return ports.map(formatPort).join(", ") || "nothing";
}

function formatPort({ protocol, range, name }: PortTerm): string {
  const protocolText = protocol === null ? "" : `${formatProtocol(protocol)} `;
  if (name !== null) return `${protocolText}port "${name}"`;
  if (range === null) return `all ${protocolText.trim()} ports`;
  return `${protocolText}${range.from === range.to ? range.from : `${range.from}-${range.to}`}`;
}

/** What a port's name means depends on the destination: `tcp port "http" (8080)`. */
export function withPortNumbers(ports: string, view: FlowView, podAt?: PodLookup): string {
  const pod = podAt?.(view.destination);
  if (!pod) return ports;
  return ports.replace(/\b(tcp|udp|sctp) port "([^"]+)"/g, (text, protocol: string, name: string) => {
    const number = parseProtocol(protocol);
    const found = pod.ports.filter((port) => port.name === name && port.protocol === number).map(({ port }) => port);
    return `${text} (${found.length === 0 ? `which ${pod.name} doesn't have` : [...new Set(found)].join(", ")})`;
  });
}

export function formatPods(pods: Selector): string {
  return pods.length === 0 ? "all pods" : `pods ${formatSelector(pods)}`;
}

export function formatNamespaces(namespaces: Selector | string): string {
  if (typeof namespaces === "string") return `namespace ${namespaces}`;
  return namespaces.length === 0 ? "all namespaces" : `namespaces ${formatSelector(namespaces)}`;
}

/** `tcp 5432`, `icmp type 8`, `a tcp fragment`, `protocol 50`. */
export function formatTraffic(view: FlowView): string {
  const { protocol } = view;
  if (view.isFragment) return `a ${formatProtocol(protocol)} fragment`;
  if (hasPorts(protocol)) return `${formatProtocol(protocol)} ${view.destinationPort}`;
  return isIcmp(protocol) ? `${formatProtocol(protocol)} type ${view.icmpType}` : `protocol ${protocol}`;
}
