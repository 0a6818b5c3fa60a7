/**
 * Addresses of Amazon's own services, whose traffic neither security groups nor network ACLs filter (SG-80 … SG-83a,
 * NA-16), and the test for one packet.
 *
 * An address that the inventory gives to an interface is that interface's, whatever AWS reserves: on an emulator's
 * network the first container may well sit on base + 2, and an exemption would open it.
 *
 * The tests read no source port, so that verdicts can be remembered without it. An answer from port 53 or 1688 is told
 * by its destination, a port that a client asks from; a sender chooses its source port as it likes, so comparing that
 * would be no stronger. A stateful evaluator needs no exemption for answers: they pass as part of their flow.
 */
import type { Ec2Inventory } from "../../model/ec2.ts";
import { type FlowView, isNeighbourDiscovery } from "../../model/flow.ts";
import { type ExemptClass, exemptClasses, type Knobs } from "../../model/knobs.ts";
import { Reason } from "../../model/reason.ts";
import { type Address, addressKey, Family, parseAddress } from "../../net/address.ts";
import type { Prefix } from "../../net/prefix.ts";
import { Protocol } from "../../net/protocol.ts";

/** What an address is to a VPC; 0 for no service. */
export const Service = { none: 0, resolver: 1, imds: 2, ecs: 3, kms: 4, time: 5, router: 6, broadcast: 7 } as const;
export type Service = (typeof Service)[keyof typeof Service];

/** SG-81. The router's link-local address and broadcast are DHCP's and the router's in every VPC. */
const EVERYWHERE: readonly (readonly [string, Service])[] = [
  ["169.254.169.253", Service.resolver],
  ["fd00:ec2::253", Service.resolver],
  ["169.254.169.254", Service.imds],
  ["fd00:ec2::254", Service.imds],
  ["169.254.170.2", Service.ecs],
  ["169.254.169.250", Service.kms],
  ["169.254.169.251", Service.kms],
  ["169.254.169.123", Service.time],
  ["fd00:ec2::123", Service.time],
  ["fe80:ec2::1", Service.router],
  ["255.255.255.255", Service.broadcast],
  ["ff02::1:2", Service.broadcast],
];

export interface ServiceAddress {
  readonly address: Address;
  /** By index of the VPC; equal texts for equal roles. */
  readonly services: readonly Service[];
  readonly key: string;
}

/** Every service address with what it is in each VPC of `vpcIds`. */
export function listServiceAddresses(ec2: Ec2Inventory, vpcIds: readonly string[]): readonly ServiceAddress[] {
  const found = new Map<string, { address: Address; services: Service[] }>();
  const add = (address: Address, service: Service, vpcId: string | null) => {
    const entry = found.get(addressKey(address)) ?? { address, services: vpcIds.map(() => Service.none) };
    vpcIds.forEach((id, i) => {
      if (vpcId === null || id === vpcId) entry.services[i] = service;
    });
    found.set(addressKey(address), entry);
  };
  for (const vpc of ec2.vpcs) {
    const primary = vpc.prefixes.find((p) => p.address.family === Family.ipv4);
    if (primary) add(offsetAddress(primary, 2), Service.resolver, vpc.id);
  }
  for (const subnet of ec2.subnets) {
    for (const prefix of subnet.prefixes) add(offsetAddress(prefix, 1), Service.router, subnet.vpcId);
  }
  for (const [text, service] of EVERYWHERE) {
    const address = parseAddress(text);
    if (address) add(address, service, null);
  }
  return [...found.values()].map((s) => ({ ...s, key: `service ${s.services.join(" ")}` }));
}

/** The prefix's first address plus a small number. */
function offsetAddress({ address }: Prefix, offset: number): Address {
  return { ...address, w3: (address.w3 + offset) >>> 0 };
}

/** Which classes are exempt, by the order of `exemptClasses`. */
export function exemptSwitches(knobs: Knobs): Uint8Array {
  return Uint8Array.from(exemptClasses, (c) => (knobs.awsExempt[c] === "on" ? 1 : 0));
}

const index = Object.fromEntries(exemptClasses.map((c, i) => [c, i])) as Record<ExemptClass, number>;

/**
 * The reason for which a packet to or from a service isn't filtered, or 0 (`Reason.unspecified`) where it is judged
 * like any other. `isTo`: the service is its destination. Never allocates.
 */
export function exemptReason(
  switches: Uint8Array,
  service: number,
  view: FlowView,
  isTo: boolean,
  isStateful: boolean,
): Reason {
  if (service === Service.none) return Reason.unspecified;
  if (isDhcp(service, view, isTo) && switches[index.dhcp] === 1) return Reason["aws-exempt:dhcp"];
  switch (service) {
    case Service.resolver:
      return switches[index.dns] === 1 && isAsked(view, isTo, isStateful, 53) ? Reason["aws-exempt:dns"] : 0;
    case Service.kms:
      return switches[index.kms] === 1 && view.protocol === Protocol.tcp && isAsked(view, isTo, isStateful, 1688)
        ? Reason["aws-exempt:kms"]
        : 0;
    case Service.imds:
      return switches[index.imds] === 1 && (isTo || !isStateful) ? Reason["aws-exempt:imds"] : 0;
    case Service.ecs:
      return switches[index["ecs-metadata"]] === 1 && (isTo || !isStateful) ? Reason["aws-exempt:ecs-metadata"] : 0;
    case Service.time:
      return switches[index.time] === 1 && (isTo || !isStateful) ? Reason["aws-exempt:time"] : 0;
    case Service.router:
      // SG-83a: what else comes from base + 1 is an outside source; on a Docker network it is the host itself.
      return switches[index.router] === 1 && (isTo || isIcmpError(view) || isNeighbourDiscovery(view))
        ? Reason["aws-exempt:router"]
        : 0;
    default:
      return Reason.unspecified;
  }
}

/** A question to the port, or (for a stateless judge) an answer to a client's port. */
function isAsked(view: FlowView, isTo: boolean, isStateful: boolean, port: number): boolean {
  if (view.isFragment || (view.protocol !== Protocol.udp && view.protocol !== Protocol.tcp)) return false;
  return isTo ? view.destinationPort === port : !isStateful && view.destinationPort >= 1024;
}

/** The first ports of the ranges that these tests cut destination ports into. */
export const exemptPortBounds: readonly number[] = [53, 67, 68, 546, 547, 1688].flatMap((p) => [p, p + 1]).concat(1024);

/** DHCP with the router or by broadcast; two instances that talk on these ports are judged like any others. */
function isDhcp(service: number, view: FlowView, isTo: boolean): boolean {
  if (view.isFragment || view.protocol !== Protocol.udp) return false;
  if (isTo && (service === Service.router || service === Service.broadcast)) {
    return view.destinationPort === 67 || view.destinationPort === 547;
  }
  return !isTo && service === Service.router && (view.destinationPort === 68 || view.destinationPort === 546);
}

/** SG-71's types: RFC 792 unreachable, time exceeded, parameter problem; RFC 4443 1 … 4. */
function isIcmpError({ protocol, icmpType, isFragment }: FlowView): boolean {
  if (isFragment) return false;
  if (protocol === Protocol.icmp) return icmpType === 3 || icmpType === 11 || icmpType === 12;
  return protocol === Protocol.icmpv6 && icmpType >= 1 && icmpType <= 4;
}
