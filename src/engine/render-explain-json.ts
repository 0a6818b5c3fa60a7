/**
 * An explanation as `explain --json` prints it: one line of JSON, put together from pieces that were made into JSON
 * when they were first needed, because most flows of a file are decided by the same rules.
 */
import type { RuleRef } from "../model/evaluator.ts";
import { reasonNames } from "../model/reason.ts";
import { directionNames, verdictNames } from "../model/verdict.ts";
import type { Explainer } from "./explain.ts";
import type { FlowError } from "./flow-request.ts";
import type { Program } from "./program.ts";

/** What one step's JSON depends on, as one number for a Map: 2 ^ 53 leaves room for 2 ^ 30 rules. */
function keyOf(stage: number, evaluator: number, direction: number, verdict: number, reason: number, rule: number) {
  return (((((rule + 1) * 64 + reason) * 4 + verdict) * 2 + direction) * 64 + evaluator + 1) * 64 + stage + 1;
}

export class ExplainJson {
  readonly #program: Program;
  readonly #deciders = new Map<number, string>();
  readonly #steps = new Map<number, string>();

  constructor(program: Program) {
    this.#program = program;
  }

  /** One object without a newline; the trace where `withTrace`. */
  render(explainer: Explainer, withTrace: boolean): string {
    const { decision: d, trace } = explainer;
    const verdict = d.isFlowAccepted ? 1 : 0;
    let text = `{${this.#decided(d.stage, d.evaluator, d.direction, verdict, d.reason, d.rule)}`;
    if (d.isFlowAccepted) {
      const replyVerdict = d.isReplyAccepted ? 1 : 0;
      const reason = explainer.replyReason();
      text += d.isError
        ? `,"reply":{${this.#decided(d.stage, d.evaluator, d.direction, replyVerdict, reason, d.rule)}`
        : `,"reply":{${this.#decided(d.replyStage, d.replyEvaluator, d.replyDirection, replyVerdict, reason, d.replyRule)}`;
      text += withTrace ? `,"trace":[${this.#listSteps(explainer, trace.replyStart, trace.length)}]}` : "}";
    }
    if (withTrace) text += `,"trace":[${this.#listSteps(explainer, 0, trace.replyStart)}]`;
    return `${text}}`;
  }

  #decided(stage: number, evaluator: number, direction: number, verdict: number, reason: number, rule: number): string {
    const key = keyOf(stage, evaluator, direction, verdict, reason, rule);
    let text = this.#deciders.get(key);
    if (text === undefined) {
      const ref = this.#ref(evaluator, rule);
      const decidedBy =
        stage < 0
          ? null
          : {
              stage: this.#program.stages[stage]?.name,
              evaluator: this.#program.evaluators[evaluator]?.name ?? null,
              direction: directionNames[direction],
              policy: ref?.policy ?? null,
              rule: ref?.rule ?? null,
            };
      const whole = { verdict: verdictNames[verdict], reason: reasonNames[reason], decidedBy };
      text = JSON.stringify(whole).slice(1, -1);
      this.#deciders.set(key, text);
    }
    return text;
  }

  #listSteps({ trace }: Explainer, from: number, to: number): string {
    const { stages, evaluators, directions, verdicts, reasons, rules } = trace;
    let text = "";
    for (let i = from; i < to; i++) {
      const step = this.#step(
        stages[i] as number,
        evaluators[i] as number,
        directions[i] as number,
        verdicts[i] as number,
        reasons[i] as number,
        rules[i] as number,
      );
      text += i > from ? `,${step}` : step;
    }
    return text;
  }

  #step(stage: number, evaluator: number, direction: number, verdict: number, reason: number, rule: number): string {
    const key = keyOf(stage, evaluator, direction, verdict, reason, rule);
    let text = this.#steps.get(key);
    if (text === undefined) {
      const ref = this.#ref(evaluator, rule);
      text = JSON.stringify({
        stage: this.#program.stages[stage]?.name,
        evaluator: this.#program.evaluators[evaluator]?.name ?? null,
        direction: directionNames[direction],
        verdict: verdictNames[verdict],
        reason: reasonNames[reason],
        ...(ref === null ? {} : { policy: ref.policy, rule: ref.rule }),
      });
      this.#steps.set(key, text);
    }
    return text;
  }

  #ref(evaluator: number, rule: number): RuleRef | null {
    return rule < 0 ? null : (this.#program.evaluators[evaluator]?.compiled.rules[rule] ?? null);
  }
}

/** The line in place of an explanation. */
export function renderFlowError({ code, field, message }: FlowError): string {
  return JSON.stringify({ error: { code, field, message } });
}
