import { describe, expect, test } from "vitest";
import { indexPodNames } from "../../../src/model/pod-names.ts";
import { formatAddress } from "../../../src/net/address.ts";
import { convertKubernetesDocument } from "../../../src/sources/kubernetes/convert.ts";
import { anp, banp, cnp, label, namespace, node, pod, policy } from "../../evaluators/kubernetes/cluster.ts";
import { inventoryOfDocuments, inventoryOfObjects } from "../../evaluators/kubernetes/stage.ts";

const fail = (): never => {
  throw new Error("a finding");
};
/** `severity code rule path`, without the file. */
const findingsOf = (objects: readonly unknown[]): string[] =>
  inventoryOfObjects(objects).findings.map((f) => `${f.severity} ${f.code} ${f.rule} ${f.path}`);
const podsOf = (objects: readonly unknown[]) =>
  inventoryOfObjects(objects).kubernetes.pods.map(
    (p) => `${p.kind} ${p.namespace}/${p.name} ${p.addresses.map(formatAddress).join(",")}`,
  );

describe("which documents are ours", () => {
  const rows: readonly (readonly [name: string, document: unknown, parts: number | null])[] = [
    ["text", "kind: Pod", null],
    ["null", null, null],
    ["a list", [{ kind: "Pod" }], null],
    ["what AWS prints", { Vpcs: [] }, null],
    ["an object with a kind that is no text", { apiVersion: "v1", kind: 5 }, null],
    ["a kind that nobody knows, without a version", { kind: "Thing" }, null],
    ["a pod", pod("a/b"), 1],
    ["another kind, skipped silently", { apiVersion: "v1", kind: "ConfigMap", metadata: {} }, 0],
    ["a kind named like a property of objects", { apiVersion: "v1", kind: "constructor" }, 0],
    ["AN-64: the kind of another group", { ...policy("a/b", {}), apiVersion: "crd.projectcalico.org/v1" }, 0],
    ["AN-64: a Pod of another group", { ...pod("a/b"), apiVersion: "metrics.k8s.io/v1beta1" }, 0],
    ["an old group", { ...policy("a/b", {}), apiVersion: "extensions/v1beta1" }, 1],
    ["a List of several kinds", { apiVersion: "v1", kind: "List", items: [pod("a/b"), policy("a/b", {})] }, 2],
    ["an empty List", { apiVersion: "v1", kind: "List", items: [] }, 0],
    ["a List without items", { apiVersion: "v1", kind: "PodList", items: null }, 0],
    [
      "a typed list whose items leave out their kind",
      { apiVersion: "v1", kind: "PodList", items: [{ metadata: { name: "b" } }] },
      1,
    ],
    [
      "a typed list of a kind that isn't ours",
      { apiVersion: "v1", kind: "EventList", items: [{ metadata: { name: "b" } }] },
      0,
    ],
    [
      "a list in a list",
      { apiVersion: "v1", kind: "List", items: [{ apiVersion: "v1", kind: "List", items: [pod("a/b")] }] },
      1,
    ],
  ];
  for (const [name, document, expected] of rows) {
    test(name, () => {
      const parts = convertKubernetesDocument(document, "f", fail);
      expect(parts && Object.values(parts).flat().length).toBe(expected);
    });
  }

  describe("AN-64: what is almost ours is left out with an error, what is somebody else's silently", () => {
    const np = policy("a/b", {});
    const cases: readonly (readonly [name: string, object: object, findings: readonly string[]])[] = [
      ["another case", { ...np, kind: "networkpolicy" }, ["unknown-kind networkpolicy a/b: kind: NetworkPolicy"]],
      ["a letter less", { ...np, kind: "NetworkPolicie" }, ["unknown-kind NetworkPolicie a/b: kind: NetworkPolicy"]],
      [
        "and no version",
        { ...np, kind: "networkpolicy", apiVersion: undefined },
        ["unknown-kind networkpolicy a/b: kind: NetworkPolicy"],
      ],
      ["a list's", { apiVersion: "v1", kind: "podlist", items: [pod("a/b")] }, ["unknown-kind podlist: kind: PodList"]],
      [
        "the list of all kinds",
        { apiVersion: "v1", kind: "list", items: [pod("a/b")] },
        ["unknown-kind list: kind: List"],
      ],
      [
        "a misspelt group",
        { ...np, apiVersion: "netwrking.k8s.io/v1" },
        ["unknown-api-version NetworkPolicy a/b: apiVersion: networking.k8s.io/v1"],
      ],
      [
        "a group of ours",
        { ...np, apiVersion: "apps/v1" },
        ["unknown-api-version NetworkPolicy a/b: apiVersion: networking.k8s.io/v1"],
      ],
      [
        "no group",
        { ...np, apiVersion: "v1" },
        ["unknown-api-version NetworkPolicy a/b: apiVersion: networking.k8s.io/v1"],
      ],
      ["a pod with one", { ...pod("a/b"), apiVersion: "apps/v1" }, ["unknown-api-version Pod a/b: apiVersion: v1"]],
      [
        "both misspelt",
        { ...np, kind: "NetworkPolcy", apiVersion: "netwrking.k8s.io/v1" },
        ["unknown-kind NetworkPolcy a/b: kind: NetworkPolicy"],
      ],
      [
        "in a list",
        { apiVersion: "v1", kind: "List", items: [{ ...np, kind: "networkpolicy" }] },
        ["unknown-kind networkpolicy a/b: kind: NetworkPolicy"],
      ],
      ["Calico's policy", { ...np, apiVersion: "projectcalico.org/v3" }, []],
      ["Calico's policy as Kubernetes keeps it", { ...np, apiVersion: "crd.projectcalico.org/v1" }, []],
      ["Cilium's", { ...np, kind: "CiliumNetworkPolicy", apiVersion: "cilium.io/v2" }, []],
      [
        "a near kind of another group",
        { apiVersion: "stable.example.com/v1", kind: "CronTab", metadata: { name: "b" } },
        [],
      ],
      ["an Ingress", { apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name: "b" } }, []],
      ["a Role", { apiVersion: "rbac.authorization.k8s.io/v1", kind: "Role", metadata: { name: "b" } }, []],
    ];
    for (const [name, object, expected] of cases) {
      test(name, () => {
        const { findings, kubernetes } = inventoryOfObjects([object]);
        expect(kubernetes.networkPolicies).toEqual([]);
        expect(
          findings.map(
            (f) =>
              `${f.code} ${f.path}: ${f.severity === "error" && f.message.split("; write apiVersion: ").pop()?.split("; write kind: ").pop()}`,
          ),
        ).toEqual(expected);
      });
    }
  });

  describe("NP-1, NP-12: namespaces that nobody is in", () => {
    const homeless = { ...policy("default/b", {}), metadata: { name: "b" } };
    const cases: readonly (readonly [name: string, objects: readonly object[], findings: readonly string[]])[] = [
      [
        "without pods and Namespace",
        [pod("a/x"), policy("b/p", {})],
        ["warning unknown-namespace NP-1 NetworkPolicy b/p: metadata.namespace"],
      ],
      ["with a pod", [pod("b/x"), policy("b/p", {})], []],
      ["with a Namespace", [namespace("b", {}), policy("b/p", {})], []],
      ["policies alone are an excerpt", [policy("b/p", {})], []],
      [
        "none written is default",
        [pod("default/x"), homeless],
        ["warning missing-namespace NP-12 NetworkPolicy default/b: metadata.namespace"],
      ],
    ];
    for (const [name, objects, expected] of cases) {
      test(name, () => expect(findingsOf(objects)).toEqual(expected));
    }
  });

  test("a list that holds itself ends in a finding", () => {
    const list: Record<string, unknown> = { apiVersion: "v1", kind: "List" };
    list.items = [list];
    expect(findingsOf([list])).toEqual(["error bad-list null List: items"]);
  });
});

