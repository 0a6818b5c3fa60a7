/**
 * The judgement of one packet: stages ANDed, inside a stage the first answer other than `next` (PL-1, PL-2). Live
 * packets, `explain` and every other use go through `decide`; a trace is the same run with a listener. Live packets may
 * have a decision that was made before for one that reads the same (`decision-cache.ts`).
 *
 * It allocates nothing and throws nothing: what an evaluator throws becomes `errorVerdict` (PL-8).
 */
import { type CompiledEvaluator, Reads } from "../model/evaluator.ts";
import { type FlowView, isNeighbourDiscovery, PacketState, reverseFlowView, Tracking } from "../model/flow.ts";
import { Reason, reasonNames } from "../model/reason.ts";
import { Direction, Verdict } from "../model/verdict.ts";
import type { Decision } from "./decision.ts";
import type { DecisionCache } from "./decision-cache.ts";
import type { Program, ProgramEvaluator, ProgramStage } from "./program.ts";

/** What connection tracking remembers of a flow, and what time it is for flows met mid-stream. */
export interface Memory {
  isSgHeld: boolean;
  isK8sHeld: boolean;
  /** Flows met mid-stream pass in either orientation (PL-26). */
  isAdopting: boolean;
}

/** Hears of every answer as it is given; the view holds its reason and rule. Null on the packet path. */
export interface TraceListener {
  onAnswer(
    stage: ProgramStage,
    evaluator: ProgramEvaluator,
    direction: Direction,
    verdict: Verdict,
    view: FlowView,
  ): void;
  /** From here on it's the answering packet that is judged, with the view turned round. */
  onReply(): void;
  /** The stage was skipped: it admitted this flow before, and that stands. */
  onHeld(stage: ProgramStage, direction: Direction): void;
}

/** Which evaluators are asked. */
const Ask = { all: 0, stateless: 1, relatedError: 2 } as const;
type Ask = (typeof Ask)[keyof typeof Ask];

export class Pipeline {
  readonly #listener: TraceListener | null;
  readonly #cache: DecisionCache | null;
  /** Who is being asked, for the attribution of what it throws. */
  #stage = -1;
  #evaluator = -1;
  #direction: Direction = Direction.egress;
  /** The k8s stage admitted the flow by what it can't ask again (AN-30). */
  #isNamed = false;
  /** Sum of `Tracking` bits that the sg stage answered. */
  #tracking = 0;
  /** The caller's view is turned round at the moment: what throws then must not leave it so. */
  #isTurned = false;
  /** Sum of the `Reads` of whoever was asked, in terms of the view that they were given. */
  #reads = 0;
  /** What was read is all in the cache's key. */
  #isKeyed = true;
  /** The cache knows the classes of both ends. */
  #hasClasses = false;

  /** With a listener everybody is asked, always. */
  constructor(listener: TraceListener | null = null, cache: DecisionCache | null = null) {
    this.#listener = listener;
    this.#cache = listener === null ? cache : null;
  }

  /**
   * Judges the packet, or the flow that it begins, and writes the decision. The view is the flow's original direction,
   * also for a reply packet; its state says what connection tracking knows. Never throws.
   */
  decide(program: Program, view: FlowView, memory: Memory, decision: Decision): void {
    if (isNeighbourDiscovery(view)) {
      clear(decision);
      accept(decision, Reason["neighbour-discovery"]);
      return;
    }
    const { state } = view;
    view.isHeld = memory.isK8sHeld && (state === PacketState.original || state === PacketState.reply);
    const cache = state === PacketState.original || state === PacketState.reply ? this.#cache : null;
    if (cache !== null && this.#recall(cache, program, view, memory, decision)) return;
    clear(decision);
    this.#tracking = 0;
    this.#isNamed = false;
    this.#stage = -1;
    this.#evaluator = -1;
    this.#reads = 0;
    this.#isKeyed = true;
    this.#hasClasses = cache?.hasClasses ?? false;
    try {
      switch (state) {
        case PacketState.related:
          this.#decideRelated(program, view, decision);
          break;
        case PacketState.invalid:
          this.#decideInvalid(program, view, decision);
          break;
        case PacketState.midstream:
          this.#decideMidstream(program, view, memory.isAdopting, decision);
          break;
        default:
          this.#decideFlow(program, view, memory, decision);
      }
    } catch {
      if (this.#isTurned) this.#turn(view);
      view.state = state;
      this.#fail(program, decision);
    }
    decision.reads = this.#reads;
    if (cache !== null && this.#isKeyed) cache.keep(decision);
  }

  /** Whether the cache has the decision. An evaluator that fails here fails again where it's told who did. */
  #recall(cache: DecisionCache, program: Program, view: FlowView, memory: Memory, decision: Decision): boolean {
    try {
      cache.useProgram(program);
      return cache.find(view, memory.isSgHeld, memory.isK8sHeld, decision);
    } catch {
      return false;
    }
  }

  #decideFlow(program: Program, view: FlowView, memory: Memory, decision: Decision): void {
    // The flow is judged, whichever of its packets asks.
    if (view.state === PacketState.reply) view.state = PacketState.original;
    decision.isFlowAccepted = this.#judge(program, view, Ask.all, memory.isSgHeld, memory.isK8sHeld, decision);
    if (!decision.isFlowAccepted) return;
    settleAccept(decision);
    decision.isSgHeld = (memory.isSgHeld && program.knobs.sgOnChange === "aws") || this.#isTracked();
    decision.isK8sHeld = this.#isNamed || program.knobs.npOnChange === "new-only";
    decision.isReplyAccepted = this.#judgeReply(program, view, decision);
  }

  /** PL-21: about an accepted flow it passes what judges flows; what judges packets judges it as one (NA-22). */
  #decideRelated(program: Program, view: FlowView, decision: Decision): void {
    decision.isFlowAccepted = this.#judge(program, view, Ask.relatedError, false, false, decision);
    decision.isReplyAccepted = decision.isFlowAccepted;
    if (decision.isFlowAccepted && decision.evaluator < 0) decision.reason = Reason.related;
  }

