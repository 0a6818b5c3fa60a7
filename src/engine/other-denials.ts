/**
 * Who would deny a flow once its denier lets it pass: a remedy that leads to the next denial is worth little alone. It
 * asks the pipeline that judges live packets, with the denier's answer replaced.
 */
import type { CompiledEvaluator } from "../model/evaluator.ts";
import { type FlowView, PacketState } from "../model/flow.ts";
import { Reason } from "../model/reason.ts";
import { Direction, Verdict } from "../model/verdict.ts";
import { createDecision, type Decision } from "./decision.ts";
import { Pipeline } from "./pipeline.ts";
import type { Program, ProgramEvaluator } from "./program.ts";

/** A place in the program, as in a decision. */
export interface Denial {
  readonly stage: number;
  readonly evaluator: number;
  readonly direction: number;
  readonly rule: number;
  /** It's the answering packet that is denied. */
  readonly isReply: boolean;
}

/** Those behind the one that `decision` tells of, in order; none for a flow that passes both ways. The view is kept. */
export function otherDenials(given: Program, view: FlowView, decided: Decision): readonly Denial[] {
  const found: Denial[] = [];
  const pipeline = new Pipeline();
  const decision = createDecision();
  const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
  let program = given;
  let denial = denialOf(decided);
  // Each turn opens one place for good, and there are no more than these.
  for (let left = given.evaluators.length * 4 + given.stages.length * 4; denial !== null && left > 0; left--) {
    program = withPassage(program, denial);
    const copy: FlowView = { ...view, source: { ...view.source }, destination: { ...view.destination } };
    pipeline.decide(program, copy, memory, decision);
    denial = denialOf(decision);
    if (denial !== null) found.push(denial);
  }
  return found;
}

function denialOf(d: Decision): Denial | null {
  if (d.isError || d.stage < 0) return null;
  if (!d.isFlowAccepted) return { ...d, isReply: false };
  if (d.isReplyAccepted) return null;
  const { replyStage: stage, replyEvaluator: evaluator, replyDirection: direction, replyRule: rule } = d;
  return { stage, evaluator, direction, rule, isReply: true };
}

/** The program after the remedy: what denied accepts, in its direction and for the packet that it denied. */
function withPassage(program: Program, { stage, evaluator, direction, isReply }: Denial): Program {
  const replace = (one: ProgramEvaluator): ProgramEvaluator =>
    one.index === evaluator ? { ...one, compiled: accepting(one.compiled, direction, isReply) } : one;
  return {
    ...program,
    stages: program.stages.map((one) => {
      if (one.index !== stage) return one;
      return evaluator < 0 ? { ...one, acceptsByDefault: true } : { ...one, evaluators: one.evaluators.map(replace) };
    }),
  };
}

function accepting(compiled: CompiledEvaluator, direction: number, isReply: boolean): CompiledEvaluator {
  const wrap =
    (evaluate: (view: FlowView) => Verdict) =>
    (view: FlowView): Verdict => {
      if ((view.state === PacketState.reply) !== isReply) return evaluate(view);
      view.reason = Reason.rule;
      return Verdict.accept;
    };
  const isEgress = direction === Direction.egress;
  return {
    ...compiled,
    evaluateEgress: isEgress ? wrap((view) => compiled.evaluateEgress(view)) : (view) => compiled.evaluateEgress(view),
    evaluateIngress: isEgress
      ? (view) => compiled.evaluateIngress(view)
      : wrap((view) => compiled.evaluateIngress(view)),
  };
}
