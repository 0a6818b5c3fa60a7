/**
 * ICMP rules whose type is unassigned: FromPort of an ICMP permission is a type, not a port (SG-9). Source: IANA's
 * registries of ICMP and ICMPv6 types.
 */
import { isIcmp, Protocol } from "../../net/protocol.ts";
import { type LintRule, warn } from "./rule.ts";

export const icmpTypeLikePort: LintRule = ({ inventory: { ec2 } }, report) => {
  for (const group of ec2.securityGroups) {
    for (const { protocol, icmp, text } of [...group.ingress, ...group.egress]) {
      if (protocol === null || !isIcmp(protocol) || !isUnassigned(protocol, icmp?.type ?? null)) continue;
      warn(report, group.origin, text, {
        code: "icmp-type-like-port",
        rule: "SG-9",
        message: `FromPort of an ICMP rule is the ICMP type, and type ${icmp?.type} is unassigned: the rule matches no real packet`,
        remedy: `write tcp or udp if a port was meant, -1 for all of ICMP, or ${protocol === Protocol.icmp ? 8 : 128} for ping`,
      });
    }
  }
};

function isUnassigned(protocol: number, type: number | null): boolean {
  if (type === null) return false;
  if (protocol === Protocol.icmp) return type >= 44 && type <= 252;
  return (type >= 5 && type <= 99) || (type >= 162 && type <= 199);
}
