/** Random clusters, and flows that keep to the edges of what their policies name. */
import fc from "fast-check";
import type { Flow } from "../../../src/model/flow.ts";
import type { NameChange } from "../../../src/model/inventory-change.ts";
import { type Address, parseAddress } from "../../../src/net/address.ts";
import { anp, banp, cnp, namespace, node, pod, policy } from "./cluster.ts";

const pick = fc.constantFrom;
const key = pick("a", "b");
const value = pick("0", "1");
const labels = fc.dictionary(key, value, { maxKeys: 2 });
const selector = fc.oneof(
  fc.constant({}),
  fc.record({ matchLabels: labels }),
  fc.record({
    matchExpressions: fc.array(
      fc.oneof(
        fc.record({ key, operator: pick("In", "NotIn"), values: fc.array(value, { minLength: 1, maxLength: 2 }) }),
        fc.record({ key, operator: pick("Exists", "DoesNotExist") }),
      ),
      { maxLength: 2 },
    ),
  }),
);
const space = pick("x", "y", "z");
const cidrs = [
  "0.0.0.0/0",
  "10.0.0.0/8",
  "10.0.0.0/30",
  "10.0.0.4/31",
  "172.18.0.0/24",
  "8.8.8.8/32",
  "::/0",
  "fd00::/126",
];
const cidr = pick(...cidrs);
const portNumber = pick(1, 79, 80, 81, 82, 65535);
const portName = pick("web", "dns");
const protocolName = pick("TCP", "UDP", "SCTP");

const npPeer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector: selector }),
  fc.record({ podSelector: selector, namespaceSelector: selector }),
  fc.record({ ipBlock: fc.record({ cidr, except: fc.constantFrom([], ["10.0.0.4/32"], ["10.0.0.0/29"]) }) }),
);
const npPort = fc.oneof(
  fc.record({ port: portNumber, protocol: protocolName }),
  fc.record({ port: fc.constant(80), endPort: portNumber }),
  fc.record({ port: portName, protocol: protocolName }),
  fc.record({ protocol: protocolName }),
);
const npRule = (peers: string) =>
  fc.record({ [peers]: fc.array(npPeer, { maxLength: 2 }), ports: fc.array(npPort, { maxLength: 2 }) });
const npSpec = fc.record(
  {
    podSelector: selector,
    policyTypes: fc.subarray(["Ingress", "Egress"]),
    ingress: fc.array(npRule("from"), { maxLength: 12 }),
    egress: fc.array(npRule("to"), { maxLength: 2 }),
  },
  { requiredKeys: [] },
);

const podsPeer = fc.oneof(
  fc.record({ namespaces: selector }),
  fc.record({ pods: fc.record({ namespaceSelector: selector, podSelector: selector }) }),
  fc.constant({ serviceAccounts: {} }),
);
const anyPeer = fc.oneof(
  podsPeer,
  fc.record({ nodes: selector }),
  fc.record({ networks: fc.array(cidr, { minLength: 1, maxLength: 2 }) }),
);
const domain = pick("x.org", "*.x.org", "A.x.org.", "*.org", "b.a.x.org");
const domainList = fc.array(domain, { minLength: 1, maxLength: 2 });
const farPeer = fc.oneof(
  { weight: 3, arbitrary: anyPeer },
  { weight: 2, arbitrary: fc.record({ domainNames: domainList }) },
);
const v1Port = fc.oneof(
  fc.record({ portNumber: fc.record({ port: portNumber, protocol: protocolName }) }),
  fc.record({ portRange: fc.record({ start: fc.constant(80), end: portNumber }) }),
  fc.record({ namedPort: portName }),
);
const adminRule = (peers: string, peer: fc.Arbitrary<unknown>) =>
  fc.record({
    action: pick("Allow", "Deny", "Pass"),
    [peers]: fc.array(peer, { minLength: 1, maxLength: 2 }),
    ports: fc.array(v1Port, { maxLength: 2 }),
  });
const adminSpec = fc.record({
  subject: fc.record({ pods: fc.record({ namespaceSelector: selector, podSelector: selector }) }),
  ingress: fc.array(adminRule("from", podsPeer), { maxLength: 2 }),
  egress: fc.array(adminRule("to", farPeer), { maxLength: 3 }),
});

