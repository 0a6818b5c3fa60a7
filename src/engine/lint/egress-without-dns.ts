/**
 * Pods that may speak to somebody and not to DNS: names don't resolve, and what the policy allows fails all the same.
 * Policies add up (NP-5), so that all those of a pod are looked at. A rule's peers aren't: the resolver needn't be in
 * the input.
 */
import type { AdminRule } from "../../model/admin-policy.ts";
import type { KubernetesInventory, Pod } from "../../model/kubernetes.ts";
import { namespaceLabels } from "../../model/kubernetes.ts";
import type { NetworkPolicy, NetworkPolicyRule } from "../../model/network-policy.ts";
import { selects } from "../../model/selector.ts";
import { Protocol } from "../../net/protocol.ts";
import { subjectsOf } from "./kubernetes-subjects.ts";
import { type LintRule, listSome, warn } from "./rule.ts";

const dnsPort = 53;

export const egressWithoutDns: LintRule = ({ inventory: { kubernetes } }, report) => {
  const restricting = kubernetes.networkPolicies.filter((policy) => policy.isolatesEgress);
  const bySubject = new Map(restricting.map((policy) => [policy, subjectsOf(policy, kubernetes)]));
  const admits = new Set(restricting.filter((policy) => policy.egress.some((rule) => admitsDns(rule, kubernetes))));
  const served = new Set([...admits].flatMap((policy) => bySubject.get(policy) ?? []));
  for (const policy of restricting) {
    // Without any rule it is a deliberate full stop.
    if (policy.egress.length === 0 || admits.has(policy)) continue;
    const subjects = bySubject.get(policy) ?? [];
    const cut = subjects.filter((pod) => !served.has(pod) && !isServedByAdmin(pod, kubernetes));
    if (subjects.length > 0 && cut.length === 0) continue;
    // With nobody to look at, the policy speaks for itself unless another one of its namespace may help.
    if (subjects.length === 0 && mayBeServed(policy, [...admits])) continue;
    const whom = cut.length === 0 ? "its pods" : listSome(cut.map((pod) => pod.name));
    warn(report, policy.origin, "spec.egress", {
      code: "egress-without-dns",
      rule: "NP-4",
      message: `egress of ${whom} is restricted and no rule allows port 53 to anybody, so that names don't resolve`,
      remedy: "add an egress rule with ports 53/UDP and 53/TCP to the cluster's DNS pods",
    });
  }
};

function admitsDns({ ports, peers }: NetworkPolicyRule, { pods }: KubernetesInventory): boolean {
  if (peers !== null && peers.length === 0) return false;
  if (ports === null) return true;
  return ports.some(({ protocol, range, name }) => {
    if (protocol !== Protocol.udp && protocol !== Protocol.tcp) return false;
    if (range !== null) return range.from <= dnsPort && range.to >= dnsPort;
    // A name that nobody has here may be the resolver's.
    if (name === null || name.startsWith("dns")) return true;
    return pods.some((pod) => pod.ports.some((port) => port.name === name && port.port === dnsPort));
  });
}

/** An admin policy may accept it in front of NetworkPolicy (AN-4). */
function isServedByAdmin(pod: Pod, kubernetes: KubernetesInventory): boolean {
  const labelsOf = namespaceLabels(kubernetes);
  return kubernetes.adminPolicies.some(
    ({ tier, subject, egress }) =>
      tier === "admin" &&
      selects(subject.namespaces, labelsOf(pod.namespace)) &&
      selects(subject.pods, pod.labels) &&
      egress.some(acceptsDns),
  );
}

function acceptsDns({ action, ports }: AdminRule): boolean {
  if (action !== "accept") return false;
  return (
    ports?.some(
      ({ protocol, range, name }) =>
        name !== null ||
        ((protocol === Protocol.udp || protocol === Protocol.tcp) &&
          (range === null || (range.from <= dnsPort && range.to >= dnsPort))),
    ) ?? true
  );
}

function mayBeServed(policy: NetworkPolicy, admitting: readonly NetworkPolicy[]): boolean {
  return admitting.some((other) => other.namespace === policy.namespace);
}
