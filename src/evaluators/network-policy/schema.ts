/**
 * NetworkPolicy v1 from an untrusted object, with the API's defaults (NP-6, NP-40). An invalid element of a rule matches
 * nothing and its siblings stand; an unreadable part that selects or directs takes all that it could (NP-12, DEF-7).
 */
import type { Finding } from "../../model/finding.ts";
import { nearestOf } from "../../model/nearest.ts";
import type {
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicyRule,
} from "../../model/network-policy.ts";
import { selectsEverything } from "../../model/selector.ts";
import { containsPrefix, formatPrefix, type Prefix } from "../../net/prefix.ts";
import { readSelector } from "../kubernetes/read-selector.ts";
import { readCidr, readProtocol } from "../kubernetes/read-values.ts";
import {
  at,
  fieldHint,
  hasOnly,
  isObject,
  isPort,
  isPortName,
  type JsonObject,
  type Place,
  present,
  readList,
  readObject,
  refuse,
  wrongType,
} from "../kubernetes/reading.ts";

const objectFields = ["apiVersion", "kind", "metadata", "spec", "status"];
const specFields = ["podSelector", "policyTypes", "ingress", "egress"];

/** The policy of one object whose namespace and name are known already. `place` is the object's own. */
export function readNetworkPolicy(object: JsonObject, namespace: string, name: string, place: Place): NetworkPolicy {
  const specPlace = at(place, "spec");
  const isolated = `every pod of namespace ${namespace} is isolated in both directions`;
  const spec = readObject(object.spec, { ...specPlace, meaning: isolated }, "AN-64");
  const fields = spec ?? {};
  const ingress = readRules(fields.ingress, "from", at(specPlace, "ingress"));
  const egress = readRules(fields.egress, "to", at(specPlace, "egress"));
  const types = readPolicyTypes(fields.policyTypes, at(specPlace, "policyTypes"));
  // What is wrong with the selector is reported with what it comes to, which the rules decide.
  const findings: Finding[] = [];
  const podSelector = readSelector(fields.podSelector, {
    ...at(specPlace, "podSelector"),
    report: (finding) => findings.push(finding),
    meaning: "it can't be read",
  });
  const policy: NetworkPolicy = {
    namespace,
    name,
    podSelector: podSelector ?? selectsEverything,
    // NP-6; an unreadable spec or list could have named the direction.
    isolatesIngress: spec === null || types === null || types.length === 0 || types.includes("Ingress"),
    isolatesEgress:
      spec === null ||
      types === null ||
      types.includes("Egress") ||
      (types.length === 0 && (egress === null || egress.length > 0)),
    ingress: ingress ?? [],
    egress: egress ?? [],
    origin: place.origin,
  };
  for (const finding of findings) {
    const message = podSelector === null ? `${finding.message}. ${reachOf(policy, "The")}` : finding.message;
    place.report({ ...finding, message });
  }
  reportUnknownFields(object, fields, policy, place);
  return policy;
}

/** A misspelt `spec` or `podSelector` is an absent one: the policy is everybody's (NP-1). */
function reportUnknownFields(object: JsonObject, spec: JsonObject, policy: NetworkPolicy, place: Place): void {
  for (const key of Object.keys(object)) {
    if (object.spec !== undefined || nearestOf(key, objectFields) !== "spec") continue;
    refuse(at(place, key), "unknown-field", "NP-12", `no such field, so ${reachOf(policy, "the")}; write spec`);
  }
  for (const key of Object.keys(spec)) {
    if (specFields.includes(key)) continue;
    const isSelector = nearestOf(key, specFields) === "podSelector" && spec.podSelector === undefined;
    const meaning = isSelector ? reachOf(policy, "the") : "what it says is left out";
    const message = `no such field, so ${meaning}; ${fieldHint(key, specFields)}`;
    refuse(at(at(place, "spec"), key), "unknown-field", "NP-12", message);
  }
}

/** What it means that nobody can tell whom the policy is for. */
function reachOf(policy: NetworkPolicy, the: "the" | "The"): string {
  const meanings = [
    ...(!policy.isolatesIngress
      ? []
      : [policy.ingress.length > 0 ? "its rules allow traffic to all of them" : "nothing may reach them"]),
    ...(!policy.isolatesEgress
      ? []
      : [policy.egress.length > 0 ? "its rules allow traffic from all of them" : "they may reach nothing"]),
  ];
  return `${the} policy now covers every pod of namespace ${policy.namespace}, and ${meanings.join(", and ")}`;
}

function readPolicyTypes(value: unknown, place: Place): readonly unknown[] | null {
  const types = readList(value, place, "NP-12");
  const bad = types?.findIndex((type) => type !== "Ingress" && type !== "Egress") ?? -1;
  if (bad < 0) return types;
  const message = `no such policy type, so the policy isolates in both directions; write Ingress or Egress`;
  return refuse(at(place, bad), "unknown-policy-type", "NP-12", message);
}

function readRules(value: unknown, peerKey: string, place: Place): readonly NetworkPolicyRule[] | null {
  return readList(value, place, "AN-64")?.map((rule, i) => readRule(rule, peerKey, at(place, i))) ?? null;
}

