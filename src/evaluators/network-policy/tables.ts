/** What the NetworkPolicy evaluator is, as plain data: structured clone carries it between threads. */
import type { RuleRef } from "../../model/evaluator.ts";
import type { Knobs } from "../../model/knobs.ts";
import type { OwnNodeTables } from "../kubernetes/own-node.ts";
import type { RuleTables } from "../kubernetes/rule-tables.ts";
import type { RuleText } from "../kubernetes/rule-text.ts";

export interface NetworkPolicyTables extends RuleTables {
  readonly ownNodes: OwnNodeTables;
  /** Every rule; behind them the references that name whole policies. */
  readonly refs: readonly RuleRef[];
  /** By rule. */
  readonly texts: readonly RuleText[];
  /** By direction and group: the reference to all the policies that isolate it, where none of their rules matches … */
  readonly noMatch: readonly [egress: Uint32Array, ingress: Uint32Array];
  /** … and where `npNonL4` decided instead of them. */
  readonly nonL4: readonly [egress: Uint32Array, ingress: Uint32Array];
  readonly npNonL4: Knobs["npNonL4"];
  /** By direction: NP-57, NP-56. */
  readonly acceptsOwnNode: readonly [egress: boolean, ingress: boolean];
}
