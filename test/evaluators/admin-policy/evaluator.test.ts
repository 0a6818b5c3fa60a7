import { describe, expect, test } from "vitest";
import { anp, banp, cluster, cnp, label, pod, policy } from "../kubernetes/cluster.ts";
import { stageOf, summary } from "../kubernetes/stage.ts";

interface Row {
  readonly name: string;
  readonly objects: readonly unknown[];
  /** Flow → verdict, as `summary` prints it. */
  readonly flows: Readonly<Record<string, string>>;
}

function run(rows: readonly Row[]): void {
  for (const { name, objects, flows } of rows) {
    test(name, () => {
      const stage = stageOf([...cluster, ...objects]);
      const found = Object.keys(flows).map((flow) => [flow, summary(stage.judge(flow))]);
      expect(Object.fromEntries(found)).toEqual(flows);
    });
  }
}

const everywhere = { namespaces: {} };
const teamA = { namespaces: label("team=a") };
const shop = (pods: object) => ({ pods: { namespaceSelector: label("team=a"), podSelector: pods } });
const rule = (action: string, peerKey: string, peers: unknown, more: object = {}) => ({
  action,
  [peerKey]: peers,
  ...more,
});
const ingress = (action: string, peer: unknown, more: object = {}) => ({
  ingress: [rule(action, "from", [peer], more)],
});
const egress = (action: string, peer: unknown, more: object = {}) => ({ egress: [rule(action, "to", [peer], more)] });
const anyV4 = { networks: ["0.0.0.0/0"] };

