/** Lint rules about Kubernetes policies: rows that they warn about, and rows next to those that they don't. */
import { describe, expect, test } from "vitest";
import { egressWithoutDns } from "../../../src/engine/lint/egress-without-dns.ts";
import { hostNetworkPod } from "../../../src/engine/lint/host-network-pod.ts";
import { ipBlockCoversPods } from "../../../src/engine/lint/ip-block-covers-pods.ts";
import { peerSelectsNothing } from "../../../src/engine/lint/peer-selects-nothing.ts";
import { policySelectsNothing } from "../../../src/engine/lint/policy-selects-nothing.ts";
import type { LintRule } from "../../../src/engine/lint/rule.ts";
import { undefinedNamedPort } from "../../../src/engine/lint/undefined-named-port.ts";
import { unknownNamespace } from "../../../src/engine/lint/unknown-namespace.ts";
import { run } from "./rules.ts";

interface PodRow {
  readonly ports?: readonly object[];
  readonly hostNetwork?: boolean;
}

function pod(name: string, podIP: string, { ports = [], hostNetwork = false }: PodRow = {}): object {
  const [namespace, own] = name.split("/");
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name: own, labels: { app: own } },
    spec: { hostNetwork, nodeName: "node-1", containers: [{ name: "main", ports }] },
    status: { phase: "Running", podIP, podIPs: [{ ip: podIP }] },
  };
}

function policy(spec: object, namespace = "shop"): object {
  return { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { namespace, name: "p" }, spec };
}

function admin(subject: object, rules: object): object {
  return {
    apiVersion: "policy.networking.k8s.io/v1alpha1",
    kind: "AdminNetworkPolicy",
    metadata: { name: "guard" },
    spec: { priority: 5, subject, ...rules },
  };
}

