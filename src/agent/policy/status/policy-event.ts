/**
 * The event that tells of a bad policy. Its name follows from what it says, so that all nodes make one event, and the
 * same policy makes another one only when it's changed. Pure but for the hash.
 */
import { createHash } from "node:crypto";
import { list } from "./conditions.ts";
import type { PolicyRecord } from "./policy-record.ts";

/** Events of cluster-wide objects live there. */
const DEFAULT_NAMESPACE = "default";
/** The server's limit is 1,024 characters. */
const MAX_MESSAGE = 1000;
/** An object's name has 253 at most. */
const MAX_NAME = 200;

export interface PolicyEvent {
  readonly namespace: string;
  readonly name: string;
  readonly body: object;
}

export function invalidPolicyEvent(record: PolicyRecord, nodeName: string, now: string): PolicyEvent {
  const { kind, apiVersion, namespace, name, uid, generation, errors } = record;
  const home = namespace ?? DEFAULT_NAMESPACE;
  const identity = JSON.stringify([kind, uid, generation, errors]);
  const hash = createHash("sha256").update(identity).digest("hex").slice(0, 16);
  const eventName = `${name.slice(0, MAX_NAME).replace(/[-.]+$/, "")}.${hash}`;
  const message = list(errors);
  return {
    namespace: home,
    name: eventName,
    body: {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name: eventName, namespace: home },
      involvedObject: { apiVersion, kind, name, uid, ...(namespace === null ? {} : { namespace }) },
      type: "Warning",
      reason: "InvalidPolicy",
      action: "Enforce",
      message: message.length <= MAX_MESSAGE ? message : `${message.slice(0, MAX_MESSAGE)}…`,
      source: { component: "verdictd", host: nodeName },
      reportingComponent: "verdictd",
      reportingInstance: nodeName,
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    },
  };
}