describe("tiers and order", () => {
  run([
    {
      name: "AN-1 AN-4: an admin Allow comes before NetworkPolicy, an admin Deny too",
      objects: [
        anp("allow", 1, { subject: shop(label("app=db")), ...ingress("Allow", everywhere) }),
        anp("deny", 2, { subject: shop(label("app=web")), ...ingress("Deny", everywhere) }),
        policy("shop/np", { podSelector: label("app=db") }),
        policy("shop/open", { podSelector: label("app=web"), ingress: [{}] }),
      ],
      flows: {
        "shop/bare -> shop/db tcp 1": "accept ingress admin-policy rule allow ingress[0]",
        "8.8.8.8 -> shop/db tcp 1": "deny ingress network-policy no-rule-matches shop/np",
        "shop/bare -> shop/web tcp 1": "deny ingress admin-policy rule deny ingress[0]",
      },
    },
    {
      name: "AN-2 T-61: the smaller priority is asked first, whatever the names and the order of input",
      objects: [
        anp("a", 50, ingress("Allow", everywhere)),
        anp("z", 5, { ingress: [rule("Deny", "from", [everywhere], { name: "no-one" })] }),
      ],
      flows: { "shop/web -> shop/db tcp 1": "deny ingress admin-policy rule z no-one" },
    },
    {
      name: "AN-2: within a policy the first matching rule decides, and only policies that select the pod are asked",
      objects: [
        anp("other", 1, { subject: { namespaces: label("team=b") }, ...ingress("Deny", everywhere) }),
        anp("p", 2, {
          ingress: [
            rule("Allow", "from", [shop(label("app=web"))], { ports: [{ portNumber: { port: 80 } }] }),
            rule("Deny", "from", [teamA]),
            rule("Allow", "from", [everywhere]),
          ],
        }),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": "accept ingress admin-policy rule p ingress[0]",
        "shop/web -> shop/db tcp 81": "deny ingress admin-policy rule p ingress[1]",
        "blog/app -> shop/db tcp 81": "accept ingress admin-policy rule p ingress[2]",
        "shop/web -> blog/app tcp 81": "deny ingress admin-policy rule other ingress[0]",
      },
    },
    {
      name: "AN-3 AN-63: at equal priority by name, bytewise, and an ANP before a CNP",
      objects: [
        cnp("b", "Admin", 7, ingress("Accept", everywhere)),
        anp("b", 7, ingress("Deny", everywhere)),
        anp("B", 7, { ...ingress("Allow", shop(label("app=web"))) }),
        cnp("a", "Admin", 7, {
          ...ingress("Accept", shop({ matchExpressions: [{ key: "app", operator: "DoesNotExist" }] })),
        }),
      ],
      flows: {
        "shop/web -> shop/db tcp 1": "accept ingress admin-policy rule B ingress[0]",
        "shop/bare -> shop/db tcp 1": "accept ingress admin-policy rule a ingress[0]",
        "blog/app -> shop/db tcp 1": "deny ingress admin-policy rule b ingress[0]",
      },
    },
    {
      name: "AN-4 PL-2 T-62: an Allow at the source doesn't open the destination",
      objects: [anp("out", 1, egress("Allow", everywhere)), policy("shop/np", { podSelector: label("app=db") })],
      flows: {
        "shop/web -> shop/db tcp 1": "deny ingress network-policy no-rule-matches shop/np",
        "shop/web -> shop/bare tcp 1": "accept egress admin-policy rule out egress[0]",
      },
    },
    {
      name: "AN-6 T-60: Pass leaves the whole tier",
      objects: [anp("p10", 10, egress("Pass", teamA)), anp("p20", 20, egress("Deny", teamA))],
      flows: { "blog/app -> shop/db tcp 1": "accept" },
    },
    {
      name: "AN-6 AN-8: Pass leaves it to NetworkPolicy, and to the baseline where no NetworkPolicy isolates",
      objects: [
        anp("p", 1, ingress("Pass", everywhere)),
        policy("shop/np", { podSelector: label("app=db"), ingress: [{ ports: [{ port: 80 }] }] }),
        banp("default", ingress("Deny", everywhere)),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": "accept ingress network-policy rule shop/np ingress[0]",
        "shop/web -> shop/db tcp 81": "deny ingress network-policy no-rule-matches shop/np",
        "shop/db -> shop/web tcp 81": "deny ingress baseline-policy rule default ingress[0]",
      },
    },
    {
      name: "AN-7 AN-10 T-68: no implicit isolation, and a policy with ingress rules alone leaves egress",
      objects: [cnp("p", "Admin", 1, ingress("Deny", shop(label("app=web"))))],
      flows: {
        "shop/db -> 8.8.8.8 tcp 1": "accept",
        "blog/app -> shop/db tcp 1": "accept",
        "shop/web -> shop/db tcp 1": "deny ingress admin-policy rule p ingress[0]",
      },
    },
    {
      name: "AN-9: a baseline Pass ends in the default, past a baseline Deny",
      objects: [
        cnp("p", "Baseline", 1, ingress("Pass", everywhere)),
        cnp("q", "Baseline", 2, ingress("Deny", everywhere)),
      ],
      flows: { "shop/web -> shop/db tcp 1": "accept" },
    },
    {
      name: "AN-11: BANPs not named default are asked after it",
      objects: [banp("a", ingress("Deny", everywhere)), banp("default", ingress("Allow", teamA))],
      flows: {
        "shop/web -> shop/db tcp 1": "accept ingress baseline-policy rule default ingress[0]",
        "blog/app -> shop/db tcp 1": "deny ingress baseline-policy rule a ingress[0]",
      },
    },
    {
      name: "AN-11 AN-63: BANP has no Pass, so such a rule denies everything",
      objects: [banp("default", egress("Pass", teamA))],
      flows: { "shop/web -> 8.8.8.8 tcp 1": "deny egress baseline-policy rule default egress[0]" },
    },
    {
      name: "AN-12: both versions at once, merged by priority; in the baseline a BANP comes last",
      objects: [
        anp("x", 5, ingress("Allow", shop(label("app=web")))),
        cnp(
          "y",
          "Admin",
          4,
          ingress("Deny", shop(label("app=web")), { protocols: [{ tcp: { destinationPort: { number: 80 } } }] }),
        ),
        cnp("z", "Baseline", 1000, ingress("Accept", { namespaces: label("team=b") })),
        banp("default", ingress("Deny", everywhere)),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": "deny ingress admin-policy rule y ingress[0]",
        "shop/web -> shop/db tcp 81": "accept ingress admin-policy rule x ingress[0]",
        "blog/app -> shop/db tcp 80": "accept ingress baseline-policy rule z ingress[0]",
        "shop/bare -> shop/db tcp 80": "deny ingress baseline-policy rule default ingress[0]",
      },
    },
    {
      name: "AN-63: the other version's action is a synonym",
      objects: [
        anp("a", 1, ingress("Accept", teamA)),
        cnp("c", "Admin", 2, ingress("Allow", everywhere)),
        banp("default", ingress("Deny", everywhere)),
      ],
      flows: {
        "shop/web -> shop/db tcp 1": "accept ingress admin-policy rule a ingress[0]",
        "blog/app -> shop/db tcp 1": "accept ingress admin-policy rule c ingress[0]",
      },
    },
    {
      name: "AN-63: a missing or bad priority counts as 1000",
      objects: [
        anp("bad", 1001, ingress("Deny", everywhere)),
        anp("none", undefined, ingress("Deny", everywhere)),
        anp("text", "0", ingress("Deny", everywhere)),
        anp("good", 999, ingress("Allow", everywhere)),
      ],
      flows: { "shop/web -> shop/db tcp 1": "accept ingress admin-policy rule good ingress[0]" },
    },
  ]);
});

