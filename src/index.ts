/**
 * What the package offers to those who write an evaluator of their own: `import { Verdict } from "verdictd"`. The same
 * values are handed to their functions as the last argument (evaluators/custom/toolkit.ts).
 */
export type { CustomCapture, CustomCompiled, CustomEvaluator } from "./evaluators/custom/contract.ts";
export type { Toolkit } from "./evaluators/custom/toolkit.ts";
export type { Explanation, PodLookup, RuleRef } from "./model/evaluator.ts";
export { Reads } from "./model/evaluator.ts";
export type { FlowView } from "./model/flow.ts";
export { PacketState, Tracking } from "./model/flow.ts";
export type { Inventory } from "./model/inventory.ts";
export type { Knobs } from "./model/knobs.ts";
export { Reason } from "./model/reason.ts";
export { Direction, Verdict } from "./model/verdict.ts";
export type { Address } from "./net/address.ts";
export { equalAddresses, Family, formatAddress, parseAddress } from "./net/address.ts";
export type { Prefix } from "./net/prefix.ts";
export { containsAddress, formatPrefix, parsePrefix } from "./net/prefix.ts";
export { buildPrefixTable, lookupPrefix } from "./net/prefix-table.ts";
export { hasPorts, isIcmp, Protocol } from "./net/protocol.ts";
