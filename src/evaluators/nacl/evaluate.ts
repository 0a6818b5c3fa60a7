/** The verdict of one subnet boundary on one packet (NA-5 … NA-16). Allocates nothing, throws nothing. */
import type { FlowView } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { judgeEnds, peerOf, subjectOf } from "../ec2/ends.ts";
import { firstMatch } from "../ec2/first-match.ts";
import { exemptReason } from "../ec2/service.ts";
import { MISSING_ACL, type NetworkAclTables } from "./tables.ts";

export function evaluateBoundary(tables: NetworkAclTables, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const subject = subjectOf(view, direction);
  const peer = peerOf(view, direction);
  const vpc = tables.vpcOf[subject] as number;
  const early = judgeEnds(view, vpc, tables.vpcOf[peer] as number);
  if (early !== null) return early;
  const exempt = exemptReason(
    tables.exempt,
    tables.services[peer * tables.vpcCount + vpc] as number,
    view,
    isEgress,
    false,
  );
  if (exempt !== Reason.unspecified) {
    view.reason = exempt;
    return Verdict.next;
  }
  const subnet = tables.subnetOf[subject * tables.vpcCount + vpc] as number;
  if (subnet >= 0 && tables.subnetOf[peer * tables.vpcCount + vpc] === subnet) {
    view.reason = Reason["same-subnet"];
    return Verdict.next;
  }
  const number = subnet < 0 ? MISSING_ACL : (tables.aclOf[subnet] as number);
  const acl = tables.acls[number];
  if (acl === undefined) {
    view.reason = Reason["missing-configuration"];
    return tables.acceptsErrors ? Verdict.next : Verdict.deny;
  }
  const side = isEgress ? acl.egress : acl.ingress;
  const entry = firstMatch(side.table, peer, view);
  if (!(entry >= 0)) {
    view.reason = Reason["no-rule-matches"];
    view.rule = side.rest;
    return Verdict.deny;
  }
  view.reason = Reason.rule;
  view.rule = entry;
  return tables.isAllow[entry] === 1 ? Verdict.next : Verdict.deny;
}
