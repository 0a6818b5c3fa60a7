/**
 * The peers of all rules as lists of address classes (SG-20 … SG-27). A class holds addresses of one family, and of
 * interfaces with the same groups.
 */
import type { PrefixList } from "../../model/ec2.ts";
import type { SecurityGroup, SecurityGroupRule } from "../../model/security-group.ts";
import { Family } from "../../net/address.ts";
import type { AddressClass } from "../../net/address-classes.ts";
import { formatPrefix, type Prefix } from "../../net/prefix.ts";
import { Protocol } from "../../net/protocol.ts";
import type { GroupDirectory } from "./groups.ts";

/** Every prefix that some rule means, each once. */
export function listPrefixes(groups: readonly SecurityGroup[], lists: readonly PrefixList[]): readonly Prefix[] {
  const found = new Map<string, Prefix>();
  const add = (prefix: Prefix) => found.set(formatPrefix(prefix), prefix);
  for (const group of groups) {
    for (const { peer } of [...group.ingress, ...group.egress]) {
      if (peer.kind === "prefix") add(peer.prefix);
      if (peer.kind === "prefix-list") lists.find((l) => l.id === peer.prefixListId)?.prefixes.forEach(add);
    }
  }
  return [...found.values()];
}

/** What a class's key said of its addresses. */
export interface Membership {
  readonly family: Family;
  readonly memberOf: ReadonlySet<string>;
}

/**
 * Returns a function that gives the classes which a rule of `owner` matches; the same array for the same peer, which
 * lets rules share a column. Unknown lists and stale references give none (SG-22, SG-27).
 */
export function createPeerClasses(
  classes: readonly AddressClass[],
  membership: readonly (Membership | undefined)[],
  prefixes: readonly Prefix[],
  lists: readonly PrefixList[],
  directory: GroupDirectory,
): (rule: SecurityGroupRule, owner: SecurityGroup) => readonly number[] {
  const byPrefix = new Map<string, number[]>(prefixes.map((p) => [formatPrefix(p), []]));
  const names = prefixes.map(formatPrefix);
  const byGroup = new Map<string, number[]>();
  classes.forEach(({ prefixes: chain }, c) => {
    for (const i of chain) byPrefix.get(names[i] as string)?.push(c);
    for (const id of membership[c]?.memberOf ?? []) byGroup.set(id, [...(byGroup.get(id) ?? []), c]);
  });
  const families = classes.map(
    ({ prefixes: chain }, c) => membership[c]?.family || (prefixes[chain[0] ?? -1]?.address.family ?? Family.none),
  );
  const byList = new Map(
    lists.map((l) => [l.id, [...new Set(l.prefixes.flatMap((p) => byPrefix.get(formatPrefix(p)) ?? []))]]),
  );
  const nobody: readonly number[] = [];
  const all = (peer: SecurityGroupRule["peer"], owner: SecurityGroup): readonly number[] => {
    switch (peer.kind) {
      case "prefix":
        return byPrefix.get(formatPrefix(peer.prefix)) ?? nobody;
      case "prefix-list":
        return byList.get(peer.prefixListId) ?? nobody;
      case "group":
        return byGroup.get(directory.resolve(peer.group, owner)?.id ?? "") ?? nobody;
    }
  };
  // SG-11: ICMP is IPv4's and ICMPv6 is IPv6's. An IPv6 packet that claims protocol 1 is neither.
  const narrowed = new Map<readonly number[], Map<Family, readonly number[]>>();
  return ({ protocol, peer }, owner) => {
    const found = all(peer, owner);
    if (protocol !== Protocol.icmp && protocol !== Protocol.icmpv6) return found;
    const family = protocol === Protocol.icmp ? Family.ipv4 : Family.ipv6;
    const byFamily = narrowed.get(found) ?? new Map<Family, readonly number[]>();
    narrowed.set(found, byFamily);
    const result = byFamily.get(family) ?? found.filter((c) => families[c] === family);
    byFamily.set(family, result);
    return result;
  };
}
