/**
 * An explanation for people who don't know the policy: what was decided, by which policy and rule, what was missing and
 * what would make it pass, and below that every answer that was given on the way.
 */
import { describeThrown } from "../evaluators/custom/failures.ts";
import type { Explanation, RuleRef } from "../model/evaluator.ts";
import type { FlowView } from "../model/flow.ts";
import { Reason, reasonNames } from "../model/reason.ts";
import { type Direction, directionNames, Verdict, verdictNames } from "../model/verdict.ts";
import { formatProtocol, hasPorts, isIcmp } from "../net/protocol.ts";
import { type Attribution, type Explainer, explainAnswer } from "./explain.ts";
import { type Denial, otherDenials } from "./other-denials.ts";
import type { EndpointNames } from "./render-explain-names.ts";

/** How parts are set off; the identity where nobody watches. */
export interface ExplainStyle {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
}

/** The flow as it was asked about, with the words the user chose for its ends. */
export interface AskedFlow {
  readonly from: string;
  readonly to: string;
  readonly view: FlowView;
}

/** What users call the evaluators' policies. */
const kinds: Readonly<Record<string, string>> = {
  "vpc-route": "route table",
  "network-acl": "network ACL",
  "security-group": "security group",
  "admin-policy": "admin policy",
  "network-policy": "NetworkPolicy",
  "baseline-policy": "baseline policy",
};

/** Several lines, each with its newline; the trace where the explainer has one. */
export function renderExplanation(
  explainer: Explainer,
  asked: AskedFlow,
  names: EndpointNames,
  style: ExplainStyle,
): string {
  const { decision } = explainer;
  const { view } = asked;
  const lines = [style.bold(titleOf(asked, names))];
  const verdict = decision.isFlowAccepted ? style.good("accepted") : style.bad("denied");
  lines.push(...describe(explainer, asked, names, verdict, decision, false));
  if (decision.isFlowAccepted && !decision.isReplyAccepted) {
    const reply: Attribution = {
      stage: decision.replyStage,
      evaluator: decision.replyEvaluator,
      direction: decision.replyDirection,
      rule: decision.replyRule,
      reason: explainer.replyReason(),
    };
    lines.push("  But it gets no answer: the packets that come back have to pass as well.");
    lines.push(...describe(explainer, asked, names, `answer ${style.bad("denied")}`, reply, true));
  }
  const more = otherDenials(explainer.program, view, decision);
  if (more.length > 0) lines.push(`  Besides: ${more.map((denial) => nameDenial(explainer, denial)).join(", ")}.`);
  for (const address of [view.source, view.destination]) {
    const caveat = names.caveat(address);
    if (caveat !== null) lines.push(`  Note: ${caveat}`);
  }
  const { trace } = explainer;
  if (trace.length > 0) {
    lines.push(style.dim("  trace"), ...listSteps(explainer, view, names, 0, trace.replyStart, style));
    if (trace.replyStart < trace.length) {
      lines.push(style.dim("  trace of the answer"));
      lines.push(...listSteps(explainer, view, names, trace.replyStart, trace.length, style));
    }
  }
  return `${lines.join("\n")}\n`;
}

function titleOf({ from, to, view }: AskedFlow, names: EndpointNames): string {
  const number = hasPorts(view.protocol)
    ? ` ${view.destinationPort}`
    : isIcmp(view.protocol)
      ? ` type ${view.icmpType} code ${view.icmpCode}`
      : "";
  const name = formatProtocol(view.protocol);
  const protocol = /^\d/.test(name) ? `protocol ${name}` : name;
  const via = view.viaService ? " through a Service" : "";
  return `${names.nameOf(from, view.source)} → ${names.nameOf(to, view.destination)}  ${protocol}${number}${via}`;
}

