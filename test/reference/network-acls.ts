/** The stage `nacl`, as SEMANTICS' section 2 reads. It judges packets, answers among them (NA-11). */
import type { Knobs } from "../../src/model/knobs.ts";
import { type Acl, type Ec2, type Nic, ownersOf, smallestSubnet, subnetOf } from "./ec2-documents.ts";
import { isExempt, isService } from "./exemptions.ts";
import { hasIp, type Ip } from "./ip.ts";
import { matchesEntry } from "./network-acl-entries.ts";
import { endsOf, type Packet, type Word } from "./packet.ts";

export function askNetworkAcls(ec2: Ec2, knobs: Knobs, packet: Packet, direction: "egress" | "ingress"): Word {
  if (ec2.acls.length === 0) return "unmanaged";
  const { own, peer } = endsOf(packet, direction);
  const [nic, second] = ownersOf(ec2, own);
  if (second) return "deny";
  if (!nic) return "unmanaged";
  if (ownersOf(ec2, peer).length > 1) return "deny";
  if (isExempt(ec2, knobs, nic.vpc, peer, packet, direction === "egress", false)) return "allow";
  const subnet = subnetOf(ec2, nic, own);
  // NA-12.
  if (subnet !== null && peerSubnet(ec2, nic, peer) === subnet) return "next";
  const acl = subnet === null ? null : aclOf(ec2, subnet);
  // NA-14.
  if (!acl) return knobs.errorVerdict === "accept" ? "next" : "deny";
  // NA-5; of one number, which AWS prints once, the denial goes first (DEF-7).
  const decisive = acl.entries
    .filter((entry) => entry.isEgress === (direction === "egress"))
    .filter((entry) => matchesEntry(entry, packet, peer))
    .sort((a, b) => a.number - b.number || Number(a.isAllow) - Number(b.isAllow))[0];
  // NA-6.
  return decisive?.isAllow ? "allow" : "deny";
}

/** NA-13: an interface's own subnet; an address of nobody is in the smallest subnet around it. */
function peerSubnet(ec2: Ec2, nic: Nic, peer: Ip): string | null {
  const [other] = ownersOf(ec2, peer);
  if (other) return other.vpc === nic.vpc ? subnetOf(ec2, other, peer) : null;
  return isService(ec2, peer) && !ec2.nics.some((n) => hasIp(n.ips, peer)) ? null : smallestSubnet(ec2, nic.vpc, peer);
}

/** NA-14: the one associated with the subnet, else its VPC's default. Two are as bad as none. */
function aclOf(ec2: Ec2, subnet: string): Acl | null {
  const explicit = ec2.acls.filter((acl) => acl.subnets.includes(subnet));
  const vpc = ec2.subnets.find((s) => s.id === subnet)?.vpc ?? ec2.nics.find((n) => n.subnet === subnet)?.vpc;
  const found = explicit.length > 0 ? explicit : ec2.acls.filter((acl) => acl.isDefault && acl.vpc === vpc);
  return found.length === 1 ? (found[0] ?? null) : null;
}
