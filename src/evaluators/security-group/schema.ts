/**
 * Reads one element of `SecurityGroups` of `aws ec2 describe-security-groups` (SG-1 … SG-12). What is invalid matches
 * nothing, and is reported (DEF-7); a merged permission becomes one rule for each peer, so that merged, split and
 * duplicated input give the same group (SG-3).
 */
import { z } from "zod";
import type { Report } from "../../model/finding.ts";
import type { GroupReference, SecurityGroup, SecurityGroupRule } from "../../model/security-group.ts";
import { Family } from "../../net/address.ts";
import { formatPrefix, type Prefix, parsePrefix } from "../../net/prefix.ts";
import { formatProtocol, hasPorts, isIcmp, Protocol, parseProtocol } from "../../net/protocol.ts";
import {
  asRecord,
  asText,
  type Consequence,
  describe,
  type Reading,
  readElements,
  readShape,
  reportAt,
} from "../ec2/read.ts";

type Peer = SecurityGroupRule["peer"];
type Matcher = Pick<SecurityGroupRule, "protocol" | "ports" | "icmp">;

const number = z.int().nullish();
const permissionShape = z.looseObject({ IpProtocol: z.string(), FromPort: number, ToPort: number });
const text = z.string().nullish();
const shapes = {
  ipv4: z.looseObject({ CidrIp: z.string() }),
  ipv6: z.looseObject({ CidrIpv6: z.string() }),
  list: z.looseObject({ PrefixListId: z.string().min(1) }),
  group: z.looseObject({
    GroupId: text,
    GroupName: text,
    UserId: text,
    VpcId: text,
    VpcPeeringConnectionId: text,
    PeeringStatus: text,
  }),
};

const peerLost: Consequence = { rule: "SG-20", meaning: "this peer matches nothing" };
const permissionLost: Consequence = { rule: "SG-5", meaning: "this permission matches nothing" };

/** Null after a finding where the element has no readable `GroupId`; never throws. */
export function parseSecurityGroup(raw: unknown, file: string, report: Report): SecurityGroup | null {
  const record = asRecord(raw) ?? {};
  const id = asText(record.GroupId);
  if (id === null) {
    const reading = { origin: { file, name: "SecurityGroups" }, report };
    const message = `${describe(raw)} has no GroupId: this group has no effect, and what refers to it matches nothing; print it again with describe-security-groups`;
    reportAt(reading, "", "error", "bad-shape", "SG-1", message);
    return null;
  }
  const origin = { file, name: `security group ${id}` };
  const reading = { origin, report };
  return {
    id,
    name: asText(record.GroupName) ?? "",
    ownerId: asText(record.OwnerId),
    vpcId: asText(record.VpcId) ?? "",
    ingress: parseRules(reading, record.IpPermissions, "IpPermissions", "from"),
    egress: parseRules(reading, record.IpPermissionsEgress, "IpPermissionsEgress", "to"),
    origin,
  };
}

function parseRules(reading: Reading, raw: unknown, path: string, word: "from" | "to"): SecurityGroupRule[] {
  const rules = new Map<string, SecurityGroupRule>();
  for (const { value, path: at } of readElements(reading, raw, path, permissionShape, permissionLost)) {
    const matcher = parseMatcher(reading, value, at);
    const peers = parsePeers(reading, value, at);
    if (!matcher) continue;
    for (const peer of peers) {
      const rule = { id: null, ...matcher, peer, text: ruleText(matcher, peer, word) };
      rules.set(JSON.stringify([rule.text, peer]), rule);
    }
  }
  return [...rules.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, rule]) => rule);
}

/** Protocol and ports of a permission, or null after a finding. */
function parseMatcher(
  reading: Reading,
  { IpProtocol, FromPort, ToPort }: z.infer<typeof permissionShape>,
  path: string,
): Matcher | null {
  const from = FromPort ?? null;
  const to = ToPort ?? null;
  if (IpProtocol === "-1") return { protocol: null, ports: null, icmp: null };
  const protocol = /^(tcp|udp|icmp|icmpv6|\d+)$/i.test(IpProtocol) ? parseProtocol(IpProtocol) : null;
  const refuse = (code: string, rule: string, message: string) => {
    reportAt(reading, path, "error", code, rule, `${message}: this permission matches nothing`);
    return null;
  };
  if (protocol === null) {
    const expected = 'it must be "-1", tcp, udp, icmp, icmpv6 or a number from 0 to 255';
    return refuse("bad-protocol", "SG-5", `IpProtocol ${describe(IpProtocol)} is unknown, ${expected}`);
  }
  const none = { protocol, ports: null, icmp: null };
  if (isIcmp(protocol)) {
    if (from === null && to === null) {
      if (protocol === Protocol.icmp) warnMissing(reading, path, "SG-9", "FromPort and ToPort", "all types and codes");
      return none;
    }
    const type = from ?? -1;
    const code = to ?? -1;
    if (type === -1 && code === -1) return none;
    if (type < 0 || type > 255 || code < -1 || code > 255) {
      const expected = "FromPort is a type and ToPort its code (0 to 255, or -1 for all; all types go with all codes)";
      return refuse("bad-icmp-type", "SG-9", `ICMP type ${type} and code ${code} are no pair, ${expected}`);
    }
    return { protocol, ports: null, icmp: { type, code: code === -1 ? null : code } };
  }
  if (protocol !== Protocol.tcp && protocol !== Protocol.udp) return none;
  if (from === null && to === null) {
    warnMissing(reading, path, "SG-8", "FromPort and ToPort", "all ports");
    return { protocol, ports: { from: 0, to: 65535 }, icmp: null };
  }
  if (from === -1 && to === -1) return { protocol, ports: { from: 0, to: 65535 }, icmp: null };
  if (from === null || to === null || from < 0 || to > 65535 || from > to) {
    const expected = "the first must not exceed the second, both from 0 to 65535";
    return refuse("port-out-of-range", "SG-8", `ports ${from} to ${to} are no range, ${expected}`);
  }
  return { protocol, ports: { from, to }, icmp: null };
}

