/**
 * What a user's `load` or `compile` returned → an evaluator as the engine knows it: checked, with its defaults, and with
 * a guard round each function, so that a wrong answer is an error of this evaluator (PL-8) and never reaches counters,
 * marks or another evaluator.
 */
import { type CompiledEvaluator, type Failures, Reads, type RuleRef } from "../../model/evaluator.ts";
import { type FlowView, Tracking } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import type { Address } from "../../net/address.ts";
import type { CustomCompiled } from "./contract.ts";
import { ContractError } from "./failures.ts";
import { findMisspelt, isPlainFunction, isRecord } from "./shapes.ts";

const allReads = Object.values(Reads).reduce<number>((sum, bit) => sum | bit, 0);
const classReads = Reads.sourceClass | Reads.destinationClass;
const functions = ["evaluateEgress", "evaluateIngress", "classOf", "isSubject", "relationOf", "explain"] as const;

/** Reasons that are an evaluator's to give; the others are the engine's, which acts on some of them. */
const ownReasons: ReadonlySet<number> = new Set([
  Reason.rule,
  Reason["no-rule-matches"],
  Reason["not-isolated"],
  Reason["not-managed"],
  Reason.pass,
  Reason.self,
  Reason["missing-configuration"],
]);

const noVerdict = new ContractError("it answered none of deny, accept and next");
const badClass = new ContractError("classOf answered something else than a whole number of 31 bits");
const badRelation = new ContractError("relationOf answered something else than a whole number from 0 to 255");

/** Throws ContractError with everything that is wrong. */
export function completeEvaluator(given: unknown): CompiledEvaluator {
  const problems = listProblems(given);
  if (problems.length > 0) throw new ContractError(problems.join("; "));
  const own = given as CustomCompiled;
  const failures: Failures = { count: 0, error: null };
  const reads = own.reads ?? allReads;
  const rules = own.rules ?? [];
  const guard = (evaluate: (view: FlowView) => Verdict) => guardEvaluate(evaluate, rules.length, failures);
  const compiled: CompiledEvaluator = {
    reads,
    rules,
    failures,
    classOf:
      own.classOf === undefined
        ? () => 0
        : guardNumber((a: Address) => own.classOf?.(a), 0x7fffffff, badClass, failures),
    evaluateEgress:
      own.evaluateEgress === undefined ? notManaged : guard((view) => own.evaluateEgress?.(view) as Verdict),
    evaluateIngress:
      own.evaluateIngress === undefined ? notManaged : guard((view) => own.evaluateIngress?.(view) as Verdict),
    isSubject:
      own.isSubject === undefined ? subjectOf(own) : (number, direction) => own.isSubject?.(number, direction) === true,
  };
  return {
    ...compiled,
    ...(own.relationOf === undefined
      ? {}
      : { relationOf: guardNumber((view: FlowView) => own.relationOf?.(view), 255, badRelation, failures) }),
    ...(own.explain === undefined ? {} : { explain: guardExplain(own) }),
  };
}

/** An evaluator that can't be made fails for each packet that it should judge, so that nothing passes in its stead. */
export function failingEvaluator(error: unknown): CompiledEvaluator {
  const failures: Failures = { count: 0, error };
  const fail = (): never => {
    failures.count++;
    throw error;
  };
  return {
    reads: allReads,
    rules: [],
    failures,
    classOf: () => 0,
    evaluateEgress: fail,
    evaluateIngress: fail,
    isSubject: () => true,
  };
}

function notManaged(view: FlowView): Verdict {
  view.reason = Reason["not-managed"];
  return Verdict.next;
}

function subjectOf({ evaluateEgress, evaluateIngress }: CustomCompiled): CompiledEvaluator["isSubject"] {
  return (_, direction) => (direction === Direction.egress ? evaluateEgress : evaluateIngress) !== undefined;
}

/** Allocates nothing; what it throws is an object that exists already, or the module's own. */
function guardEvaluate(
  evaluate: (view: FlowView) => Verdict,
  ruleCount: number,
  failures: Failures,
): (view: FlowView) => Verdict {
  return (view) => {
    try {
      const verdict = evaluate(view);
      if (verdict !== Verdict.deny && verdict !== Verdict.accept && verdict !== Verdict.next) throw noVerdict;
      settleAnswer(view, verdict, ruleCount);
      return verdict;
    } catch (error) {
      failures.count++;
      failures.error = error;
      throw error;
    }
  };
}

/** A reason or rule that isn't there is no worse than none: the verdict is what counts. */
function settleAnswer(view: FlowView, verdict: Verdict, ruleCount: number): void {
  const { rule } = view;
  if ((rule | 0) !== rule || rule < 0 || rule >= ruleCount) view.rule = -1;
  if (!ownReasons.has(view.reason)) {
    // One that lists its rules denies by one of them, or because there is none.
    const isUnmatched = verdict === Verdict.deny && ruleCount > 0;
    view.reason = view.rule >= 0 ? Reason.rule : isUnmatched ? Reason["no-rule-matches"] : Reason.unspecified;
  }
  view.tracking = Tracking.none;
}

function guardNumber<Input>(
  ask: (input: Input) => unknown,
  last: number,
  wrong: ContractError,
  failures: Failures,
): (input: Input) => number {
  return (input) => {
    try {
      const answer = ask(input) as number;
      if ((answer | 0) !== answer || answer < 0 || answer > last) throw wrong;
      return answer;
    } catch (error) {
      failures.count++;
      failures.error = error;
      throw error;
    }
  };
}

/** For people: what it can't say is left out. */
function guardExplain(own: CustomCompiled): NonNullable<CompiledEvaluator["explain"]> {
  return (view, direction, podAt) => {
    try {
      const said: unknown = own.explain?.(view, direction, podAt);
      if (!isRecord(said) || typeof said.text !== "string") return null;
      return { text: said.text, remedy: typeof said.remedy === "string" ? said.remedy : null };
    } catch {
      return null;
    }
  };
}

function listProblems(given: unknown): string[] {
  if (given instanceof Promise) return ["it must not be async: return the evaluator itself"];
  if (!isRecord(given)) return ["it must return an object with evaluateIngress, evaluateEgress or both"];
  const problems = findMisspelt(given, [...functions, "reads", "rules"]);
  for (const name of functions) {
    const value = given[name];
    if (value !== undefined && !isPlainFunction(value)) problems.push(`${name} must be a function, and not async`);
  }
  if (given.evaluateEgress === undefined && given.evaluateIngress === undefined) {
    problems.push("evaluateIngress, evaluateEgress or both must be there");
  }
  const { reads, rules } = given;
  if (reads !== undefined && (typeof reads !== "number" || (reads & allReads) !== reads)) {
    problems.push("reads must be a sum of Reads, such as Reads.protocol | Reads.destinationPort");
  } else if (typeof reads === "number" && (reads & classReads) !== 0 && given.classOf === undefined) {
    problems.push("reads names classes of addresses, and there is no classOf: say Reads.addresses, or add a classOf");
  }
  if (rules !== undefined && !(Array.isArray(rules) && rules.every(isRuleRef))) {
    problems.push("rules must be a list of { policy, rule }, texts both, where rule may be null");
  }
  return problems;
}

function isRuleRef(value: unknown): value is RuleRef {
  return isRecord(value) && typeof value.policy === "string" && (value.rule === null || typeof value.rule === "string");
}
