/**
 * Traffic that neither security groups nor network ACLs filter (SG-80 … SG-83a, NA-16). A service is asked, or it
 * answers; only what judges packets sees answers, because flows pass with theirs.
 */
import type { Knobs } from "../../src/model/knobs.ts";
import { type Ec2, ownersOf } from "./ec2-documents.ts";
import { hasIp, type Ip, ipOf } from "./ip.ts";
import { ICMP, ICMPV6, type Packet, TCP, UDP } from "./packet.ts";

const ips = (...texts: string[]): Ip[] => texts.flatMap((text) => ipOf(text) ?? []);
const resolvers = ips("169.254.169.253", "fd00:ec2::253");
const imds = ips("169.254.169.254", "fd00:ec2::254");
const ecs = ips("169.254.170.2");
const kms = ips("169.254.169.250", "169.254.169.251");
const time = ips("169.254.169.123", "fd00:ec2::123");
const routers = ips("fe80:ec2::1");
const broadcasts = ips("255.255.255.255", "ff02::1:2");

/** Whether the packet between an interface in `vpc` and `peer` is exempt. `isTo`: `peer` is its destination. */
export function isExempt(
  ec2: Ec2,
  { awsExempt: on }: Knobs,
  vpc: string,
  peer: Ip,
  packet: Packet,
  isTo: boolean,
  judgesFlows: boolean,
): boolean {
  // An address of an interface is the interface's, whatever AWS reserves; a stopped one's too.
  if (ownersOf(ec2, peer).length > 0 || ec2.nics.some((nic) => hasIp(nic.ips, peer))) return false;
  const isAnswerToo = isTo || !judgesFlows;
  const asks = (port: number): boolean =>
    !packet.isFragment && (isTo ? packet.destinationPort === port : !judgesFlows && packet.destinationPort >= 1024);
  const isUdp = packet.protocol === UDP;
  const isTcp = packet.protocol === TCP;

  const isRouter =
    hasIp(routers, peer) || ec2.subnets.some((s) => s.vpc === vpc && s.blocks.some((b) => isAt(b, 1n, peer)));
  // SG-82: the primary CIDR's base + 2 alone.
  const isResolver =
    hasIp(resolvers, peer) || ec2.vpcs.some((v) => v.id === vpc && v.primary !== null && isAt(v.primary, 2n, peer));

  if (on.dhcp === "on" && isUdp && !packet.isFragment) {
    const port = packet.destinationPort;
    if (isTo && (isRouter || hasIp(broadcasts, peer)) && (port === 67 || port === 547)) return true;
    if (!isTo && isRouter && (port === 68 || port === 546)) return true;
  }
  if (isResolver && on.dns === "on" && (isUdp || isTcp) && asks(53)) return true;
  if (hasIp(kms, peer) && on.kms === "on" && isTcp && asks(1688)) return true;
  if (hasIp(imds, peer) && on.imds === "on" && isAnswerToo) return true;
  if (hasIp(ecs, peer) && on["ecs-metadata"] === "on" && isAnswerToo) return true;
  if (hasIp(time, peer) && on.time === "on" && isAnswerToo) return true;
  // SG-83a.
  return isRouter && on.router === "on" && (isTo || isIcmpError(packet));
}

export function isService(ec2: Ec2, peer: Ip): boolean {
  if (ec2.nics.some((nic) => hasIp(nic.ips, peer))) return false;
  return (
    hasIp([...resolvers, ...imds, ...ecs, ...kms, ...time, ...routers, ...broadcasts], peer) ||
    ec2.subnets.some((s) => s.blocks.some((b) => isAt(b, 1n, peer))) ||
    ec2.vpcs.some((v) => v.primary !== null && isAt(v.primary, 2n, peer))
  );
}

function isAt(block: { readonly family: number; readonly first: bigint }, offset: bigint, ip: Ip): boolean {
  return block.family === ip.family && block.first + offset === ip.number;
}

function isIcmpError({ protocol, icmpType, isFragment }: Packet): boolean {
  if (isFragment) return false;
  if (protocol === ICMP) return [3, 11, 12].includes(icmpType);
  return protocol === ICMPV6 && [1, 2, 3, 4].includes(icmpType);
}
