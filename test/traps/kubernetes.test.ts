/** Traps of NetworkPolicy: what other engines got wrong, through the whole engine, from YAML as users write it. */
import { describe, expect, test } from "vitest";
import { engineOf, type Trap, verdictsOf } from "./engine.ts";

/**
 * Namespaces shop (team a) and blog (team b) on node n1 (172.18.0.2) and n2; `old` has ended and its address is
 * `heir`'s; `leaving` is terminating; `agent` is on the host's network of n1.
 */
const cluster = `
apiVersion: v1
kind: List
items:
  - { apiVersion: v1, kind: Namespace, metadata: { name: shop, labels: { team: a } } }
  - { apiVersion: v1, kind: Namespace, metadata: { name: blog, labels: { team: b } } }
  - { apiVersion: v1, kind: Node, metadata: { name: n1, labels: { role: cp } }, status: { addresses: [{ type: InternalIP, address: 172.18.0.2 }, { type: InternalIP, address: "fd18::2" }] } }
  - { apiVersion: v1, kind: Node, metadata: { name: n2 }, status: { addresses: [{ type: InternalIP, address: 172.18.0.3 }] } }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: web, labels: { app: web } }
    spec: { nodeName: n1, containers: [{ name: c, ports: [{ name: web, containerPort: 666 }, { name: http, containerPort: 8000 }] }] }
    status: { phase: Running, podIPs: [{ ip: 10.0.0.1 }, { ip: "fd00::1" }] }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: db, labels: { app: db, env: prod } }
    spec:
      nodeName: n1
      containers:
        - name: c
          ports: [{ name: web, containerPort: 80 }, { name: http, containerPort: 8080 }, { name: dns, containerPort: 53, protocol: UDP }]
    status: { phase: Running, podIPs: [{ ip: 10.0.0.2 }, { ip: "fd00::2" }] }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: old, labels: { app: web } }
    status: { phase: Succeeded, podIP: 10.1.1.7 }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: heir, labels: { app: heir } }
    status: { phase: Running, podIP: 10.1.1.7 }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: leaving, labels: { app: leaving }, deletionTimestamp: "2026-01-01T00:00:00Z" }
    status: { phase: Running, podIP: 10.0.0.8 }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: shop, name: agent, labels: { app: web } }
    spec: { nodeName: n1, hostNetwork: true }
    status: { phase: Running, podIP: 172.18.0.2 }
  - apiVersion: v1
    kind: Pod
    metadata: { namespace: blog, name: app, labels: { app: app } }
    spec: { nodeName: n2 }
    status: { phase: Running, podIPs: [{ ip: 10.0.1.1 }, { ip: "fd00:1::1" }] }
`;

/** Policies of shop for `app=db`, one spec each, beside the cluster. */
const db = (...specs: readonly string[]) => policies("podSelector: { matchLabels: { app: db } }", specs);
const everyone = (...specs: readonly string[]) => policies("podSelector: {}", specs);

function policies(selector: string, specs: readonly string[]): string {
  const objects = specs.map(
    (spec, i) => `
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: { namespace: shop, name: p${i} }
spec:
  ${selector}
${spec.replace(/^/gm, "  ")}`,
  );
  return [cluster, ...objects].join("\n---\n");
}

const deny = "deny k8s ingress no-rule-matches";
const denyOut = "deny k8s egress no-rule-matches";

