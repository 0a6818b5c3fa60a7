/** Security groups that no interface has and no rule refers to. */
import { createGroupDirectory } from "../../evaluators/security-group/groups.ts";
import { type LintRule, warn } from "./rule.ts";

export const unusedGroup: LintRule = ({ inventory: { ec2 } }, report) => {
  // Groups alone, without interfaces, are an excerpt.
  if (ec2.interfaces.length === 0) return;
  const directory = createGroupDirectory(ec2);
  const used = new Set(ec2.interfaces.flatMap((one) => directory.namesOf(one) ?? []));
  for (const owner of ec2.securityGroups) {
    for (const { peer } of [...owner.ingress, ...owner.egress]) {
      const group = peer.kind === "group" ? directory.resolve(peer.group, owner) : null;
      if (group && group !== owner) used.add(group.id);
    }
  }
  for (const group of ec2.securityGroups) {
    // A VPC's default group can't be deleted.
    if (used.has(group.id) || group.name === "default") continue;
    warn(report, group.origin, "", {
      code: "unused-security-group",
      rule: "SG-40",
      message: "no interface has it and no rule of another group refers to it, so that it has no effect",
      remedy: "attach it, or delete it",
    });
  }
};
