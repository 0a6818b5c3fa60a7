/** Why a security group answered as it did, in a sentence, and the AWS CLI command that would change it. */
import type { Explanation } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { type Address, Family, formatAddress } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { Protocol } from "../../net/protocol.ts";
import { peerOf, subjectOf } from "../ec2/ends.ts";
import { commonExplanation, copyView, hostText, packetText, permissionText } from "../ec2/packet-text.ts";
import { coversPacket } from "../ec2/port-key.ts";
import { evaluateGate } from "./evaluate.ts";
import type { Profile, RuleDetail, SecurityGroupTables } from "./tables.ts";

export function explainGate(tables: SecurityGroupTables, given: FlowView, direction: Direction): Explanation | null {
  const view = copyView(given, (address) => classOfAddress(tables.classes, address));
  const verdict = evaluateGate(tables, view, direction);
  const common = commonExplanation(view.reason);
  if (common !== undefined) return common;
  const isEgress = direction === Direction.egress;
  if (verdict === Verdict.next) {
    const ref = tables.rules[view.rule];
    const ruleId = tables.details[view.rule]?.ruleId;
    return { text: `${ref?.policy} allows ${ref?.rule}${ruleId ? ` (${ruleId})` : ""}`, remedy: null };
  }
  const profileAt = (c: number): Profile | undefined => tables.profiles[tables.profileOf[c] as number];
  const subject = profileAt(subjectOf(view, direction)) as Profile;
  const peer = profileAt(peerOf(view, direction));
  const address = isEgress ? view.destination : view.source;
  const [first] = subject.effective;
  if (first === undefined) {
    const groups =
      subject.groupIds.length === 0 ? "the interface has no security group" : "none of its groups is known";
    return { text: `${groups}, so nothing is allowed`, remedy: "give the interface a group, or load the missing one" };
  }
  const known = peer?.vpc === subject.vpc ? peer.effective : [];
  const remedy = view.isFragment ? null : remedyFor(first, view, isEgress, known[0], address);
  return { text: denialText(tables, view, subject, isEgress, known, address), remedy };
}

function denialText(
  tables: SecurityGroupTables,
  view: FlowView,
  subject: Profile,
  isEgress: boolean,
  peerGroups: readonly string[],
  address: Address,
): string {
  const indexes = isEgress ? subject.egress.rules : subject.ingress.rules;
  const word = isEgress ? "to" : "from";
  const details = indexes.map((i) => tables.details[i] as RuleDetail);
  if (details.length === 0) {
    return `it has no ${isEgress ? "egress" : "ingress"} rule, so nothing is allowed ${isEgress ? "out" : "in"}`;
  }
  const others = [...new Set(details.filter((d) => coversPacket(d.protocol, d.ranges, view)).map((d) => d.peer))];
  const whom = peerGroups.length > 0 ? peerGroups.join(", ") : formatAddress(address);
  const allows = details.length === 1 ? "its only rule doesn't allow" : `none of its ${details.length} rules allows`;
  const hint = others.length === 0 ? "" : ` (it allows it ${word} ${others.slice(0, 4).join(", ")})`;
  return `${allows} ${packetText(view)} ${word} ${whom}${hint}`;
}

function remedyFor(
  groupId: string,
  view: FlowView,
  isEgress: boolean,
  peerGroup: string | undefined,
  address: Address,
): string {
  const verb = `aws ec2 authorize-security-group-${isEgress ? "egress" : "ingress"} --group-id ${groupId}`;
  const isPlain = view.protocol === Protocol.tcp || view.protocol === Protocol.udp;
  const hasShortForm = peerGroup !== undefined || address.family === Family.ipv4;
  if (isEgress || !isPlain || !hasShortForm) {
    return `${verb} --ip-permissions ${permissionText(view, peerGroup === undefined ? { address } : { group: peerGroup })}`;
  }
  const source = peerGroup === undefined ? `--cidr ${hostText(address)}` : `--source-group ${peerGroup}`;
  const protocol = view.protocol === Protocol.tcp ? "tcp" : "udp";
  return `${verb} --protocol ${protocol} --port ${view.destinationPort} ${source}`;
}
