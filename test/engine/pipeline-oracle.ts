/**
 * The pipeline a second time, written as the rules read (PL-1 … PL-8, PL-20, PL-21, PL-26, PL-27, NA-18) with lists and
 * no state, over evaluators whose answers are drawn by lot: what `Pipeline` must agree with.
 */
import type { Decision } from "../../src/engine/decision.ts";
import type { Memory } from "../../src/engine/pipeline.ts";
import type { Program, ProgramEvaluator, ProgramStage } from "../../src/engine/program.ts";
import { createFlowView, type FlowView, PacketState, reverseFlowView, Tracking } from "../../src/model/flow.ts";
import { Reason, reasonNames } from "../../src/model/reason.ts";
import { Direction, Verdict } from "../../src/model/verdict.ts";

interface Place {
  readonly stage: number;
  readonly evaluator: number;
  readonly direction: Direction;
  readonly reason: Reason;
  readonly rule: number;
}

interface Judgement {
  /** Null: an evaluator failed, at `place`. */
  readonly passes: boolean | null;
  readonly place: Place | null;
  readonly isTracked: boolean;
  readonly isNamed: boolean;
}

type Ask = "all" | "stateless" | "related";
type Step = Place & { readonly verdict: Verdict | "failed"; readonly tracking: Tracking };

/** Reasons with which a `next` says why the flow passes (PL-4). */
const deciding = new Set<string>([
  "rule",
  "state",
  "self",
  "own-node",
  ...reasonNames.filter((n) => n.startsWith("aws-")),
]);

/** What the pipeline's decision must be. The view is left as it was. */
export function expectDecision(program: Program, given: FlowView, memory: Memory): Partial<Decision> {
  const view = copy(given);
  if (view.state === PacketState.reply) view.state = PacketState.original;
  const isNewOnly = program.knobs.npOnChange === "new-only";
  const fresh: Memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };

  if (view.state === PacketState.related) {
    const { passes, place } = judge(program, view, "related", fresh);
    if (passes === null) return failed(program, place);
    return { ...at(place, passes ? Reason.related : 0), isFlowAccepted: passes, isReplyAccepted: passes, ...unheld };
  }
  if (view.state === PacketState.invalid) {
    const subject = firstSubject(program, view);
    if (subject) return { ...at(subject, 0), isFlowAccepted: false, ...unheld };
    const { passes, place } = judge(program, view, "stateless", fresh);
    if (passes === null) return failed(program, place);
    return { ...at(place, Reason["default-allow"]), isFlowAccepted: passes, isReplyAccepted: passes, ...unheld };
  }
  if (view.state === PacketState.midstream) return midstream(program, view, memory, isNewOnly);

  const forward = judge(program, view, "all", memory);
  if (forward.passes === null) return failed(program, forward.place);
  if (!forward.passes) return { ...at(forward.place, 0), isFlowAccepted: false, ...unheld };
  const reply = judge(program, answer(view), "stateless", fresh);
  if (reply.passes === null) return failed(program, reply.place);
  return {
    ...at(forward.place, Reason["default-allow"]),
    isFlowAccepted: true,
    isReplyAccepted: reply.passes,
    ...(reply.passes ? {} : replyAt(reply.place)),
    // Memory that the stage no longer honours is not handed on either.
    isSgHeld: (memory.isSgHeld && program.knobs.sgOnChange === "aws") || forward.isTracked,
    isK8sHeld: isNewOnly || forward.isNamed,
    isError: false,
  };
}

function midstream(program: Program, view: FlowView, { isAdopting }: Memory, isNewOnly: boolean): Partial<Decision> {
  const fresh: Memory = { isSgHeld: false, isK8sHeld: false, isAdopting };
  const forward = judge(program, view, "all", fresh);
  if (forward.passes === null) return failed(program, forward.place);
  if (forward.passes && isAdopting) {
    const reply = judge(program, answer(view), "stateless", fresh);
    if (reply.passes === null) return failed(program, reply.place);
    const mine = { ...at(forward.place, Reason["default-allow"]), isFlowAccepted: true, isReplyAccepted: reply.passes };
    return { ...mine, isSgHeld: forward.isTracked, isK8sHeld: isNewOnly || forward.isNamed };
  }
  if (!forward.passes && !isAdopting) return { ...at(forward.place, 0), isFlowAccepted: false, ...unheld };
  const turned = judge(program, reversed(view), "all", fresh);
  if (turned.passes === null) return failed(program, turned.place);
  if (!isAdopting) {
    if (!turned.passes) return { isFlowAccepted: false, reason: Reason.midstream, ...unheld };
    const mine = { ...at(forward.place, Reason["default-allow"]), isFlowAccepted: true, isReplyAccepted: true };
    const isK8sHeld = isNewOnly || forward.isNamed || turned.isNamed;
    return { ...mine, isSgHeld: forward.isTracked && turned.isTracked, isK8sHeld };
  }
  if (!turned.passes) return { ...at(forward.place, 0), isFlowAccepted: false, ...unheld };
  const asAnswer = { ...copy(view), state: PacketState.reply };
  const packet = judge(program, asAnswer, "stateless", fresh);
  if (packet.passes === null) return failed(program, packet.place);
  if (!packet.passes) return { ...at(forward.place, 0), isFlowAccepted: false, ...unheld };
  const mine = { ...at(null, Reason.midstream), isFlowAccepted: true, isReplyAccepted: true };
  return { ...mine, isSgHeld: turned.isTracked, isK8sHeld: isNewOnly || turned.isNamed };
}

