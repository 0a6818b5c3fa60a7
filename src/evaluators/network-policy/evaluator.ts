/**
 * Kubernetes NetworkPolicy v1. A pod is isolated in a direction by the policies that select it there; then what one of
 * their rules matches is accepted and the rest denied, finally (NP-4). Everyone else's traffic goes on to the baseline.
 */
import type { FlowView } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { equalAddresses } from "../../net/address.ts";
import { hasPorts } from "../../net/protocol.ts";
import { type KubernetesEvaluator, tierEvaluator } from "../kubernetes/evaluator.ts";
import { findRule } from "../kubernetes/find-rule.ts";
import {
  acceptsOwnNode,
  GroupField,
  groupOfClass,
  groupWords,
  isOwnNode,
  isPodClass,
  type KubernetesTables,
  Tier,
} from "../kubernetes/tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { explainNetworkPolicy } from "./explain.ts";

export const networkPolicyEvaluator: KubernetesEvaluator = tierEvaluator(
  "network-policy",
  Tier.networkPolicy,
  judge,
  explainNetworkPolicy,
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
  const group = groupOfClass(tables, subjectClass, tier, direction);
  // A pod has at most one address of a family, so that a flow within a pod has the same one twice.
  const isSelf = equalAddresses(view.source, view.destination);
  if (group === 0) {
    view.reason = isSelf ? Reason.self : Reason["not-isolated"];
    return Verdict.next;
  }
  if (isSelf) {
    view.reason = Reason.self;
    return Verdict.accept;
  }
  const subject = isEgress ? view.source : view.destination;
  const peer = isEgress ? view.destination : view.source;
  if (acceptsOwnNode(tables, direction) && !isPodClass(tables, peerClass) && isOwnNode(tables, subject, peer)) {
    view.reason = Reason["own-node"];
    return Verdict.accept;
  }
  const { npNonL4 } = tables.knobs;
  if (npNonL4 !== "peer-only" && !hasPorts(view.protocol)) {
    const isAllowed = npNonL4 === "allow";
    view.reason = isAllowed ? Reason.rule : Reason["no-rule-matches"];
    view.rule = tables.groups.get(group * groupWords + GroupField.nonL4);
    return isAllowed ? Verdict.accept : Verdict.deny;
  }
  const rule = findRule(tables, tier, direction, subjectClass, peerClass, trafficKey(view));
  if (rule < 0) {
    view.reason = Reason["no-rule-matches"];
    view.rule = tables.groups.get(group * groupWords + GroupField.noMatch);
    return Verdict.deny;
  }
  view.reason = Reason.rule;
  view.rule = rule;
  return Verdict.accept;
}