/** The decision in a sentence and, for a denial, its remedy in another. */
function describe(
  { program }: Explainer,
  { view }: AskedFlow,
  names: EndpointNames,
  verdict: string,
  by: Attribution,
  isReply: boolean,
): string[] {
  const evaluator = program.evaluators[by.evaluator];
  const stage = program.stages[by.stage];
  const direction = by.direction as Direction;
  if (!evaluator) {
    if (by.reason === Reason["default-deny"]) {
      const setting = `defaultVerdict.${stage?.name}`;
      const place = `${verdict} on ${directionNames[direction]}`;
      return [`  ${place}: no policy of stage ${stage?.name} allows it, and the setting ${setting} is deny.`];
    }
    const why =
      by.reason === Reason["neighbour-discovery"]
        ? "IPv6 neighbour discovery is never filtered"
        : names.isKnown(view.source) || names.isKnown(view.destination)
          ? "no policy of the input restricts it"
          : "neither end is in the input, so that no policy of it applies";
    return [`  ${verdict}: ${why}.`];
  }
  if (by.reason === Reason.error) {
    const setting = `errorVerdict=${program.knobs.errorVerdict}`;
    const { failures } = evaluator.compiled;
    const thrown = failures === undefined ? "" : ` (${describeThrown(failures.error)})`;
    return [`  ${verdict}: ${evaluator.name} failed to judge it${thrown}, and the setting ${setting} decides.`];
  }
  const explanation = explainAnswer(evaluator, view, isReply, direction, names.podAt);
  const ref = refOf(evaluator.compiled.rules, by.rule);
  const policy = ref === null ? nameCustom(evaluator.name) : ` by ${namePolicies(evaluator.name, ref.policy)}`;
  const rule = ref?.rule ? ` (${ref.rule})` : "";
  const why =
    explanation?.text ?? `${by.reason === Reason.unspecified ? "it gives no reason" : reasonNames[by.reason]}${rule}`;
  const lines = [`  ${verdict} on ${directionNames[direction]}${policy}: ${why}.`];
  const [first, ...more] = explanation?.remedy?.split("\n") ?? [];
  if (first) lines.push(`  To allow it: ${first}`, ...more.map((line) => `      ${line}`));
  return lines;
}

/** `security group sg-db denies it on ingress too`. */
function nameDenial({ program }: Explainer, { stage, evaluator, direction, rule, isReply }: Denial): string {
  const by = program.evaluators[evaluator];
  const ref = by ? refOf(by.compiled.rules, rule) : null;
  const name = by
    ? ref === null
      ? by.name
      : namePolicies(by.name, ref.policy)
    : `defaultVerdict.${program.stages[stage]?.name}`;
  const what = isReply ? "its answer" : "it";
  return `${name} ${ref?.policy.includes(",") ? "deny" : "denies"} ${what} on ${directionNames[direction as Direction]} too`;
}

/** `security group sg-1`; `NetworkPolicies shop/a, shop/b` of a reference that joins them. */
function namePolicies(evaluator: string, policy: string): string {
  const kind = kinds[evaluator] ?? evaluator;
  if (!policy.includes(",")) return `${kind} ${policy}`;
  const plural = kind.endsWith("y") ? `${kind.slice(0, -1)}ies` : `${kind}s`;
  return `${plural} ${policy.split(",").join(", ")}`;
}

/** The built-in ones say in words of their own who they are, where no policy does. */
function nameCustom(evaluator: string): string {
  return Object.hasOwn(kinds, evaluator) ? "" : ` by ${evaluator}`;
}

/** Columns, and the evaluator's own words below each line that says more than "not mine". */
function listSteps(
  { program, trace }: Explainer,
  view: FlowView,
  names: EndpointNames,
  from: number,
  to: number,
  style: ExplainStyle,
): string[] {
  const rows: { readonly cells: readonly string[]; readonly text: string | null; readonly verdict: Verdict }[] = [];
  for (let i = from; i < to; i++) {
    const evaluator = program.evaluators[trace.evaluators[i] as number];
    if (!evaluator) continue;
    const direction = trace.directions[i] as Direction;
    const verdict = trace.verdicts[i] as Verdict;
    const reason = trace.reasons[i] as Reason;
    const ref = refOf(evaluator.compiled.rules, trace.rules[i] as number);
    const isReply = i >= trace.replyStart;
    const isMute = reason === Reason.error || reason === Reason["not-managed"];
    const said: Explanation | null = isMute ? null : explainAnswer(evaluator, view, isReply, direction, names.podAt);
    rows.push({
      cells: [
        directionNames[direction] as string,
        program.stages[trace.stages[i] as number]?.name ?? "",
        evaluator.name,
        verdictNames[verdict] as string,
        reasonNames[reason] as string,
        ref === null ? "" : `${ref.policy}${ref.rule === null ? "" : ` ${ref.rule}`}`,
      ],
      text: said?.text ?? null,
      verdict,
    });
  }
  const widths = rows.reduce<number[]>((w, { cells }) => cells.map((cell, i) => Math.max(w[i] ?? 0, cell.length)), []);
  return rows.flatMap(({ cells, text, verdict }) => {
    const line = `    ${cells.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  ")}`.trimEnd();
    const shown = verdict === Verdict.deny ? style.bad(line) : line;
    return text === null ? [shown] : [shown, style.dim(`      ${text}`)];
  });
}

function refOf(rules: readonly RuleRef[], rule: number): RuleRef | null {
  return rule < 0 ? null : (rules[rule] ?? null);
}
