/** The kinds of objects that policies concern, where they live, and who reads them. */
import { readAdminPolicy } from "../../evaluators/admin-policy/schema.ts";
import { at, type JsonObject, note } from "../../evaluators/kubernetes/reading.ts";
import { readNetworkPolicy } from "../../evaluators/network-policy/schema.ts";
import type { AdminPolicy } from "../../model/admin-policy.ts";
import type { Pod } from "../../model/kubernetes.ts";
import type { Metadata } from "./metadata.ts";
import type { KubernetesParts } from "./parts.ts";
import { readPod, readWorkload } from "./read-pod.ts";
import { readNamespace, readNode, readService } from "./read-resource.ts";

type Read = (object: JsonObject, metadata: Metadata, parts: KubernetesParts) => void;

export interface Kind {
  readonly groups: readonly string[];
  readonly isNamespaced: boolean;
  /** Where `read` puts what it makes. */
  readonly list: keyof KubernetesParts;
  readonly read: Read;
}

const workload = (kind: Pod["kind"], group: string): Kind => ({
  groups: [group, "extensions"],
  isNamespaced: true,
  list: "pods",
  read: (object, metadata, parts) => parts.pods.push(readWorkload(object, kind, metadata)),
});

const adminPolicy = (kind: AdminPolicy["kind"]): Kind => ({
  groups: ["policy.networking.k8s.io"],
  isNamespaced: false,
  list: "adminPolicies",
  read: (object, metadata, parts) => {
    const policy = readAdminPolicy(object, kind, metadata.name, metadata.place);
    if (policy) parts.adminPolicies.push(policy);
  },
});

/** The core group is the empty text. */
export const kinds: Readonly<Record<string, Kind>> = {
  Pod: {
    groups: [""],
    isNamespaced: true,
    list: "pods",
    read: (object, metadata, parts) => parts.pods.push(readPod(object, metadata)),
  },
  Namespace: {
    groups: [""],
    isNamespaced: false,
    list: "namespaces",
    read: (_object, metadata, parts) => parts.namespaces.push(readNamespace(metadata)),
  },
  Node: {
    groups: [""],
    isNamespaced: false,
    list: "nodes",
    read: (object, metadata, parts) => parts.nodes.push(readNode(object, metadata)),
  },
  Service: {
    groups: [""],
    isNamespaced: true,
    list: "services",
    read: (object, metadata, parts) => parts.services.push(readService(object, metadata)),
  },
  NetworkPolicy: {
    groups: ["networking.k8s.io", "extensions"],
    isNamespaced: true,
    list: "networkPolicies",
    read: (object, { namespace, isHomeless, name, place }, parts) => {
      if (isHomeless) {
        const message = "no namespace, so the policy is one of namespace default; write the one that it is meant for";
        note(at(place, "metadata.namespace"), "warning", "missing-namespace", "NP-12", message);
      }
      parts.networkPolicies.push(readNetworkPolicy(object, namespace, name, place));
    },
  },
  AdminNetworkPolicy: adminPolicy("AdminNetworkPolicy"),
  BaselineAdminNetworkPolicy: adminPolicy("BaselineAdminNetworkPolicy"),
  ClusterNetworkPolicy: adminPolicy("ClusterNetworkPolicy"),
  Deployment: workload("Deployment", "apps"),
  ReplicaSet: workload("ReplicaSet", "apps"),
  StatefulSet: workload("StatefulSet", "apps"),
  DaemonSet: workload("DaemonSet", "apps"),
  Job: workload("Job", "batch"),
  CronJob: workload("CronJob", "batch"),
  ReplicationController: workload("ReplicationController", ""),
};
