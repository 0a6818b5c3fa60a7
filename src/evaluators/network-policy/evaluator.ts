/**
 * Kubernetes NetworkPolicy v1. A pod is isolated in a direction by the policies that select it there; then what one of
 * their rules matches is accepted and the rest denied, finally (NP-4). Everyone else's traffic goes on to the baseline.
 */
import type { BuiltinEvaluator, Capture, CompiledEvaluator } from "../../model/evaluator.ts";
import { Reads } from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Knobs } from "../../model/knobs.ts";
import { emptyKubernetes } from "../../model/kubernetes.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { equalAddresses } from "../../net/address.ts";
import { classOfAddress } from "../../net/address-classes.ts";
import { hasPorts } from "../../net/protocol.ts";
import { captureSubjects } from "../kubernetes/capture.ts";
import { findEntry } from "../kubernetes/find-entry.ts";
import { buildOwnNodes, isOwnNode } from "../kubernetes/own-node.ts";
import { buildRuleTables, type DirectionTables } from "../kubernetes/rule-tables.ts";
import { trafficKey } from "../kubernetes/traffic-key.ts";
import { explainNetworkPolicy } from "./explain.ts";
import type { NetworkPolicyTables } from "./tables.ts";
import { networkPolicyTerms } from "./terms.ts";

export const networkPolicyEvaluator: BuiltinEvaluator<NetworkPolicyTables> = {
  name: "network-policy",
  stage: "k8s",
  isStateful: true,
  build,
  load,
  compile: (inventory, knobs) => load(build(inventory, knobs)),
  capture,
};

function build({ kubernetes }: Inventory, knobs: Knobs): NetworkPolicyTables {
  const policies = kubernetes.networkPolicies;
  const terms = networkPolicyTerms(policies, knobs.ipBlockMatchesPods === "true");
  const tables = buildRuleTables(terms.policies, kubernetes);
  const refs = [...terms.refs];
  const referToGroups = ({ groupPolicies }: DirectionTables, rule: string | null): Uint32Array =>
    Uint32Array.from(groupPolicies, (members) => {
      const names = members.map((p) => `${policies[p]?.namespace}/${policies[p]?.name}`);
      return refs.push({ policy: names.join(","), rule }) - 1;
    });
  const allowed = knobs.npNonL4 === "allow" ? "npNonL4=allow" : null;
  return {
    ...tables,
    ownNodes: buildOwnNodes(policies.length > 0 ? kubernetes : emptyKubernetes),
    noMatch: [referToGroups(tables.egress, null), referToGroups(tables.ingress, null)],
    nonL4: [referToGroups(tables.egress, allowed), referToGroups(tables.ingress, allowed)],
    refs,
    texts: terms.texts,
    npNonL4: knobs.npNonL4,
    acceptsOwnNode: [knobs.npEgressToOwnNode === "allow", true],
  };
}

function load(tables: NetworkPolicyTables): CompiledEvaluator {
  const { egress, ingress } = tables;
  return {
    // Addresses: the same pod (NP-58) and the own node (NP-56) are no matter of classes.
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
    explain: (view, direction, podAt) => explainNetworkPolicy(tables, view, direction, podAt),
  };
}

function capture({ kubernetes }: Inventory, knobs: Knobs): Capture {
  const { policies } = networkPolicyTerms(kubernetes.networkPolicies, knobs.ipBlockMatchesPods === "true");
  return captureSubjects(
    policies.filter(({ rules }) => rules.some((list) => list !== null)).map(({ subject }) => subject),
    kubernetes,
  );
}

/** The packet path. */
function judge(tables: NetworkPolicyTables, view: FlowView, direction: Direction): Verdict {
  const isEgress = direction === Direction.egress;
  const subjectClass = isEgress ? view.sourceClass : view.destinationClass;
  const peerClass = isEgress ? view.destinationClass : view.sourceClass;
  if (tables.isPod[subjectClass] !== 1) {
    view.reason = Reason["not-managed"];
    return Verdict.next;
  }
  const rules = isEgress ? tables.egress : tables.ingress;
  const group = rules.group[subjectClass] as number;
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
  if (tables.acceptsOwnNode[direction] && tables.isPod[peerClass] === 0 && isOwnNode(tables.ownNodes, subject, peer)) {
    view.reason = Reason["own-node"];
    return Verdict.accept;
  }
  if (tables.npNonL4 !== "peer-only" && !hasPorts(view.protocol)) {
    const isAllowed = tables.npNonL4 === "allow";
    view.reason = isAllowed ? Reason.rule : Reason["no-rule-matches"];
    view.rule = tables.nonL4[direction][group] as number;
    return isAllowed ? Verdict.accept : Verdict.deny;
  }
  const entry = findEntry(rules, group, trafficKey(view), peerClass);
  if (entry < 0) {
    view.reason = Reason["no-rule-matches"];
    view.rule = tables.noMatch[direction][group] as number;
    return Verdict.deny;
  }
  view.reason = Reason.rule;
  view.rule = rules.entries.rule[entry] as number;
  return Verdict.accept;
}
