/** Random Kubernetes objects: pods on and off EC2's addresses, and policies of every kind with broken parts among them. */
import fc from "fast-check";
import {
  badPort,
  cidr,
  type Families,
  hosts,
  junk,
  label,
  labels,
  labelValue,
  nodeAddresses,
  podAddresses,
  port,
  seldom,
} from "./universe.ts";

type Json = Record<string, unknown>;

/** Most of everything is in one namespace, so that policies and pods meet. */
const space = fc.constantFrom("x", "x", "x", "x", "y", "y", "z", "default");

const selector: fc.Arbitrary<unknown> = seldom(
  fc.oneof(
    { weight: 2, arbitrary: fc.constant({}) },
    fc.record({ matchLabels: labels }),
    fc.record({
      matchExpressions: fc.array(
        fc.oneof(
          fc.record({
            key: label,
            operator: fc.constantFrom("In", "NotIn"),
            values: fc.array(labelValue, { minLength: 1, maxLength: 2 }),
          }),
          fc.record({ key: label, operator: fc.constantFrom("Exists", "DoesNotExist") }),
        ),
        { maxLength: 2 },
      ),
    }),
  ),
  fc.constantFrom<unknown>(
    { matchLabels: { a: 1 } },
    { matchExpressions: [{ key: "a", operator: "In" }] },
    { matchExpressions: [{ key: "a", operator: "In", values: [] }] },
    { matchExpressions: [{ key: "a", operator: "Exists", values: ["0"] }] },
    { matchExpressions: [{ key: "a", operator: "Near", values: ["0"] }] },
    { matchExpressions: [{ operator: "Exists" }] },
    { matchLabels: { a: "0" }, matchExpressions: "all" },
    { matchLabel: { a: "0" } },
    "a=0",
  ),
);
const spaceSelector: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 3, arbitrary: selector },
  { weight: 1, arbitrary: space.map((name) => ({ matchLabels: { "kubernetes.io/metadata.name": name } })) },
);

const portName = seldom(
  fc.constantFrom("web", "dns"),
  fc.constantFrom("80", "a--b", "UPPER", "-web", "sixteen-letters-x"),
);
const protocol = fc.constantFrom("TCP", "UDP", "SCTP");
const npPort: fc.Arbitrary<unknown> = seldom(
  fc.oneof(
    fc.record({ port, protocol }, { requiredKeys: ["port"] }),
    fc.record({ port: fc.constantFrom(1, 80), endPort: port, protocol }, { requiredKeys: ["port", "endPort"] }),
    fc.record({ port: portName, protocol }, { requiredKeys: ["port"] }),
    fc.record({ protocol }, { requiredKeys: [] }),
  ),
  fc.oneof(
    junk,
    fc.record({ port: badPort }),
    fc.constantFrom<unknown>(
      { endPort: 80 },
      { port: "web", endPort: 80 },
      { port: 80, protocol: "tcp" },
      { port: 80, protocol: "ICMP" },
    ),
  ),
);

const wellFormed = [
  { cidr: "0.0.0.0/0", except: ["10.0.1.4/31"] },
  { cidr: "0.0.0.0/0", except: ["10.0.0.0/9", "169.254.169.254/32"] },
  { cidr: "10.0.0.0/8", except: ["10.244.0.4/32", "10.0.2.0/25"] },
  { cidr: "10.244.0.0/29", except: ["10.244.0.4/31"] },
  { cidr: "::/0", except: ["2001:db8:0:1::4/127"] },
  { cidr: "fd00:244::/125", except: ["fd00:244::4/127", "fd00:244::1/128"] },
];

function npPeer(families: Families): fc.Arbitrary<unknown> {
  const except =
    families === "dual"
      ? fc.constantFrom(
          ["10.0.1.4/31"],
          ["10.244.0.4/32"],
          ["2001:db8:0:1::4/127"],
          ["10.0.0.0/8", "169.254.169.254/32"],
        )
      : fc.constantFrom(["10.0.1.4/31"], ["10.244.0.4/32"], ["10.0.0.0/9"]);
  return seldom(
    fc.oneof(
      fc.record({ podSelector: selector }),
      fc.record({ namespaceSelector: spaceSelector }),
      fc.record({ podSelector: selector, namespaceSelector: spaceSelector }),
      {
        weight: 2,
        arbitrary: fc.record({
          ipBlock: fc.oneof(
            fc.record({ cidr: cidr(families) }),
            fc.constantFrom<Json>(...wellFormed.filter(({ cidr: text }) => families === "dual" || !text.includes(":"))),
            // Mostly exceptions that lie outside (NP-36).
            seldom(fc.record({ cidr: cidr(families) }), fc.record({ cidr: cidr(families), except })),
          ),
        }),
      },
    ),
    fc.oneof(
      junk,
      fc.constantFrom<unknown>(
        {},
        { podSelector: {}, ipBlock: { cidr: "0.0.0.0/0" } },
        { ipBlock: { cidr: "10.0.0.0/8", except: ["11.0.0.0/8"] } },
        { ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } },
        { ipBlock: { except: ["10.0.0.0/8"] } },
        { ipBlock: "10.0.0.0/8" },
      ),
    ),
  );
}

