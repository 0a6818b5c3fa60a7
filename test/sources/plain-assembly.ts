/**
 * What all files come to, the long way: everything from the start, with no memory of anything. The store must say the
 * same after any sequence of changes.
 */
import { compareAdminPolicies } from "../../src/model/admin-policy.ts";
import type { Finding, Origin } from "../../src/model/finding.ts";
import type { Inventory } from "../../src/model/inventory.ts";
import type { KubernetesInventory, Pod } from "../../src/model/kubernetes.ts";
import { addressKey, formatAddress, unnumberedAddress } from "../../src/net/address.ts";
import { reportDuplicate } from "../../src/sources/duplicate.ts";
import { assembleEc2 } from "../../src/sources/ec2/convert.ts";
import type { FileParts } from "../../src/sources/file-parts.ts";
import { reportEqualPriorities } from "../../src/sources/kubernetes/check-admin-policies.ts";
import { reportUnknownNamespaces } from "../../src/sources/kubernetes/check-namespaces.ts";
import type { KubernetesParts } from "../../src/sources/kubernetes/parts.ts";

type Report = (finding: Finding) => void;

export function assemblePlainly(files: ReadonlyMap<string, FileParts>, vpcIds: readonly string[]): Inventory {
  const parts = [...files].sort(([a], [b]) => compareText(a, b)).map(([, part]) => part);
  const findings = parts.flatMap((part) => part.findings);
  const report: Report = (finding) => findings.push(finding);
  const ec2 = assembleEc2(
    parts.flatMap((part) => part.ec2),
    report,
    vpcIds,
  );
  const kubernetes = assemble(
    parts.flatMap((part) => part.kubernetes),
    report,
  );
  findings.sort((a, b) => compareText(a.file, b.file) || compareText(a.path, b.path));
  return { ec2, kubernetes, findings };
}

function assemble(parts: readonly KubernetesParts[], report: Report): KubernetesInventory {
  const all = <L extends keyof KubernetesParts>(list: L): KubernetesParts[L][number][] => {
    const first = new Map<string, KubernetesParts[L][number]>();
    for (const object of parts.flatMap((part): KubernetesParts[L][number][] => part[list])) {
      const other = first.get(object.origin.name);
      if (other) reportDuplicate(object, other, report);
      else first.set(object.origin.name, object);
    }
    return [...first.values()];
  };
  const adminPolicies = all("adminPolicies").sort((a, b) => compareText(a.tier, b.tier) || compareAdminPolicies(a, b));
  reportEqualPriorities(adminPolicies, report);
  const kubernetes = {
    pods: settle(all("pods").sort(byName), report),
    namespaces: all("namespaces").sort(byName),
    nodes: all("nodes").sort(byName),
    services: all("services").sort(byName),
    networkPolicies: all("networkPolicies").sort(byName),
    adminPolicies,
  };
  const known = new Set([...kubernetes.namespaces.map((n) => n.name), ...kubernetes.pods.map((p) => p.namespace)]);
  reportUnknownNamespaces(kubernetes.networkPolicies, known, report);
  return kubernetes;
}

/** NP-66, word by word; then a number for each pod that lives without an address. */
function settle(pods: readonly Pod[], report: Report): Pod[] {
  const owners = new Map<string, Pod>();
  for (const pod of pods.filter((one) => !one.hostNetwork)) {
    for (const address of pod.addresses) {
      const owner = owners.get(addressKey(address));
      if (!owner || beats(pod, owner)) owners.set(addressKey(address), pod);
    }
  }
  let next = 0;
  return pods.map((pod) => {
    const lost = pod.hostNetwork ? [] : pod.addresses.filter((address) => owners.get(addressKey(address)) !== pod);
    for (const address of lost) {
      const owner = owners.get(addressKey(address))?.origin.name;
      const message = `${formatAddress(address)} is claimed by ${owner} too, whose it counts as: packets of it are judged as that pod's; remove the pod that is gone`;
      report({
        ...{ severity: "warning", code: "shared-address", rule: "NP-66", message },
        ...{ file: pod.origin.file, path: `${pod.origin.name}: status.podIPs` },
      });
    }
    const kept = pod.addresses.filter((address) => !lost.includes(address));
    const isNameless = kept.length === 0 && pod.phase !== "Succeeded" && pod.phase !== "Failed";
    const addresses = isNameless ? [unnumberedAddress(next++)] : kept;
    return lost.length > 0 ? { ...pod, addresses, lostAddresses: lost } : { ...pod, addresses };
  });
}

function beats(a: Pod, b: Pod): boolean {
  if (a.phase === "Running" && b.phase !== "Running") return true;
  if (a.phase !== "Running" && b.phase === "Running") return false;
  return a.createdAt > b.createdAt;
}

function byName(
  a: { namespace?: string; name: string; origin: Origin },
  b: { namespace?: string; name: string; origin: Origin },
): number {
  return (
    compareText(a.namespace ?? "", b.namespace ?? "") ||
    compareText(a.name, b.name) ||
    compareText(a.origin.name, b.origin.name)
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
