/**
 * AdminNetworkPolicy, BaselineAdminNetworkPolicy and ClusterNetworkPolicy from untrusted objects. A policy whose subject
 * or tier can't be read isn't applied, because any reading could open something (AN-20); an invalid rule that accepts
 * matches nothing, and one that denies or passes denies everything (AN-27).
 */
import type { AdminAction, AdminPolicy, AdminRule, AdminTier, NamespacedPods } from "../../model/admin-policy.ts";
import type { DirectionName } from "../../model/verdict.ts";
import { readSelector } from "../kubernetes/read-selector.ts";
import {
  at,
  fieldHint,
  hasOnly,
  isObject,
  type JsonObject,
  type Place,
  present,
  readList,
  readObject,
  refuse,
} from "../kubernetes/reading.ts";
import { type Dialect, dialects } from "./dialect.ts";
import { checkLimit } from "./limit.ts";
import { readPeers, readPods } from "./read-peers.ts";
import { readPorts } from "./read-ports.ts";

/** Null, and reported, for a policy that can't be applied. `place` is the object's own. */
export function readAdminPolicy(
  object: JsonObject,
  kind: AdminPolicy["kind"],
  name: string,
  place: Place,
): AdminPolicy | null {
  const dialect = dialects[kind];
  const specPlace = at(place, "spec");
  const spec = readObject(object.spec, specPlace, "AN-64");
  if (!spec) return null;
  for (const key of Object.keys(spec)) {
    if (dialect.specFields.includes(key)) continue;
    const message = `no such field, so what it says is left out; ${fieldHint(key, dialect.specFields)}`;
    refuse(at(specPlace, key), "unknown-field", "AN-64", message);
  }
  if (kind === "BaselineAdminNetworkPolicy" && name !== "default") {
    const message = "the only one that the API admits is named default; this one is asked after it; rename it";
    refuse(at(place, "metadata.name"), "baseline-not-default", "AN-11", message);
  }
  const tier = readTier(spec, dialect, specPlace);
  const subject = readSubject(spec.subject, at(specPlace, "subject"));
  const policy = {
    kind,
    name,
    priority: readPriority(spec, dialect, specPlace),
    ingress: readRules(spec, "ingress", dialect, specPlace),
    egress: readRules(spec, "egress", dialect, specPlace),
    origin: place.origin,
  };
  return tier && subject && { ...policy, tier, subject };
}

function readTier(spec: JsonObject, dialect: Dialect, place: Place): AdminTier | null {
  if (dialect.tier !== null) return dialect.tier;
  if (spec.tier === "Admin") return "admin";
  if (spec.tier === "Baseline") return "baseline";
  return refuse(at(place, "tier"), "unknown-tier", "AN-20", "the policy is not applied; write Admin or Baseline");
}

/** AN-20, AN-62. */
function readSubject(value: unknown, place: Place): NamespacedPods | null {
  const notApplied = (): null =>
    refuse(
      place,
      "bad-subject",
      "AN-20",
      "the policy is not applied: a subject is one of namespaces and pods; give one",
    );
  if (!isObject(value)) return notApplied();
  const isKnown = hasOnly(value, ["namespaces", "pods"], place, "AN-20");
  const [field, second] = present(value, ["namespaces", "pods"]);
  if (!isKnown || field === undefined || second !== undefined) return notApplied();
  if (field === "pods") return readPods(value.pods, at(place, "pods"), "AN-20") ?? notApplied();
  const namespaces = readSelector(value.namespaces, at(place, "namespaces"));
  return namespaces ? { namespaces, pods: [] } : notApplied();
}

const lastPriority = 1000;

/** AN-63. Behind all others where the kind has none (AN-12). */
function readPriority(spec: JsonObject, dialect: Dialect, place: Place): number {
  if (!dialect.hasPriority) return lastPriority + 1;
  const value = spec.priority;
  if (Number.isInteger(value) && (value as number) >= 0 && (value as number) <= lastPriority) return value as number;
  const found = value === undefined || value === null ? "missing" : JSON.stringify(value);
  refuse(at(place, "priority"), "bad-priority", "AN-63", `priority is ${found}, so 1000 counts; write 0 to 1000`);
  return lastPriority;
}

function readRules(spec: JsonObject, direction: DirectionName, dialect: Dialect, specPlace: Place): AdminRule[] {
  const place = at(specPlace, direction);
  const list = readList(spec[direction], place, "AN-64") ?? [];
  checkLimit(list, dialect.ruleLimit, place);
  return list.map((rule, i) => readRule(rule, direction, dialect, at(place, i)));
}

/** A null rule is `{}` (AN-64), whose action is unknown. */
function readRule(value: unknown, direction: DirectionName, dialect: Dialect, place: Place): AdminRule {
  const rule = readObject(value, place, "AN-64") ?? {};
  const peerKey = direction === "ingress" ? "from" : "to";
  const name = typeof rule.name === "string" && rule.name !== "" ? rule.name : null;
  const action = readAction(rule.action, dialect, at(place, "action"));
  const isKnown = hasOnly(rule, ["name", "action", peerKey, dialect.portsKey], place, "AN-27");
  const peers = readPeers(rule[peerKey], direction, dialect, at(place, peerKey));
  const ports = readPorts(rule[dialect.portsKey], dialect, at(place, dialect.portsKey));
  if (name !== null && name.length > 100)
    refuse(at(place, "name"), "over-limit", "AN-50", "a name has up to 100 characters");

  const isResolvable = !ports?.some((p) => p.name !== null) || peers?.every((p) => p.kind === "pods");
  if (!isResolvable) {
    refuse(place, "named-port-without-pods", "AN-43", "a port's name needs peers that are pods; split the rule");
  }
  const domain = peers?.findIndex((peer) => peer.kind === "domain-name") ?? -1;
  const isDomainMisused = domain >= 0 && action !== "accept";
  if (isDomainMisused) {
    refuse(at(place, peerKey), "domain-names-not-accepted", "AN-28", "only rules that accept may have domainNames");
  }
  if (action && isKnown && peers && ports !== undefined && isResolvable && !isDomainMisused) {
    return { name, action, peers, ports };
  }
  if (action === "accept") {
    refuse(place, "invalid-rule", "AN-27", "an invalid rule that accepts matches nothing; correct it");
    return { name, action, peers: [], ports: null };
  }
  refuse(place, "invalid-rule", "AN-27", "an invalid rule denies everything in its direction; correct it");
  return { name, action: "deny", peers: null, ports: null };
}

/** Null for one that is unknown (AN-63), or that the kind doesn't have (AN-11). */
function readAction(value: unknown, dialect: Dialect, place: Place): AdminAction | null {
  const action = dialect.actions.find(({ words }) => words.includes(value as string));
  if (action) return action.action;
  const words = dialect.actions.map((known) => known.words[0]).join(", ");
  return refuse(
    place,
    "unknown-action",
    "AN-63",
    `no such action: ${JSON.stringify(value) ?? "nothing"}; write ${words}`,
  );
}
