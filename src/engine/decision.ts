/** What the pipeline makes of a packet: one record, reused by whoever judges many. */
import { Reason } from "../model/reason.ts";

export interface Decision {
  /** The flow passes every stage in every direction; for a packet that is no flow of its own, that packet does. */
  isFlowAccepted: boolean;
  /** The answering packets pass too (NA-18, NA-19). Meaningful only where the flow is accepted. */
  isReplyAccepted: boolean;
  /** The stages that decided, where it matters: the one that denied, or that ended the last stage with an accept. */
  reason: Reason;
  /** Index of the deciding evaluator in the program, or -1: nothing restricts the flow, or nobody could judge it. */
  evaluator: number;
  /** Index of the stage, or -1. */
  stage: number;
  /** `Direction`, of the packet that was judged. */
  direction: number;
  /** Index into the evaluator's rules, or -1. */
  rule: number;
  /** The reply's, where it is refused. */
  replyReason: Reason;
  replyEvaluator: number;
  replyStage: number;
  replyDirection: number;
  replyRule: number;
  /** To be remembered in the ct mark: the stage admitted this flow in a way that survives a change of rules. */
  isSgHeld: boolean;
  isK8sHeld: boolean;
  /** Sum of the `Reads` bits of every evaluator that was asked: what the decision may depend on. */
  reads: number;
  /** An evaluator failed: this is `errorVerdict`, and isn't to be remembered (PL-8). */
  isError: boolean;
}

export function createDecision(): Decision {
  return {
    isFlowAccepted: false,
    isReplyAccepted: false,
    reason: Reason.unspecified,
    evaluator: -1,
    stage: -1,
    direction: 0,
    rule: -1,
    replyReason: Reason.unspecified,
    replyEvaluator: -1,
    replyStage: -1,
    replyDirection: 0,
    replyRule: -1,
    isSgHeld: false,
    isK8sHeld: false,
    reads: 0,
    isError: false,
  };
}
