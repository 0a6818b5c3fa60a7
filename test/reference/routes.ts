/** The stage `route`, as SEMANTICS' section 4a reads. */
import type { Knobs } from "../../src/model/knobs.ts";
import { type Ec2, type Nic, ownersOf, subnetOf, type Table } from "./ec2-documents.ts";
import { blockOf, type Ip, isInside } from "./ip.ts";
import { endsOf, type Packet, type Word } from "./packet.ts";

/** Nothing that a route table decides: the link's own, and multicast. */
const unrouted = [
  "169.254.0.0/16",
  "224.0.0.0/4",
  "255.255.255.255/32",
  "fe80::/10",
  "fd00:ec2::/32",
  "ff00::/8",
].flatMap((text) => blockOf(text) ?? []);

export function askRoutes(ec2: Ec2, knobs: Knobs, packet: Packet, direction: "egress" | "ingress"): Word {
  const { own, peer } = endsOf(packet, direction);
  const [nic, second] = ownersOf(ec2, own);
  // VR-1; an address of two interfaces is denied by the stages of the interfaces (VR-6).
  if (!nic || second || !ec2.tables.some((t) => t.vpc === nic.vpc)) return "unmanaged";
  const subnet = subnetOf(ec2, nic, own);
  const [other, another] = ownersOf(ec2, peer);
  const peerNic = another ? undefined : other;
  if (subnet !== null && peerNic && subnetOf(ec2, peerNic, peer) === subnet) return "next";
  const table = tableOf(ec2, nic, subnet);
  if (!table) return knobs.errorVerdict === "accept" ? "next" : "deny";
  if (!peerNic && unrouted.some((block) => isInside(block, peer))) return "unmanaged";
  // VR-5: what comes from a known interface of another VPC has passed that one's own table.
  const comesFromKnown = peerNic && peerNic.vpc !== table.vpc && ec2.tables.some((t) => t.vpc === peerNic.vpc);
  if (direction === "ingress" && comesFromKnown) return "allow";
  return passes(ec2, table, peer, peerNic?.vpc ?? null, packet, direction) ? "allow" : "deny";
}

function tableOf(ec2: Ec2, nic: Nic, subnet: string | null): Table | null {
  const explicit = ec2.tables.filter((t) => subnet !== null && t.subnets.includes(subnet));
  const found = explicit.length > 0 ? explicit : ec2.tables.filter((t) => t.vpc === nic.vpc && t.isMain);
  return found.length === 1 ? (found[0] ?? null) : null;
}

/** VR-2 … VR-5. `peerVpc` is that of an interface that has the address. */
function passes(
  ec2: Ec2,
  table: Table,
  peer: Ip,
  peerVpc: string | null,
  packet: Packet,
  direction: "egress" | "ingress",
): boolean {
  const around = table.routes.filter((r) => isInside(r.block, peer));
  const longest = Math.max(...around.map((r) => r.block.length));
  const best = around.filter((r) => r.block.length === longest);
  const route = best.find((r) => r.isBlackhole) ?? best[0];
  if (!route || route.isBlackhole) return false;
  const { target } = route;
  const isForeign = peerVpc !== null && peerVpc !== table.vpc;
  if (target === "local") return !isForeign;
  if (target.startsWith("pcx-")) {
    const peering = ec2.peerings.find((p) => p.id === target && p.isActive);
    const side = peering?.sides.find((s) => s.vpc !== table.vpc);
    if (!side) return false;
    return peerVpc === null ? side.blocks.some((b) => isInside(b, peer)) : peerVpc === side.vpc;
  }
  if (target.startsWith("igw-")) return !isForeign;
  if (target.startsWith("nat-") || target.startsWith("eigw-")) {
    return !isForeign && (direction === "egress" || packet.isReply);
  }
  return true;
}
