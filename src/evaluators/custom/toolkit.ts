/**
 * What a user's module needs of ours: the numbers of the contract, and addresses. It is handed over as an argument, so
 * that a module works wherever its file lies; `import { Verdict } from "verdictd"` gives the same where the package is
 * installed (src/index.ts).
 */
import { Reads } from "../../model/evaluator.ts";
import { PacketState, Tracking } from "../../model/flow.ts";
import { Reason } from "../../model/reason.ts";
import { Direction, Verdict } from "../../model/verdict.ts";
import { equalAddresses, Family, formatAddress, parseAddress } from "../../net/address.ts";
import { containsAddress, formatPrefix, parsePrefix } from "../../net/prefix.ts";
import { buildPrefixTable, lookupPrefix } from "../../net/prefix-table.ts";
import { hasPorts, isIcmp, Protocol } from "../../net/protocol.ts";

export const toolkit = Object.freeze({
  Verdict,
  Direction,
  Reads,
  Reason,
  PacketState,
  Tracking,
  Family,
  Protocol,
  parseAddress,
  formatAddress,
  equalAddresses,
  parsePrefix,
  formatPrefix,
  containsAddress,
  buildPrefixTable,
  lookupPrefix,
  hasPorts,
  isIcmp,
});
export type Toolkit = typeof toolkit;