const traps: readonly Trap[] = [
  {
    name: "T-25: ingress isolation leaves egress and its answers alone",
    documents: db("policyTypes: [Ingress]\ningress: []"),
    flows: { "shop/db -> 8.8.8.8 udp 53": "accept", "8.8.8.8 -> shop/db udp 53": deny },
  },
  {
    name: "T-27: an empty list of rules allows nothing",
    documents: db("policyTypes: [Ingress]\ningress: []"),
    flows: { "shop/web -> shop/db tcp 80": deny },
  },
  {
    name: "T-28: Egress without egress allows nothing",
    documents: everyone("policyTypes: [Egress]"),
    flows: {
      "shop/db -> 8.8.8.8 tcp 443": denyOut,
      "shop/web -> blog/app udp 53": denyOut,
      "blog/app -> shop/db tcp 80": "accept",
    },
  },
  {
    name: "T-29: a port without a protocol is TCP's",
    documents: db("ingress:\n  - ports: [{ port: 80 }]"),
    flows: { "shop/web -> shop/db udp 80": deny, "shop/web -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-30: a named port is that port alone",
    documents: db("ingress:\n  - ports: [{ port: web }]"),
    flows: { "shop/web -> shop/db tcp 443": deny, "shop/web -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-31: the name is looked up on the destination, not on the source",
    documents: db("ingress:\n  - ports: [{ port: web }]"),
    flows: { "shop/web -> shop/db tcp 666": deny, "shop/web -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-32: one name, another number on each destination",
    documents: everyone("policyTypes: [Egress]\negress:\n  - ports: [{ port: http }]"),
    flows: {
      "shop/heir -> shop/web tcp 8000": "accept",
      "shop/heir -> shop/db tcp 8080": "accept",
      "shop/heir -> shop/web tcp 8080": denyOut,
    },
  },
  {
    name: "T-33: a named port without peers",
    documents: everyone("policyTypes: [Egress]\negress:\n  - ports: [{ port: dns, protocol: UDP }]"),
    flows: { "shop/web -> shop/db udp 53": "accept", "shop/web -> 8.8.8.8 udp 53": denyOut },
  },
  {
    name: "T-34: an ipBlock and a named port of the destination",
    documents: db("ingress:\n  - from: [{ ipBlock: { cidr: 172.17.0.0/16 } }]\n    ports: [{ port: web }]"),
    flows: { "172.17.0.9 -> shop/db tcp 80": "accept", "172.17.0.9 -> shop/db tcp 8080": deny },
  },
  {
    name: "T-35: an exception limits only its own element",
    documents: db(
      "policyTypes: [Egress]\negress:\n  - to: [{ ipBlock: { cidr: 0.0.0.0/0 } }]\n    ports: [{ port: 53 }]\n  - to: [{ ipBlock: { cidr: 0.0.0.0/0, except: [10.0.0.0/8] } }]",
    ),
    flows: { "shop/db -> 10.0.0.99 tcp 53": "accept", "shop/db -> 10.0.0.99 tcp 54": denyOut },
  },
  {
    name: "T-36: what is excepted has its own rule's ports alone",
    documents: db(
      "policyTypes: [Egress]\negress:\n  - to: [{ ipBlock: { cidr: 192.168.0.0/16 } }]\n    ports: [{ port: 3306 }]\n  - to: [{ ipBlock: { cidr: 0.0.0.0/0, except: [192.168.0.0/16] } }]",
    ),
    flows: { "shop/db -> 192.168.1.1 tcp 3307": denyOut, "shop/db -> 192.168.1.1 tcp 3306": "accept" },
  },
  {
    name: "T-38: two elements are alternatives",
    documents: db(
      "ingress:\n  - from: [{ namespaceSelector: { matchLabels: { team: b } } }, { podSelector: { matchLabels: { app: web } } }]",
    ),
    flows: {
      "blog/app -> shop/db tcp 80": "accept",
      "shop/web -> shop/db tcp 80": "accept",
      "shop/heir -> shop/db tcp 80": deny,
    },
  },
  {
    name: "T-39: NotIn holds for an absent key",
    documents: policies("podSelector: { matchExpressions: [{ key: env, operator: NotIn, values: [prod] }] }", [
      "policyTypes: [Ingress]",
    ]),
    flows: { "shop/db -> shop/web tcp 80": deny, "shop/web -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-40: all namespaces are pods, not the world and not the host",
    documents: db("ingress:\n  - from: [{ namespaceSelector: {} }]"),
    flows: {
      "8.8.8.8 -> shop/db tcp 80": deny,
      "172.18.0.3 -> shop/db tcp 80": deny,
      "blog/app -> shop/db tcp 80": "accept",
    },
  },
  {
    name: "T-41: an ipBlock contains pods",
    documents: db("policyTypes: [Egress]\negress:\n  - to: [{ ipBlock: { cidr: 0.0.0.0/0 } }]"),
    flows: { "shop/db -> blog/app tcp 80": "accept" },
  },
  {
    name: "T-41: unless the knob says that it doesn't",
    documents: db("policyTypes: [Egress]\negress:\n  - to: [{ ipBlock: { cidr: 0.0.0.0/0 } }]"),
    settings: ["ipBlockMatchesPods=false"],
    flows: { "shop/db -> blog/app tcp 80": denyOut, "shop/db -> 8.8.8.8 tcp 80": "accept" },
  },
  {
    name: "T-42: the pod's port counts, not the Service's",
    documents: policies("podSelector: { matchLabels: { app: web } }", [
      "policyTypes: [Egress]\negress:\n  - to: [{ podSelector: { matchLabels: { app: db } } }]\n    ports: [{ port: 80 }]",
    ]),
    flows: { "shop/web -> shop/db tcp 8080 via service": denyOut, "shop/web -> shop/db tcp 80 via service": "accept" },
  },
  {
    name: "T-44: the own node reaches an isolated pod, in both families",
    documents: everyone("policyTypes: [Ingress]"),
    flows: {
      "172.18.0.2 -> shop/db tcp 8080": "accept",
      "fd18::2 -> fd00::2 tcp 8080": "accept",
      "172.18.0.3 -> shop/db tcp 8080": deny,
    },
  },
  {
    name: "T-45: a pod on the host's network makes its node no subject",
    documents: everyone("policyTypes: [Ingress, Egress]"),
    flows: { "172.18.0.2 -> 8.8.8.8 tcp 443": "accept", "8.8.8.8 -> 172.18.0.2 tcp 22": "accept" },
  },
  {
    name: "T-46: an address is its living pod's",
    documents: db("ingress:\n  - from: [{ podSelector: { matchLabels: { app: heir } } }]"),
    flows: { "10.1.1.7 -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-46: and not the ended one's",
    documents: db("ingress:\n  - from: [{ podSelector: { matchLabels: { app: web } } }]"),
    flows: { "10.1.1.7 -> shop/db tcp 80": deny },
  },
  {
    name: "T-47: a terminating pod is still there",
    documents: db("ingress:\n  - from: [{ podSelector: { matchLabels: { app: leaving } } }]"),
    flows: { "shop/leaving -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-50: a pod reaches itself, through a Service too, and not its sibling",
    documents: everyone("policyTypes: [Ingress, Egress]"),
    flows: {
      "shop/db -> shop/db tcp 80 via service": "accept",
      "shop/db -> shop/db tcp 80": "accept",
      "shop/db -> shop/web tcp 80 via service": denyOut,
    },
  },
  {
    name: "T-54: ping6 of a stranger is judged, neighbour discovery isn't",
    documents: everyone("policyTypes: [Ingress]"),
    flows: { "fd00:1::1 -> fd00::2 icmpv6 128": deny, "fd00:1::1 -> fd00::2 icmpv6 135": "accept" },
  },
  {
    name: "T-56: a fragment without a header meets the rules without ports",
    documents: db("ingress:\n  - from: [{ podSelector: {} }]\n  - ports: [{ port: 80 }]"),
    flows: {
      "shop/web -> shop/db icmp 8 fragment": "accept",
      "blog/app -> shop/db icmp 8 fragment": deny,
      "blog/app -> shop/db tcp 80 fragment": deny,
    },
  },
  {
    name: "T-74: SCTP with a port",
    documents: db("ingress:\n  - ports: [{ port: 1234, protocol: SCTP }]"),
    flows: { "shop/web -> shop/db sctp 1234": "accept", "shop/web -> shop/db tcp 1234": deny },
  },
  {
    name: "T-76: a number in quotes is no port",
    documents: db('ingress:\n  - ports: [{ port: "80" }, { port: 81 }]'),
    flows: { "shop/web -> shop/db tcp 80": deny, "shop/web -> shop/db tcp 81": "accept" },
  },
];

describe("traps of NetworkPolicy", () => {
  test.each(traps)("$name", (trap) => {
    expect(verdictsOf(trap)).toEqual(trap.flows);
  });

  test("T-37: instance metadata can be denied to a pod, although EC2 exempts it", () => {
    const aws = [
      {
        NetworkInterfaces: [
          {
            NetworkInterfaceId: "eni-1",
            VpcId: "vpc-1",
            SubnetId: "subnet-1",
            Groups: [{ GroupId: "sg-1" }],
            PrivateIpAddresses: [{ PrivateIpAddress: "10.0.0.2" }],
          },
        ],
      },
      { SecurityGroups: [{ GroupId: "sg-1", VpcId: "vpc-1", IpPermissions: [], IpPermissionsEgress: [] }] },
    ];
    const pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "shop", name: "db" },
      status: { phase: "Running", podIP: "10.0.0.2" },
    };
    const policy = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace: "shop", name: "no-metadata" },
      spec: {
        policyTypes: ["Egress"],
        egress: [{ to: [{ ipBlock: { cidr: "0.0.0.0/0", except: ["169.254.169.254/32"] } }] }],
      },
    };
    expect(engineOf([...aws, pod]).ask("shop/db -> 169.254.169.254 tcp 80")).toBe("accept");
    expect(engineOf([...aws, pod, policy]).ask("shop/db -> 169.254.169.254 tcp 80")).toBe(denyOut);
    // What the policy lets pass is EC2's to judge.
    expect(engineOf([...aws, pod, policy]).ask("shop/db -> 8.8.8.8 tcp 80")).toBe("deny sg egress no-rule-matches");
  });

  test("T-52: a peer that loses its label is out of the live flow's rule at the next judgement", () => {
    const yaml = db("ingress:\n  - from: [{ podSelector: { matchLabels: { app: web } } }]");
    expect(engineOf(yaml).ask("shop/web -> shop/db tcp 80")).toBe("accept");
    const relabelled = engineOf(yaml.replace("name: web, labels: { app: web }", "name: web, labels: { app: other }"));
    const memory = { isK8sHeld: true };
    expect(relabelled.decide("shop/web -> shop/db tcp 80", memory).isFlowAccepted).toBe(false);
  });

  test("T-53: an ICMP error about an accepted flow of an isolated pod passes", () => {
    const engine = engineOf(db("policyTypes: [Ingress, Egress]"));
    expect(engine.ask("192.0.2.1 -> shop/db icmp 3/4")).toBe(deny);
    expect(engine.ask("192.0.2.1 -> shop/db icmp 3/4 related")).toBe("accept");
  });

  test("T-71: names that collide when they are joined stay apart", () => {
    const pod = (namespace: string, name: string, podIP: string) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace, name },
      status: { phase: "Running", podIP },
    });
    const closed = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace: "a-b", name: "c" },
      spec: { policyTypes: ["Ingress"] },
    };
    const open = {
      ...closed,
      metadata: { namespace: "a", name: "b-c" },
      spec: { policyTypes: ["Ingress"], ingress: [{}] },
    };
    const engine = engineOf([pod("a-b", "c", "10.0.0.1"), pod("a", "b-c", "10.0.0.2"), closed, open]);
    expect(engine.ask("8.8.8.8 -> a-b/c tcp 80")).toBe(deny);
    expect(engine.ask("8.8.8.8 -> a/b-c tcp 80")).toBe("accept");
  });

  test("T-75: the second SYN of a denied connection is denied like the first", () => {
    const engine = engineOf(db("policyTypes: [Ingress]"));
    const [first, second] = [1, 2].map(() => engine.decide("shop/web -> shop/db tcp 80"));
    expect(first?.isFlowAccepted).toBe(false);
    expect(second).toEqual(first);
    // As the kernel shows it when tracking knows the first: in the middle of a flow, after the time of adoption.
    expect(engine.ask("shop/web -> shop/db tcp 80 midstream")).toBe(deny);
  });

  test("T-77: a job made again with labels that exempt it is no subject any more", () => {
    const job = (app: string) => ({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "shop", name: "job", labels: { app } },
      status: { phase: "Running", podIP: "10.0.0.1" },
    });
    const policy = {
      apiVersion: "networking.k8s.io/v1",
      kind: "NetworkPolicy",
      metadata: { namespace: "shop", name: "jobs" },
      spec: { podSelector: { matchLabels: { app: "job" } }, policyTypes: ["Egress"] },
    };
    expect(engineOf([job("job"), policy]).ask("shop/job -> 8.8.8.8 tcp 443")).toBe(denyOut);
    expect(engineOf([job("exempt"), policy]).ask("shop/job -> 8.8.8.8 tcp 443")).toBe("accept");
  });
});