describe("subjects and peers", () => {
  run([
    {
      name: "AN-20 AN-23 NP-59: hostNetwork pods are neither subjects nor peers",
      objects: [anp("p", 1, { ...ingress("Deny", everywhere), ...egress("Deny", everywhere) })],
      flows: { "shop/agent -> shop/db tcp 1": "accept", "shop/db -> shop/agent tcp 1": "accept" },
    },
    ...(
      [
        ["AN-20: no field", {}],
        ["AN-20: a missing subject", null],
        ["AN-20: two fields", { namespaces: {}, pods: { podSelector: {}, namespaceSelector: {} } }],
        ["AN-20: an unknown field", { serviceAccounts: {} }],
        ["AN-20: a known and an unknown field", { namespaces: {}, serviceAccounts: {} }],
        ["AN-62: an unreadable selector", { namespaces: { matchLabels: { a: 1 } } }],
        ["AN-62: text", "all"],
      ] as const
    ).map(
      ([name, subject]): Row => ({
        name: `${name}: the policy is not applied`,
        objects: [anp("p", 1, { subject, ...ingress("Deny", everywhere) })],
        flows: { "shop/web -> shop/db tcp 1": "accept" },
      }),
    ),
    {
      name: "AN-20: an unknown tier is not applied",
      objects: [cnp("p", "Edge", 1, ingress("Deny", everywhere)), cnp("q", undefined, 1, ingress("Deny", everywhere))],
      flows: { "shop/web -> shop/db tcp 1": "accept" },
    },
    {
      name: "AN-20: pods with both selectors, either of them absent or empty",
      objects: [
        cnp("both", "Admin", 1, { subject: shop(label("app=db")), ...ingress("Deny", everywhere) }),
        cnp("pods", "Admin", 2, {
          subject: { pods: { podSelector: label("app=web") } },
          ...ingress("Deny", everywhere),
        }),
      ],
      flows: {
        "shop/bare -> shop/db tcp 1": "deny ingress admin-policy rule both ingress[0]",
        "shop/bare -> blog/app tcp 1": "deny ingress admin-policy rule pods ingress[0]",
        "shop/web -> shop/bare tcp 1": "accept",
      },
    },
    {
      name: "AN-20 NP-63: a pod without an address is a subject and a peer",
      objects: [anp("p", 1, { subject: shop(label("app=young")), ...egress("Deny", teamA) })],
      flows: {
        "shop/young -> shop/db tcp 1": "deny egress admin-policy rule p egress[0]",
        "shop/young -> 8.8.8.8 tcp 1": "accept",
      },
    },
    {
      name: "AN-21 PL-6 T-69: ingress rules match pods alone",
      objects: [cnp("p", "Baseline", 1, ingress("Deny", everywhere))],
      flows: {
        "172.18.0.3 -> shop/db tcp 1": "accept",
        "8.8.8.8 -> shop/db tcp 1": "accept",
        "blog/app -> shop/db tcp 1": "deny ingress baseline-policy rule p ingress[0]",
      },
    },
    {
      name: "AN-24 AN-32 T-64: nodes are node addresses, the own node's too, not pods on them",
      objects: [cnp("p", "Admin", 1, egress("Deny", { nodes: label("role=cp") }))],
      flows: {
        "shop/db -> 172.18.0.2 tcp 1": "deny egress admin-policy rule p egress[0]",
        "fd00::2 -> fd18::2 tcp 1": "deny egress admin-policy rule p egress[0]",
        "shop/web -> 172.18.0.2 tcp 1": "deny egress admin-policy rule p egress[0]",
        "shop/db -> shop/web tcp 1": "accept",
        "shop/db -> 172.18.0.3 tcp 1": "accept",
      },
    },
    {
      name: "AN-24: an empty selector is all nodes, and nobody else",
      objects: [anp("p", 1, egress("Deny", { nodes: {} }))],
      flows: {
        "shop/db -> 172.18.0.3 tcp 1": "deny egress admin-policy rule p egress[0]",
        "shop/db -> 172.18.0.4 tcp 1": "accept",
      },
    },
    {
      name: "AN-25 T-67: networks hold pods, of their family, ICMP too",
      objects: [cnp("p", "Admin", 1, egress("Deny", { networks: ["0.0.0.0/0"] }))],
      flows: {
        "10.0.0.1 -> 10.0.0.2 tcp 1": "deny egress admin-policy rule p egress[0]",
        "fd00::1 -> fd00::2 tcp 1": "accept",
        "10.0.0.1 -> 10.0.0.2 icmp 8": "deny egress admin-policy rule p egress[0]",
      },
    },
    {
      name: "AN-26: peers are ORed, and a rule without any is invalid",
      objects: [
        anp("a", 1, {
          subject: shop(label("app=web")),
          egress: [rule("Deny", "to", [{ networks: ["8.0.0.0/8"] }, shop(label("app=db"))])],
        }),
        anp("b", 2, { subject: shop(label("app=db")), egress: [rule("Allow", "to", []), rule("Pass", "to", null)] }),
      ],
      flows: {
        "shop/web -> 8.8.8.8 tcp 1": "deny egress admin-policy rule a egress[0]",
        "shop/web -> shop/db tcp 1": "deny egress admin-policy rule a egress[0]",
        "shop/web -> 9.9.9.9 tcp 1": "accept",
        "shop/db -> 9.9.9.9 tcp 1": "deny egress admin-policy rule b egress[1]",
      },
    },
    {
      name: "AN-28 AN-30: domain names match nothing while no DNS is observed; their siblings stand",
      objects: [
        cnp("p", "Admin", 1, {
          egress: [rule("Accept", "to", [{ domainNames: ["*.example.com"] }, { networks: ["8.0.0.0/8"] }])],
        }),
        cnp("q", "Admin", 2, egress("Deny", anyV4)),
      ],
      flows: {
        "shop/db -> 8.8.8.8 tcp 1": "accept egress admin-policy rule p egress[0]",
        "shop/db -> 9.9.9.9 tcp 1": "deny egress admin-policy rule q egress[0]",
      },
    },
    {
      name: "AN-31 T-51: to its own address a pod is subject to nothing, through a Service it is",
      objects: [cnp("p", "Admin", 1, { subject: shop(label("app=db")), ...egress("Deny", shop(label("app=db"))) })],
      flows: {
        "shop/db -> shop/db tcp 1": "accept ingress admin-policy self",
        "shop/db -> shop/db tcp 1 via service": "deny egress admin-policy rule p egress[0]",
      },
    },
    {
      name: "AN-31 AN-61: a baseline holds for a Service hairpin as well, and only for that",
      objects: [banp("default", ingress("Deny", everywhere))],
      flows: {
        "shop/db -> shop/db tcp 1": "accept ingress admin-policy self",
        "shop/db -> shop/db tcp 1 via service": "deny ingress baseline-policy rule default ingress[0]",
      },
    },
  ]);
});