const podFields = fc.record({
  space,
  labels,
  number: fc.integer({ min: 0, max: 9 }),
  node: pick("n1", "n2", undefined),
  hostNetwork: fc.oneof({ weight: 5, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  phase: fc.oneof(
    { weight: 5, arbitrary: fc.constant("Running") },
    { weight: 1, arbitrary: pick("Failed", "Pending") },
  ),
  ports: fc.array(fc.record({ name: portName, containerPort: portNumber, protocol: protocolName }), { maxLength: 2 }),
});

export const clusterObjects = fc
  .record({
    spaces: fc.array(labels, { minLength: 2, maxLength: 2 }),
    pods: fc.array(podFields, { minLength: 2, maxLength: 8 }),
    policies: fc.array(fc.record({ space, spec: npSpec }), { maxLength: 5 }),
    admin: fc.array(fc.record({ priority: fc.integer({ min: 0, max: 2 }), spec: adminSpec }), { maxLength: 3 }),
    cluster: fc.array(fc.record({ spec: adminSpec }), { maxLength: 1 }),
    baseline: fc.array(adminSpec, { maxLength: 1 }),
    closed: fc.array(fc.record({ namespaceSelector: selector, domains: domainList }), { maxLength: 1 }),
  })
  .map(({ spaces, pods, policies, admin, cluster, baseline, closed }) => [
    namespace("x", spaces[0]),
    namespace("y", spaces[1]),
    node("n1", { a: "1" }, "172.18.0.1", "fd18::1"),
    node("n2", { b: "0" }, "172.18.0.2"),
    ...pods.map((fields, i) =>
      pod(`${fields.space}/p${i}`, {
        labels: fields.labels,
        ips: fields.hostNetwork ? ["172.18.0.1"] : [`10.0.0.${fields.number}`, `fd00::${fields.number}`],
        ports: fields.ports,
        ...(fields.node === undefined ? {} : { node: fields.node }),
        spec: { hostNetwork: fields.hostNetwork },
        status: { phase: fields.phase },
      }),
    ),
    ...policies.map(({ space: home, spec }, i) => policy(`${home}/np${i}`, spec)),
    ...admin.map(({ priority, spec }, i) => anp(`anp${i}`, priority, spec)),
    ...cluster.map(({ spec }) => cnp("cnp", "Baseline", 1, withProtocols(spec))),
    ...closed.map(({ namespaceSelector, domains }) =>
      anp("closed", 1, {
        subject: { pods: { namespaceSelector, podSelector: {} } },
        egress: [
          { action: "Allow", to: [{ domainNames: domains }] },
          { action: "Deny", to: [{ networks: ["0.0.0.0/0", "::/0"] }] },
        ],
      }),
    ),
    ...baseline.map((spec) => banp("default", spec)),
  ]);

/** v1alpha2 has no `ports`. */
function withProtocols(spec: object): Record<string, unknown> {
  return JSON.parse(JSON.stringify(spec), (name, content) => {
    if (name === "action" && content === "Allow") return "Accept";
    if (typeof content !== "object" || content === null || !("ports" in content)) return content;
    const { ports, ...rest } = content;
    return { ...rest, protocols: ports.length === 0 ? [] : [{ tcp: { destinationPort: { number: 80 } } }] };
  });
}

const address = fc.oneof(
  { weight: 8, arbitrary: fc.integer({ min: 0, max: 10 }).map((n) => `10.0.0.${n}`) },
  { weight: 2, arbitrary: pick("172.18.0.1", "172.18.0.2", "172.18.0.3", "8.8.8.8", "9.9.9.9", "11.0.0.0") },
);
const address6 = fc.oneof(
  fc.integer({ min: 0, max: 10 }).map((n) => `fd00::${n}`),
  pick("fd18::1", "2001::1"),
);
/** In order: what DNS told pods, and what of it has expired. */
export const names: fc.Arbitrary<readonly NameChange[]> = fc.array(
  fc
    .record({
      ends: fc.oneof(fc.tuple(address, address), fc.tuple(address6, address6), fc.tuple(address, address6)),
      name: pick("x.org", "a.x.org", "b.a.x.org", "ax.org", "org"),
      isLearnt: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    })
    .map(({ ends: [subject, to], ...change }) => ({
      ...change,
      subject: parseAddress(subject) as Address,
      address: parseAddress(to) as Address,
    })),
  { minLength: 5, maxLength: 40 },
);

/** From each pod to what it learnt. */
export function flowsTo(learnt: readonly NameChange[]): readonly Flow[] {
  return learnt
    .filter(({ subject, address }) => subject.family === address.family)
    .map(({ subject, address }) => ({
      source: subject,
      destination: address,
      protocol: 6,
      sourcePort: 40000,
      destinationPort: 80,
      icmpType: 0,
      icmpCode: 0,
      viaService: false,
      isFragment: false,
    }));
}

export const flow: fc.Arbitrary<Flow> = fc
  .record({
    ends: fc.oneof(fc.tuple(address, address), fc.tuple(address6, address6)),
    protocol: pick(6, 6, 6, 17, 132, 1, 58, 47),
    destinationPort: fc.oneof(portNumber, fc.constant(0)),
    viaService: fc.boolean(),
    isFragment: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  })
  .map(
    ({ ends: [from, to], ...rest }): Flow => ({
      ...rest,
      source: parseAddress(from) as Address,
      destination: parseAddress(to) as Address,
      sourcePort: 40000,
      icmpType: 8,
      icmpCode: 0,
    }),
  );
