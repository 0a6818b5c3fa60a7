/**
 * The verdict of a flow that somebody asks about, and how it came about. It asks the pipeline that judges live packets:
 * there is no second opinion.
 */

import type { Explanation, PodLookup } from "../model/evaluator.ts";
import { type FlowView, PacketState, reverseFlowView } from "../model/flow.ts";
import { Reason } from "../model/reason.ts";
import type { Direction } from "../model/verdict.ts";
import { createDecision, type Decision } from "./decision.ts";
import { Trace } from "./explain-trace.ts";
import { type Memory, Pipeline } from "./pipeline.ts";
import type { Program, ProgramEvaluator } from "./program.ts";

/** A new flow: nothing is remembered of it. */
const newFlow: Memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };

/** Who decided, as indexes into the program; -1 for nobody. */
export interface Attribution {
  readonly stage: number;
  readonly evaluator: number;
  readonly direction: number;
  readonly rule: number;
  readonly reason: Reason;
}

/** Explains flows of one program, one after the other; what it says is of the last one. */
export class Explainer {
  readonly program: Program;
  readonly decision: Decision = createDecision();
  /** Empty without `withTrace`. */
  readonly trace = new Trace();
  readonly #withTrace: boolean;
  readonly #pipeline: Pipeline;

  constructor(program: Program, { withTrace }: { readonly withTrace: boolean }) {
    this.program = program;
    this.#withTrace = withTrace;
    this.#pipeline = new Pipeline(withTrace ? this.trace : null);
  }

  /** The view is a flow's first packet; it is the same afterwards unless an evaluator failed. Never throws. */
  explain(view: FlowView): void {
    this.trace.start();
    this.#pipeline.decide(this.program, view, newFlow, this.decision);
    if (this.#withTrace) this.trace.end(this.program, this.decision);
  }

  /** The answering packet's verdict; an accepted one that nobody judges passes by default. */
  replyReason(): Reason {
    const { isReplyAccepted, replyEvaluator, replyReason, reason, isError } = this.decision;
    // Neighbour discovery and failures are decided for both at once.
    if (isError || reason === Reason["neighbour-discovery"]) return reason;
    return isReplyAccepted && replyEvaluator < 0 ? Reason["default-allow"] : replyReason;
  }
}

/**
 * An evaluator's own words for what it answers in this direction, for people. `flow` is the flow's first packet, whose
 * answer is meant with `isReply`; it is left as it was.
 */
export function explainAnswer(
  { compiled }: ProgramEvaluator,
  flow: FlowView,
  isReply: boolean,
  direction: Direction,
  podAt?: PodLookup,
): Explanation | null {
  if (!compiled.explain) return null;
  const view: FlowView = { ...flow, source: { ...flow.source }, destination: { ...flow.destination } };
  if (isReply) {
    reverseFlowView(view);
    view.state = PacketState.reply;
  }
  view.sourceClass = compiled.classOf(view.source);
  view.destinationClass = compiled.classOf(view.destination);
  return compiled.explain(view, direction, podAt);
}
