/** What the evaluator of one tier is, as plain data: structured clone carries it between threads. */
import type { AdminPolicy, AdminTier } from "../../model/admin-policy.ts";
import type { RuleRef } from "../../model/evaluator.ts";
import type { OwnNodeTables } from "../kubernetes/own-node.ts";
import type { RuleTables } from "../kubernetes/rule-tables.ts";
import type { RuleText } from "../kubernetes/rule-text.ts";

export interface TierTables extends RuleTables {
  readonly tier: AdminTier;
  readonly ownNodes: OwnNodeTables;
  readonly refs: readonly RuleRef[];
  /** By rule. */
  readonly texts: readonly RuleText[];
  readonly kinds: readonly AdminPolicy["kind"][];
}