/** A null rule is `{}` (AN-64). */
function readRule(value: unknown, peerKey: string, place: Place): NetworkPolicyRule {
  const rule = readObject(value, place, "AN-64");
  if (!rule || !hasOnly(rule, [peerKey, "ports"], place, "NP-12")) return { peers: [], ports: [] };
  return {
    peers: readElements(rule[peerKey], at(place, peerKey), readPeer),
    ports: readElements(rule.ports, at(place, "ports"), readPort),
  };
}

/** Null where the list is absent or empty (NP-10, NP-11); without its invalid elements (NP-12). */
function readElements<T>(
  value: unknown,
  place: Place,
  read: (element: unknown, place: Place) => T | null,
): readonly T[] | null {
  const list = readList(value, place, "AN-64");
  if (!list) return [];
  if (list.length === 0) return null;
  return list.map((element, i) => read(element, at(place, i))).filter((element) => element !== null);
}

function readPeer(value: unknown, place: Place): NetworkPolicyPeer | null {
  const peer = readObject(value, place, "AN-64");
  if (!peer || !hasOnly(peer, ["podSelector", "namespaceSelector", "ipBlock"], place, "NP-34")) return null;
  const fields = present(peer, ["podSelector", "namespaceSelector", "ipBlock"]);
  if (fields.length === 0) {
    const message = "a peer without a field matches nothing; give podSelector, namespaceSelector or ipBlock";
    return refuse(place, "empty-peer", "NP-34", message);
  }
  if (fields.includes("ipBlock")) {
    if (fields.length === 1) return readIpBlock(peer.ipBlock, at(place, "ipBlock"));
    return refuse(place, "mixed-peer", "NP-34", "ipBlock excludes selectors, so this peer matches nothing; split it");
  }
  const pods = readSelector(peer.podSelector, at(place, "podSelector"));
  if (!fields.includes("namespaceSelector")) return pods && { kind: "pods", pods, namespaces: null };
  const namespaces = readSelector(peer.namespaceSelector, at(place, "namespaceSelector"));
  return pods && namespaces && { kind: "pods", pods, namespaces };
}

function readIpBlock(value: unknown, place: Place): NetworkPolicyPeer | null {
  if (!isObject(value)) return wrongType(value, place, "an object", "NP-34");
  if (!hasOnly(value, ["cidr", "except"], place, "NP-34")) return null;
  const prefix = readCidr(value.cidr, at(place, "cidr"), "NP-34");
  const exceptPlace = at(place, "except");
  const list = readList(value.except, exceptPlace, "AN-64");
  const except = list?.map((element, i) => prefix && readExcept(element, prefix, at(exceptPlace, i)));
  // Without a bad exception the block would match more than its author meant.
  if (!prefix || !except || except.includes(null)) return null;
  return { kind: "ip-block", prefix, except: except as Prefix[] };
}

/** NP-36. */
function readExcept(value: unknown, prefix: Prefix, place: Place): Prefix | null {
  const inner = readCidr(value, place, "NP-34");
  if (!inner || (inner.length > prefix.length && containsPrefix(prefix, inner))) return inner;
  const message = `an exception must be a smaller part of ${formatPrefix(prefix)}, so this ipBlock matches nothing`;
  return refuse(place, "except-outside-cidr", "NP-36", `${message}; move it inside, or remove it`);
}

/** NP-40 … NP-42, NP-45. A null element is `{}`: all TCP ports. */
function readPort(value: unknown, place: Place): NetworkPolicyPort | null {
  const object = readObject(value, place, "AN-64");
  if (!object || !hasOnly(object, ["protocol", "port", "endPort"], place, "NP-42")) return null;
  const protocol = readProtocol(object.protocol, at(place, "protocol"), "NP-40");
  if (protocol === null) return null;
  const port = object.port ?? null;
  const end = object.endPort ?? null;
  if (port === null) {
    if (end === null) return { protocol, range: null, name: null };
    return refuse(at(place, "endPort"), "end-port-without-port", "NP-42", "endPort needs a numeric port; add one");
  }
  if (typeof port === "string") return readPortName(port, end, protocol, place);
  if (!isPort(port)) {
    const message = `not a port: ${JSON.stringify(port)}, so this element matches nothing; ports are 1 to 65535`;
    return refuse(at(place, "port"), "port-out-of-range", "NP-42", message);
  }
  if (end === null) return { protocol, range: { from: port, to: port }, name: null };
  if (isPort(end) && end >= port) return { protocol, range: { from: port, to: end }, name: null };
  const message = `endPort ${JSON.stringify(end)} isn't between port ${port} and 65535, so this element matches nothing`;
  return refuse(at(place, "endPort"), "bad-port-range", "NP-42", `${message}; correct the range`);
}

function readPortName(name: string, end: unknown, protocol: number, place: Place): NetworkPolicyPort | null {
  if (!isPortName(name)) {
    const hint = /^\d+$/.test(name) ? "a number is written without quotes" : "a name is up to 15 of a-z, 0-9 and -";
    const message = `${JSON.stringify(name)} is no port name, so this element matches nothing; ${hint}`;
    return refuse(at(place, "port"), "bad-port-name", "NP-45", message);
  }
  if (end === null) return { protocol, range: null, name };
  return refuse(
    at(place, "endPort"),
    "end-port-with-name",
    "NP-42",
    "endPort needs a numeric port; remove one of them",
  );
}