function npRule(peers: "from" | "to", families: Families): fc.Arbitrary<unknown> {
  const ports = fc.array(npPort, { maxLength: 2 });
  return seldom(
    fc.oneof(
      fc.record({ [peers]: fc.array(npPeer(families), { minLength: 1, maxLength: 2 }) }),
      fc.record({ ports: fc.array(npPort, { minLength: 1, maxLength: 2 }) }),
      fc.record({ [peers]: fc.array(npPeer(families), { maxLength: 2 }), ports }, { requiredKeys: [] }),
    ),
    fc.constantFrom<unknown>(null, "all", { [peers]: {} }, { ports: 80 }, { [peers === "from" ? "to" : "from"]: [] }),
  );
}

function npSpec(families: Families): fc.Arbitrary<unknown> {
  return seldom(
    fc.record(
      {
        podSelector: selector,
        policyTypes: seldom(fc.subarray(["Ingress", "Egress"]), fc.constantFrom<unknown>(["Both"], "Ingress", null)),
        ingress: seldom(
          fc.array(npRule("from", families), { maxLength: 3, size: "+1" }),
          fc.constantFrom<unknown>(null, {}),
        ),
        egress: seldom(
          fc.array(npRule("to", families), { maxLength: 3, size: "+1" }),
          fc.constantFrom<unknown>(null, {}),
        ),
      },
      { requiredKeys: [] },
    ),
    fc.constantFrom<unknown>(undefined, "none", {}),
  );
}

/** NP-12: without a namespace it is in `default`, without a readable name it is nothing. */
function metadataOf(name: string): fc.Arbitrary<Json> {
  return seldom(
    space.map((namespace): Json => ({ namespace, name })),
    fc.constantFrom<Json>({ name }, { namespace: "x" }, { namespace: "x", name: 7 }, { namespace: 7, name }),
  );
}

export function networkPolicy(name: string, families: Families): fc.Arbitrary<Json> {
  return fc.record({ metadata: metadataOf(name), spec: npSpec(families) }).map(({ metadata, spec }) => ({
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata,
    ...(spec === undefined ? {} : { spec }),
  }));
}

const podsPeer = fc.oneof(
  fc.record({ namespaces: spaceSelector }),
  fc.record({ pods: fc.record({ namespaceSelector: spaceSelector, podSelector: selector }, { requiredKeys: [] }) }),
);
const badPeer = fc.oneof(
  junk,
  fc.constantFrom<unknown>(
    {},
    { serviceAccounts: {} },
    { namespaces: {}, serviceAccounts: {} },
    { namespaces: {}, pods: {} },
    { domainNames: ["*.example.com"] },
    { domainNames: ["*.*.com"] },
    { networks: [] },
    { nodes: {} },
    { pods: { unknownField: {} } },
  ),
);

function adminPeer(direction: "ingress" | "egress", families: Families): fc.Arbitrary<unknown> {
  if (direction === "ingress") return seldom(podsPeer, badPeer);
  const more = fc.oneof(
    fc.record({ nodes: selector }),
    fc.record({ networks: fc.array(cidr(families), { minLength: 1, maxLength: 2 }) }),
  );
  return seldom(fc.oneof(podsPeer, more), badPeer);
}

