/** A packet and an exemption in the words of EC2's rules, for explanations; never on the packet path. */
import type { Explanation } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { type ReasonName, reasonNames } from "../../model/reason.ts";
import { type Address, Family } from "../../net/address.ts";
import { formatPrefix, hostPrefix } from "../../net/prefix.ts";
import { formatProtocol, isIcmp, Protocol } from "../../net/protocol.ts";

/** `tcp 5432`, `icmp 8/0`, `protocol 50`, `a fragment of udp`. */
export function packetText(view: FlowView): string {
  const { protocol } = view;
  const name = formatProtocol(protocol);
  const shown = /^\d/.test(name) ? `protocol ${name}` : name;
  if (view.isFragment) return `a fragment of ${shown}`;
  if (isIcmp(protocol)) return `${name} ${view.icmpType}/${view.icmpCode}`;
  return protocol === Protocol.tcp || protocol === Protocol.udp ? `${name} ${view.destinationPort}` : shown;
}

/** `10.0.0.1/32`. */
export function hostText({ family, w0, w1, w2, w3 }: Address): string {
  return formatPrefix(hostPrefix({ family, w0, w1, w2, w3 }));
}

/** The one permission that would match the packet, as `--ip-permissions` of the AWS CLI takes it. */
export function permissionText(
  view: FlowView,
  peer: { readonly group: string } | { readonly address: Address },
): string {
  const { protocol } = view;
  const name = protocol === Protocol.sctp ? "132" : formatProtocol(protocol);
  const ports =
    protocol === Protocol.tcp || protocol === Protocol.udp
      ? `,FromPort=${view.destinationPort},ToPort=${view.destinationPort}`
      : isIcmp(protocol)
        ? `,FromPort=${view.icmpType},ToPort=${view.icmpCode}`
        : "";
  if ("group" in peer) return `'IpProtocol=${name}${ports},UserIdGroupPairs=[{GroupId=${peer.group}}]'`;
  const host = hostText(peer.address);
  const ranges =
    peer.address.family === Family.ipv4 ? `IpRanges=[{CidrIp=${host}}]` : `Ipv6Ranges=[{CidrIpv6=${host}}]`;
  return `'IpProtocol=${name}${ports},${ranges}'`;
}

const sentences: Partial<Record<ReasonName, string>> = {
  "aws-exempt:dns": "AWS never filters traffic with its DNS resolver",
  "aws-exempt:dhcp": "AWS never filters its DHCP",
  "aws-exempt:imds": "AWS never filters traffic with the instance metadata service",
  "aws-exempt:ecs-metadata": "AWS never filters traffic with the ECS task metadata endpoint",
  "aws-exempt:kms": "AWS never filters Windows licence activation",
  "aws-exempt:time": "AWS never filters traffic with its time service",
  "aws-exempt:router": "AWS never filters traffic with the router of the VPC",
  self: "both addresses are of one interface, so the packet never leaves its host",
  "same-subnet": "both ends are in one subnet, and a network ACL acts only on what crosses a subnet's boundary",
};

const ambiguous: Explanation = {
  text: "two running interfaces claim one of the addresses, so that whose rules apply can't be told",
  remedy: "load the VPCs apart, or correct the address of one interface",
};

/** What several EC2 evaluators say in the same words; undefined for other reasons. */
export function commonExplanation(reason: number): Explanation | null | undefined {
  const name = reasonNames[reason];
  if (name === "not-managed") return null;
  if (name === "ambiguous-address") return ambiguous;
  const text = name && sentences[name];
  return text ? { text, remedy: null } : undefined;
}

/** A copy to evaluate again without touching the caller's view. */
export function copyView(view: FlowView, classOf: (address: Address) => number): FlowView {
  return {
    ...view,
    source: { ...view.source },
    destination: { ...view.destination },
    sourceClass: classOf(view.source),
    destinationClass: classOf(view.destination),
    reason: 0,
    rule: -1,
    tracking: 0,
  };
}
