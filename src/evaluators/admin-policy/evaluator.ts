/**
 * The admin and the baseline tier: ANP, BANP and CNP. The first rule that matches decides for its direction (AN-2);
 * where none does, or one passes, the next tier does (AN-6, AN-7).
 *
 * The admin tier comes first in its stage, so it also answers what comes before every policy there: a pod that talks to
 * its own address without a Service is nobody's business (AN-31).
 */
import { type FlowView, Tracking } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { equalAddresses } from "../../net/address.ts";
import { type KubernetesEvaluator, tierEvaluator } from "../kubernetes/evaluator.ts";
import { findRule, verdictOfRule } from "../kubernetes/find-rule.ts";
import {
  groupOfClass,
  isOwnNode,
  isPodClass,
  type KubernetesTables,
  learntOf,
  noDomains,
  Tier,
} from "../kubernetes/tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { explainTier } from "./explain.ts";

export const adminPolicyEvaluator: KubernetesEvaluator = tierEvaluator("admin-policy", Tier.admin, judge, explainTier);
export const baselinePolicyEvaluator: KubernetesEvaluator = tierEvaluator(
  "baseline-policy",
  Tier.baseline,
  judge,
  explainTier,
);

/** The packet path. */
function judge(tables: KubernetesTables, tier: Tier, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const subjectClass = isEgress ? view.sourceClass : view.destinationClass;
  const peerClass = isEgress ? view.destinationClass : view.sourceClass;
  if (!isPodClass(tables, subjectClass)) {
    view.reason = Reason["not-managed"];
    return Verdict.next;
  }
  // A pod has at most one address of a family, so that a flow within a pod has the same one twice.
  if (!view.viaService && equalAddresses(view.source, view.destination)) {
    view.reason = Reason.self;
    return Verdict.accept;
  }
  view.reason = Reason["not-isolated"];
  if (groupOfClass(tables, subjectClass, tier, direction) === 0) return Verdict.next;
  const traffic = trafficKey(view);
  const learnt = isEgress ? learntOf(tables, subjectClass, view) : noDomains;
  const rule = findRule(tables, tier, direction, subjectClass, peerClass, traffic, learnt);
  if (rule < 0) return Verdict.next;
  // Only a denial in place of an invalid rule reaches beyond pods on the way in, and not to the own node (AN-60).
  if (!isEgress && !isPodClass(tables, peerClass) && isOwnNode(tables, view.destination, view.source)) {
    return Verdict.next;
  }
  const verdict = verdictOfRule(tables, rule) as Verdict;
  // AN-30: what a name admits outlives its TTL. Without the name another rule would be found, or none.
  if (learnt !== noDomains && rule !== findRule(tables, tier, direction, subjectClass, peerClass, traffic)) {
    view.tracking = Tracking.tracked;
  }
  view.rule = rule;
  view.reason = verdict === Verdict.next ? Reason.pass : Reason.rule;
  return verdict;
}
