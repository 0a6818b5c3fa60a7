/**
 * The admin and the baseline tier: ANP, BANP and CNP. The first rule that matches decides for its direction (AN-2);
 * where none does, or one passes, the next tier does (AN-6, AN-7).
 *
 * The admin tier comes first in its stage, so it also answers what comes before every policy there: a pod that talks to
 * its own address without a Service is nobody's business (AN-31).
 */
import type { AdminTier } from "../../model/admin-policy.ts";
import type { BuiltinEvaluator, CompiledEvaluator } from "../../model/evaluator.ts";
import { Reads } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import type { Inventory } from "../../model/inventory.ts";
import { emptyKubernetes } from "../../model/kubernetes.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { equalAddresses } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { captureSubjects } from "../kubernetes/capture.ts";
import { findEntry } from "../kubernetes/find-entry.ts";
import { buildOwnNodes, isOwnNode } from "../kubernetes/own-node.ts";
import { buildRuleTables } from "../kubernetes/rule-tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { explainTier } from "./explain.ts";
import type { TierTables } from "./tables.ts";
import { tierTerms } from "./terms.ts";

export const adminPolicyEvaluator: BuiltinEvaluator<TierTables> = tierEvaluator("admin-policy", "admin");
export const baselinePolicyEvaluator: BuiltinEvaluator<TierTables> = tierEvaluator("baseline-policy", "baseline");

function tierEvaluator(name: string, tier: AdminTier): BuiltinEvaluator<TierTables> {
  const termsOf = ({ kubernetes }: Inventory) => tierTerms(kubernetes.adminPolicies.filter((p) => p.tier === tier));
  const build = (inventory: Inventory): TierTables => {
    const { policies, refs, texts, kinds } = termsOf(inventory);
    const tables = buildRuleTables(policies, inventory.kubernetes);
    const needsNodes = policies.some(({ rules: [, ingress] }) => ingress?.some((rule) => rule.peers === null));
    const ownNodes = buildOwnNodes(needsNodes ? inventory.kubernetes : emptyKubernetes);
    return { ...tables, tier, ownNodes, refs, texts, kinds };
  };
  return {
    name,
    stage: "k8s",
    isStateful: true,
    build,
    load,
    compile: (inventory) => load(build(inventory)),
    capture(inventory) {
      const touching = termsOf(inventory).policies.filter(({ rules }) => rules.some((list) => list !== null));
      return captureSubjects(
        touching.map(({ subject }) => subject),
        inventory.kubernetes,
      );
    },
  };
}

function load(tables: TierTables): CompiledEvaluator {
  const { egress, ingress } = tables;
  return {
    // Addresses: the same pod (AN-31) and the own node (AN-60) are no matter of classes.
    reads:
      Reads.sourceClass |
      Reads.destinationClass |
      Reads.protocol |
      Reads.destinationPort |
      Reads.passage |
      Reads.addresses,
    rules: tables.refs,
    classOf: (address) => classOfAddress(tables.classes, address),
    evaluateEgress: (view) => judge(tables, view, Direction.egress),
    evaluateIngress: (view) => judge(tables, view, Direction.ingress),
    isSubject: (c, direction) => ((direction === Direction.egress ? egress : ingress).group[c] ?? 0) !== 0,
    explain: (view, direction, podAt) => explainTier(tables, view, direction, podAt),
  };
}

/** The packet path. */
function judge(tables: TierTables, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const subjectClass = isEgress ? view.sourceClass : view.destinationClass;
  const peerClass = isEgress ? view.destinationClass : view.sourceClass;
  if (tables.isPod[subjectClass] !== 1) {
    view.reason = Reason["not-managed"];
    return Verdict.next;
  }
  // A pod has at most one address of a family, so that a flow within a pod has the same one twice.
  if (!view.viaService && equalAddresses(view.source, view.destination)) {
    view.reason = Reason.self;
    return Verdict.accept;
  }
  view.reason = Reason["not-isolated"];
  const rules = isEgress ? tables.egress : tables.ingress;
  const group = rules.group[subjectClass] as number;
  if (group === 0) return Verdict.next;
  const entry = findEntry(rules, group, trafficKey(view), peerClass);
  if (entry < 0) return Verdict.next;
  // Only a denial in place of an invalid rule reaches beyond pods on the way in, and not to the own node (AN-60): the
  // table of nodes is empty where there is none.
  if (!isEgress && tables.isPod[peerClass] === 0 && isOwnNode(tables.ownNodes, view.destination, view.source)) {
    return Verdict.next;
  }
  const verdict = rules.entries.verdict[entry] as Verdict;
  view.rule = rules.entries.rule[entry] as number;
  view.reason = verdict === Verdict.next ? Reason.pass : Reason.rule;
  return verdict;
}
