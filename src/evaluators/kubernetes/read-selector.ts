/** LabelSelector objects (NP-20 … NP-23). One bad requirement makes the selector unreadable: its siblings alone would
 * select more than its author meant. */
import type { Requirement, Selector } from "../../model/selector.ts";
import {
  at,
  hasOnly,
  isObject,
  type JsonObject,
  type Place,
  readList,
  readObject,
  refuse,
  wrongType,
} from "./reading.ts";

/** Null, and reported, for one that can't be read; the empty selector for `{}`. The caller handles an absent one. */
export function readSelector(value: unknown, place: Place): Selector | null {
  const object = readObject(value, place, "NP-20");
  if (!object) return null;
  const known = hasOnly(object, ["matchLabels", "matchExpressions"], place, "NP-20");
  const labels = readMatchLabels(object, at(place, "matchLabels"));
  const listPlace = at(place, "matchExpressions");
  const expressions = readList(object.matchExpressions, listPlace, "NP-20");
  const requirements = expressions?.map((expression, i) => readRequirement(expression, at(listPlace, i)));
  if (!known || !labels || !requirements || requirements.includes(null)) return null;
  return [...labels, ...(requirements as Requirement[])];
}

function readMatchLabels(object: JsonObject, place: Place): Requirement[] | null {
  const labels = readObject(object.matchLabels, place, "NP-20");
  if (!labels) return null;
  const requirements: Requirement[] = [];
  let isValid = true;
  for (const [key, value] of Object.entries(labels)) {
    if (typeof value === "string") requirements.push({ key, operator: "In", values: [value] });
    else isValid = notText(value, at(place, key));
  }
  return isValid ? requirements : null;
}

function readRequirement(value: unknown, place: Place): Requirement | null {
  if (!isObject(value)) return wrongType(value, place, "an object", "NP-22");
  if (!hasOnly(value, ["key", "operator", "values"], place, "NP-22")) return null;
  const { key, operator } = value;
  const values = readList(value.values, at(place, "values"), "NP-22");
  if (!values) return null;
  if (typeof key !== "string" || key === "") {
    return refuse(at(place, "key"), "bad-requirement", "NP-22", "a requirement needs a key; name a label");
  }
  for (const [i, item] of values.entries()) {
    if (typeof item !== "string") {
      notText(item, at(at(place, "values"), i));
      return null;
    }
  }
  switch (operator) {
    case "In":
    case "NotIn":
      if (values.length > 0) return { key, operator, values: values as string[] };
      return refuse(at(place, "values"), "bad-requirement", "NP-22", `${operator} needs at least one value`);
    case "Exists":
    case "DoesNotExist":
      if (values.length === 0) return { key, operator, values: [] };
      return refuse(at(place, "values"), "bad-requirement", "NP-22", `${operator} takes no values; remove them`);
    default:
      return refuse(
        at(place, "operator"),
        "unknown-operator",
        "NP-22",
        `no such operator: ${JSON.stringify(operator)}; the operators are In, NotIn, Exists, DoesNotExist`,
      );
  }
}

function notText(value: unknown, place: Place): false {
  const message = `label values are text; quote it: ${JSON.stringify(String(value))}`;
  refuse(place, "label-not-a-string", "NP-23", message);
  return false;
}
