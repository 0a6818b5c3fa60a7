/** Label selectors from untrusted objects (NP-20 … NP-23). */
import { fieldsOf, hasOnly, isAbsent, textOf } from "./json.ts";

export type Labels = Readonly<Record<string, string>>;
export type Test = (labels: Labels) => boolean;

/** What `{}` and an absent selector beside a present one select: everything. Null for one that can't be read. */
export function readSelector(value: unknown): Test | null {
  if (isAbsent(value)) return () => true;
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, ["matchLabels", "matchExpressions"])) return null;
  const { matchLabels, matchExpressions } = fields;
  const tests: (Test | null)[] = [];
  const labels = isAbsent(matchLabels) ? {} : fieldsOf(matchLabels);
  if (!labels) return null;
  for (const [key, wanted] of Object.entries(labels)) {
    tests.push(typeof wanted === "string" ? (given) => given[key] === wanted : null);
  }
  if (!isAbsent(matchExpressions) && !Array.isArray(matchExpressions)) return null;
  for (const expression of matchExpressions ?? []) tests.push(readExpression(expression));
  if (tests.includes(null)) return null;
  return (given) => tests.every((test) => test?.(given));
}

function readExpression(value: unknown): Test | null {
  const fields = fieldsOf(value);
  if (!fields || !hasOnly(fields, ["key", "operator", "values"])) return null;
  const key = textOf(fields.key);
  const values = fields.values ?? [];
  if (key === null || !Array.isArray(values) || values.some((v) => typeof v !== "string")) return null;
  // NP-21, NP-22.
  if (values.length > 0) {
    if (fields.operator === "In") return (given) => given[key] !== undefined && values.includes(given[key]);
    if (fields.operator === "NotIn") return (given) => given[key] === undefined || !values.includes(given[key]);
    return null;
  }
  if (fields.operator === "Exists") return (given) => given[key] !== undefined;
  if (fields.operator === "DoesNotExist") return (given) => given[key] === undefined;
  return null;
}

/** AN-64: labels that aren't text are dropped. */
export function readLabels(value: unknown): Labels {
  const entries = Object.entries(fieldsOf(value) ?? {}).filter(([, text]) => typeof text === "string");
  return Object.fromEntries(entries) as Labels;
}
