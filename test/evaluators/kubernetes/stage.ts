/** The `k8s` stage alone, as tests need it: objects as text in, the verdict of a flow in human words out. */
import { adminPolicyEvaluator, baselinePolicyEvaluator } from "../../../src/evaluators/admin-policy/evaluator.ts";
import { PolicyIndex } from "../../../src/evaluators/kubernetes/policy-index.ts";
import { KubernetesReader } from "../../../src/evaluators/kubernetes/policy-reader.ts";
import type { KubernetesTables } from "../../../src/evaluators/kubernetes/tables.ts";
import { networkPolicyEvaluator } from "../../../src/evaluators/network-policy/evaluator.ts";
import type { CompiledEvaluator, RuleRef } from "../../../src/model/evaluator.ts";
import type { Finding } from "../../../src/model/finding.ts";
import { createFlowView, type Flow, type FlowView, fillFlowView } from "../../../src/model/flow.ts";
import type { Inventory } from "../../../src/model/inventory.ts";
import { emptyInventory } from "../../../src/model/inventory.ts";
import { changeFromNothing, type NameChange } from "../../../src/model/inventory-change.ts";
import { defaultKnobs, type Knobs } from "../../../src/model/knobs.ts";
import { indexPodNames, type PodNames } from "../../../src/model/pod-names.ts";
import { Reason, type ReasonName, reasonNames } from "../../../src/model/reason.ts";
import { Direction, type DirectionName, directionNames, Verdict, verdictNames } from "../../../src/model/verdict.ts";
import { type Address, Family, parseAddress } from "../../../src/net/address.ts";
import { isIcmp, parseProtocol } from "../../../src/net/protocol.ts";
import { assembleKubernetes, convertKubernetesDocument } from "../../../src/sources/kubernetes/convert.ts";

/** The inventory of objects of one file. */
export function inventoryOfObjects(objects: readonly unknown[]): Inventory {
  return inventoryOfDocuments(objects.map((object): readonly [string, unknown] => ["test.yaml", object]));
}

export function inventoryOfDocuments(documents: readonly (readonly [file: string, document: unknown])[]): Inventory {
  const findings: Finding[] = [];
  const report = (finding: Finding): void => {
    findings.push(finding);
  };
  const parts = documents.flatMap(([file, document]) => convertKubernetesDocument(document, file, report) ?? []);
  return { ...emptyInventory, kubernetes: assembleKubernetes(parts, report), findings };
}

export interface Step {
  readonly evaluator: string;
  readonly direction: DirectionName;
  readonly verdict: string;
  readonly reason: ReasonName;
  readonly rule: RuleRef | null;
  readonly text: string;
  readonly remedy: string | null;
}

export interface Answer {
  readonly verdict: "accept" | "deny";
  /** What ended it: the denial, or the last step that wasn't `next`; null where nothing decided. */
  readonly decidedBy: Step | null;
  readonly trace: readonly Step[];
}

export interface Stage {
  readonly inventory: Inventory;
  /** `shop/web -> shop/db tcp 5432`; an end is a pod, `Kind:namespace/name` or an address. */
  judge(flow: string): Answer;
  judgeFlow(flow: Flow): Answer;
  /** The verdict alone; allocates no more than the evaluators do. */
  isAccepted(flow: Flow): boolean;
  addressOf(ref: string, peer?: string): Address;
}

