/**
 * Test-only: inventories from AWS JSON, packets from human strings, and the conjunction of EC2's gates in both
 * directions, so that the evaluators can be shown without the engine.
 */
import { networkAclEvaluator } from "../../../src/evaluators/nacl/evaluator.ts";
import { securityGroupEvaluator } from "../../../src/evaluators/security-group/evaluator.ts";
import type { CompiledEvaluator } from "../../../src/model/evaluator.ts";
import type { Finding } from "../../../src/model/finding.ts";
import { createFlowView, type Flow, type FlowView, fillFlowView, reverseFlowView } from "../../../src/model/flow.ts";
import { emptyInventory, type Inventory } from "../../../src/model/inventory.ts";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { type ReasonName, reasonNames } from "../../../src/model/reason.ts";
import { Verdict, verdictNames } from "../../../src/model/verdict.ts";
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

export interface Gates {
  readonly sg: CompiledEvaluator;
  readonly nacl: CompiledEvaluator;
}

export function compile(inventory: Inventory, knobs: Knobs = defaultKnobs): Gates {
  return {
    sg: securityGroupEvaluator.compile(inventory, knobs),
    nacl: networkAclEvaluator.compile(inventory, knobs),
  };
}

/** `accept`, or the gate that denies: `sg ingress no-rule-matches sg-b`. */
export function judge({ sg, nacl }: Gates, given: Flow): string {
  return (
    gate("sg egress", ask(sg, given, "egress")) ??
    gate("nacl egress", ask(nacl, given, "egress")) ??
    gate("nacl ingress", ask(nacl, given, "ingress")) ??
    gate("sg ingress", ask(sg, given, "ingress")) ??
    "accept"
  );
}

/** The answering packet of an accepted flow: network ACLs alone (SG-60, NA-11). */
export function judgeReply({ nacl }: Gates, given: Flow): string {
  const view = createFlowView();
  fillFlowView(view, given);
  reverseFlowView(view);
  return gate("nacl egress", ask(nacl, view, "egress")) ?? gate("nacl ingress", ask(nacl, view, "ingress")) ?? "accept";
}

function gate(name: string, { verdict, reason, policy, rule }: Answer): string | null {
  if (verdict === verdictNames[Verdict.next]) return null;
  return [name, reason, policy, rule].filter((part) => part !== null).join(" ");
}
