/** Permissions of security groups: what they match, without their peers (SG-2 … SG-12), and their peers' texts. */
import { type Block, blockOf } from "./ip.ts";
import { type Fields, fieldsOf, isAbsent, isWhole, itemsOf, objectsIn, textOf } from "./json.ts";
import { ICMP, ICMPV6, type Packet, TCP, UDP } from "./packet.ts";

export interface Permission {
  readonly protocol: number | "all";
  readonly from: number;
  readonly to: number;
  readonly blocks: readonly Block[];
  readonly lists: readonly string[];
  readonly pairs: readonly Pair[];
}

export interface Pair {
  readonly groupId: string | null;
  readonly groupName: string | null;
  readonly userId: string | null;
  readonly vpc: string | null;
  readonly status: string | null;
}

const names: Readonly<Record<string, number>> = { tcp: TCP, udp: UDP, icmp: ICMP, icmpv6: ICMPV6 };

/** Those that can't be read match nothing, so that they are left out (DEF-7). */
export function readPermissions(value: unknown): Permission[] {
  return itemsOf(value).flatMap((item) => {
    const fields = fieldsOf(item);
    const matcher = fields && readMatcher(fields);
    return fields && matcher ? [{ ...matcher, ...readPeers(fields) }] : [];
  });
}

function readMatcher(fields: Fields): Pick<Permission, "protocol" | "from" | "to"> | null {
  const { IpProtocol: name, FromPort: from, ToPort: to } = fields;
  if (typeof name !== "string") return null;
  // SG-6.
  if (name === "-1") return { protocol: "all", from: -1, to: -1 };
  const isNumber = /^(0|[1-9][0-9]{0,2})$/.test(name);
  const protocol = names[name.toLowerCase()] ?? (isNumber ? Number(name) : 256);
  if (protocol > 255) return null;
  if (protocol === TCP || protocol === UDP) {
    // SG-8: absent, or -1 twice, is every port.
    if ((isAbsent(from) && isAbsent(to)) || (from === -1 && to === -1)) return { protocol, from: 0, to: 65535 };
    return isWhole(from, 0, 65535) && isWhole(to, from, 65535) ? { protocol, from, to } : null;
  }
  if (protocol === ICMP || protocol === ICMPV6) {
    // SG-9: a pair; SG-10.
    if (isAbsent(from) && isAbsent(to)) return { protocol, from: -1, to: -1 };
    if (from === -1) return to === -1 ? { protocol, from, to } : null;
    return isWhole(from, 0, 255) && isWhole(to, -1, 255) ? { protocol, from, to } : null;
  }
  // SG-7.
  return { protocol, from: -1, to: -1 };
}

function readPeers(fields: Fields): Pick<Permission, "blocks" | "lists" | "pairs"> {
  const each = (key: string) => objectsIn(fields[key]);
  return {
    blocks: [
      ...each("IpRanges").flatMap(({ CidrIp }) => (`${CidrIp}`.includes(":") ? [] : (blockOf(CidrIp) ?? []))),
      ...each("Ipv6Ranges").flatMap(({ CidrIpv6 }) => (`${CidrIpv6}`.includes(":") ? (blockOf(CidrIpv6) ?? []) : [])),
    ],
    lists: each("PrefixListIds").flatMap(({ PrefixListId }) => textOf(PrefixListId) ?? []),
    pairs: each("UserIdGroupPairs").map((pair) => ({
      groupId: textOf(pair.GroupId),
      groupName: textOf(pair.GroupName),
      userId: textOf(pair.UserId),
      vpc: textOf(pair.VpcId),
      status: textOf(pair.PeeringStatus),
    })),
  };
}

/** SG-5 … SG-11; SG-91 for a fragment, whose ports and type nobody knows. */
export function matchesTraffic({ protocol, from, to }: Permission, packet: Packet): boolean {
  if (protocol === "all") return true;
  if (protocol !== packet.protocol) return false;
  if (protocol === TCP || protocol === UDP) {
    if (packet.isFragment) return from === 0 && to === 65535;
    return from <= packet.destinationPort && packet.destinationPort <= to;
  }
  if (protocol === ICMP || protocol === ICMPV6) {
    if (packet.source.family !== (protocol === ICMP ? 4 : 6)) return false;
    if (from === -1) return true;
    return !packet.isFragment && from === packet.icmpType && (to === -1 || to === packet.icmpCode);
  }
  return true;
}
