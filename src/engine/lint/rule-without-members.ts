/** Security group rules whose peer is nobody at present: a group without members, a prefix list without entries. */
import { createGroupDirectory } from "../../evaluators/security-group/groups.ts";
import { type LintRule, warn } from "./rule.ts";

export const ruleWithoutMembers: LintRule = ({ inventory: { ec2 } }, report) => {
  if (ec2.interfaces.length === 0) return;
  const directory = createGroupDirectory(ec2);
  const members = new Set(ec2.interfaces.flatMap((one) => directory.groupsOf(one).map((group) => group.id)));
  const emptyLists = new Set(ec2.prefixLists.filter((list) => list.prefixes.length === 0).map((list) => list.id));
  for (const owner of ec2.securityGroups) {
    // What a group that nobody has refers to is no matter.
    if (!members.has(owner.id)) continue;
    for (const { peer, text } of [...owner.ingress, ...owner.egress]) {
      if (peer.kind === "prefix-list" && emptyLists.has(peer.prefixListId)) {
        warn(report, owner.origin, text, {
          code: "rule-matches-nothing",
          rule: "SG-22",
          message: `${peer.prefixListId} has no entries, so that the rule matches nothing`,
          remedy: "add entries to the list, or remove the rule",
        });
      }
      const group = peer.kind === "group" ? directory.resolve(peer.group, owner) : null;
      // A reference that leads nowhere is reported where references are checked (SG-27).
      if (group === null || members.has(group.id)) continue;
      warn(report, owner.origin, text, {
        code: "rule-matches-nothing",
        rule: "SG-23",
        message: `no interface has ${group.id}, so that the rule matches nothing`,
        remedy: `attach ${group.id}, or remove the rule`,
      });
    }
  }
};
