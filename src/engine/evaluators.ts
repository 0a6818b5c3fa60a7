/** The built-in evaluators, in order within their stages. */
import { adminPolicyEvaluator, baselinePolicyEvaluator } from "../evaluators/admin-policy/evaluator.ts";
import type { KubernetesEvaluator } from "../evaluators/kubernetes/evaluator.ts";
import { networkAclEvaluator } from "../evaluators/nacl/evaluator.ts";
import { networkPolicyEvaluator } from "../evaluators/network-policy/evaluator.ts";
import { securityGroupEvaluator } from "../evaluators/security-group/evaluator.ts";
import { vpcRouteEvaluator } from "../evaluators/vpc-route/evaluator.ts";
import type { BuiltinEvaluator } from "../model/evaluator.ts";

/** Each has tables of its own, told apart by its name; `unknown` because each has a shape of its own. */
export const ec2Evaluators: readonly BuiltinEvaluator<unknown>[] = [
  erase(vpcRouteEvaluator),
  erase(networkAclEvaluator),
  erase(securityGroupEvaluator),
];

/** They share the tables of one PolicyIndex. */
export const kubernetesEvaluators: readonly KubernetesEvaluator[] = [
  adminPolicyEvaluator,
  networkPolicyEvaluator,
  baselinePolicyEvaluator,
];

/** By their index in a program; users' own come behind the built-in ones. */
export function evaluatorNames(custom: readonly { readonly name: string }[]): readonly string[] {
  return [...ec2Evaluators, ...kubernetesEvaluators, ...custom].map(({ name }) => name);
}

/** Each evaluator only ever loads tables that it has built itself, so what it takes needn't be known here. */
function erase<Tables>(evaluator: BuiltinEvaluator<Tables>): BuiltinEvaluator<unknown> {
  return { ...evaluator, load: (tables) => evaluator.load(tables as Tables) };
}
