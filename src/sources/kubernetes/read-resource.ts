/** Namespaces, nodes and services, from untrusted objects. */
import { at, isObject, type JsonObject, type Place, readList, refuse } from "../../evaluators/kubernetes/reading.ts";
import { type Namespace, type Node, namespaceNameLabel, type Service } from "../../model/kubernetes.ts";
import { type Address, parseAddress } from "../../net/address.ts";
import { type Prefix, parsePrefix } from "../../net/prefix.ts";
import { field, type Metadata, readLabels } from "./metadata.ts";

/** NP-24. */
export function readNamespace({ name, labels, place }: Metadata): Namespace {
  return { name, labels: { [namespaceNameLabel]: name, ...labels }, origin: place.origin };
}

/** Every entry of `status.addresses` that is an IP address, whatever its type (AN-24). */
export function readNode(object: JsonObject, { name, labels, place }: Metadata): Node {
  const listPlace = at(place, "status.addresses");
  const list = readList(field(object, "status", place).addresses, listPlace, "AN-24") ?? [];
  const addresses: Address[] = [];
  list.forEach((element, i) => {
    const { type, address: text } = isObject(element) ? element : { type: null, address: element };
    const address = typeof text === "string" ? parseAddress(text) : null;
    if (address) addresses.push(address);
    else if (type === "InternalIP" || type === "ExternalIP" || typeof text !== "string") {
      refuse(at(listPlace, i), "bad-address", "AN-24", `${JSON.stringify(text)} is no IP address; it is ignored`);
    }
  });
  const tunnelAddresses = readTunnelAddresses(field(object, "metadata", place).annotations);
  const podRanges = readPodRanges(object, place);
  return { name, labels, addresses, tunnelAddresses, podRanges, origin: place.origin };
}

/** Calico takes a node's tunnel addresses from the pods' ranges. Source: docs.tigera.io, annotations of its Nodes. */
const tunnelAnnotations = [
  ...["IPv4IPIPTunnelAddr", "IPv4VXLANTunnelAddr", "IPv6VXLANTunnelAddr"],
  ...["IPv4WireguardInterfaceAddr", "IPv6WireguardInterfaceAddr"],
].map((name) => `projectcalico.org/${name}`);

/** Others' annotations: what isn't as it was expected is as good as nothing. */
function readTunnelAddresses(annotations: unknown): readonly Address[] {
  if (!isObject(annotations)) return [];
  return tunnelAnnotations.flatMap((name) => {
    const text = annotations[name];
    return typeof text === "string" ? (parseAddress(text) ?? []) : [];
  });
}

/** `podCIDRs`, or `podCIDR` where only that is written (NP-64). */
function readPodRanges(object: JsonObject, place: Place): readonly Prefix[] {
  const { podCIDRs, podCIDR } = field(object, "spec", place);
  const isList = podCIDRs !== undefined && podCIDRs !== null;
  const list = isList ? (readList(podCIDRs, at(place, "spec.podCIDRs"), "NP-64") ?? []) : [podCIDR];
  return list.flatMap((text, i) => {
    if (text === undefined || text === null || text === "") return [];
    const prefix = typeof text === "string" ? parsePrefix(text) : null;
    if (prefix) return prefix;
    const where = isList ? at(at(place, "spec.podCIDRs"), i) : at(place, "spec.podCIDR");
    refuse(where, "bad-cidr", "NP-64", `${JSON.stringify(text)} is no CIDR; pods are not waited for there`);
    return [];
  });
}

/** Only for people: policies never match a Service's address (NP-51). */
export function readService(object: JsonObject, { namespace, name, place }: Metadata): Service {
  const spec = field(object, "spec", place);
  const list: unknown[] = Array.isArray(spec.clusterIPs) ? spec.clusterIPs : [spec.clusterIP];
  const addresses = list.flatMap((text) => (typeof text === "string" ? (parseAddress(text) ?? []) : []));
  const selector = spec.selector;
  return {
    namespace,
    name,
    selector: isObject(selector) ? readLabels(selector, place, "spec.selector") : null,
    addresses,
    origin: place.origin,
  };
}
