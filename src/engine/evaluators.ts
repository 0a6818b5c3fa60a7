/** The built-in evaluators, in order within their stages. */
import { adminPolicyEvaluator, baselinePolicyEvaluator } from "../evaluators/admin-policy/evaluator.ts";
import { networkAclEvaluator } from "../evaluators/nacl/evaluator.ts";
import { networkPolicyEvaluator } from "../evaluators/network-policy/evaluator.ts";
import { securityGroupEvaluator } from "../evaluators/security-group/evaluator.ts";
import { vpcRouteEvaluator } from "../evaluators/vpc-route/evaluator.ts";
import type { BuiltinEvaluator, Evaluator } from "../model/evaluator.ts";

/** Their tables are told apart by name; `unknown` because each has a shape of its own. */
export const builtinEvaluators: readonly BuiltinEvaluator<unknown>[] = [
  erase(vpcRouteEvaluator),
  erase(networkAclEvaluator),
  erase(securityGroupEvaluator),
  erase(adminPolicyEvaluator),
  erase(networkPolicyEvaluator),
  erase(baselinePolicyEvaluator),
];

/** By their index in a program; users' own come behind the built-in ones. */
export function evaluatorNames(custom: readonly Evaluator[]): readonly string[] {
  return [...builtinEvaluators, ...custom].map((evaluator) => evaluator.name);
}

/** Each evaluator only ever loads tables that it has built itself, so what it takes needn't be known here. */
function erase<Tables>(evaluator: BuiltinEvaluator<Tables>): BuiltinEvaluator<unknown> {
  return { ...evaluator, load: (tables) => evaluator.load(tables as Tables) };
}
