/** Kubernetes objects as they are kept: there may be a hundred thousand, and most of what they say is said by many. */
import type { AdminPolicy } from "../../model/admin-policy.ts";
import type { Origin } from "../../model/finding.ts";
import type { Namespace, Node, Pod, Service } from "../../model/kubernetes.ts";
import type { NetworkPolicy } from "../../model/network-policy.ts";
import { type Interner, ownText } from "../interner.ts";

/** Field by field: copies of a pod's own shape. */
export function compactPod(pod: Pod, interner: Interner): Pod {
  return {
    kind: pod.kind,
    namespace: interner.text(pod.namespace),
    name: ownText(pod.name),
    labels: interner.value(pod.labels),
    addresses: pod.addresses.length === 0 ? interner.value(pod.addresses) : pod.addresses.slice(),
    nodeName: pod.nodeName === null ? null : interner.text(pod.nodeName),
    hostAddresses: interner.value(pod.hostAddresses),
    hostNetwork: pod.hostNetwork,
    phase: interner.text(pod.phase),
    createdAt: interner.text(pod.createdAt),
    ports: interner.value(pod.ports),
    owner: interner.value(pod.owner),
    ...(pod.containers === undefined ? {} : { containers: interner.value(pod.containers) }),
    origin: compactOrigin(pod.origin),
  };
}

export function compactNamespace(namespace: Namespace, interner: Interner): Namespace {
  const { labels, origin } = namespace;
  return { name: ownText(namespace.name), labels: interner.value(labels), origin: compactOrigin(origin) };
}

export function compactNode(node: Node, interner: Interner): Node {
  const { name, labels, addresses, tunnelAddresses, podRanges, origin } = node;
  return {
    name: interner.text(name),
    labels: interner.value(labels),
    addresses: interner.value(addresses),
    tunnelAddresses: tunnelAddresses.length === 0 ? interner.value(tunnelAddresses) : tunnelAddresses.slice(),
    podRanges: podRanges.length === 0 ? interner.value(podRanges) : podRanges.slice(),
    origin: compactOrigin(origin),
  };
}

export function compactService(service: Service, interner: Interner): Service {
  const { namespace, name, selector, addresses, origin } = service;
  return {
    namespace: interner.text(namespace),
    name: ownText(name),
    selector: interner.value(selector),
    addresses: addresses.slice(),
    origin: compactOrigin(origin),
  };
}

export function compactNetworkPolicy(policy: NetworkPolicy, interner: Interner): NetworkPolicy {
  return {
    ...policy,
    namespace: interner.text(policy.namespace),
    name: ownText(policy.name),
    podSelector: interner.value(policy.podSelector),
    ingress: interner.value(policy.ingress),
    egress: interner.value(policy.egress),
    origin: compactOrigin(policy.origin),
  };
}

export function compactAdminPolicy(policy: AdminPolicy, interner: Interner): AdminPolicy {
  return {
    ...policy,
    name: ownText(policy.name),
    subject: interner.value(policy.subject),
    ingress: interner.value(policy.ingress),
    egress: interner.value(policy.egress),
    origin: compactOrigin(policy.origin),
  };
}

/** The file's name is one text for all that it holds. */
function compactOrigin({ file, name }: Origin): Origin {
  return { file, name: ownText(name) };
}