const v1Port: fc.Arbitrary<unknown> = seldom(
  fc.oneof(
    fc.record({ portNumber: fc.record({ port, protocol }, { requiredKeys: ["port"] }) }),
    fc.record({
      portRange: fc.record({ start: fc.constantFrom(1, 80), end: port, protocol }, { requiredKeys: ["start", "end"] }),
    }),
    fc.record({ namedPort: portName }),
  ),
  fc.oneof(
    junk,
    fc.record({ portNumber: fc.record({ port: badPort }) }),
    fc.constant({ portNumber: { port: 80 }, namedPort: "web" }),
  ),
);
const bounds = fc.oneof(
  port.map((number): unknown => ({ number })),
  fc.record({ range: fc.record({ start: fc.constantFrom(1, 80), end: port }) }),
  fc.constantFrom<unknown>({}, undefined),
);
const v2Protocol: fc.Arbitrary<unknown> = seldom(
  fc.oneof(
    fc
      .record({ name: fc.constantFrom("tcp", "udp", "sctp"), bounds })
      .map(({ name, bounds: b }) => ({ [name]: b === undefined ? {} : { destinationPort: b } })),
    fc.record({ destinationNamedPort: portName }),
  ),
  fc.oneof(
    junk,
    fc.constantFrom<unknown>(
      { tcp: {}, udp: {} },
      { tcp: null },
      { icmp: {} },
      { tcp: { destinationPort: { number: 80, range: { start: 1, end: 2 } } } },
    ),
  ),
);

function adminRule(
  direction: "ingress" | "egress",
  portsKey: "ports" | "protocols",
  families: Families,
): fc.Arbitrary<unknown> {
  const peers = direction === "ingress" ? "from" : "to";
  return seldom(
    fc.record(
      {
        action: seldom(fc.constantFrom("Allow", "Accept", "Deny", "Pass"), fc.constantFrom<unknown>("Log", undefined)),
        [peers]: fc.array(adminPeer(direction, families), { minLength: 1, maxLength: 2 }),
        [portsKey]: fc.array(portsKey === "ports" ? v1Port : v2Protocol, { maxLength: 2 }),
      },
      { requiredKeys: ["action", peers] },
    ),
    fc.constantFrom<unknown>(
      null,
      { action: "Deny" },
      { action: "Allow", [peers]: [] },
      { action: "Pass", [peers]: [{ namespaces: {} }], unknownField: 1 },
      { action: "Deny", [peers]: [{ namespaces: {} }], [portsKey]: 80 },
    ),
  );
}

function adminSpec(portsKey: "ports" | "protocols", families: Families): fc.Arbitrary<Json> {
  return fc.record(
    {
      subject: seldom(
        podsPeer,
        fc.constantFrom<unknown>(
          {},
          null,
          { serviceAccounts: {} },
          { namespaces: {}, pods: {} },
          { namespaces: "all" },
        ),
      ),
      ingress: fc.array(adminRule("ingress", portsKey, families), { maxLength: 3 }),
      egress: fc.array(adminRule("egress", portsKey, families), { maxLength: 3 }),
    },
    { requiredKeys: ["subject"] },
  );
}

/** Few numbers, so that priorities are often equal (AN-3). */
const priority = seldom(fc.constantFrom(0, 1, 1000), fc.constantFrom<unknown>(undefined, -1, 1001, "1"));
const group = "policy.networking.k8s.io";

function anp(name: string, families: Families): fc.Arbitrary<Json> {
  return fc.record({ priority, spec: adminSpec("ports", families) }).map(({ priority: p, spec }) => ({
    apiVersion: `${group}/v1alpha1`,
    kind: "AdminNetworkPolicy",
    metadata: { name },
    spec: { priority: p, ...spec },
  }));
}

function banp(name: string, families: Families): fc.Arbitrary<Json> {
  return adminSpec("ports", families).map((spec) => ({
    apiVersion: `${group}/v1alpha1`,
    kind: "BaselineAdminNetworkPolicy",
    metadata: { name },
    spec,
  }));
}

function cnp(name: string, families: Families): fc.Arbitrary<Json> {
  const tier = seldom(fc.constantFrom("Admin", "Baseline"), fc.constantFrom<unknown>("Other", undefined));
  return fc
    .record({ tier, priority, spec: adminSpec("protocols", families) })
    .map(({ tier: t, priority: p, spec }) => ({
      apiVersion: `${group}/v1alpha2`,
      kind: "ClusterNetworkPolicy",
      metadata: { name },
      spec: { tier: t, priority: p, ...spec },
    }));
}

const containerPort = fc.record(
  { name: fc.constantFrom("web", "dns"), containerPort: fc.constantFrom(53, 80, 80, 443), protocol },
  { requiredKeys: ["name", "containerPort"] },
);

