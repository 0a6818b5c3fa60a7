/** Rules and policies for people. Strings are made when somebody asks, on the thread that compiles. */
import type { AdminPolicy } from "../../model/admin-policy.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { NetworkPolicyRule } from "../../model/network-policy.ts";
import { Direction, directionNames } from "../../model/verdict.ts";
import { adminRuleText } from "../admin-policy/terms.ts";
import { networkPolicyText } from "../network-policy/terms.ts";
import type { Groups } from "./groups.ts";
import type { CompiledPolicy, CompiledRule, Policies } from "./policies.ts";
import type { PortNames } from "./port-names.ts";
import type { RuleText } from "./rule-text.ts";
import type { PortTerm } from "./terms.ts";

export interface DescribedRule {
  readonly rule: CompiledRule;
  readonly kind: AdminPolicy["kind"] | "NetworkPolicy";
  readonly ports: readonly PortTerm[] | null;
  readonly text: RuleText;
}

export class RuleNames {
  /** What `view.rule` is. */
  readonly refs: readonly RuleRef[];
  readonly #policies: Policies;
  readonly #groups: Groups;
  readonly #ports: PortNames;

  constructor(policies: Policies, groups: Groups, ports: PortNames) {
    this.refs = policies.refs;
    this.#policies = policies;
    this.#groups = groups;
    this.#ports = ports;
  }

  describe(number: number): DescribedRule | null {
    const policy = this.#policies.owners[number];
    if (!policy) return null;
    for (const direction of [Direction.egress, Direction.ingress]) {
      const at = policy.rules[direction]?.findIndex((rule) => rule.number === number) ?? -1;
      if (at >= 0) return describe(policy, direction, at);
    }
    return null;
  }

  /** Names of the policies of a group, in order. */
  policiesOf(group: number): readonly string[] {
    return this.#groups.policiesOf(group).map(({ name }) => name);
  }

  /** All rules of a group, in order. */
  rulesOf(group: number, direction: Direction): readonly DescribedRule[] {
    return this.#groups
      .policiesOf(group)
      .flatMap((policy) => policy.rules[direction]?.map((_, at) => describe(policy, direction, at)) ?? []);
  }

  /** Whether some pod has a port of this name, protocol and traffic. */
  hasPort(name: string, protocol: number | null, traffic: number): boolean {
    return this.#ports.has(name, protocol, traffic);
  }
}

function describe({ object, rules }: CompiledPolicy, direction: Direction, at: number): DescribedRule {
  const rule = rules[direction]?.[at] as CompiledRule;
  const source = object[directionNames[direction] as "egress" | "ingress"][at] as never;
  if ("podSelector" in object) {
    const { ports } = source as NetworkPolicyRule;
    return { rule, kind: "NetworkPolicy", ports, text: networkPolicyText(source, object.namespace) };
  }
  const { ports } = source as AdminPolicy["egress"][number];
  return { rule, kind: object.kind, ports, text: adminRuleText(source) };
}
