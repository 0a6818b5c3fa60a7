/** Before and after all tests: namespaces of test processes that were killed, by a timeout or by hand, are deleted. */
import { skipReason, sweepLeftovers } from "./namespace.ts";

/** Vitest's; what it returns runs at the end. */
export function setup(): (() => void) | undefined {
  if (skipReason !== null) return undefined;
  sweepLeftovers();
  return sweepLeftovers;
}
