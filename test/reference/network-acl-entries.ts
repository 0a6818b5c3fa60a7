/** Entries of network ACLs (NA-1 … NA-10, NA-23). */
import { type Block, blockOf, type Ip, isInside } from "./ip.ts";
import { type Fields, fieldsOf, isAbsent, isWhole, itemsOf, textOf } from "./json.ts";
import { ICMP, ICMPV6, type Packet, TCP, UDP } from "./packet.ts";

export interface Entry {
  readonly number: number;
  readonly isEgress: boolean;
  readonly isAllow: boolean;
  readonly block: Block;
  readonly protocol: number | "all";
  /** Ports for TCP and UDP, type and code for ICMP (-1 for all); null where they don't count. */
  readonly first: number | null;
  readonly second: number | null;
}

const names: Readonly<Record<string, number>> = { tcp: TCP, udp: UDP, icmp: ICMP, icmpv6: ICMPV6 };

export function readEntries(value: unknown): Entry[] {
  return itemsOf(value).flatMap((item) => {
    const fields = fieldsOf(item) ?? {};
    const entry = readEntry(fields);
    return entry ? [entry] : deniedInstead(fields);
  });
}

function readEntry(fields: Fields): Entry | null {
  const { RuleNumber: number, Egress: isEgress, RuleAction: action, Protocol: name } = fields;
  if (!isWhole(number, 1, 65535) || typeof isEgress !== "boolean" || typeof name !== "string") return null;
  if (action !== "allow" && action !== "deny") return null;
  // NA-7: one CIDR, in its own family's field.
  const [ipv4, ipv6] = [fields.CidrBlock, fields.Ipv6CidrBlock];
  if (isAbsent(ipv4) === isAbsent(ipv6)) return null;
  const text = isAbsent(ipv4) ? ipv6 : ipv4;
  const block = blockOf(text);
  if (!block || `${text}`.includes(":") !== isAbsent(ipv4)) return null;
  const base = { number, isEgress, isAllow: action === "allow", block };
  const lower = name.toLowerCase();
  if (name === "-1" || lower === "all") return { ...base, protocol: "all", first: null, second: null };
  const protocol = names[lower] ?? (/^(0|[1-9][0-9]{0,2})$/.test(name) ? Number(name) : 256);
  if (protocol > 255) return null;
  if (protocol === TCP || protocol === UDP) {
    // NA-9.
    if (isAbsent(fields.PortRange)) return { ...base, protocol, first: 0, second: 65535 };
    const { From: from, To: to } = fieldsOf(fields.PortRange) ?? {};
    return isWhole(from, 0, 65535) && isWhole(to, from, 65535) ? { ...base, protocol, first: from, second: to } : null;
  }
  // NA-8, NA-10.
  if (protocol === ICMP || (protocol === ICMPV6 && block.family === 6)) {
    if (isAbsent(fields.IcmpTypeCode)) return { ...base, protocol, first: -1, second: -1 };
    const { Type: type, Code: code } = fieldsOf(fields.IcmpTypeCode) ?? {};
    return isWhole(type, -1, 255) && isWhole(code, -1, 255) ? { ...base, protocol, first: type, second: code } : null;
  }
  return { ...base, protocol, first: null, second: null };
}

/** DEF-7: one that allows matches nothing; any other denies all that it could at its number. */
function deniedInstead(fields: Fields): Entry[] {
  if (fields.RuleAction === "allow") return [];
  const number = isWhole(fields.RuleNumber, 1, 65535) ? fields.RuleNumber : 0;
  const [ipv4, ipv6] = [textOf(fields.CidrBlock) !== null, textOf(fields.Ipv6CidrBlock) !== null];
  const everywhere = ipv4 === ipv6 ? ["0.0.0.0/0", "::/0"] : [ipv4 ? "0.0.0.0/0" : "::/0"];
  const directions = typeof fields.Egress === "boolean" ? [fields.Egress] : [false, true];
  return directions.flatMap((isEgress) =>
    everywhere.map(
      (text): Entry => ({
        number,
        isEgress,
        isAllow: false,
        block: blockOf(text) as Block,
        protocol: "all",
        first: null,
        second: null,
      }),
    ),
  );
}

export function matchesEntry(entry: Entry, packet: Packet, peer: Ip): boolean {
  if (!isInside(entry.block, peer)) return false;
  if (entry.protocol === "all") return true;
  if (entry.protocol !== packet.protocol) return false;
  const { first, second } = entry;
  if (first === null || second === null) return true;
  if (entry.protocol === TCP || entry.protocol === UDP) {
    // NA-23.
    if (packet.isFragment) return first === 0 && second === 65535;
    return first <= packet.destinationPort && packet.destinationPort <= second;
  }
  if (packet.isFragment) return first === -1 && second === -1;
  return (first === -1 || first === packet.icmpType) && (second === -1 || second === packet.icmpCode);
}
