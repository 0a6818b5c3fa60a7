/** Programs of small evaluators that say in one line what they answer, for tests of what goes round them. */
import type { Program, ProgramEvaluator, ProgramStage } from "../../src/engine/program.ts";
import type { CompiledEvaluator, RuleRef } from "../../src/model/evaluator.ts";
import { createFlowView, type FlowView, Tracking } from "../../src/model/flow.ts";
import { defaultKnobs, type Knobs } from "../../src/model/knobs.ts";
import { Reason } from "../../src/model/reason.ts";
import type { StageName } from "../../src/model/stage.ts";
import { Direction, type DirectionName, Verdict, type VerdictName } from "../../src/model/verdict.ts";
import { parseAddress } from "../../src/net/address.ts";
import { parseProtocol } from "../../src/net/protocol.ts";

export type Answer = VerdictName | "throw" | "nothing";

export interface SmallEvaluator {
  readonly name: string;
  readonly isStateful?: boolean;
  /** By direction; `next` where it is left out. A function sees the view. */
  readonly egress?: Answer | ((view: FlowView) => Answer);
  readonly ingress?: Answer | ((view: FlowView) => Answer);
  readonly reason?: keyof typeof Reason;
  readonly rule?: number;
  readonly tracking?: keyof typeof Tracking;
  /** Whether both ends are its subjects; true by default. */
  readonly isSubject?: boolean;
}

const rules: readonly RuleRef[] = [
  { policy: "policy-a", rule: "first" },
  { policy: "policy-b", rule: null },
];

export function programOf(
  stages: Partial<Record<StageName, readonly SmallEvaluator[]>>,
  knobs: Partial<Knobs> = {},
  asked: string[] = [],
): Program {
  const settings: Knobs = { ...defaultKnobs, ...knobs };
  const evaluators: ProgramEvaluator[] = [];
  const list = (Object.entries(stages) as [StageName, readonly SmallEvaluator[]][]).map(([name, small], index) => {
    const own = small.map((row) => {
      const evaluator: ProgramEvaluator = {
        name: row.name,
        isStateful: row.isStateful ?? false,
        compiled: compile(row, asked),
        index: evaluators.length,
      };
      evaluators.push(evaluator);
      return evaluator;
    });
    const stage: ProgramStage = {
      name,
      index,
      evaluators: own,
      acceptsByDefault: settings.defaultVerdict[name] !== "deny",
      honoursHeld: name === "sg" || name === "k8s",
      passesRelated: name !== "sg" || settings.sgIcmpErrors === "related",
    };
    return stage;
  });
  return { knobs: settings, stages: list, evaluators };
}

function compile(row: SmallEvaluator, asked: string[]): CompiledEvaluator {
  const answer = (view: FlowView, direction: DirectionName): Verdict => {
    asked.push(`${direction} ${row.name}`);
    const given = row[direction] ?? "next";
    const text = typeof given === "function" ? given(view) : given;
    if (text === "throw") throw new Error("a defect of the evaluator");
    if (text === "nothing") return undefined as unknown as Verdict;
    if (row.reason !== undefined) view.reason = Reason[row.reason];
    if (row.rule !== undefined) view.rule = row.rule;
    if (row.tracking !== undefined) view.tracking = Tracking[row.tracking];
    return Verdict[text];
  };
  return {
    reads: 0,
    rules,
    classOf: (address) => address.w3 & 0xff,
    evaluateEgress: (view) => answer(view, "egress"),
    evaluateIngress: (view) => answer(view, "ingress"),
    isSubject: (classNumber, direction) =>
      (row.isSubject ?? true) && classNumber === (direction === Direction.egress ? 1 : 2),
    explain: (view, direction) => ({
      text: `${row.name} was asked for ${direction === Direction.egress ? "egress" : "ingress"} of port ${view.destinationPort}`,
      remedy: "ask again",
    }),
  };
}

/** `tcp 10.0.0.1#40000 -> 10.0.0.2#443`; for ICMP the number behind the source is the type. */
export function viewOf(text: string): FlowView {
  const match = /^(\S+) (\S+)#(\d+) -> (\S+)#(\d+)$/.exec(text);
  if (!match) throw new Error(`not a flow: ${text}`);
  const [, protocolText = "", from = "", sourcePort = "", to = "", port = ""] = match;
  const source = parseAddress(from);
  const destination = parseAddress(to);
  const protocol = parseProtocol(protocolText);
  if (!source || !destination || protocol === null) throw new Error(`not a flow: ${text}`);
  const view = createFlowView();
  Object.assign(view.source, source);
  Object.assign(view.destination, destination);
  const isIcmp = protocolText.startsWith("icmp");
  view.protocol = protocol;
  view.sourcePort = isIcmp ? 0 : Number(sourcePort);
  view.destinationPort = isIcmp ? 0 : Number(port);
  view.icmpType = isIcmp ? Number(sourcePort) : 0;
  return view;
}
