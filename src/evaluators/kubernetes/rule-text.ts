/** What a rule allows or denies, in words, for explanations. */
import type { FlowView } from "../../model/flow.ts";
import { formatSelector, type Selector } from "../../model/selector.ts";
import { formatProtocol, hasPorts, isIcmp } from "../../net/protocol.ts";
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