  /** PL-27 */
  #decideInvalid(program: Program, view: FlowView, decision: Decision): void {
    for (let i = 0; i < program.stages.length; i++) {
      const stage = program.stages[i] as ProgramStage;
      for (let j = 0; j < stage.evaluators.length; j++) {
        const evaluator = stage.evaluators[j] as ProgramEvaluator;
        if (!evaluator.isStateful) continue;
        this.#enter(stage, evaluator, Direction.egress);
        const { compiled } = evaluator;
        this.#reads |= Reads.sourceClass | Reads.destinationClass;
        const isSource = compiled.isSubject(compiled.classOf(view.source), Direction.egress);
        if (!isSource && !compiled.isSubject(compiled.classOf(view.destination), Direction.ingress)) continue;
        this.#direction = isSource ? Direction.egress : Direction.ingress;
        this.#attribute(decision, Reason["invalid-state"], -1);
        return;
      }
    }
    decision.isFlowAccepted = this.#judge(program, view, Ask.stateless, false, false, decision);
    decision.isReplyAccepted = decision.isFlowAccepted;
    if (decision.isFlowAccepted) settleAccept(decision);
  }

  /**
   * PL-26: the packet may belong to either orientation. As the flow's own packet the flow must pass; as its reply, the
   * flow turned round must pass, and what judges packets must pass this one.
   */
  #decideMidstream(program: Program, view: FlowView, isAdopting: boolean, decision: Decision): void {
    const passes = this.#judge(program, view, Ask.all, false, false, decision);
    const isTracked = this.#isTracked();
    const isNamed = this.#isNamed;
    if (!passes && !isAdopting) return;
    if (passes && isAdopting) {
      decision.isFlowAccepted = true;
      settleAccept(decision);
      decision.isSgHeld = isTracked;
      decision.isReplyAccepted = this.#judgeReply(program, view, decision);
    } else if (isAdopting) {
      // The denial just found stays in the decision unless the other orientation passes.
      decision.isFlowAccepted = this.#passesReversed(program, view) && this.#passesAsPacket(program, view);
      if (!decision.isFlowAccepted) return;
      accept(decision, Reason.midstream);
      decision.isSgHeld = this.#isTracked();
    } else {
      decision.isFlowAccepted = this.#passesReversed(program, view);
      if (!decision.isFlowAccepted) {
        this.#attribute(decision, Reason.midstream, -1);
        return;
      }
      settleAccept(decision);
      decision.isSgHeld = isTracked && this.#isTracked();
      decision.isReplyAccepted = true;
    }
    decision.isK8sHeld = (passes && isNamed) || this.#isNamed || program.knobs.npOnChange === "new-only";
  }

  /** Whether the flow turned round passes. Leaves the denier's place in this object, and no trace. */
  #passesReversed(program: Program, view: FlowView): boolean {
    this.#tracking = 0;
    this.#isNamed = false;
    this.#turn(view);
    const passes = this.#judge(program, view, Ask.all, false, false, null);
    this.#turn(view);
    return passes;
  }

  /** As the answer that it then is: it also passes where only answers may (VR-3). */
  #passesAsPacket(program: Program, view: FlowView): boolean {
    const { state } = view;
    view.state = PacketState.reply;
    const passes = this.#judge(program, view, Ask.stateless, false, false, null);
    view.state = state;
    return passes;
  }

  /** NA-18: the answering packet meets only what judges packets, the other way round. */
  #judgeReply(program: Program, view: FlowView, decision: Decision): boolean {
    const { reason, evaluator, stage, direction, rule } = decision;
    this.#listener?.onReply();
    const { state } = view;
    const reads = this.#reads;
    this.#reads = 0;
    view.state = PacketState.reply;
    this.#turn(view);
    const passes = this.#judge(program, view, Ask.stateless, false, false, decision);
    this.#turn(view);
    view.state = state;
    // The key has relations of the flow, not of its answer.
    if ((this.#reads & Reads.addresses) !== 0) this.#isKeyed = false;
    this.#reads = reads | turnReads(this.#reads);
    decision.replyReason = decision.reason;
    decision.replyEvaluator = decision.evaluator;
    decision.replyStage = decision.stage;
    decision.replyDirection = decision.direction;
    decision.replyRule = decision.rule;
    decision.reason = reason;
    decision.evaluator = evaluator;
    decision.stage = stage;
    decision.direction = direction;
    decision.rule = rule;
    return passes;
  }

  /** PL-2, PL-3: egress from inside to outside, then ingress from outside to inside; the first denial ends it. */
  #judge(
    program: Program,
    view: FlowView,
    ask: Ask,
    isSgHeld: boolean,
    isK8sHeld: boolean,
    decision: Decision | null,
  ): boolean {
    if (decision !== null) unattribute(decision);
    const { stages } = program;
    for (let i = stages.length - 1; i >= 0; i--) {
      const stage = stages[i] as ProgramStage;
      if (!this.#passesStage(stage, view, Direction.egress, ask, isHeld(stage, isSgHeld, isK8sHeld), decision)) {
        return false;
      }
    }
    for (let i = 0; i < stages.length; i++) {
      const stage = stages[i] as ProgramStage;
      if (!this.#passesStage(stage, view, Direction.ingress, ask, isHeld(stage, isSgHeld, isK8sHeld), decision)) {
        return false;
      }
    }
    return true;
  }

  #passesStage(
    stage: ProgramStage,
    view: FlowView,
    direction: Direction,
    ask: Ask,
    isStageHeld: boolean,
    decision: Decision | null,
  ): boolean {
    const { evaluators } = stage;
    if (isStageHeld && ask === Ask.all && evaluators.length > 0) {
      this.#enter(stage, evaluators[0] as ProgramEvaluator, direction);
      if (decision !== null) this.#attribute(decision, Reason.state, -1);
      this.#listener?.onHeld(stage, direction);
      return true;
    }
    let isManaged = false;
    let isAdmitted = false;
    for (let i = 0; i < evaluators.length; i++) {
      const evaluator = evaluators[i] as ProgramEvaluator;
      if (evaluator.isStateful && (ask === Ask.stateless || (ask === Ask.relatedError && stage.passesRelated)))
        continue;
      this.#enter(stage, evaluator, direction);
      const { compiled } = evaluator;
      this.#classify(evaluator, view);
      this.#noteReads(compiled);
      view.reason = Reason.unspecified;
      view.rule = -1;
      view.tracking = Tracking.none;
      const verdict = direction === Direction.egress ? compiled.evaluateEgress(view) : compiled.evaluateIngress(view);
      this.#listener?.onAnswer(stage, evaluator, direction, verdict, view);
      if (verdict === Verdict.next) {
        if ((view.reason as Reason) !== Reason["not-managed"]) isManaged = true;
        if (stage.name === "sg") this.#tracking |= view.tracking;
        if (decides[view.reason] === 1) {
          isAdmitted = true;
          if (decision !== null) this.#attribute(decision, view.reason, view.rule);
        }
      } else if (verdict === Verdict.accept) {
        if (ask === Ask.all && stage.name === "k8s" && (view.tracking as Tracking) === Tracking.tracked)
          this.#isNamed = true;
        if (decision !== null) this.#attribute(decision, view.reason, view.rule);
        return true;
      } else if (verdict === Verdict.deny) {
        if (decision !== null) this.#attribute(decision, view.reason, view.rule);
        return false;
      } else {
        // It answered nothing (PL-8). Thrown, so that one place makes it `errorVerdict`.
        throw noAnswer;
      }
    }
    // PL-2: a direction applies only to an end that the stage manages; its default is no verdict about the rest. Nor is
    // it one about what a rule of the stage allows: that is `next` only so that the stage's other evaluators are asked
    // (PL-4), and a default that denied it too would deny everything.
    if (!isManaged || isAdmitted || stage.acceptsByDefault) return true;
    this.#stage = stage.index;
    this.#evaluator = -1;
    this.#direction = direction;
    if (decision !== null) this.#attribute(decision, Reason["default-deny"], -1);
    return false;
  }

  #classify({ compiled, index }: ProgramEvaluator, view: FlowView): void {
    const cache = this.#cache;
    if (cache !== null && this.#hasClasses) {
      view.sourceClass = cache.classOf(!this.#isTurned, index);
      view.destinationClass = cache.classOf(this.#isTurned, index);
    } else {
      view.sourceClass = compiled.classOf(view.source);
      view.destinationClass = compiled.classOf(view.destination);
    }
  }

  #noteReads({ reads, relationOf }: CompiledEvaluator): void {
    this.#reads |= reads;
    if ((reads & unkeyed) !== 0 || ((reads & Reads.addresses) !== 0 && relationOf === undefined)) this.#isKeyed = false;
  }

  #turn(view: FlowView): void {
    reverseFlowView(view);
    this.#isTurned = !this.#isTurned;
  }

  #enter(stage: ProgramStage, evaluator: ProgramEvaluator, direction: Direction): void {
    this.#stage = stage.index;
    this.#evaluator = evaluator.index;
    this.#direction = direction;
  }

  #attribute(decision: Decision, reason: Reason, rule: number): void {
    decision.reason = reason;
    decision.rule = rule;
    decision.stage = this.#stage;
    decision.evaluator = this.#evaluator;
    decision.direction = this.#direction;
  }

  #isTracked(): boolean {
    return this.#tracking === Tracking.tracked;
  }

  #fail(program: Program, decision: Decision): void {
    const accepts = program.knobs.errorVerdict === "accept";
    clear(decision);
    this.#attribute(decision, Reason.error, -1);
    decision.isFlowAccepted = accepts;
    decision.isReplyAccepted = accepts;
    decision.isError = true;
  }
}

