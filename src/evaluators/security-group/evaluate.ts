/** The verdict of one gate on one packet. Allocates nothing, throws nothing. */
import { type FlowView, Tracking } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { lookupAddress } from "../../net/address-table.ts";
import { judgeEnds, peerOf, subjectOf } from "../ec2/ends.ts";
import { firstMatch } from "../ec2/first-match.ts";
import { exemptReason } from "../ec2/service.ts";
import type { Profile, SecurityGroupTables } from "./tables.ts";

export function evaluateGate(tables: SecurityGroupTables, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const peer = peerOf(view, direction);
  const number = tables.profileOf[subjectOf(view, direction)] as number;
  const early = judgeEnds(view, number, tables.profileOf[peer] as number);
  if (early !== null) return early;
  const profile = tables.profiles[number] as Profile;
  const service = tables.services[peer * tables.vpcCount + profile.vpc] as number;
  const exempt = exemptReason(tables.exempt, service, view, isEgress, true);
  if (exempt !== Reason.unspecified) {
    view.reason = exempt;
    return Verdict.next;
  }
  if (isWithinInterface(tables, view)) {
    view.reason = Reason.self;
    return Verdict.next;
  }
  const side = isEgress ? profile.egress : profile.ingress;
  const rule = firstMatch(side.table, peer, view);
  if (!(rule >= 0)) {
    view.reason = Reason["no-rule-matches"];
    view.rule = profile.denial;
    return Verdict.deny;
  }
  view.reason = Reason.rule;
  view.rule = rule;
  // SG-61 speaks of "the" permission that admitted the flow. Where several match, one that leaves it untracked counts:
  // the flow is then judged again when rules change, and the present rules decide.
  const isUntracked = side.untracked !== null && firstMatch(side.untracked, peer, view) >= 0;
  view.tracking = isUntracked ? Tracking.untracked : Tracking.tracked;
  return Verdict.next;
}

/** SG-90: the addresses of one interface reach each other inside its host. All that is read of them but their classes. */
export function isWithinInterface({ profileOf, interfaces }: SecurityGroupTables, view: FlowView): boolean {
  const profile = profileOf[view.sourceClass] as number;
  if (profile < 0 || profile !== profileOf[view.destinationClass]) return false;
  const source = lookupAddress(interfaces, view.source);
  return source >= 0 && source === lookupAddress(interfaces, view.destination);
}