function warnMissing(reading: Reading, path: string, rule: string, what: string, meaning: string): void {
  const message = `${what} are missing, which is read as ${meaning}; write them out`;
  reportAt(reading, path, "warning", "missing-ports", rule, message);
}

function parsePeers(reading: Reading, permission: Readonly<Record<string, unknown>>, path: string): Peer[] {
  const list = <T>(key: string, shape: z.ZodType<T>) =>
    readElements(reading, permission[key], `${path}.${key}`, shape, peerLost);
  return [
    ...list("IpRanges", shapes.ipv4).flatMap((e) => readCidr(reading, e.value.CidrIp, `${e.path}.CidrIp`, 4)),
    ...list("Ipv6Ranges", shapes.ipv6).flatMap((e) => readCidr(reading, e.value.CidrIpv6, `${e.path}.CidrIpv6`, 6)),
    ...list("PrefixListIds", shapes.list).map(
      (e): Peer => ({ kind: "prefix-list", prefixListId: e.value.PrefixListId }),
    ),
    ...list("UserIdGroupPairs", shapes.group).flatMap(({ value, path: at }): Peer[] => {
      const group: GroupReference = {
        groupId: asText(value.GroupId),
        groupName: asText(value.GroupName),
        userId: asText(value.UserId),
        vpcId: asText(value.VpcId),
        peeringId: asText(value.VpcPeeringConnectionId),
        peeringStatus: asText(value.PeeringStatus),
      };
      if (group.groupId !== null || group.groupName !== null) return [{ kind: "group", group }];
      readShape(reading, value, at, z.looseObject({ GroupId: z.string().min(1) }), peerLost);
      return [];
    }),
  ];
}

/** SG-21: an IPv4 list holds IPv4 only and an IPv6 list texts in IPv6's form (DEF-4 makes a mapped one IPv4). */
function readCidr(reading: Reading, cidr: string, path: string, family: 4 | 6): Peer[] {
  const prefix: Prefix | null = parsePrefix(cidr);
  const fits = family === 4 ? prefix?.address.family === Family.ipv4 : cidr.includes(":");
  if (prefix && fits) return [{ kind: "prefix", prefix }];
  const example = family === 4 ? "10.0.0.0/8" : "2001:db8::/32";
  const message = `${describe(cidr)} is no IPv${family} CIDR: this peer matches nothing; write ADDRESS/LENGTH, such as ${example}`;
  reportAt(reading, path, "error", "bad-cidr", "SG-20", message);
  return [];
}

/** The canonical text of a rule: `tcp 5432 from sg-0a1b`, `icmp 3/4 to 10.0.0.0/8`, `all from ::/0`. */
export function ruleText(matcher: Matcher, peer: Peer, word: "from" | "to"): string {
  return `${matcherText(matcher)} ${word} ${peerText(peer)}`;
}

/** `tcp 5432`, `udp 1024-2047`, `icmp 8`, `all`. */
export function matcherText({ protocol, ports, icmp }: Matcher): string {
  if (protocol === null) return "all";
  const name = hasPorts(protocol) || isIcmp(protocol) ? formatProtocol(protocol) : `protocol ${protocol}`;
  if (ports) return `${name} ${ports.from === ports.to ? ports.from : `${ports.from}-${ports.to}`}`;
  if (icmp && icmp.type !== null) return `${name} ${icmp.type}${icmp.code === null ? "" : `/${icmp.code}`}`;
  return name;
}

export function peerText(peer: Peer): string {
  switch (peer.kind) {
    case "prefix":
      return formatPrefix(peer.prefix);
    case "prefix-list":
      return peer.prefixListId;
    case "group":
      return peer.group.groupId ?? `${peer.group.userId ?? "-"}/${peer.group.groupName ?? "-"}`;
  }
}