/** Whatever isn't in the cache's key: the source port, the time, and what nobody knows of here. */
const unkeyed = ~(
  Reads.sourceClass |
  Reads.destinationClass |
  Reads.protocol |
  Reads.destinationPort |
  Reads.icmp |
  Reads.passage |
  Reads.addresses
);

/** What an evaluator reads of the answering packet, in terms of the flow. */
function turnReads(reads: number): number {
  const { sourceClass, destinationClass, sourcePort, destinationPort } = Reads;
  return (
    (reads & ~(sourceClass | destinationClass | sourcePort | destinationPort)) |
    ((reads & sourceClass) !== 0 ? destinationClass : 0) |
    ((reads & destinationClass) !== 0 ? sourceClass : 0) |
    ((reads & sourcePort) !== 0 ? destinationPort : 0) |
    ((reads & destinationPort) !== 0 ? sourcePort : 0)
  );
}

const noAnswer = new Error("the evaluator answered nothing");

/** Reasons with which `next` still says why the flow may pass: a rule allows it, or it's never filtered (PL-4). */
const decides: Uint8Array = Uint8Array.from(reasonNames, (name) =>
  name === "rule" || name === "state" || name === "self" || name === "own-node" || name.startsWith("aws-exempt:")
    ? 1
    : 0,
);

function isHeld(stage: ProgramStage, isSgHeld: boolean, isK8sHeld: boolean): boolean {
  return stage.honoursHeld && (stage.name === "sg" ? isSgHeld : isK8sHeld);
}

function accept(decision: Decision, reason: Reason): void {
  unattribute(decision);
  decision.reason = reason;
  decision.isFlowAccepted = true;
  decision.isReplyAccepted = true;
}

/** PL-7: accepted because nothing restricts it. */
function settleAccept(decision: Decision): void {
  if (decision.evaluator < 0) decision.reason = Reason["default-allow"];
}

function unattribute(decision: Decision): void {
  decision.reason = Reason.unspecified;
  decision.evaluator = -1;
  decision.stage = -1;
  decision.direction = Direction.egress;
  decision.rule = -1;
}

function clear(decision: Decision): void {
  unattribute(decision);
  decision.isFlowAccepted = false;
  decision.isReplyAccepted = false;
  decision.replyReason = Reason.unspecified;
  decision.replyEvaluator = -1;
  decision.replyStage = -1;
  decision.replyDirection = Direction.egress;
  decision.replyRule = -1;
  decision.isSgHeld = false;
  decision.isK8sHeld = false;
  decision.reads = 0;
  decision.isError = false;
}
