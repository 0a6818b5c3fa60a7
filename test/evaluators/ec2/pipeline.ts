/** Test-only: inventories from AWS JSON, packets and verdicts in words of people. */
import { expect } from "vitest";
import { compileProgram } from "../../../src/engine/compiler.ts";
import type { Decision } from "../../../src/engine/decision.ts";
import { type Attribution, Explainer } from "../../../src/engine/explain.ts";
import type { Program } from "../../../src/engine/program.ts";
import type { CompiledEvaluator } from "../../../src/model/evaluator.ts";
import type { Finding } from "../../../src/model/finding.ts";
import { createFlowView, type Flow, type FlowView, fillFlowView } from "../../../src/model/flow.ts";
import { emptyInventory, type Inventory } from "../../../src/model/inventory.ts";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { type ReasonName, reasonNames } from "../../../src/model/reason.ts";
import { directionNames, verdictNames } from "../../../src/model/verdict.ts";
import { type Address, parseAddress } from "../../../src/net/address.ts";
import { parseProtocol } from "../../../src/net/protocol.ts";
import { assembleEc2, convertAwsDocument, type Ec2Part } from "../../../src/sources/ec2/convert.ts";

export interface Loaded {
  readonly inventory: Inventory;
  readonly findings: readonly Finding[];
}

/** Documents by file name; all of them must be AWS documents. */
export function load(files: Readonly<Record<string, unknown>>): Loaded {
  const findings: Finding[] = [];
  const report = (f: Finding) => findings.push(f);
  const parts: Ec2Part[] = Object.entries(files).map(([file, document]) => {
    const part = convertAwsDocument(document, file, report);
    if (!part) throw new Error(`${file} is no AWS document`);
    return part;
  });
  return { inventory: { ...emptyInventory, ec2: assembleEc2(parts, report) }, findings };
}

export function address(text: string): Address {
  const parsed = parseAddress(text);
  if (!parsed) throw new Error(`${text} is no address`);
  return parsed;
}

/**
 * `10.0.1.5:40000 -> 10.0.2.5:443/tcp`, `10.0.1.5 -> 10.0.2.5 icmp 8/0`, `[::1]:1 -> [::2]:2/udp`, `… protocol 50`,
 * each also with ` fragment` at the end.
 */
export function flow(text: string): Flow {
  const isFragment = text.endsWith(" fragment");
  const match = /^(\S+) -> (\S+?)(?:\/(tcp|udp|sctp)| (icmp|icmpv6) (\d+)\/(\d+)| protocol (\d+))$/.exec(
    text.replace(/ fragment$/, ""),
  );
  if (!match) throw new Error(`${text} is no flow`);
  const [, from = "", to = "", l4, icmp, type, code, number] = match;
  const end = (given: string) => {
    const parts = l4 ? /^(?:\[([^\]]+)\]|([^:]+)):(\d+)$/.exec(given) : null;
    return parts ? ([parts[1] ?? parts[2] ?? "", Number(parts[3])] as const) : ([given, l4 ? 49152 : 0] as const);
  };
  const [source, sourcePort] = end(from);
  const [destination, destinationPort] = end(to);
  return {
    source: address(source),
    destination: address(destination),
    protocol: parseProtocol(l4 ?? icmp ?? number ?? "") ?? Number.NaN,
    sourcePort: isFragment ? 0 : sourcePort,
    destinationPort: isFragment ? 0 : destinationPort,
    icmpType: isFragment ? 0 : Number(type ?? 0),
    icmpCode: isFragment ? 0 : Number(code ?? 0),
    viaService: false,
    isFragment,
  };
}

/** What one evaluator answers for one direction, as people read it. */
export interface Answer {
  readonly verdict: string;
  readonly reason: ReasonName;
  readonly policy: string | null;
  readonly rule: string | null;
  readonly tracking: number;
}

export function ask(compiled: CompiledEvaluator, given: Flow | FlowView, direction: "egress" | "ingress"): Answer {
  const view = createFlowView();
  fillFlowView(view, given);
  view.sourceClass = compiled.classOf(view.source);
  view.destinationClass = compiled.classOf(view.destination);
  const verdict = direction === "egress" ? compiled.evaluateEgress(view) : compiled.evaluateIngress(view);
  const ref = compiled.rules[view.rule];
  return {
    verdict: verdictNames[verdict] ?? "undefined",
    reason: reasonNames[view.reason] ?? "unspecified",
    policy: ref?.policy ?? null,
    rule: ref?.rule ?? null,
    tracking: view.tracking,
  };
}

/** Two of the program's evaluators, and the program, which judges a flow with all of them. */
export interface Gates {
  readonly sg: CompiledEvaluator;
  readonly nacl: CompiledEvaluator;
  readonly program: Program;
}

export function compile(inventory: Inventory, knobs: Knobs = defaultKnobs): Gates {
  const program = compileProgram(inventory, knobs);
  const compiledOf = (name: string): CompiledEvaluator =>
    program.evaluators.find((evaluator) => evaluator.name === name)?.compiled ?? expect.fail(`no ${name}`);
  return { sg: compiledOf("security-group"), nacl: compiledOf("network-acl"), program };
}

/** `accept`, or what denies: `sg ingress no-rule-matches sg-b`. */
export function judge({ program }: Gates, given: Flow): string {
  const d = decide(program, given);
  return d.isFlowAccepted ? "accept" : nameDenial(program, d);
}

/** The same for the answering packet of an accepted flow: what judges packets, network ACLs (SG-60, NA-11). */
export function judgeReply({ program }: Gates, given: Flow): string {
  const d = decide(program, given);
  if (!d.isFlowAccepted) throw new Error(`a flow that is denied has no answer: ${nameDenial(program, d)}`);
  if (d.isReplyAccepted) return "accept";
  const { replyStage: stage, replyEvaluator: evaluator, replyDirection: direction } = d;
  return nameDenial(program, { stage, evaluator, direction, reason: d.replyReason, rule: d.replyRule });
}

function decide(program: Program, given: Flow): Decision {
  const view = createFlowView();
  fillFlowView(view, given);
  const explainer = new Explainer(program, { withTrace: false });
  explainer.explain(view);
  return explainer.decision;
}

function nameDenial(program: Program, { stage, evaluator, direction, reason, rule }: Attribution): string {
  const ref = program.evaluators[evaluator]?.compiled.rules[rule];
  const words = [program.stages[stage]?.name, directionNames[direction], reasonNames[reason], ref?.policy, ref?.rule];
  return words.filter((word) => word !== undefined && word !== null).join(" ");
}
