/** Label selectors (NP-20 …): all requirements are ANDed; none at all matches everything. */
import type { Labels } from "./labels.ts";

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

/** False only where no labels at all can satisfy both; a cautious answer to "can these two overlap?" (AN-3). */
export function canOverlap(a: Selector, b: Selector): boolean {
  const all = [...a, ...b];
  return [...new Set(all.map((requirement) => requirement.key))].every((key) => {
    const ofKey = all.filter((requirement) => requirement.key === key);
    const wanted = ofKey.find(({ operator }) => operator === "In");
    if (wanted) return wanted.values.some((value) => ofKey.every((r) => isMet(r, { [key]: value })));
    return !(ofKey.some((r) => r.operator === "Exists") && ofKey.some((r) => r.operator === "DoesNotExist"));
  });
}

/** `app=web,tier in (a,b),!legacy`, as kubectl prints it; the empty text for the selector of everything. */
export function formatSelector(selector: Selector): string {
  return selector.map(formatRequirement).join(",");
}

function formatRequirement({ key, operator, values }: Requirement): string {
  switch (operator) {
    case "In":
      return values.length === 1 ? `${key}=${values[0]}` : `${key} in (${values.join(",")})`;
    case "NotIn":
      return values.length === 1 ? `${key}!=${values[0]}` : `${key} notin (${values.join(",")})`;
    case "Exists":
      return key;
    case "DoesNotExist":
      return `!${key}`;
  }
}
