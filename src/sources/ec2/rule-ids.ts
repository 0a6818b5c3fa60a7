/**
 * `describe-security-group-rules`, an optional input that adds `sgr-…` ids to the rules that `describe-security-groups`
 * prints without. It adds no rule.
 */
import { z } from "zod";
import { asRecord, asText } from "../../evaluators/ec2/read.ts";
import { parseSecurityGroup } from "../../evaluators/security-group/schema.ts";
import type { SecurityGroup } from "../../model/security-group.ts";

/** The id of the rule of a group with this canonical text. */
export interface RuleId {
  readonly groupId: string;
  readonly text: string;
  readonly id: string;
}

const shape = z.looseObject({ SecurityGroupRuleId: z.string(), GroupId: z.string(), IsEgress: z.boolean() });

/** What can't be read names no rule, and isn't reported: the rule itself is judged where it is printed. */
export function readRuleIds(list: readonly unknown[], file: string): RuleId[] {
  return list.flatMap((raw) => {
    const { data } = shape.safeParse(raw);
    if (!data) return [];
    const permission = {
      IpProtocol: data.IpProtocol,
      FromPort: data.FromPort,
      ToPort: data.ToPort,
      IpRanges: data.CidrIpv4 === undefined ? [] : [{ CidrIp: data.CidrIpv4 }],
      Ipv6Ranges: data.CidrIpv6 === undefined ? [] : [{ CidrIpv6: data.CidrIpv6 }],
      PrefixListIds: data.PrefixListId === undefined ? [] : [{ PrefixListId: data.PrefixListId }],
      UserIdGroupPairs: asRecord(data.ReferencedGroupInfo) ? [data.ReferencedGroupInfo] : [],
    };
    const key = data.IsEgress ? "IpPermissionsEgress" : "IpPermissions";
    const group = parseSecurityGroup({ GroupId: data.GroupId, [key]: [permission] }, file, () => {});
    const rules = group ? [...group.ingress, ...group.egress] : [];
    return rules.map((rule) => ({ groupId: data.GroupId, text: rule.text, id: data.SecurityGroupRuleId }));
  });
}

export function withRuleIds(group: SecurityGroup, ids: readonly RuleId[]): SecurityGroup {
  const byText = new Map(ids.filter((r) => r.groupId === group.id).map((r) => [r.text, r.id]));
  if (byText.size === 0) return group;
  const name = (rules: SecurityGroup["ingress"]) => rules.map((r) => ({ ...r, id: byText.get(r.text) ?? r.id }));
  return { ...group, ingress: name(group.ingress), egress: name(group.egress) };
}

/** `pl-0a1b` for `dir/pl-0a1b.json`; null for any other name. */
export function prefixListIdOf(file: string): string | null {
  return asText(/(?:^|[/\\])(pl-[0-9a-z]+)\.(?:json|ya?ml)$/.exec(file)?.[1]);
}
