/**
 * Reads one element of `NetworkAcls` of `aws ec2 describe-network-acls` (NA-1 … NA-10). An entry that can't be read
 * narrows (DEF-7): one that allows matches nothing, one that denies (or may deny) denies everything at its number, for
 * its direction and family; where those can't be read either, before all others and for all that they could be.
 */
import { z } from "zod";
import type { Report } from "../../model/finding.ts";
import type { NetworkAcl, NetworkAclEntry } from "../../model/network-acl.ts";
import { Family } from "../../net/address.ts";
import { formatPrefix, type Prefix, parsePrefix } from "../../net/prefix.ts";
import { Protocol, parseProtocol } from "../../net/protocol.ts";
import { asRecord, asText, describe, problemOf, type Reading, readElements, readList, reportAt } from "../ec2/read.ts";

type Shape = z.infer<typeof entryShape>;
type Fields = Pick<NetworkAclEntry, "protocol" | "ports" | "icmp">;

const portShape = z.looseObject({ From: z.int().min(0), To: z.int().max(65535) });
const icmpShape = z.looseObject({ Type: z.int().min(-1).max(255), Code: z.int().min(-1).max(255) });
const numberShape = z.int().min(1).max(65535);
const entryShape = z.looseObject({
  RuleNumber: numberShape,
  Protocol: z.string(),
  RuleAction: z.enum(["allow", "deny"]),
  Egress: z.boolean(),
  CidrBlock: z.string().nullish(),
  Ipv6CidrBlock: z.string().nullish(),
  // Looked at only for the protocols where they count (NA-8).
  PortRange: z.unknown().optional(),
  IcmpTypeCode: z.unknown().optional(),
});
const associationShape = z.looseObject({ SubnetId: z.string().min(1) });

const everywhere: Readonly<Record<"ipv4" | "ipv6", Prefix>> = {
  ipv4: { address: { family: Family.ipv4, w0: 0, w1: 0, w2: 0, w3: 0 }, length: 0 },
  ipv6: { address: { family: Family.ipv6, w0: 0, w1: 0, w2: 0, w3: 0 }, length: 0 },
};

/**
 * Never throws, and always returns an ACL: one that were dropped would leave its subnets to the VPC's default ACL, which
 * may allow more. Without an id it gets a name of its own.
 */
export function parseNetworkAcl(raw: unknown, file: string, report: Report): NetworkAcl {
  const record = asRecord(raw) ?? {};
  const id = asText(record.NetworkAclId) ?? `unnamed ${describe(raw)}`;
  const origin = { file, name: `network ACL ${id}` };
  if (asText(record.NetworkAclId) === null) {
    const message =
      "it has no NetworkAclId: what it says of its subnets still holds; print it again with describe-network-acls";
    reportAt({ origin, report }, "", "error", "bad-shape", "NA-1", message);
  }
  const reading = { origin, report };
  const meaning = "any subnet of the VPC without an association could be this ACL's, so that it counts as having none";
  const associations = readElements(reading, record.Associations, "Associations", associationShape, {
    rule: "NA-14",
    meaning,
  });
  const associationCount = Array.isArray(record.Associations) ? record.Associations.length : 0;
  const isBroken = asRecord(raw) === null || !Array.isArray(record.Associations ?? []);
  const entries = readList(reading, record.Entries, "Entries", {
    rule: "NA-6",
    meaning: "this ACL has no entry and denies everything",
  }).flatMap((entry, i) => parseEntry(reading, entry, `Entries[${i}]`));
  return {
    id,
    vpcId: asText(record.VpcId) ?? "",
    isDefault: record.IsDefault === true,
    subnetIds: [...new Set(associations.map((a) => a.value.SubnetId))].sort(),
    hasUnreadableAssociation: isBroken || associations.length < associationCount,
    ingress: inOrder(entries.filter((e) => !e.isEgress)),
    egress: inOrder(entries.filter((e) => e.isEgress)),
    origin,
  };
}

interface Directed {
  readonly isEgress: boolean;
  readonly entry: NetworkAclEntry;
}

/** NA-5. AWS prints a number once for a direction; where an input repeats it, the denial goes first. */
function inOrder(entries: readonly Directed[]): NetworkAclEntry[] {
  const key = (e: NetworkAclEntry) => JSON.stringify([e.isAllow, formatPrefix(e.prefix), e.protocol, e.ports, e.icmp]);
  return entries
    .map((d) => d.entry)
    .sort((a, b) => a.number - b.number || (a.isAllow ? 1 : 0) - (b.isAllow ? 1 : 0) || (key(a) < key(b) ? -1 : 1));
}

