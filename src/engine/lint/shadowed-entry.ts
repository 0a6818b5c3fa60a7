/** Network ACL entries that never decide: an earlier one matches whatever they match (NA-5). */
import type { NetworkAclEntry } from "../../model/network-acl.ts";
import { containsPrefix, formatPrefix } from "../../net/prefix.ts";
import { type LintRule, warn } from "./rule.ts";

/** The closing denial, which AWS prints in every list (NA-4). */
const firstReserved = 32767;

export const shadowedEntry: LintRule = ({ inventory }, report) => {
  for (const acl of inventory.ec2.networkAcls) {
    for (const direction of ["ingress", "egress"] as const) {
      const entries = acl[direction];
      entries.forEach((entry, i) => {
        if (entry.number >= firstReserved) return;
        const earlier = entries.slice(0, i).find((other) => covers(other, entry));
        if (!earlier) return;
        const does = (one: NetworkAclEntry): string => (one.isAllow ? "allows" : "denies");
        const outcome =
          earlier.isAllow === entry.isAllow
            ? `${does(earlier)} it already`
            : `${does(earlier)} all of it, and what this entry ${does(entry)} never counts`;
        const remedy =
          earlier.isAllow === entry.isAllow
            ? "delete the entry"
            : `give the entry a number below ${earlier.number}, or delete it`;
        warn(report, acl.origin, `${direction} entry ${entry.number}`, {
          code: "shadowed-network-acl-entry",
          rule: "NA-5",
          message: `entry ${earlier.number} (${formatPrefix(earlier.prefix)}) comes first and ${outcome}`,
          remedy,
        });
      });
    }
  }
};

function covers(outer: NetworkAclEntry, inner: NetworkAclEntry): boolean {
  if (outer.prefix.address.family !== inner.prefix.address.family) return false;
  if (!containsPrefix(outer.prefix, inner.prefix)) return false;
  if (outer.protocol === null) return true;
  if (outer.protocol !== inner.protocol) return false;
  return coversPorts(outer.ports, inner.ports) && coversIcmp(outer.icmp, inner.icmp);
}

function coversPorts(outer: NetworkAclEntry["ports"], inner: NetworkAclEntry["ports"]): boolean {
  if (outer === null) return true;
  return inner !== null && outer.from <= inner.from && outer.to >= inner.to;
}

function coversIcmp(outer: NetworkAclEntry["icmp"], inner: NetworkAclEntry["icmp"]): boolean {
  if (outer === null || outer.type === null) return true;
  return inner !== null && outer.type === inner.type && (outer.code === null || outer.code === inner.code);
}