/** Every stage in every direction, in order; the first denial or failure ends it. */
function judge(program: Program, view: FlowView, ask: Ask, memory: Memory): Judgement {
  const outsideIn = program.stages;
  const passages = [
    ...[...outsideIn].reverse().map((stage) => ({ stage, direction: Direction.egress })),
    ...outsideIn.map((stage) => ({ stage, direction: Direction.ingress })),
  ];
  let place: Place | null = null;
  let tracking = 0;
  let isNamed = false;
  for (const { stage, direction } of passages) {
    const isHeld = stage.honoursHeld && (stage.name === "sg" ? memory.isSgHeld : memory.isK8sHeld);
    const [first] = stage.evaluators;
    if (isHeld && ask === "all" && first) {
      place = { stage: stage.index, evaluator: first.index, direction, reason: Reason.state, rule: -1 };
      continue;
    }
    const asked = stage.evaluators.filter(
      (e) => !e.isStateful || ask === "all" || (ask === "related" && !stage.passesRelated),
    );
    const steps = asked.map((e) => () => answerOf(stage, e, direction, view));
    const heard = takeUntil(steps, ({ verdict }) => verdict !== Verdict.next);
    const last = heard.at(-1);
    if (last?.verdict === "failed") return { passes: null, place: last, ...untracked };
    const isPassed = last !== undefined && last.verdict !== Verdict.next;
    if (last && isPassed) {
      place = last;
      if (ask === "all" && stage.name === "k8s" && last.tracking === Tracking.tracked) isNamed = true;
      if (last.verdict === Verdict.deny) return { passes: false, place, ...untracked };
    } else {
      place = heard.findLast(({ reason }) => deciding.has(reasonNames[reason] as string)) ?? place;
    }
    if (stage.name === "sg") for (const step of heard) if (step.verdict === Verdict.next) tracking |= step.tracking;
    const isManaged = heard.some(({ reason }) => reason !== Reason["not-managed"]);
    const isAdmitted = heard.some(({ reason }) => deciding.has(reasonNames[reason] as string));
    if (!isPassed && isManaged && !isAdmitted && !stage.acceptsByDefault) {
      const denial = { stage: stage.index, evaluator: -1, direction, reason: Reason["default-deny"], rule: -1 };
      return { passes: false, place: denial, ...untracked };
    }
  }
  return { passes: true, place, isTracked: tracking === Tracking.tracked, isNamed };
}

function answerOf(stage: ProgramStage, evaluator: ProgramEvaluator, direction: Direction, given: FlowView): Step {
  const view = copy(given);
  const { compiled } = evaluator;
  const at = { stage: stage.index, evaluator: evaluator.index, direction };
  try {
    view.sourceClass = compiled.classOf(view.source);
    view.destinationClass = compiled.classOf(view.destination);
    const verdict = direction === Direction.egress ? compiled.evaluateEgress(view) : compiled.evaluateIngress(view);
    const isVerdict = verdict === Verdict.accept || verdict === Verdict.deny || verdict === Verdict.next;
    if (isVerdict) return { ...at, verdict, reason: view.reason, rule: view.rule, tracking: view.tracking };
  } catch {
    // PL-8: a failure like any other.
  }
  return { ...at, verdict: "failed", reason: Reason.error, rule: -1, tracking: Tracking.none };
}

function firstSubject(program: Program, view: FlowView): Place | null {
  for (const stage of program.stages) {
    for (const { isStateful, compiled, index } of stage.evaluators) {
      const isSource = compiled.isSubject(compiled.classOf(view.source), Direction.egress);
      const isDestination = compiled.isSubject(compiled.classOf(view.destination), Direction.ingress);
      if (!isStateful || !(isSource || isDestination)) continue;
      const direction = isSource ? Direction.egress : Direction.ingress;
      return { stage: stage.index, evaluator: index, direction, reason: Reason["invalid-state"], rule: -1 };
    }
  }
  return null;
}

const untracked = { isTracked: false, isNamed: false } as const;
const unheld = { isSgHeld: false, isK8sHeld: false, isError: false } as const;

function failed(program: Program, place: Place | null): Partial<Decision> {
  const accepts = program.knobs.errorVerdict === "accept";
  return { ...at(place, 0), isFlowAccepted: accepts, isReplyAccepted: accepts, ...unheld, isError: true };
}

function at(place: Place | null, otherwise: Reason): Partial<Decision> {
  if (place === null) return { reason: otherwise, evaluator: -1, stage: -1, rule: -1 };
  const { reason, evaluator, stage, direction, rule } = place;
  return { reason, evaluator, stage, direction, rule };
}

function replyAt(place: Place | null): Partial<Decision> {
  if (place === null) return {};
  const { reason, evaluator, stage, direction, rule } = place;
  return {
    replyReason: reason,
    replyEvaluator: evaluator,
    replyStage: stage,
    replyDirection: direction,
    replyRule: rule,
  };
}

function takeUntil<T>(steps: readonly (() => T)[], isLast: (value: T) => boolean): T[] {
  const taken: T[] = [];
  for (const step of steps) {
    taken.push(step());
    if (isLast(taken.at(-1) as T)) break;
  }
  return taken;
}

function copy(view: FlowView): FlowView {
  return { ...createFlowView(), ...view, source: { ...view.source }, destination: { ...view.destination } };
}

function reversed(view: FlowView): FlowView {
  const turned = copy(view);
  reverseFlowView(turned);
  return turned;
}

function answer(view: FlowView): FlowView {
  return { ...reversed(view), state: PacketState.reply };
}
