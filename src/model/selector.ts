/** Label selectors (NP-20 …): all requirements are ANDed; none at all matches everything. */
import type { Labels } from "./kubernetes.ts";

export interface Requirement {
  readonly key: string;
  readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
  readonly values: readonly string[];
}

/** `matchLabels` are requirements with `In` and one value. */
export type Selector = readonly Requirement[];

export const selectsEverything: Selector = [];

/** NP-20, NP-21: `NotIn` holds for an absent key too. */
export function selects(selector: Selector, labels: Labels): boolean {
  return selector.every((requirement) => isMet(requirement, labels));
}

function isMet({ key, operator, values }: Requirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
  }
}
