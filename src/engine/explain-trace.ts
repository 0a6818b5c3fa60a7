/**
 * What the evaluators answered for one flow, in order, as numbers: it only listens to the pipeline that judges live
 * packets too. Reused from flow to flow.
 */
import type { FlowView } from "../model/flow.ts";
import { Reason } from "../model/reason.ts";
import { type Direction, Verdict } from "../model/verdict.ts";
import type { Decision } from "./decision.ts";
import type { TraceListener } from "./pipeline.ts";
import type { Program, ProgramEvaluator, ProgramStage } from "./program.ts";

/** Steps are in columns; a column may be longer than `length`. */
export class Trace implements TraceListener {
  length = 0;
  /** The first step about the answering packet; `length` where there is none. */
  replyStart = 0;
  readonly stages: number[] = [];
  /** Index in the program. */
  readonly evaluators: number[] = [];
  readonly directions: Direction[] = [];
  readonly verdicts: Verdict[] = [];
  readonly reasons: Reason[] = [];
  /** Index into the evaluator's rules, or -1. */
  readonly rules: number[] = [];
  #hasReply = false;

  start(): void {
    this.length = 0;
    this.replyStart = 0;
    this.#hasReply = false;
  }

  /** To be called when the flow is decided: an evaluator that failed has answered nothing, and still has its step. */
  end(program: Program, decision: Decision): void {
    if (decision.isError) {
      this.#hasReply = false;
      const verdict = program.knobs.errorVerdict === "accept" ? Verdict.accept : Verdict.deny;
      this.#add(decision.stage, decision.evaluator, decision.direction as Direction, verdict, Reason.error, -1);
    }
    if (!this.#hasReply) this.replyStart = this.length;
  }

  onAnswer(
    stage: ProgramStage,
    evaluator: ProgramEvaluator,
    direction: Direction,
    verdict: Verdict,
    view: FlowView,
  ): void {
    // No verdict is an error of its own, see `end`.
    if (verdict !== Verdict.deny && verdict !== Verdict.accept && verdict !== Verdict.next) return;
    this.#add(stage.index, evaluator.index, direction, verdict, view.reason, view.rule);
  }

  onReply(): void {
    this.#hasReply = true;
    this.replyStart = this.length;
  }

  /** Only flows that were admitted before are held; `explain` is about new ones. */
  onHeld(): void {}

  #add(stage: number, evaluator: number, direction: Direction, verdict: Verdict, reason: Reason, rule: number): void {
    const at = this.length++;
    this.stages[at] = stage;
    this.evaluators[at] = evaluator;
    this.directions[at] = direction;
    this.verdicts[at] = verdict;
    this.reasons[at] = reason;
    this.rules[at] = rule;
  }
}