function parseEntry(reading: Reading, raw: unknown, path: string): Directed[] {
  const parsed = entryShape.safeParse(raw);
  if (!parsed.success) {
    const problem = problemOf(raw, parsed.error);
    return refuse(reading, raw, [path, ...problem.path.map(String)].join("."), problem.text);
  }
  const shape = parsed.data;
  const prefix = readPrefix(shape);
  if (typeof prefix === "string") return refuse(reading, raw, path, prefix);
  const fields = readFields(shape, prefix);
  if (typeof fields === "string") return refuse(reading, raw, path, fields);
  const entry = { number: shape.RuleNumber, isAllow: shape.RuleAction === "allow", prefix, ...fields };
  return [{ isEgress: shape.Egress, entry }];
}

/** DEF-7 for an entry that can't be read. */
function refuse(reading: Reading, raw: unknown, path: string, problem: string): Directed[] {
  const record = asRecord(raw) ?? {};
  const isAllow = record.RuleAction === "allow";
  // NA-4, NA-5: an entry whose place can't be told could come before all others.
  const number = numberShape.safeParse(record.RuleNumber).data ?? 0;
  const place = number === 0 ? "before all others, because its place" : "at its number, because what it denies";
  const meaning = isAllow ? "this entry matches nothing" : `this entry denies everything ${place} can't be told`;
  const message = `${problem}: ${meaning}; correct it or remove it`;
  reportAt(reading, path, "error", "bad-network-acl-entry", "NA-7", message);
  if (isAllow) return [];
  const isIpv4 = asText(record.CidrBlock) !== null;
  const isIpv6 = asText(record.Ipv6CidrBlock) !== null;
  const prefixes = isIpv4 === isIpv6 ? [everywhere.ipv4, everywhere.ipv6] : [everywhere[isIpv4 ? "ipv4" : "ipv6"]];
  const directions = typeof record.Egress === "boolean" ? [record.Egress] : [false, true];
  return directions.flatMap((isEgress) =>
    prefixes.map((prefix) => ({
      isEgress,
      entry: { number, isAllow: false, prefix, protocol: null, ports: null, icmp: null },
    })),
  );
}

/** NA-7: exactly one of the two CIDRs. A text is the problem. */
function readPrefix({ CidrBlock, Ipv6CidrBlock }: Shape): Prefix | string {
  const given = [CidrBlock, Ipv6CidrBlock].filter((c) => typeof c === "string");
  const cidr = given[0];
  if (given.length !== 1 || cidr === undefined) return "an entry has either a CidrBlock or an Ipv6CidrBlock";
  const prefix = parsePrefix(cidr);
  const fits = typeof CidrBlock === "string" ? prefix?.address.family === Family.ipv4 : cidr.includes(":");
  return prefix && fits ? prefix : `${describe(cidr)} is no CIDR of its family`;
}

/** NA-2, NA-8 … NA-10. A text is the problem. */
function readFields({ Protocol: name, PortRange, IcmpTypeCode }: Shape, prefix: Prefix): Fields | string {
  const isAll = name === "-1" || name.toLowerCase() === "all";
  const isKnown = isAll || /^(tcp|udp|icmp|icmpv6|\d+)$/i.test(name);
  const protocol = isAll || !isKnown ? null : parseProtocol(name);
  if (!isAll && protocol === null) return `Protocol ${describe(name)} must be "-1" or a number from 0 to 255`;
  if (protocol === Protocol.tcp || protocol === Protocol.udp) {
    const range = portShape.safeParse(PortRange ?? { From: 0, To: 65535 });
    const { From: from, To: to } = range.data ?? { From: 1, To: 0 };
    if (from > to) return `PortRange ${describe(PortRange)} is no range within 0 to 65535`;
    return { protocol, ports: { from, to }, icmp: null };
  }
  const hasTypes =
    protocol === Protocol.icmp || (protocol === Protocol.icmpv6 && prefix.address.family === Family.ipv6);
  if (!hasTypes) return { protocol, ports: null, icmp: null };
  const icmp = icmpShape.safeParse(IcmpTypeCode ?? { Type: -1, Code: -1 }).data;
  if (!icmp) return `IcmpTypeCode ${describe(IcmpTypeCode)} must have a Type and a Code from -1 to 255`;
  const { Type: type, Code: code } = icmp;
  return { protocol, ports: null, icmp: { type: type < 0 ? null : type, code: code < 0 ? null : code } };
}