export function createStage(
  inventory: Inventory,
  knobs: Partial<Knobs> = {},
  tables: KubernetesTables = tablesOf(inventory, { ...defaultKnobs, ...knobs }),
): Stage {
  const tiers = [adminPolicyEvaluator, networkPolicyEvaluator, baselinePolicyEvaluator].map((evaluator) => {
    return { name: evaluator.name, compiled: evaluator.load(tables) };
  });
  const view = createFlowView();
  const refs = indexPodNames(inventory.kubernetes.pods);

  const ask = (compiled: CompiledEvaluator, direction: Direction): Verdict => {
    view.sourceClass = compiled.classOf(view.source);
    view.destinationClass = compiled.classOf(view.destination);
    view.reason = Reason.unspecified;
    view.rule = -1;
    return direction === Direction.egress ? compiled.evaluateEgress(view) : compiled.evaluateIngress(view);
  };
  const judgeFlow = (flow: Flow): Answer => {
    fillFlowView(view, flow);
    const trace: Step[] = [];
    for (const direction of [Direction.egress, Direction.ingress]) {
      for (const { name, compiled } of tiers) {
        const verdict = ask(compiled, direction);
        trace.push(stepOf(name, compiled, view, direction, verdict));
        if (verdict === Verdict.deny) return { verdict: "deny", decidedBy: trace.at(-1) ?? null, trace };
        if (verdict === Verdict.accept) break;
      }
    }
    return { verdict: "accept", decidedBy: trace.findLast((step) => step.verdict !== "next") ?? null, trace };
  };
  const addressOf = (ref: string, peer?: string): Address => {
    const candidates = addressesOf(refs, ref);
    const families = peer === undefined ? candidates : addressesOf(refs, peer);
    const address = candidates.find((a) => families.some((b) => a.family === b.family)) ?? candidates[0];
    if (!address) throw new Error(`${ref} has no address`);
    return address;
  };
  return {
    inventory,
    judgeFlow,
    isAccepted(flow) {
      fillFlowView(view, flow);
      for (const direction of [Direction.egress, Direction.ingress]) {
        for (const { compiled } of tiers) {
          const verdict = ask(compiled, direction);
          if (verdict === Verdict.deny) return false;
          if (verdict === Verdict.accept) break;
        }
      }
      return true;
    },
    judge: (text) => judgeFlow(parseFlow(text, addressOf)),
    addressOf,
  };
}

/** The stage of objects. */
export function stageOf(objects: readonly unknown[], knobs: Partial<Knobs> = {}): Stage {
  return createStage(inventoryOfObjects(objects), knobs);
}

/** `deny ingress network-policy no-rule-matches shop/db`, or `accept` where nothing decided. */
export function summary({ verdict, decidedBy: by }: Answer): string {
  if (!by) return verdict;
  const rule = by.rule === null ? "" : ` ${by.rule.policy}${by.rule.rule === null ? "" : ` ${by.rule.rule}`}`;
  return `${verdict} ${by.direction} ${by.evaluator} ${by.reason}${rule}`;
}

/** As it is used: the tables travel between threads, without the words. */
export function tablesOf(
  inventory: Inventory,
  knobs: Knobs = defaultKnobs,
  { nodeName = null, names = [] }: { readonly nodeName?: string | null; readonly names?: readonly NameChange[] } = {},
): KubernetesTables {
  const index = new PolicyIndex(knobs, nodeName);
  const { patch } = index.update({ ...changeFromNothing(inventory).kubernetes, names });
  const reader = new KubernetesReader(knobs);
  reader.apply(structuredClone(patch));
  return { ...reader.tables, names: index.tables.names };
}

function stepOf(
  name: string,
  compiled: CompiledEvaluator,
  view: FlowView,
  direction: Direction,
  verdict: Verdict,
): Step {
  const explanation = compiled.explain?.(view, direction);
  return {
    evaluator: name,
    direction: directionNames[direction] as DirectionName,
    verdict: verdictNames[verdict] as string,
    reason: reasonNames[view.reason] as ReasonName,
    rule: view.rule < 0 ? null : (compiled.rules[view.rule] ?? null),
    text: explanation?.text ?? "",
    remedy: explanation?.remedy ?? null,
  };
}

function addressesOf(pods: PodNames, ref: string): readonly Address[] {
  const address = parseAddress(ref);
  if (address) return [address];
  const [pod, second] = pods(ref);
  if (!pod || second) throw new Error(`${ref} names ${pod ? "two things" : "nothing"}`);
  return pod.addresses;
}

/** `A -> B PROTOCOL [PORT or ICMP type] [via service] [fragment]`. */
function parseFlow(text: string, addressOf: (ref: string, peer?: string) => Address): Flow {
  const match = /^(\S+) -> (\S+) (\S+)(?: (\d+))?( via service)?( fragment)?$/.exec(text);
  if (!match) throw new Error(`not a flow: ${text}`);
  const [, from = "", to = "", protocolText = "", numberText = "0"] = match;
  const protocol = parseProtocol(protocolText);
  if (protocol === null) throw new Error(`not a protocol: ${protocolText}`);
  const number = Number(numberText);
  const source = addressOf(from, to);
  const destination = addressOf(to, source.family === Family.none ? undefined : from);
  return {
    source,
    destination,
    protocol,
    sourcePort: 49152,
    destinationPort: isIcmp(protocol) ? 0 : number,
    icmpType: isIcmp(protocol) ? number : 0,
    icmpCode: 0,
    viaService: match[5] !== undefined,
    isFragment: match[6] !== undefined,
  };
}