describe("findings name the place, the rule and the remedy", () => {
  const np = (spec: unknown) => policy("shop/p", spec);
  const at = "NetworkPolicy shop/p: spec";
  const rule = (element: object) => np({ ingress: [element] });
  const admin = (element: object) =>
    anp("a", 1, { ingress: [{ action: "Allow", from: [{ namespaces: {} }], ...element }] });
  const rows: readonly (readonly [name: string, objects: readonly unknown[], findings: readonly string[]])[] = [
    [
      "a good policy has none",
      [np({ podSelector: {}, policyTypes: ["Ingress"], ingress: [{ from: [{ podSelector: {} }] }] })],
      [],
    ],
    [
      "NP-42",
      [rule({ ports: [{}, { port: 70000 }] })],
      [`error port-out-of-range NP-42 ${at}.ingress[0].ports[1].port`],
    ],
    [
      "NP-42: endPort",
      [rule({ ports: [{ port: 9, endPort: 8 }] })],
      [`error bad-port-range NP-42 ${at}.ingress[0].ports[0].endPort`],
    ],
    ["NP-45", [rule({ ports: [{ port: "80" }] })], [`error bad-port-name NP-45 ${at}.ingress[0].ports[0].port`]],
    [
      "NP-40",
      [rule({ ports: [{ protocol: "tcp" }] })],
      [`error unknown-protocol NP-40 ${at}.ingress[0].ports[0].protocol`],
    ],
    [
      "NP-34",
      [rule({ from: [{ ipBlock: { cidr: "10.0.0.0" } }] })],
      [`error bad-cidr NP-34 ${at}.ingress[0].from[0].ipBlock.cidr`],
    ],
    [
      "NP-36",
      [rule({ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/9", "11.0.0.0/9"] } }] })],
      [`error except-outside-cidr NP-36 ${at}.ingress[0].from[0].ipBlock.except[1]`],
    ],
    [
      "NP-36: as large as the block",
      [rule({ from: [{ ipBlock: { cidr: "10.0.0.0/8", except: ["10.0.0.0/8"] } }] })],
      [`error except-outside-cidr NP-36 ${at}.ingress[0].from[0].ipBlock.except[0]`],
    ],
    ["NP-34: empty", [rule({ from: [{}] })], [`error empty-peer NP-34 ${at}.ingress[0].from[0]`]],
    [
      "NP-22",
      [np({ podSelector: { matchExpressions: [{ key: "a", operator: "in", values: ["b"] }] } })],
      [`error unknown-operator NP-22 ${at}.podSelector.matchExpressions[0].operator`],
    ],
    [
      "NP-23: a selector's value",
      [np({ podSelector: { matchLabels: { a: true } } })],
      [`error label-not-a-string NP-23 ${at}.podSelector.matchLabels.a`],
    ],
    [
      "NP-23 AN-64: a pod's label",
      [pod("a/b", { labels: { x: 1, y: "1" } })],
      ["error label-not-a-string NP-23 Pod a/b: metadata.labels.x"],
    ],
    [
      "NP-12: policyTypes",
      [np({ policyTypes: ["Ingress", "Both"] })],
      [`error unknown-policy-type NP-12 ${at}.policyTypes[1]`],
    ],
    [
      "AN-64: wrong types",
      [np({ ingress: 5, egress: [7] })],
      [`error wrong-type AN-64 ${at}.ingress`, `error wrong-type AN-64 ${at}.egress[0]`],
    ],
    ["a misspelt field of the spec", [np({ ingres: [] })], [`error unknown-field NP-12 ${at}.ingres`]],
    ["a misspelt field of a rule", [rule({ form: [] })], [`error unknown-field NP-12 ${at}.ingress[0].form`]],
    ["no name", [{ ...np({}), metadata: {} }], ["error missing-name NP-12 NetworkPolicy: metadata.name"]],
    [
      "a number for a name",
      [{ ...np({}), metadata: { name: 5 } }],
      ["error missing-name NP-12 NetworkPolicy: metadata.name"],
    ],
    [
      "a number for a namespace",
      [{ ...np({}), metadata: { name: "p", namespace: 5 } }],
      ["error wrong-type NP-12 NetworkPolicy default/p: metadata.namespace"],
    ],
    [
      "no apiVersion",
      [{ kind: "Namespace", metadata: { name: "n" } }],
      ["error missing-api-version null Namespace n: apiVersion"],
    ],
    [
      "an item that is no object",
      [{ apiVersion: "v1", kind: "List", items: [5] }],
      ["error bad-item null List: items[0]"],
    ],
    ["a bad pod address", [pod("a/b", { ips: ["10.0.0.256"] })], ["error bad-address NP-53 Pod a/b: status.podIPs[0]"]],
    [
      "NP-53: a second address of a family",
      [pod("a/b", { ips: ["10.0.0.1", "10.0.0.2"] })],
      ["warning second-address NP-53 Pod a/b: status.podIPs[1]"],
    ],
    [
      "a bad container port",
      [pod("a/b", { ports: [{ name: "x", containerPort: 0 }] })],
      ["error bad-container-port NP-43 Pod a/b: spec.containers[0].ports[0]"],
    ],
    [
      "NP-59: text for hostNetwork",
      [pod("a/b", { spec: { hostNetwork: "true" } })],
      ["error wrong-type NP-59 Pod a/b: spec.hostNetwork"],
    ],
    ["a bad node address", [node("n", {}, "x")], ["error bad-address AN-24 Node n: status.addresses[0]"]],
    ["AN-20", [anp("a", 1, { subject: {} })], ["error bad-subject AN-20 AdminNetworkPolicy a: spec.subject"]],
    ["AN-20: tier", [cnp("c", "x", 1, {})], ["error unknown-tier AN-20 ClusterNetworkPolicy c: spec.tier"]],
    [
      "AN-11",
      [banp("other", {})],
      ["error baseline-not-default AN-11 BaselineAdminNetworkPolicy other: metadata.name"],
    ],
    ["AN-63", [anp("a", -1, {})], ["error bad-priority AN-63 AdminNetworkPolicy a: spec.priority"]],
    [
      "AN-63: action",
      [admin({ action: "Permit" })],
      [
        "error unknown-action AN-63 AdminNetworkPolicy a: spec.ingress[0].action",
        "error invalid-rule AN-27 AdminNetworkPolicy a: spec.ingress[0]",
      ],
    ],
    [
      "AN-26",
      [admin({ from: [] })],
      [
        "error no-peers AN-26 AdminNetworkPolicy a: spec.ingress[0].from",
        "error invalid-rule AN-27 AdminNetworkPolicy a: spec.ingress[0]",
      ],
    ],
    [
      "AN-27",
      [admin({ from: [{ x: {} }] })],
      [
        "error unknown-field AN-27 AdminNetworkPolicy a: spec.ingress[0].from[0].x",
        "error bad-peer AN-27 AdminNetworkPolicy a: spec.ingress[0].from[0]",
        "error invalid-rule AN-27 AdminNetworkPolicy a: spec.ingress[0]",
      ],
    ],
    ["AN-30", [anp("a", 1, { egress: [{ action: "Allow", to: [{ domainNames: ["x.org"] }] }] })], []],
    [
      "AN-50: rules",
      [cnp("c", "Admin", 1, { ingress: Array(26).fill({ action: "Deny", from: [{ namespaces: {} }] }) })],
      ["error over-limit AN-50 ClusterNetworkPolicy c: spec.ingress"],
    ],
    [
      "AN-50: a rule's name",
      [admin({ name: "n".repeat(101) })],
      ["error over-limit AN-50 AdminNetworkPolicy a: spec.ingress[0].name"],
    ],
  ];
  for (const [name, objects, expected] of rows) {
    test(name, () => {
      expect(findingsOf(objects)).toEqual(expected);
      for (const { message } of inventoryOfObjects(objects).findings) expect(message.length).toBeGreaterThan(20);
    });
  }

  describe("NP-1, NP-12: a selector that nobody understands is everybody's, and the finding says what that means", () => {
    const open = { ingress: [{}] };
    const everybody = "the policy now covers every pod of namespace shop, and";
    const cases: readonly (readonly [name: string, policy: object, path: string, message: string])[] = [
      [
        "a misspelt podSelector",
        np({ podSelectr: { matchLabels: { app: "db" } }, ...open }),
        "spec.podSelectr",
        `no such field, so ${everybody} its rules allow traffic to all of them; write podSelector`,
      ],
      [
        "beside one that is none",
        np({ podselector: {}, podSelector: { matchLabels: { app: "db" } }, ...open }),
        "spec.podselector",
        "no such field, so what it says is left out; write podSelector",
      ],
      [
        "a misspelt matchLabels",
        np({ podSelector: { matchLables: { app: "db" } }, ...open }),
        "spec.podSelector.matchLables",
        `no such field here, so this element is invalid; write matchLabels. The${everybody.slice(3)} its rules allow traffic to all of them`,
      ],
      [
        "no selector at all, and no rules",
        np({ podSelector: "app=db", policyTypes: ["Ingress", "Egress"] }),
        "spec.podSelector",
        `"app=db" where an object belongs, so it can't be read; write an object. The${everybody.slice(3)} nothing may reach them, and they may reach nothing`,
      ],
      [
        "a requirement without a key, in a policy for egress",
        np({ podSelector: { matchExpressions: [{ operator: "Exists" }] }, policyTypes: ["Egress"], egress: [{}] }),
        "spec.podSelector.matchExpressions[0].key",
        `a requirement needs a key; name a label. The${everybody.slice(3)} its rules allow traffic from all of them`,
      ],
      [
        "a misspelt spec",
        { ...np({}), spec: undefined, sepc: { podSelector: {} } },
        "sepc",
        `no such field, so ${everybody} nothing may reach them; write spec`,
      ],
      [
        "no spec",
        np(5),
        "spec",
        "5 where an object belongs, so every pod of namespace shop is isolated in both directions; write an object",
      ],
    ];
    for (const [name, object, path, message] of cases) {
      test(name, () => {
        expect(inventoryOfObjects([object]).findings).toMatchObject([
          { severity: "error", path: `NetworkPolicy shop/p: ${path}`, message },
        ]);
      });
    }
  });

  describe("AN-3: equal priorities that can meet, once for each pair", () => {
    const deny = { ingress: [{ action: "Deny", from: [{ namespaces: {} }] }] };
    const out = { egress: [{ action: "Deny", to: [{ namespaces: {} }] }] };
    const inTeam = (team: string) => ({ namespaces: label(`team=${team}`) });
    const warning = (name: string) => `warning equal-priority AN-3 ${name}: spec.priority`;
    const cases: readonly (readonly [name: string, objects: readonly unknown[], findings: readonly string[]])[] = [
      [
        "three of them",
        [anp("a", 1, deny), anp("b", 1, deny), anp("c", 1, deny)],
        ["b", "c", "c"].map((n) => warning(`AdminNetworkPolicy ${n}`)),
      ],
      ["of both versions", [anp("a", 1, deny), cnp("b", "Admin", 1, deny)], [warning("ClusterNetworkPolicy b")]],
      ["in two tiers", [anp("a", 1, deny), cnp("b", "Baseline", 1, deny)], []],
      ["in two directions", [anp("a", 1, deny), anp("b", 1, out)], []],
      [
        "with subjects that can't meet",
        [anp("a", 1, { subject: inTeam("x"), ...deny }), anp("b", 1, { subject: inTeam("y"), ...deny })],
        [],
      ],
    ];
    for (const [name, objects, expected] of cases) test(name, () => expect(findingsOf(objects)).toEqual(expected));
  });
});

describe("pods and their addresses", () => {
  test("NP-53: podIPs, or podIP where there are none; mapped and repeated addresses are one", () => {
    expect(
      podsOf([
        pod("a/both", { ips: ["10.0.0.1", "fd00::1"], status: { podIP: "10.9.9.9" } }),
        pod("a/single", { status: { podIP: "10.0.0.2" } }),
        pod("a/twice", { ips: ["10.0.0.3", "::ffff:10.0.0.3"] }),
      ]),
    ).toEqual(["Pod a/both 10.0.0.1,fd00::1", "Pod a/single 10.0.0.2", "Pod a/twice 10.0.0.3"]);
  });

  test("NP-60 NP-63: an ended pod has no address, one that waits for its own has a number", () => {
    expect(
      podsOf([
        pod("b/waits", { status: { phase: "Pending" } }),
        pod("a/failed", { ips: ["10.0.0.1"], status: { phase: "Failed" } }),
        pod("a/succeeded", { ips: ["10.0.0.1"], status: { phase: "Succeeded" } }),
        pod("a/waits", { status: { phase: "Pending" } }),
      ]),
    ).toEqual(["Pod a/failed ", "Pod a/succeeded ", "Pod a/waits none#0", "Pod b/waits none#1"]);
  });

  test("NP-66: the loser keeps its other address, or a number", () => {
    const old = { creationTimestamp: "2026-01-01T00:00:00Z" };
    const objects = [
      pod("a/old", { ips: ["10.0.0.1", "fd00::1"], metadata: old }),
      pod("a/older", { ips: ["10.0.0.1"], metadata: { creationTimestamp: "2025-01-01T00:00:00Z" } }),
      pod("a/new", { ips: ["10.0.0.1"], metadata: { creationTimestamp: new Date("2026-02-01T00:00:00Z") } }),
      pod("a/pending", {
        ips: ["10.0.0.1"],
        metadata: { creationTimestamp: "2027-01-01T00:00:00Z" },
        status: { phase: "Pending" },
      }),
    ];
    expect(podsOf(objects)).toEqual([
      "Pod a/new 10.0.0.1",
      "Pod a/old fd00::1",
      "Pod a/older none#0",
      "Pod a/pending none#1",
    ]);
    expect(findingsOf(objects)).toEqual(
      ["old", "older", "pending"].map((n) => `warning shared-address NP-66 Pod a/${n}: status.podIPs`),
    );
  });

  test("NP-59: hostNetwork pods share their node's address without a finding", () => {
    const host = { ips: ["172.18.0.2"], spec: { hostNetwork: true } };
    expect(findingsOf([pod("a/x", host), pod("a/y", host), pod("a/z", { ips: ["172.18.0.2"] })])).toEqual([]);
  });

  test("workloads stand for their pods, with the template's labels and ports", () => {
    const template = {
      metadata: { labels: { app: "x" } },
      spec: { containers: [{ ports: [{ name: "web", containerPort: 80 }] }] },
    };
    const workload = (kind: string, apiVersion: string, spec: object) => ({
      apiVersion,
      kind,
      metadata: { name: kind.toLowerCase(), namespace: "a", labels: { app: "other" } },
      spec,
    });
    const { pods } = inventoryOfObjects([
      workload("Deployment", "apps/v1", { template }),
      workload("ReplicaSet", "apps/v1", { template }),
      workload("StatefulSet", "apps/v1", { template }),
      workload("DaemonSet", "extensions/v1beta1", { template }),
      workload("Job", "batch/v1", { template }),
      workload("CronJob", "batch/v1", { jobTemplate: { spec: { template } } }),
      workload("ReplicationController", "v1", { template }),
    ]).kubernetes;
    expect(pods).toHaveLength(7);
    for (const [i, each] of pods.entries()) {
      expect(each).toMatchObject({
        labels: { app: "x" },
        ports: [{ name: "web", port: 80, protocol: 6 }],
        hostNetwork: false,
      });
      expect(each.addresses.map(formatAddress)).toEqual([`none#${i}`]);
    }
  });

  test("a workload is named by its object, or by the pods that it controls", () => {
    const owned = (name: string, kind: string | undefined, ip: string) =>
      pod(name, {
        ips: [ip],
        metadata: { ownerReferences: [{ name: "noise" }, { kind, name: "web-7d4", controller: true }] },
      });
    const { pods } = inventoryOfObjects([
      owned("a/web-7d4-2", "ReplicaSet", "10.0.0.2"),
      owned("a/web-7d4-1", "ReplicaSet", "10.0.0.1"),
      { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web", namespace: "a" }, spec: {} },
      pod("a/web", { ips: ["10.0.0.9"] }),
    ]).kubernetes;
    const names = indexPodNames(pods);
    const found = (name: string) => names(name).map((p) => p.origin.name);
    expect(found("a/web-7d4")).toEqual(["Pod a/web-7d4-1"]);
    expect(found("ReplicaSet:a/web-7d4")).toEqual(["Pod a/web-7d4-1"]);
    expect(found("Deployment:a/web")).toEqual(["Deployment a/web"]);
    expect(found("a/web")).toEqual(["Deployment a/web", "Pod a/web"]);
    expect(found("Job:a/web")).toEqual([]);
    expect(found("noise")).toEqual([]);
  });
});

describe("namespaces, nodes and services", () => {
  test("NP-24: a namespace carries its name, and keeps a label that says otherwise", () => {
    const { namespaces } = inventoryOfObjects([
      namespace("a", { x: "1" }),
      namespace("b", { "kubernetes.io/metadata.name": "c" }),
    ]).kubernetes;
    expect(namespaces.map((n) => n.labels)).toEqual([
      { "kubernetes.io/metadata.name": "a", x: "1" },
      { "kubernetes.io/metadata.name": "c" },
    ]);
  });

  test("AN-24: a node's addresses are those that are IP addresses", () => {
    const addresses = [
      { type: "InternalIP", address: "172.18.0.2" },
      { type: "Hostname", address: "worker" },
      { type: "ExternalIP", address: "fd18::2" },
    ];
    const object = { apiVersion: "v1", kind: "Node", metadata: { name: "n" }, status: { addresses } };
    const inventory = inventoryOfObjects([object]);
    expect(inventory.kubernetes.nodes[0]?.addresses.map(formatAddress)).toEqual(["172.18.0.2", "fd18::2"]);
    expect(inventory.findings).toEqual([]);
  });

  test("NP-64: a node's tunnel addresses are in Calico's annotations; no policy means them", () => {
    const annotations = {
      "projectcalico.org/IPv4Address": "172.18.0.2/16",
      "projectcalico.org/IPv4IPIPTunnelAddr": "10.244.7.1",
      "projectcalico.org/IPv6VXLANTunnelAddr": "fd00:244:7::1",
      "projectcalico.org/IPv4VXLANTunnelAddr": "none",
      "projectcalico.org/IPv4WireguardInterfaceAddr": 7,
    };
    const read = (metadata: object) => inventoryOfObjects([{ apiVersion: "v1", kind: "Node", metadata }]);
    const { kubernetes, findings } = read({ name: "n", annotations });
    expect(kubernetes.nodes[0]?.tunnelAddresses.map(formatAddress)).toEqual(["10.244.7.1", "fd00:244:7::1"]);
    expect(kubernetes.nodes[0]?.addresses).toEqual([]);
    expect(findings).toEqual([]);
    expect(read({ name: "n", annotations: "none" }).kubernetes.nodes[0]?.tunnelAddresses).toEqual([]);
  });

  test("services keep their selector and addresses; headless ones have none", () => {
    const service = (name: string, spec: object) => ({
      apiVersion: "v1",
      kind: "Service",
      metadata: { name, namespace: "a" },
      spec,
    });
    const { services } = inventoryOfObjects([
      service("one", { clusterIP: "10.96.0.1", selector: { app: "x" } }),
      service("two", { clusterIP: "10.96.0.2", clusterIPs: ["10.96.0.2", "fd96::2"] }),
      service("none", { clusterIP: "None" }),
    ]).kubernetes;
    expect(services.map((s) => [s.name, s.selector, s.addresses.map(formatAddress)])).toEqual([
      ["none", null, []],
      ["one", { app: "x" }, ["10.96.0.1"]],
      ["two", null, ["10.96.0.2", "fd96::2"]],
    ]);
  });
});

describe("the same object in two places", () => {
  test("the first in order of path counts, whatever the order of input, and the finding names both", () => {
    const documents = [
      ["b.yaml", pod("a/x", { ips: ["10.0.0.2"] })],
      ["a.yaml", pod("a/x", { ips: ["10.0.0.1"] })],
      ["a.yaml", pod("a/x", { ips: ["10.0.0.3"] })],
      ["c.yaml", { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "x", namespace: "a" } }],
    ] as const;
    const { kubernetes, findings } = inventoryOfDocuments(documents);
    expect(kubernetes.pods.map((p) => `${p.origin.file} ${p.kind} ${p.addresses.map(formatAddress)}`)).toEqual([
      "c.yaml Deployment none#0",
      "a.yaml Pod 10.0.0.1",
    ]);
    expect(
      findings.map((f) => `${f.code} ${f.file} ${f.path} ${f.severity} ${/is (.*?),/.exec(f.message)?.[1]}`),
    ).toEqual([
      "duplicate-object a.yaml Pod a/x error earlier in this file and says something else",
      "duplicate-object b.yaml Pod a/x error in a.yaml and says something else",
    ]);
  });

  test("one that says the same is a warning, whatever the order of its fields", () => {
    const [first, second] = [
      policy("a/x", { podSelector: {}, ingress: [] }),
      policy("a/x", { ingress: [], podSelector: {} }),
    ];
    const { findings } = inventoryOfDocuments([
      ["a.yaml", first],
      ["b.yaml", second],
    ]);
    expect(findings).toMatchObject([
      {
        severity: "warning",
        file: "b.yaml",
        message: "the same object is in a.yaml and says the same, so it counts once; remove one of the two",
      },
    ]);
  });

  test("labels in another order say the same, other labels don't", () => {
    const severities = (labels: object) =>
      inventoryOfObjects([
        pod("a/x", { labels: { a: "1", origin: "2" } }),
        pod("a/x", { labels: labels as Record<string, string> }),
      ]).findings.map((f) => f.severity);
    expect([severities({ origin: "2", a: "1" }), severities({ a: "1", origin: "3" })]).toEqual([
      ["warning"],
      ["error"],
    ]);
  });

  test("two kinds, or two namespaces, are two objects", () => {
    expect(
      findingsOf([
        policy("a/x", {}),
        policy("b/x", {}),
        anp("x", 1, {}),
        cnp("x", "Admin", 2, {}),
        banp("default", {}),
      ]),
    ).toEqual([]);
  });
});