const app = (name: string) => ({ podSelector: { matchLabels: { app: name } } });
const named = (name: string) => ({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": name } } });
const web = pod("shop/web", "10.1.0.4", { ports: [{ name: "http", containerPort: 80 }] });
const db = pod("shop/db", "10.1.0.5", { ports: [{ name: "sql", containerPort: 5432 }] });

/** Name, documents, and the beginning of each finding. */
type Row = readonly [string, readonly unknown[], readonly string[]];

function check(title: string, rule: LintRule, rows: readonly Row[]): void {
  describe(title, () => {
    test.each(rows)("%s", (_, documents, expected) => {
      const found = run(rule, documents);
      expect(found.map((text, i) => text.slice(0, (expected[i] ?? text).length))).toEqual(expected);
    });
  });
}

check("NP-1, AN-20: policies that select nothing", policySelectsNothing, [
  [
    "a label that no pod has",
    [web, policy(app("wbe"))],
    [
      "policy-selects-nothing NP-1: NetworkPolicy shop/p: spec.podSelector: no pod has app=wbe in namespace shop, so that",
    ],
  ],
  ["the pod is in another namespace", [web, policy(app("web"), "default")], ["policy-selects-nothing NP-1"]],
  ["it selects", [web, policy(app("web"))], []],
  ["a whole namespace", [web, policy({ podSelector: {} }, "later")], []],
  ["no pods in the input", [policy(app("web"))], []],
  [
    "AN-20: an admin policy of nobody",
    [web, admin({ namespaces: { matchLabels: { team: "x" } } }, {})],
    ["policy-selects-nothing AN-20: AdminNetworkPolicy guard: spec.subject"],
  ],
  ["AN-20: of everybody", [web, admin({ namespaces: {} }, {})], []],
]);

check("NP-38: peers that select nothing", peerSelectsNothing, [
  [
    "NP-30: a podSelector alone means the policy's own namespace",
    [web, pod("mon/prom", "10.1.0.9"), policy({ ...app("web"), ingress: [{ from: [app("prom")] }] })],
    [
      "peer-selects-nothing NP-38: NetworkPolicy shop/p: spec.ingress[0].from[0]: no pod is app=prom in namespace shop, so that the peer lets nobody through (a podSelector alone means pods of shop",
    ],
  ],
  ["a peer that is there", [web, db, policy({ ...app("db"), ingress: [{ from: [app("web")] }] })], []],
  [
    "NP-32: both in one element",
    [web, pod("mon/prom", "10.1.0.9"), policy({ ingress: [{ from: [{ ...named("mon"), ...app("prom") }] }] })],
    [],
  ],
  ["NP-33: everybody", [web, policy({ ingress: [{ from: [{ podSelector: {} }] }] }, "later")], []],
  ["an unknown namespace is another finding", [web, policy({ ingress: [{ from: [named("mno")] }] })], []],
]);

check("NP-25: namespaces that aren't there", unknownNamespace, [
  [
    "in a selector",
    [web, policy({ egress: [{ to: [{ ...named("mno"), ...app("prom") }] }] })],
    [
      "unknown-namespace NP-25: NetworkPolicy shop/p: spec.egress[0].to[0].namespaceSelector: there is no namespace mno in the input",
    ],
  ],
  ["the policy's own comes with the inventory", [web, policy({}, "shpo")], []],
  [
    "an admin policy's",
    [web, admin(named("mno") && { namespaces: named("mno").namespaceSelector }, {})],
    ["unknown-namespace NP-25: AdminNetworkPolicy guard: spec.subject"],
  ],
  ["a pod's namespace is known", [web, policy({ ingress: [{ from: [named("shop")] }] })], []],
  ["other labels", [web, policy({ ingress: [{ from: [{ namespaceSelector: { matchLabels: { a: "b" } } }] }] })], []],
  ["nothing but policies", [policy({ ingress: [{ from: [named("mno")] }] })], []],
]);

check("NP-47: named ports that nobody has", undefinedNamedPort, [
  [
    "ingress: a port of another pod doesn't count",
    [web, db, policy({ ...app("web"), ingress: [{ ports: [{ port: "sql" }] }] })],
    [
      "undefined-named-port NP-47: NetworkPolicy shop/p: spec.ingress[0].ports[0].port: no container port of the policy's pods is named sql, so that",
    ],
  ],
  [
    "another protocol",
    [web, policy({ ...app("web"), ingress: [{ ports: [{ port: "http", protocol: "UDP" }] }] })],
    [
      "undefined-named-port NP-47: NetworkPolicy shop/p: spec.ingress[0].ports[0].port: no container port of the policy's pods is named http with udp (it is tcp)",
    ],
  ],
  ["its own", [web, policy({ ...app("web"), ingress: [{ ports: [{ port: "http" }] }] })], []],
  ["egress: a port of any pod", [web, db, policy({ ...app("web"), egress: [{ ports: [{ port: "sql" }] }] })], []],
  [
    "AN-42",
    [
      web,
      admin(
        { namespaces: {} },
        { ingress: [{ action: "Deny", from: [{ namespaces: {} }], ports: [{ namedPort: "x" }] }] },
      ),
    ],
    ["undefined-named-port AN-42: AdminNetworkPolicy guard: spec.ingress[0]: no container port of any pod is named x"],
  ],
]);

const block = (cidr: string, except: readonly string[] = []) =>
  policy({ egress: [{ to: [{ ipBlock: { cidr, except } }] }] });
check("NP-37: ipBlocks that hold pods", ipBlockCoversPods, [
  [
    "the pods' range",
    [web, db, block("10.1.0.0/16")],
    [
      "ip-block-covers-pods NP-37: NetworkPolicy shop/p: spec.egress[0].to[0].ipBlock: 10.1.0.0/16 holds addresses of pods (shop/db, shop/web); ",
    ],
  ],
  ["except them", [web, block("10.0.0.0/8", ["10.1.0.0/16"])], []],
  ["outside of the cluster", [web, block("192.0.2.0/24")], []],
  ["everything is everything", [web, block("0.0.0.0/0")], []],
]);

check("NP-59: hostNetwork pods", hostNetworkPod, [
  [
    "T-45: selected in vain",
    [pod("shop/agent", "10.0.0.1", { hostNetwork: true }), web, policy({ podSelector: {} })],
    [
      "host-network-pod NP-59: NetworkPolicy shop/p: spec.podSelector: agent uses the host's network, so that the policy doesn't restrict it",
    ],
  ],
  ["another label", [pod("shop/agent", "10.0.0.1", { hostNetwork: true }), web, policy(app("web"))], []],
  ["another namespace", [pod("sys/agent", "10.0.0.1", { hostNetwork: true }), policy({ podSelector: {} })], []],
]);

const egress = (...rules: object[]) => ({ policyTypes: ["Egress"], egress: rules });
const dns = { ports: [{ port: 53, protocol: "UDP" }] };
const second = (spec: object) => ({ ...policy(spec), metadata: { namespace: "shop", name: "second" } });
check("NP-4: egress without DNS", egressWithoutDns, [
  [
    "one port, and not 53",
    [web, db, policy({ ...app("web"), ...egress({ to: [app("db")], ports: [{ port: 5432 }] }) })],
    [
      "egress-without-dns NP-4: NetworkPolicy shop/p: spec.egress: egress of web is restricted and no rule allows port 53 to anybody, so that names don't resolve; add an egress rule",
    ],
  ],
  ["without pods in the input", [policy(egress({ ports: [{ port: 443 }] }))], ["egress-without-dns NP-4"]],
  ["port 53", [web, policy(egress({ ports: [{ port: 443 }] }, dns))], []],
  ["a range around it", [web, policy(egress({ ports: [{ port: 1, endPort: 1024, protocol: "UDP" }] }))], []],
  ["all ports", [web, db, policy(egress({ to: [app("db")] }))], []],
  [
    "NP-5: another policy of the pod allows it",
    [web, policy(egress({ ports: [{ port: 443 }] })), second(egress(dns))],
    [],
  ],
  [
    "NP-5: another policy, not of this pod",
    [
      web,
      db,
      policy({ ...app("web"), ...egress({ ports: [{ port: 443 }] }) }),
      second({ ...app("db"), ...egress(dns) }),
    ],
    ["egress-without-dns NP-4: NetworkPolicy shop/p"],
  ],
  ["a full stop is deliberate", [web, policy({ policyTypes: ["Egress"] })], []],
  ["ingress alone", [web, policy({ ingress: [{ ports: [{ port: 80 }] }] })], []],
  [
    "AN-4: an admin policy accepts it first",
    [
      web,
      policy(egress({ ports: [{ port: 443 }] })),
      admin(
        { namespaces: {} },
        {
          egress: [
            { action: "Allow", to: [{ namespaces: {} }], ports: [{ portNumber: { protocol: "UDP", port: 53 } }] },
          ],
        },
      ),
    ],
    [],
  ],
]);
