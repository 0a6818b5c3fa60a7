/** Policies on a server that answers as told, and what the watches bring of them to each node. */
import type { PolicyApi } from "../../../../src/agent/policy/status/policy-status-writer.ts";
import type { Finding } from "../../../../src/model/finding.ts";
import type { ApiRequest } from "../../../../src/sources/kubernetes/api/api-client.ts";
import { ApiError } from "../../../../src/sources/kubernetes/api/api-error.ts";
import type { PolicyObserver, PolicySeen } from "../../../../src/sources/kubernetes/api/policy-observer.ts";
import type { ApiResource } from "../../../../src/sources/kubernetes/api/resources.ts";
import { convertKubernetesDocument } from "../../../../src/sources/kubernetes/convert.ts";

interface Policy {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid: string;
    readonly generation: number;
  };
  readonly spec: object;
  readonly status?: { readonly conditions: readonly Record<string, unknown>[] };
}

export interface Written {
  readonly method: string;
  readonly path: string;
  readonly body: { readonly [field: string]: unknown };
  readonly contentType: string | undefined;
}

const everybody = { namespaces: {} };
const noOperator = { namespaces: { matchExpressions: [{ key: "app", operator: "Near", values: ["x"] }] } };
const accept = { name: "a", action: "Accept", from: [{ namespaces: {} }] };

export function clusterPolicy(name: string, spec: object = {}, generation = 1): Policy {
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name, uid: `uid-of-${name}`, generation },
    spec: { tier: "Admin", priority: 10, subject: everybody, ingress: [accept], ...spec },
  };
}

/** A rule's peer has a selector that nobody can read. */
export const badPeer = { ingress: [{ ...accept, from: [noOperator] }] };
/** Nobody knows for whom it is. */
export const badSubject = { subject: noOperator };

export function networkPolicy(name: string, spec: object, generation = 1): Policy {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: { name, namespace: "shop", uid: `uid-of-${name}`, generation },
    spec,
  };
}

const resources: Readonly<Record<string, ApiResource>> = {
  ClusterNetworkPolicy: {
    kind: "ClusterNetworkPolicy",
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    path: "/apis/policy.networking.k8s.io/v1alpha2/clusternetworkpolicies",
  },
  NetworkPolicy: {
    kind: "NetworkPolicy",
    apiVersion: "networking.k8s.io/v1",
    path: "/apis/networking.k8s.io/v1/networkpolicies",
  },
};

/** As the source tells of it: read by the reader that counts. */
export function seen(policy: Policy): { readonly name: string; readonly seen: PolicySeen } {
  const findings: Finding[] = [];
  const parts = convertKubernetesDocument(policy, "https://server", (finding) => findings.push(finding));
  const isUsed = (parts?.networkPolicies.length ?? 0) + (parts?.adminPolicies.length ?? 0) > 0;
  const { namespace, name } = policy.metadata;
  const resource = resources[policy.kind] as ApiResource;
  return {
    name: `${policy.kind} ${namespace === undefined ? "" : `${namespace}/`}${name}`,
    seen: { resource, object: { ...policy }, findings, isUsed },
  };
}

export class FakeCluster implements PolicyApi {
  readonly written: Written[] = [];
  /** Answers of the next requests; then all is well. */
  readonly failures: ApiError[] = [];
  readonly #policies = new Map<string, Policy>();
  readonly #events = new Set<string>();
  readonly #watchers: PolicyObserver[] = [];

  watch(observer: PolicyObserver): void {
    this.#watchers.push(observer);
  }

  put(policy: Policy): void {
    const { name, seen: what } = seen(policy);
    this.#policies.set(policy.metadata.name, policy);
    for (const watcher of this.#watchers) watcher.put(name, what);
  }

  conditions(name: string): readonly Record<string, unknown>[] {
    return this.#policies.get(name)?.status?.conditions ?? [];
  }

  async request(path: string, { method = "GET", body, contentType }: ApiRequest): Promise<unknown> {
    const sent = body as Written["body"];
    this.written.push({ method, path, body: sent, contentType });
    const failure = this.failures.shift();
    if (failure) throw failure;
    const { name } = sent.metadata as { readonly name: string };
    if (method === "POST") {
      if (this.#events.has(name)) throw new ApiError(409, "409 AlreadyExists");
      this.#events.add(name);
      return {};
    }
    const policy = this.#policies.get(name);
    if (!policy) throw new ApiError(404, "404 NotFound");
    // Watches take their time.
    setImmediate(() => this.put({ ...policy, status: sent.status as NonNullable<Policy["status"]> }));
    return {};
  }
}
