/** A small cluster that the tables share, and short ways to write objects. */

type Fields = Readonly<Record<string, unknown>>;

export function namespace(name: string, labels: Fields = {}): Fields {
  return { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
}

export function node(name: string, labels: Fields, ...addresses: string[]): Fields {
  return {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    status: { addresses: addresses.map((address) => ({ type: "InternalIP", address })) },
  };
}

interface PodFields {
  readonly labels?: Fields;
  readonly ips?: readonly string[];
  readonly ports?: readonly Fields[];
  readonly node?: string;
  readonly host?: string;
  readonly spec?: Fields;
  readonly status?: Fields;
  readonly metadata?: Fields;
}

/** `shop/web`. */
export function pod(ref: string, fields: PodFields = {}): Fields {
  const [namespace, name] = ref.split("/");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name, labels: fields.labels ?? {}, ...fields.metadata },
    spec: { nodeName: fields.node, containers: [{ name: "c", ports: fields.ports }], ...fields.spec },
    status: {
      phase: "Running",
      hostIP: fields.host,
      podIPs: fields.ips?.map((ip) => ({ ip })),
      ...fields.status,
    },
  };
}

/** `shop/db`, a NetworkPolicy. */
export function policy(ref: string, spec: unknown): Fields {
  const [namespace, name] = ref.split("/");
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { namespace, name }, spec };
}

const everyone = { namespaces: {} };

/** An AdminNetworkPolicy whose subject is everyone unless the spec says otherwise. */
export function anp(name: string, priority: unknown, spec: Fields): Fields {
  const full = { priority, subject: everyone, ...spec };
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha1",
    kind: "AdminNetworkPolicy",
    metadata: { name },
    spec: full,
  };
}

export function banp(name: string, spec: Fields): Fields {
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha1",
    kind: "BaselineAdminNetworkPolicy",
    metadata: { name },
    spec: { subject: everyone, ...spec },
  };
}

export function cnp(name: string, tier: unknown, priority: unknown, spec: Fields): Fields {
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha2",
    kind: "ClusterNetworkPolicy",
    metadata: { name },
    spec: { tier, priority, subject: everyone, ...spec },
  };
}

/** `{matchLabels: {app: "web"}}` of `app=web`. */
export function label(text: string): Fields {
  const [key = "", value] = text.split("=");
  return { matchLabels: { [key]: value } };
}

/**
 * Namespaces shop (team a) and blog (team b); nodes n1 (role cp) and n2; `web`, `db` and `bare` in shop, `app` in blog,
 * and `agent`, a hostNetwork pod of shop on n1. `old` has ended and `young` has no address yet.
 */
export const cluster: readonly Fields[] = [
  namespace("shop", { team: "a" }),
  namespace("blog", { team: "b" }),
  node("n1", { role: "cp" }, "172.18.0.2", "fd18::2"),
  node("n2", {}, "172.18.0.3", "fd18::3"),
  pod("shop/web", {
    labels: { app: "web", env: "prod" },
    ips: ["10.0.0.1", "fd00::1"],
    node: "n1",
    ports: [
      { name: "web", containerPort: 666 },
      { name: "http", containerPort: 8000 },
    ],
  }),
  pod("shop/db", {
    labels: { app: "db", env: "prod" },
    ips: ["10.0.0.2", "fd00::2"],
    node: "n2",
    ports: [
      { name: "web", containerPort: 80 },
      { name: "http", containerPort: 8080, protocol: "TCP" },
      { name: "dns", containerPort: 53, protocol: "UDP" },
    ],
  }),
  pod("shop/bare", { ips: ["10.0.0.3", "fd00::3"], node: "n2" }),
  pod("blog/app", { labels: { app: "web" }, ips: ["10.0.1.1", "fd00:1::1"], node: "n1", host: "172.18.0.2" }),
  pod("shop/agent", { labels: { app: "web" }, ips: ["172.18.0.2"], node: "n1", spec: { hostNetwork: true } }),
  pod("shop/old", { labels: { app: "web" }, ips: ["10.0.0.9"], status: { phase: "Succeeded" } }),
  pod("shop/young", { labels: { app: "young" }, status: { phase: "Pending" } }),
];
