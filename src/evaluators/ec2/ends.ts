/**
 * How each EC2 evaluator opens: whose boundary a packet crosses, and what follows where that is nobody's or can't be
 * told. Its tables say by class what the subject has (a profile, a VPC, a route table), or one of these. Allocates
 * nothing, throws nothing.
 */
import type { FlowView } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";

/** The address is none that the evaluator knows. */
export const NO_SUBJECT = -1;
/** Two running interfaces claim the address (VR-6). */
export const AMBIGUOUS = -2;

/** The class of the end whose boundary it is. */
export function subjectOf(view: FlowView, direction: Direction): number {
  return direction === Direction.egress ? view.sourceClass : view.destinationClass;
}

/** The class of the other end. */
export function peerOf(view: FlowView, direction: Direction): number {
  return direction === Direction.egress ? view.destinationClass : view.sourceClass;
}

/** The verdict by what the two ends have alone, with its reason; null where it takes more than that. */
export function judgeEnds(view: FlowView, subject: number, peer: number): Verdict | null {
  if (subject === NO_SUBJECT) {
    view.reason = Reason["not-managed"];
    return Verdict.next;
  }
  if (subject === AMBIGUOUS || peer === AMBIGUOUS) {
    view.reason = Reason["ambiguous-address"];
    return Verdict.deny;
  }
  return null;
}