describe("an invalid rule (AN-27): one that accepts matches nothing, another denies everything", () => {
  const unknown = { serviceAccounts: {} };
  const badPeers: readonly (readonly [string, unknown])[] = [
    ["T-65 AN-27: a peer with an unknown field", [unknown]],
    ["AN-27: a good peer beside one with an unknown field", [teamA, unknown]],
    ["AN-62: a peer with a known and an unknown field", [{ ...teamA, ...unknown }]],
    ["AN-62: a peer with two known fields", [{ ...teamA, ...shop({}) }]],
    ["AN-64: a null peer", [null]],
    ["AN-64: an object for a list of peers", teamA],
    ["NP-22: a bad selector", [{ namespaces: { matchExpressions: [{ key: "a", operator: "In" }] } }]],
    ["AN-20: an unknown field in pods", [{ pods: { podSelecter: {} } }]],
  ];
  const badEgressPeers: readonly (readonly [string, unknown])[] = [
    ["AN-25: a bad CIDR", [{ networks: ["10.0.0.0/8", "x"] }]],
    ["AN-27: no CIDR at all", [{ networks: [] }]],
    ["AN-29: a bad domain name", [{ domainNames: ["a.*.com"] }]],
  ];
  const badPorts: readonly (readonly [string, unknown])[] = [
    ["AN-40: port 0", [{ portNumber: { port: 0 } }]],
    ["AN-40: a range that starts after its end", [{ portRange: { start: 5, end: 4 } }]],
    ["AN-40: a protocol in lower case", [{ portNumber: { port: 1, protocol: "tcp" } }]],
    ["AN-40: two fields", [{ portNumber: { port: 1 }, namedPort: "a" }]],
    ["AN-40: no field", [{}]],
    ["AN-42: digits for a name", [{ namedPort: "80" }]],
    ["AN-64: text for the list", "80"],
  ];
  const rows = (peerKey: "from" | "to", cases: readonly (readonly [string, object])[]): Row[] =>
    cases.flatMap(([name, broken]) => {
      const direction = peerKey === "from" ? "ingress" : "egress";
      const list = (action: string) => ({ [direction]: [{ action, ...broken }] });
      const flows =
        peerKey === "from"
          ? ["shop/web -> shop/db icmp 8", "8.8.8.8 -> shop/db tcp 1", "172.18.0.2 -> shop/db tcp 1"]
          : ["shop/db -> shop/web tcp 1", "shop/db -> 8.8.8.8 icmp 8"];
      const subject = shop(label("app=db"));
      const objects = (action: string) => [anp("p", 1, { subject, ...list(action) })];
      const all = (text: string) => Object.fromEntries(flows.map((flow) => [flow, text]));
      const denied = `deny ${direction} admin-policy rule p ${direction}[0]`;
      return [
        { name: `${name}, ${direction} Allow`, objects: objects("Allow"), flows: all("accept") },
        { name: `${name}, ${direction} Deny`, objects: objects("Deny"), flows: all(denied) },
        { name: `${name}, ${direction} Pass`, objects: objects("Pass"), flows: all(denied) },
      ];
    });
  run([
    ...rows(
      "from",
      badPeers.map(([name, from]) => [name, { from }]),
    ),
    ...rows(
      "to",
      badPeers.map(([name, to]) => [name, { to }]),
    ),
    ...rows(
      "to",
      badEgressPeers.map(([name, to]) => [name, { to }]),
    ),
    ...rows(
      "from",
      badPorts.map(([name, ports]) => [name, { from: [everywhere], ports }]),
    ),
    ...rows("from", [["AN-21: networks on the way in", { from: [{ networks: ["0.0.0.0/0"] }] }]]),
    ...rows("from", [["AN-27: the other version's field", { from: [everywhere], protocols: [{ tcp: {} }] }]]),
    ...rows("to", [
      ["AN-43: a named port and networks", { to: [anyV4, teamA], ports: [{ namedPort: "web" }] }],
      ["AN-43: a named port and nodes", { to: [{ nodes: {} }], ports: [{ namedPort: "web" }] }],
    ]),
    {
      name: "AN-28: domain names in a Deny rule deny everything, in a Pass rule too",
      objects: [
        cnp("a", "Admin", 1, {
          subject: shop(label("app=db")),
          egress: [rule("Deny", "to", [{ domainNames: ["x.org"] }])],
        }),
        cnp("b", "Admin", 1, {
          subject: shop(label("app=web")),
          egress: [rule("Pass", "to", [{ domainNames: ["x.org"] }])],
        }),
      ],
      flows: {
        "shop/db -> shop/bare tcp 1": "deny egress admin-policy rule a egress[0]",
        "shop/web -> shop/bare udp 1": "deny egress admin-policy rule b egress[0]",
      },
    },
    {
      name: "AN-22: BANP has no domain names, so a rule that allows them matches nothing",
      objects: [
        banp("default", {
          egress: [rule("Allow", "to", [{ domainNames: ["x.org"] }, anyV4]), rule("Deny", "to", [anyV4])],
        }),
      ],
      flows: { "shop/db -> 8.8.8.8 tcp 1": "deny egress baseline-policy rule default egress[1]" },
    },
    {
      name: "AN-60: an invalid ingress Deny holds for every source but the own node",
      objects: [anp("p", 1, { subject: shop(label("app=db")), ...ingress("Deny", unknown) })],
      flows: {
        "172.18.0.3 -> shop/db tcp 1": "accept",
        "172.18.0.2 -> shop/db tcp 1": "deny ingress admin-policy rule p ingress[0]",
        "9.9.9.9 -> shop/db tcp 1": "deny ingress admin-policy rule p ingress[0]",
      },
    },
    {
      name: "AN-32 AN-60: on the way out the own node is no exception",
      objects: [
        anp("p", 1, { subject: shop(label("app=db")), ...ingress("Deny", unknown), ...egress("Deny", unknown) }),
        anp("q", 2, { subject: shop(label("app=web")), ...ingress("Deny", unknown), ...egress("Deny", { nodes: {} }) }),
      ],
      flows: {
        "shop/db -> 172.18.0.3 tcp 1": "deny egress admin-policy rule p egress[0]",
        "shop/web -> 172.18.0.2 tcp 1": "deny egress admin-policy rule q egress[0]",
      },
    },
    {
      name: "AN-63 AN-64: an unknown action, and a null rule, deny everything",
      objects: [
        anp("a", 1, { subject: shop(label("app=db")), ...ingress("allow", everywhere) }),
        anp("b", 1, { subject: shop(label("app=web")), ingress: [null] }),
        anp("c", 1, { subject: { namespaces: label("team=b") }, ingress: ["Allow"] }),
      ],
      flows: {
        "9.9.9.9 -> shop/db tcp 1": "deny ingress admin-policy rule a ingress[0]",
        "9.9.9.9 -> shop/web icmp 8": "deny ingress admin-policy rule b ingress[0]",
        "9.9.9.9 -> blog/app udp 8": "deny ingress admin-policy rule c ingress[0]",
      },
    },
    {
      name: "AN-64: text for a list of rules, and for the spec, matches nothing",
      objects: [
        anp("a", 1, { ingress: "Deny" }),
        {
          apiVersion: "policy.networking.k8s.io/v1alpha1",
          kind: "AdminNetworkPolicy",
          metadata: { name: "b" },
          spec: "x",
        },
      ],
      flows: { "shop/web -> shop/db tcp 1": "accept" },
    },
  ]);
});