function pod(i: number, families: Families): fc.Arbitrary<Json> {
  return fc
    .record({
      space,
      labels: seldom(labels, fc.constantFrom<unknown>({ a: 1, b: "0" }, null)),
      slot: fc.oneof({ weight: 9, arbitrary: fc.constant(i) }, fc.integer({ min: 0, max: 5 })),
      isOnInterface: fc.integer({ min: 0, max: 2 }).map((n) => n === 0),
      which: families === "dual" ? fc.constantFrom("both", "both", "4", "6", "single") : fc.constantFrom("4", "single"),
      node: fc.constantFrom("n1", "n2", undefined),
      hostIp: fc.constantFrom(undefined, undefined, nodeAddresses[4][1]),
      isHost: fc.integer({ min: 0, max: 8 }).map((n) => n === 0),
      phase: fc.constantFrom("Running", "Running", "Running", "Running", "Pending", "Succeeded", "Failed"),
      createdAt: fc.constantFrom(undefined, "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
      isTerminating: seldom(fc.constant(false), fc.constant(true)),
      ports: fc.array(containerPort, { maxLength: 2 }),
      sidecar: fc.option(
        fc.record({
          restartPolicy: fc.constantFrom("Always", undefined),
          ports: fc.array(containerPort, { maxLength: 1 }),
        }),
        {
          freq: 2,
          nil: null,
        },
      ),
    })
    .map((p) => {
      const from = p.isHost ? nodeAddresses : p.isOnInterface ? hosts : podAddresses;
      const slot = p.isHost ? p.slot % 2 : p.slot;
      const ips = [
        ...(p.which === "6" ? [] : [from[4][slot]]),
        ...(p.which === "4" || p.which === "single" ? [] : [from[6][slot]]),
      ];
      return {
        apiVersion: "v1",
        kind: "Pod",
        metadata: {
          namespace: p.space,
          name: `p${i}`,
          labels: p.labels,
          ...(p.createdAt === undefined ? {} : { creationTimestamp: p.createdAt }),
          ...(p.isTerminating ? { deletionTimestamp: "2026-01-03T00:00:00Z" } : {}),
        },
        spec: {
          // A hostNetwork pod is on the node whose address it has.
          ...(p.isHost ? { nodeName: `n${slot + 1}` } : p.node === undefined ? {} : { nodeName: p.node }),
          hostNetwork: p.isHost,
          containers: [{ name: "c", ports: p.ports }],
          ...(p.sidecar === null ? {} : { initContainers: [{ name: "s", ...p.sidecar }] }),
        },
        status: {
          phase: p.phase,
          ...(p.hostIp === undefined || p.isHost ? {} : { hostIP: p.hostIp }),
          ...(p.which === "single" ? { podIP: ips[0] } : { podIPs: ips.map((ip) => ({ ip })) }),
        },
      };
    });
}

export function kubernetesObjects(families: Families): fc.Arbitrary<Json[]> {
  const node = (name: string, i: number, nodeLabels: Json): Json => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels: nodeLabels },
    status: {
      addresses: [
        { type: "Hostname", address: name },
        { type: "InternalIP", address: nodeAddresses[4][i] },
        ...(families === "dual" ? [{ type: "InternalIP", address: nodeAddresses[6][i] }] : []),
      ],
    },
  });
  return fc
    .record({
      x: labels,
      y: fc.option(labels, { nil: null }),
      nodeLabels: labels,
      hasNode: fc.constantFrom(true, true, false),
      pods: fc.tuple(...podAddresses[4].map((_, i) => fc.option(pod(i, families), { freq: 5, nil: null }))),
      policies: some([..."abcde"].map((n) => networkPolicy(`np-${n}`, families))),
      admin: some([anp("one", families), anp("two", families)]),
      // One shares its name with an ANP (AN-63).
      cluster: some([cnp("one", families), cnp("three", families), cnp("four", families)]),
      baseline: some([banp("default", families), banp("another", families)]),
    })
    .map(({ x, y, nodeLabels, hasNode, pods, policies, admin, cluster, baseline }) => [
      { apiVersion: "v1", kind: "Namespace", metadata: { name: "x", labels: x } },
      ...(y === null ? [] : [{ apiVersion: "v1", kind: "Namespace", metadata: { name: "y", labels: y } }]),
      // A node without an object is known by what its pods say of it (NP-56).
      ...(hasNode ? [node("n1", 0, nodeLabels)] : []),
      node("n2", 1, { a: "1" }),
      ...[...pods, ...policies, ...admin, ...cluster, ...baseline].filter((object) => object !== null),
    ]);
}

/** Each of them or not. */
function some(objects: readonly fc.Arbitrary<Json>[]): fc.Arbitrary<(Json | null)[]> {
  return fc.tuple(...objects.map((object) => fc.option(object, { freq: 2, nil: null })));
}
