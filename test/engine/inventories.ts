/** Inventories from documents in memory, through the converters that read files' documents. */
import type { Finding } from "../../src/model/finding.ts";
import type { Inventory } from "../../src/model/inventory.ts";
import { assembleEc2, convertAwsDocument } from "../../src/sources/ec2/convert.ts";
import { assembleKubernetes, convertKubernetesDocument } from "../../src/sources/kubernetes/convert.ts";

export function inventoryOf(documents: readonly unknown[]): Inventory {
  const findings: Finding[] = [];
  const report = (finding: Finding): void => {
    findings.push(finding);
  };
  const aws = documents.flatMap((document) => convertAwsDocument(document, "test.json", report) ?? []);
  const kubernetes = documents.flatMap((document) => convertKubernetesDocument(document, "test.yaml", report) ?? []);
  return {
    ec2: assembleEc2(aws, report),
    kubernetes: assembleKubernetes(kubernetes, report),
    findings,
  };
}

/** A running instance with one network interface for each list of addresses, the first one primary. */
export function instance(id: string, interfaces: readonly (readonly string[])[], state = "running"): object {
  return {
    Reservations: [
      {
        Instances: [
          {
            InstanceId: id,
            State: { Name: state },
            VpcId: "vpc-1",
            NetworkInterfaces: interfaces.map((addresses, i) => ({
              NetworkInterfaceId: `eni-${id}-${i}`,
              VpcId: "vpc-1",
              SubnetId: "subnet-1",
              Groups: [{ GroupId: "sg-1" }],
              PrivateIpAddresses: addresses
                .filter((a) => !a.includes(":"))
                .map((PrivateIpAddress, n) => ({ PrivateIpAddress, Primary: n === 0 })),
              Ipv6Addresses: addresses.filter((a) => a.includes(":")).map((Ipv6Address) => ({ Ipv6Address })),
              Attachment: { DeviceIndex: i },
            })),
          },
        ],
      },
    ],
  };
}

export function pod(name: string, addresses: readonly string[], more: { phase?: string; owner?: string } = {}): object {
  const [namespace, podName] = name.split("/");
  const [kind, ownerName] = (more.owner ?? "").split("/");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      namespace,
      name: podName,
      labels: { app: podName },
      ...(more.owner === undefined ? {} : { ownerReferences: [{ kind, name: ownerName, controller: true }] }),
    },
    spec: { nodeName: "node-1" },
    status: {
      phase: more.phase ?? "Running",
      podIP: addresses[0],
      podIPs: addresses.map((ip) => ({ ip })),
    },
  };
}

export function deployment(name: string): object {
  const [namespace, own] = name.split("/");
  return {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { namespace, name: own },
    spec: { selector: { matchLabels: { app: own } }, template: { metadata: { labels: { app: own } } } },
  };
}

export function service(name: string, selector: object | null, clusterIPs: readonly string[]): object {
  const [namespace, own] = name.split("/");
  const spec = { clusterIP: clusterIPs[0], clusterIPs, ...(selector === null ? {} : { selector }) };
  return { apiVersion: "v1", kind: "Service", metadata: { namespace, name: own }, spec };
}

/** A policy that isolates the pods of a label for ingress and lets nobody in. */
export function closed(name: string, app: string): object {
  const [namespace, own] = name.split("/");
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { namespace, name: own },
    spec: { podSelector: { matchLabels: { app } }, policyTypes: ["Ingress"], ingress: [] },
  };
}