describe("ports", () => {
  const v1 = (...ports: unknown[]) => ingress("Deny", everywhere, { ports });
  const v2 = (...protocols: unknown[]) => ingress("Deny", everywhere, { protocols });
  const denied = "deny ingress admin-policy rule p ingress[0]";
  run([
    {
      name: "AN-40: portNumber, TCP where no protocol is given, and portRange with both ends",
      objects: [
        anp(
          "p",
          1,
          v1(
            { portNumber: { port: 80 } },
            { portRange: { protocol: "UDP", start: 10, end: 12 } },
            { portRange: { start: 7, end: 7 } },
          ),
        ),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": denied,
        "shop/web -> shop/db udp 80": "accept",
        "shop/web -> shop/db udp 9": "accept",
        "shop/web -> shop/db udp 10": denied,
        "shop/web -> shop/db udp 12": denied,
        "shop/web -> shop/db udp 13": "accept",
        "shop/web -> shop/db tcp 7": denied,
      },
    },
    {
      name: "AN-40 AN-62: missing and empty ports are all traffic",
      objects: [anp("p", 1, { subject: shop(label("app=db")), ...v1() }), anp("q", 2, ingress("Deny", everywhere))],
      flows: {
        "shop/db -> shop/web icmp 8": "deny ingress admin-policy rule q ingress[0]",
        "shop/web -> shop/db icmp 8": denied,
      },
    },
    {
      name: "AN-41 AN-44 AN-62: protocols of v1alpha2, all ports where no destinationPort is given",
      objects: [
        cnp(
          "p",
          "Admin",
          1,
          v2(
            { tcp: { destinationPort: { range: { start: 20, end: 21 } } } },
            { udp: {} },
            { sctp: { destinationPort: {} } },
          ),
        ),
      ],
      flows: {
        "shop/web -> shop/db tcp 19": "accept",
        "shop/web -> shop/db tcp 20": denied,
        "shop/web -> shop/db tcp 21": denied,
        "shop/web -> shop/db tcp 22": "accept",
        "shop/web -> shop/db udp 65535": denied,
        "shop/web -> shop/db sctp 0": denied,
      },
    },
    {
      name: "AN-44: a range of one port is invalid in v1alpha2, so the rule denies everything",
      objects: [cnp("p", "Admin", 1, v2({ tcp: { destinationPort: { range: { start: 20, end: 20 } } } }))],
      flows: { "shop/web -> shop/db udp 1": denied },
    },
    {
      name: "AN-42 T-63: a named port counts with the destination's number and protocol",
      objects: [anp("p", 1, v1({ namedPort: "dns" }, { namedPort: "http" }))],
      flows: {
        "shop/web -> shop/db tcp 53": "accept",
        "shop/web -> shop/db udp 53": denied,
        "shop/web -> shop/db tcp 8080": denied,
        "shop/db -> shop/web tcp 8080": "accept",
        "shop/db -> shop/web tcp 8000": denied,
      },
    },
    {
      name: "AN-42: on the way out the name is the peer's; a policy of v1alpha2",
      objects: [cnp("p", "Admin", 1, egress("Deny", everywhere, { protocols: [{ destinationNamedPort: "http" }] }))],
      flows: {
        "blog/app -> shop/web tcp 8000": "deny egress admin-policy rule p egress[0]",
        "blog/app -> shop/web tcp 8080": "accept",
        "blog/app -> shop/db tcp 8080": "deny egress admin-policy rule p egress[0]",
      },
    },
    {
      name: "AN-61 NP-46: sidecars' names count",
      objects: [
        pod("shop/side", {
          labels: { app: "side" },
          ips: ["10.0.0.30"],
          spec: {
            initContainers: [{ name: "a", restartPolicy: "Always", ports: [{ name: "proxy", containerPort: 15001 }] }],
          },
        }),
        anp("p", 1, v1({ namedPort: "proxy" })),
      ],
      flows: { "shop/web -> shop/side tcp 15001": denied, "shop/web -> shop/side tcp 15002": "accept" },
    },
    {
      name: "AN-45: a rule with ports never matches ICMP, other protocols or fragments",
      objects: [anp("p", 1, v1({ portRange: { start: 1, end: 65535 } }))],
      flows: {
        "shop/web -> shop/db icmp 8": "accept",
        "shop/web -> shop/db 47": "accept",
        "shop/web -> shop/db tcp 80 fragment": "accept",
        "shop/web -> shop/db tcp 80": denied,
      },
    },
    {
      name: "AN-50: more elements than the API admits all count",
      objects: [
        cnp(
          "p",
          "Admin",
          1,
          v2(...Array.from({ length: 30 }, (_, i) => ({ tcp: { destinationPort: { number: i + 1 } } }))),
        ),
      ],
      flows: { "shop/web -> shop/db tcp 30": denied, "shop/web -> shop/db tcp 31": "accept" },
    },
  ]);
});
