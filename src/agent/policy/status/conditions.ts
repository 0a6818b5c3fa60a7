/**
 * A policy's conditions (AN-51): `Accepted`, which is the same whoever says it, and `Programmed`, which the first node
 * says that has it in force. Both are written at once by one field manager, so that no node takes away what another
 * one wrote. Pure.
 */
import type { Condition, PolicyRecord } from "./policy-record.ts";

/** The server's own limit of a condition's message is 32,768. */
const MAX_MESSAGE = 2000;

type Said = Omit<Condition, "lastTransitionTime" | "observedGeneration">;

export function wantedConditions(record: PolicyRecord, nodeName: string, now: string): readonly Condition[] {
  return [accepted(record), programmed(record, nodeName)].map((said) => {
    const before = record.conditions.find(({ type }) => type === said.type);
    const lastTransitionTime = before?.status === said.status ? before.lastTransitionTime || now : now;
    return { ...said, observedGeneration: record.generation, lastTransitionTime };
  });
}

/** Words alone don't count: another version, or another node, has others. */
export function areCurrent(record: PolicyRecord, wanted: readonly Condition[]): boolean {
  return wanted.every(({ type, status, reason }) =>
    record.conditions.some(
      (has) =>
        has.type === type &&
        has.status === status &&
        has.reason === reason &&
        has.observedGeneration === record.generation,
    ),
  );
}

/** What server-side apply takes. With the identity, so that a policy that was made anew isn't meant. */
export function statusPatch({ kind, apiVersion, name, uid }: PolicyRecord, conditions: readonly Condition[]): object {
  return { apiVersion, kind, metadata: { name, uid }, status: { conditions } };
}

function accepted({ errors, warnings }: PolicyRecord): Said {
  if (errors.length === 0) {
    const message = warnings.length === 0 ? "all of it was understood" : list(warnings);
    return { type: "Accepted", status: "True", reason: "Accepted", message };
  }
  return { type: "Accepted", status: "False", reason: "Invalid", message: list(errors) };
}

function programmed({ isUsed, errors }: PolicyRecord, nodeName: string): Said {
  if (!isUsed) {
    const message = "nothing of it can be enforced";
    return { type: "Programmed", status: "False", reason: "Invalid", message };
  }
  const what = errors.length === 0 ? "in force" : "what was understood of it is in force";
  return { type: "Programmed", status: "True", reason: "Programmed", message: `${what}; first said by ${nodeName}` };
}

/** One a line. */
export function list(texts: readonly string[]): string {
  const text = texts.join("\n");
  return text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE)}…`;
}
