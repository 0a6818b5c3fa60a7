/** What the evaluators of the Kubernetes tiers have in common: they ask the same tables, which a PolicyIndex makes. */
import {
  type CompiledEvaluator,
  type Evaluator,
  type Explanation,
  type PodLookup,
  Reads,
} from "../../model/evaluator.ts";
import type { FlowView } from "../../model/flow.ts";
import { Direction, type Verdict } from "../../model/verdict.ts";
import { equalAddresses } from "../../net/address.ts";
import {
  classOfAddress,
  groupOfClass,
  isOwnNode,
  isPodClass,
  type KubernetesTables,
  learntOf,
  type Tier,
} from "./tables.ts";

export interface KubernetesEvaluator extends Pick<Evaluator, "name" | "stage" | "isStateful"> {
  /** The answers follow the tables as they change. */
  load(tables: KubernetesTables, lookups?: TierLookups): CompiledEvaluator;
}

/** What all tiers ask in the same way: the same functions, so that an engine needs to ask them once. */
export type TierLookups = Required<Pick<CompiledEvaluator, "classOf" | "relationOf">>;

export function createTierLookups(tables: KubernetesTables): TierLookups {
  return {
    classOf: (address) => classOfAddress(tables, address),
    relationOf: (view) => relationOf(tables, view),
  };
}

type Judge = (tables: KubernetesTables, tier: Tier, view: FlowView, direction: Direction) => Verdict;
type Explain = (
  tables: KubernetesTables,
  tier: Tier,
  view: FlowView,
  direction: Direction,
  podAt?: PodLookup,
) => Explanation | null;

export function tierEvaluator(name: string, tier: Tier, judge: Judge, explain: Explain): KubernetesEvaluator {
  const load = (tables: KubernetesTables, { classOf, relationOf } = createTierLookups(tables)): CompiledEvaluator => ({
    // Addresses: the same pod (NP-58, AN-31), the own node (NP-56, AN-60) and what a pod learnt (AN-30) are no matter of
    // classes.
    reads:
      Reads.sourceClass |
      Reads.destinationClass |
      Reads.protocol |
      Reads.destinationPort |
      Reads.passage |
      Reads.addresses,
    rules: tables.names?.refs ?? [],
    classOf,
    evaluateEgress: (view) => judge(tables, tier, view, Direction.egress),
    evaluateIngress: (view) => judge(tables, tier, view, Direction.ingress),
    isSubject: (c, direction) => groupOfClass(tables, c, tier, direction) !== 0,
    relationOf,
    explain: (view, direction, podAt) => explain(tables, tier, view, direction, podAt),
  });
  return { name, stage: "k8s", isStateful: true, load };
}

/** Sets of domains up to here are part of the relation. */
const lastSet = 31;
/** No relation at all: what depends on it isn't remembered. */
const notRemembered = 256;

/**
 * Bits: the same address twice; the destination is of the source's own node; the source of the destination's. Above them
 * the number of the set of domains by which the destination counts.
 */
function relationOf(tables: KubernetesTables, view: FlowView): number {
  const learnt = learntOf(tables, view.sourceClass, view);
  return learnt > lastSet ? notRemembered : nodeRelationOf(tables, view) | (learnt << 3);
}

function nodeRelationOf(tables: KubernetesTables, view: FlowView): number {
  const { source, destination } = view;
  if (equalAddresses(source, destination)) return 1;
  const isSourcePod = isPodClass(tables, view.sourceClass);
  const isDestinationPod = isPodClass(tables, view.destinationClass);
  if (isSourcePod === isDestinationPod) return 0;
  if (isSourcePod) return isOwnNode(tables, source, destination) ? 2 : 0;
  return isOwnNode(tables, destination, source) ? 4 : 0;
}
