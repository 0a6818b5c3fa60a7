/**
 * A decision as four 32-bit words, so that many can be kept in one typed array.
 *
 * ```
 * word 0   bits 0 accepted, 1 reply accepted, 2 sg-held, 3 k8s-held, 4 direction, 5 the reply's direction,
 *          6–11 reason, 12–17 the reply's reason, 18–23 stage + 1, 24–29 the reply's stage + 1
 * word 1   bits 0–7 evaluator + 1, 8–15 the reply's evaluator + 1, 16–31 reads
 * word 2   rule
 * word 3   the reply's rule
 * ```
 */
import type { Reason } from "../model/reason.ts";
import type { Decision } from "./decision.ts";

/** Whether `unpackDecision` would give the same decision back. One that is an error never is packed. */
export function isPackable(decision: Decision): boolean {
  return (
    !decision.isError &&
    isBelow(decision.reason, 64) &&
    isBelow(decision.replyReason, 64) &&
    isBelow(decision.stage + 1, 64) &&
    isBelow(decision.replyStage + 1, 64) &&
    isBelow(decision.evaluator + 1, 256) &&
    isBelow(decision.replyEvaluator + 1, 256) &&
    isBelow(decision.reads, 0x10000) &&
    (decision.rule | 0) === decision.rule &&
    (decision.replyRule | 0) === decision.replyRule
  );
}

export function packDecision(decision: Decision, words: Int32Array, at: number): void {
  words[at] =
    (decision.isFlowAccepted ? 1 : 0) |
    (decision.isReplyAccepted ? 2 : 0) |
    (decision.isSgHeld ? 4 : 0) |
    (decision.isK8sHeld ? 8 : 0) |
    (decision.direction << 4) |
    (decision.replyDirection << 5) |
    (decision.reason << 6) |
    (decision.replyReason << 12) |
    ((decision.stage + 1) << 18) |
    ((decision.replyStage + 1) << 24);
  words[at + 1] = (decision.evaluator + 1) | ((decision.replyEvaluator + 1) << 8) | (decision.reads << 16);
  words[at + 2] = decision.rule;
  words[at + 3] = decision.replyRule;
}

export function unpackDecision(words: Int32Array, at: number, decision: Decision): void {
  const a = words[at] as number;
  const b = words[at + 1] as number;
  decision.isFlowAccepted = (a & 1) !== 0;
  decision.isReplyAccepted = (a & 2) !== 0;
  decision.isSgHeld = (a & 4) !== 0;
  decision.isK8sHeld = (a & 8) !== 0;
  decision.direction = (a >>> 4) & 1;
  decision.replyDirection = (a >>> 5) & 1;
  decision.reason = ((a >>> 6) & 63) as Reason;
  decision.replyReason = ((a >>> 12) & 63) as Reason;
  decision.stage = ((a >>> 18) & 63) - 1;
  decision.replyStage = ((a >>> 24) & 63) - 1;
  decision.evaluator = (b & 255) - 1;
  decision.replyEvaluator = ((b >>> 8) & 255) - 1;
  decision.reads = b >>> 16;
  decision.rule = words[at + 2] as number;
  decision.replyRule = words[at + 3] as number;
  decision.isError = false;
}

function isBelow(value: number, end: number): boolean {
  return value >= 0 && value < end && (value | 0) === value;
}
