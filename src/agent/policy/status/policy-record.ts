/** What is remembered of a policy on the server so that its status and events can be written. Pure. */
import { type Finding, formatFinding } from "../../../model/finding.ts";
import type { PolicySeen } from "../../../sources/kubernetes/api/policy-observer.ts";

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

export interface PolicyRecord {
  readonly kind: string;
  readonly apiVersion: string;
  /** Of all of its kind: `/apis/policy.networking.k8s.io/v1alpha1/adminnetworkpolicies`. */
  readonly path: string;
  /** Null: its kind has none. */
  readonly namespace: string | null;
  readonly name: string;
  readonly uid: string;
  readonly generation: number;
  /** Something was made of it, if only a part. */
  readonly isUsed: boolean;
  /** What is wrong with it, worst first, in words that are the same on every node. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** As the server has them. */
  readonly conditions: readonly Condition[];
}

/** Null for an object without a name or identity: nothing can be written of it. */
export function readRecord({ resource, object, findings, isUsed }: PolicySeen): PolicyRecord | null {
  const { name, namespace, uid, generation } = fields(object.metadata);
  if (typeof name !== "string" || typeof uid !== "string") return null;
  const inOrder = findings.map((finding) => ({ severity: finding.severity, text: describe(finding) }));
  const ofSeverity = (wanted: Finding["severity"]): string[] =>
    inOrder.filter(({ severity }) => severity === wanted).map(({ text }) => text);
  const conditions: unknown = fields(object.status).conditions;
  return {
    kind: resource.kind,
    apiVersion: resource.apiVersion,
    path: resource.path,
    namespace: typeof namespace === "string" && namespace !== "" ? namespace : null,
    name,
    uid,
    generation: typeof generation === "number" ? generation : 0,
    isUsed,
    errors: ofSeverity("error"),
    warnings: ofSeverity("warning"),
    conditions: Array.isArray(conditions) ? conditions.map(readCondition) : [],
  };
}

/** `spec.ingress[0]: what is wrong; remedy [NP-12]`: without the server and the policy's own name. */
function describe(finding: Finding): string {
  const { file, path } = finding;
  const place = path.includes(": ") ? path.slice(path.indexOf(": ") + 2) : "";
  const text = formatFinding(finding).slice(`${file}: ${path}: ${finding.severity}: `.length);
  return place === "" ? text : `${place}: ${text}`;
}

function readCondition(value: unknown): Condition {
  const { type, status, reason, message, observedGeneration, lastTransitionTime } = fields(value);
  const text = (field: unknown): string => (typeof field === "string" ? field : "");
  return {
    type: text(type),
    status: text(status),
    reason: text(reason),
    message: text(message),
    observedGeneration: typeof observedGeneration === "number" ? observedGeneration : 0,
    lastTransitionTime: text(lastTransitionTime),
  };
}

function fields(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
