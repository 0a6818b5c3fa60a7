import { describe, expect, test } from "vitest";
import type { Knobs } from "../../../src/model/knobs.ts";
import { banp, cluster, label, node, pod, policy } from "../kubernetes/cluster.ts";
import { stageOf, summary } from "../kubernetes/stage.ts";

interface Row {
  readonly name: string;
  readonly objects: readonly unknown[];
  readonly knobs?: Partial<Knobs>;
  /** Flow → verdict, as `summary` prints it. */
  readonly flows: Readonly<Record<string, string>>;
}

const deny = "deny ingress network-policy no-rule-matches";
const denyOut = "deny egress network-policy no-rule-matches";
const accept = "accept ingress network-policy rule";
const acceptOut = "accept egress network-policy rule";

/** Policies named `p` of namespace shop for pods `app=db`, or all pods. */
const db = (spec: object, name = "p") => policy(`shop/${name}`, { podSelector: label("app=db"), ...spec });
const all = (spec: object, name = "p") => policy(`shop/${name}`, { podSelector: {}, ...spec });
const from = (...peers: unknown[]) => ({ ingress: [{ from: peers }] });
const toPorts = (...ports: unknown[]) => ({ ingress: [{ ports }] });
const block = (cidr: string, ...except: string[]) => ({ ipBlock: { cidr, except } });

function run(rows: readonly Row[]): void {
  for (const { name, objects, knobs, flows } of rows) {
    test(name, () => {
      const stage = stageOf([...cluster, ...objects], knobs);
      const found = Object.keys(flows).map((flow) => [flow, summary(stage.judge(flow))]);
      expect(Object.fromEntries(found)).toEqual(flows);
    });
  }
}

describe("selection and isolation", () => {
  run([
    {
      name: "no policy at all",
      objects: [],
      flows: { "shop/web -> shop/db tcp 80": "accept", "8.8.8.8 -> shop/db tcp 80": "accept" },
    },
    {
      name: "NP-1 T-77: only pods of its own namespace that its podSelector matches",
      objects: [policy("shop/p", { podSelector: label("app=web") })],
      flows: {
        "shop/db -> shop/web tcp 80": `${deny} shop/p`,
        "shop/web -> shop/db tcp 80": "accept",
        "shop/web -> blog/app tcp 80": "accept",
      },
    },
    {
      name: "NP-1: a missing and an empty podSelector select the whole namespace",
      objects: [policy("shop/p", {}), policy("blog/q", { podSelector: null })],
      flows: { "8.8.8.8 -> shop/bare tcp 80": `${deny} shop/p`, "8.8.8.8 -> blog/app tcp 80": `${deny} blog/q` },
    },
    {
      name: "NP-2 NP-55 T-25: ingress isolation leaves egress alone",
      objects: [all({ policyTypes: ["Ingress"], ingress: [] })],
      flows: { "shop/db -> 8.8.8.8 udp 53": "accept", "8.8.8.8 -> shop/db udp 53": `${deny} shop/p` },
    },
    {
      name: "NP-3 NP-5 AN-8 T-58: isolated for ingress alone, so the baseline decides its egress",
      objects: [
        db({ policyTypes: ["Ingress"], ingress: [{}] }),
        banp("default", { egress: [{ action: "Deny", to: [{ networks: ["0.0.0.0/0"] }] }] }),
      ],
      flows: {
        "shop/db -> 8.8.8.8 tcp 443": "deny egress baseline-policy rule default egress[0]",
        "8.8.8.8 -> shop/db tcp 443": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-4 AN-8 T-59: isolated and unmatched is final, a baseline Allow comes too late",
      objects: [
        db({ policyTypes: ["Ingress"] }),
        banp("default", { ingress: [{ action: "Allow", from: [{ namespaces: {} }] }] }),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": `${deny} shop/p`,
        "shop/db -> shop/web tcp 80": "accept ingress baseline-policy rule default ingress[0]",
      },
    },
    {
      name: "NP-5: policies add up, and the smallest of several names the answer (PL-24)",
      objects: [
        db({ ingress: [{ ports: [{ port: 80 }] }] }, "b"),
        db({ ingress: [{ ports: [{ port: 443 }] }, { ports: [{ port: 80 }] }] }, "a"),
        all({}, "c"),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": `${accept} shop/a ingress[1]`,
        "shop/web -> shop/db tcp 443": `${accept} shop/a ingress[0]`,
        "shop/web -> shop/db tcp 81": `${deny} shop/a,shop/b,shop/c`,
        "shop/db -> shop/bare tcp 80": `${deny} shop/c`,
      },
    },
    {
      name: "NP-6: policyTypes left out means Ingress, and Egress only with egress rules",
      objects: [
        db({ ingress: [{}] }, "a"),
        policy("shop/b", { podSelector: label("app=web"), egress: [{ ports: [{ port: 53 }] }] }),
      ],
      flows: {
        "shop/db -> 8.8.8.8 tcp 443": "accept",
        "shop/web -> 8.8.8.8 tcp 443": `${denyOut} shop/b`,
        "shop/web -> 8.8.8.8 tcp 53": `${acceptOut} shop/b egress[0]`,
        "8.8.8.8 -> shop/web tcp 53": `${deny} shop/b`,
      },
    },
    {
      name: "NP-6: an empty egress list doesn't add Egress, nor does an empty policyTypes list",
      objects: [db({ egress: [], policyTypes: [] })],
      flows: { "shop/db -> 8.8.8.8 tcp 443": "accept", "8.8.8.8 -> shop/db tcp 443": `${deny} shop/p` },
    },
    {
      name: "NP-7 T-27 T-28: rules missing, null and empty allow nothing; one empty rule allows everything",
      objects: [
        db({ policyTypes: ["Ingress", "Egress"], ingress: [], egress: null }),
        policy("shop/q", {
          podSelector: label("app=web"),
          policyTypes: ["Egress", "Ingress"],
          ingress: [{}],
          egress: [{}],
        }),
        policy("blog/r", { policyTypes: ["Egress"] }),
      ],
      flows: {
        "8.8.8.8 -> shop/db tcp 80": `${deny} shop/p`,
        "shop/db -> 8.8.8.8 tcp 80": `${denyOut} shop/p`,
        "8.8.8.8 -> shop/web icmp 8": `${accept} shop/q ingress[0]`,
        "shop/web -> 8.8.8.8 tcp 1": `${acceptOut} shop/q egress[0]`,
        "blog/app -> 8.8.8.8 tcp 1": `${denyOut} blog/r`,
        "8.8.8.8 -> blog/app tcp 1": "accept",
      },
    },
    {
      name: "NP-8: rules of a direction that policyTypes leaves out are ignored",
      objects: [db({ policyTypes: ["Egress"], ingress: [{ ports: [{ port: 1 }] }], egress: [{}] })],
      flows: { "8.8.8.8 -> shop/db tcp 80": "accept" },
    },
    {
      name: "NP-9 NP-10 NP-11: peers and ports are ANDed; both empty means all, external sources included",
      objects: [
        db({
          ingress: [
            { from: [{ podSelector: label("app=web") }], ports: [{ port: 80 }] },
            { from: [], ports: [{ port: 443 }] },
          ],
        }),
      ],
      flows: {
        "shop/web -> shop/db tcp 80": `${accept} shop/p ingress[0]`,
        "shop/bare -> shop/db tcp 80": `${deny} shop/p`,
        "8.8.8.8 -> shop/db tcp 443": `${accept} shop/p ingress[1]`,
      },
    },
    {
      name: "NP-61 T-47: a terminating pod keeps its address and policies",
      objects: [
        pod("shop/dying", {
          labels: { app: "dying" },
          ips: ["10.0.0.7"],
          metadata: { deletionTimestamp: "2026-01-01T00:00:00Z" },
        }),
        policy("shop/p", { podSelector: label("app=dying"), ingress: [{ ports: [{ port: 80 }] }] }),
      ],
      flows: {
        "10.0.0.1 -> 10.0.0.7 tcp 80": `${accept} shop/p ingress[0]`,
        "10.0.0.1 -> 10.0.0.7 tcp 81": `${deny} shop/p`,
      },
    },
    {
      name: "T-71 PL-25: names that run together stay apart",
      objects: [
        pod("a-b/c", { labels: { app: "x" }, ips: ["10.9.0.1"] }),
        pod("a/b-c", { labels: { app: "x" }, ips: ["10.9.0.2"] }),
        policy("a-b/c", { podSelector: label("app=x") }),
        policy("a/b-c", { podSelector: label("app=x"), ingress: [{}] }),
      ],
      flows: { "8.8.8.8 -> a-b/c tcp 1": `${deny} a-b/c`, "8.8.8.8 -> a/b-c tcp 1": `${accept} a/b-c ingress[0]` },
    },
  ]);
});

describe("selectors and peers", () => {
  const expression = (key: string, operator: string, ...values: string[]) => ({
    matchExpressions: [{ key, operator, values }],
  });
  run([
    {
      name: "NP-21 T-39: NotIn holds for an absent key, as a subject's selector too",
      objects: [policy("shop/p", { podSelector: expression("env", "NotIn", "prod") })],
      flows: { "8.8.8.8 -> shop/bare tcp 1": `${deny} shop/p`, "8.8.8.8 -> shop/web tcp 1": "accept" },
    },
    {
      name: "NP-20 NP-21: all requirements are ANDed",
      objects: [
        db(
          from(
            { podSelector: { matchLabels: { app: "web" }, ...expression("env", "Exists") } },
            { podSelector: expression("app", "DoesNotExist") },
          ),
        ),
        pod("shop/test", { labels: { app: "web" }, ips: ["10.0.0.5"] }),
      ],
      flows: {
        "shop/web -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "shop/bare -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "shop/test -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-30 NP-33: podSelector alone is the policy's own namespace",
      objects: [db(from({ podSelector: {} }))],
      flows: {
        "shop/bare -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "blog/app -> shop/db tcp 1": `${deny} shop/p`,
        "8.8.8.8 -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-31 NP-33 NP-59 T-40: namespaceSelector {} is all pods, and neither external nor hostNetwork nor node addresses",
      objects: [db(from({ namespaceSelector: {} }))],
      flows: {
        "blog/app -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "8.8.8.8 -> shop/db tcp 1": `${deny} shop/p`,
        "shop/agent -> shop/db tcp 1": `${deny} shop/p`,
        "172.18.0.2 -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-32 T-38: two fields of one element are ANDed, two elements are ORed",
      objects: [
        db(from({ namespaceSelector: label("team=b"), podSelector: label("app=db") })),
        policy("shop/q", {
          podSelector: label("app=web"),
          ingress: [{ from: [{ namespaceSelector: label("team=b") }, { podSelector: label("app=db") }] }],
        }),
      ],
      flows: {
        "blog/app -> shop/db tcp 1": `${deny} shop/p`,
        "blog/app -> shop/web tcp 1": `${accept} shop/q ingress[0]`,
        "shop/db -> shop/web tcp 1": `${accept} shop/q ingress[0]`,
        "shop/bare -> shop/web tcp 1": `${deny} shop/q`,
      },
    },
    {
      name: "NP-24 NP-25: every namespace has its name as a label, without an object too",
      objects: [
        db(from({ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "ghost" } } })),
        pod("ghost/g", { ips: ["10.0.2.1"] }),
      ],
      flows: {
        "ghost/g -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "blog/app -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-35 NP-37 T-41: an ipBlock holds pods too, but for its own exceptions",
      objects: [db(from(block("10.0.0.0/16", "10.0.0.0/24")))],
      flows: {
        "blog/app -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db tcp 1": `${deny} shop/p`,
        "10.0.200.1 -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-37 T-41: ipBlockMatchesPods=false keeps pods out of blocks, and nobody else",
      objects: [db(from(block("0.0.0.0/0")))],
      knobs: { ipBlockMatchesPods: "false" },
      flows: {
        "blog/app -> shop/db tcp 1": `${deny} shop/p`,
        "10.0.200.1 -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "shop/agent -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-35 NP-5 T-35: what one element excepts another may allow",
      objects: [
        policy("shop/p", {
          podSelector: label("app=db"),
          policyTypes: ["Egress"],
          egress: [{ to: [block("0.0.0.0/0")], ports: [{ port: 53 }] }, { to: [block("0.0.0.0/0", "10.0.0.0/8")] }],
        }),
      ],
      flows: {
        "shop/db -> 10.3.0.9 tcp 53": `${acceptOut} shop/p egress[0]`,
        "shop/db -> 10.3.0.9 tcp 54": `${denyOut} shop/p`,
        "shop/db -> 11.0.0.9 tcp 54": `${acceptOut} shop/p egress[1]`,
      },
    },
    {
      name: "NP-35 T-36 T-37: a port allowed in an excepted range, and the metadata service excepted",
      objects: [
        policy("shop/p", {
          podSelector: label("app=db"),
          policyTypes: ["Egress"],
          egress: [
            { to: [block("192.168.0.0/16")], ports: [{ port: 3306 }] },
            { to: [block("0.0.0.0/0", "192.168.0.0/16", "169.254.169.254/32")] },
          ],
        }),
      ],
      flows: {
        "shop/db -> 192.168.1.1 tcp 3306": `${acceptOut} shop/p egress[0]`,
        "shop/db -> 192.168.1.1 tcp 3307": `${denyOut} shop/p`,
        "shop/db -> 169.254.169.254 tcp 80": `${denyOut} shop/p`,
      },
    },
    {
      name: "DEF-4 NP-53: blocks are of one family, selectors hold for both of a pod's addresses",
      objects: [db(from(block("::/0"), { podSelector: label("app=web") }))],
      flows: {
        "fd99::1 -> fd00::2 tcp 1": `${accept} shop/p ingress[0]`,
        "8.8.8.8 -> 10.0.0.2 tcp 1": `${deny} shop/p`,
        "10.0.0.1 -> 10.0.0.2 tcp 1": `${accept} shop/p ingress[0]`,
        "fd00::1 -> fd00::2 tcp 1": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "DEF-5: host bits of a CIDR don't count",
      objects: [db(from(block("100.68.0.18/18")))],
      flows: {
        "100.68.1.1 -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
        "100.68.64.1 -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-63 AN-65: a pod without an address is selected, and in no block",
      objects: [db(from(block("0.0.0.0/0"), block("::/0")), "b"), db(from({ podSelector: label("app=young") }), "a")],
      flows: { "shop/young -> shop/db tcp 1": `${accept} shop/a ingress[0]` },
    },
    {
      name: "NP-63: no block contains a pod without an address",
      objects: [db(from(block("0.0.0.0/0"), block("::/0")))],
      flows: {
        "shop/young -> shop/db tcp 1": `${deny} shop/p`,
        "8.8.8.8 -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-60 T-46: an ended pod's address is nobody's",
      objects: [
        pod("shop/done", { labels: { app: "web" }, ips: ["10.0.0.8"], status: { phase: "Failed" } }),
        pod("shop/heir", { labels: { app: "heir" }, ips: ["10.0.0.9"] }),
        db(from({ podSelector: label("app=web") }), "a"),
        policy("shop/b", { podSelector: label("app=web") }),
      ],
      flows: {
        "10.0.0.8 -> shop/db tcp 1": `${deny} shop/a`,
        "10.0.0.9 -> shop/db tcp 1": `${deny} shop/a`,
        "shop/db -> 10.0.0.9 tcp 1": "accept",
      },
    },
    {
      name: "NP-66: of two live pods with one address the running one, then the newest, counts",
      objects: [
        pod("shop/s1", {
          labels: { app: "s1" },
          ips: ["10.0.0.20"],
          metadata: { creationTimestamp: "2026-02-01T00:00:00Z" },
        }),
        pod("shop/s2", {
          labels: { app: "s2" },
          ips: ["10.0.0.20"],
          status: { phase: "Pending" },
          metadata: { creationTimestamp: "2026-03-01T00:00:00Z" },
        }),
        pod("shop/s3", {
          labels: { app: "s3" },
          ips: ["10.0.0.20"],
          metadata: { creationTimestamp: "2026-01-01T00:00:00Z" },
        }),
        db(from({ podSelector: label("app=s1") })),
      ],
      flows: { "10.0.0.20 -> shop/db tcp 1": `${accept} shop/p ingress[0]` },
    },
  ]);
});

describe("ports", () => {
  const web = { port: "web" };
  run([
    {
      name: "NP-40 T-29: a missing protocol is TCP",
      objects: [db(toPorts({ port: 80 }))],
      flows: {
        "shop/web -> shop/db udp 80": `${deny} shop/p`,
        "shop/web -> shop/db tcp 80": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-41: no port means all ports of the protocol, and an empty element all of TCP",
      objects: [db(toPorts({ protocol: "SCTP" })), policy("shop/q", { podSelector: label("app=web"), ...toPorts({}) })],
      flows: {
        "shop/web -> shop/db sctp 65535": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db sctp 0": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db tcp 0": `${deny} shop/p`,
        "shop/db -> shop/web tcp 65535": `${accept} shop/q ingress[0]`,
        "shop/db -> shop/web udp 0": `${deny} shop/q`,
      },
    },
    {
      name: "NP-42: a range holds both its ends",
      objects: [db(toPorts({ port: 80, endPort: 82 }, { port: 65535, endPort: 65535 }))],
      flows: {
        "shop/web -> shop/db tcp 79": `${deny} shop/p`,
        "shop/web -> shop/db tcp 80": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db tcp 82": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db tcp 83": `${deny} shop/p`,
        "shop/web -> shop/db tcp 65535": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db udp 0": `${deny} shop/p`,
      },
    },
    {
      name: "NP-43 NP-47 T-30 T-31: on the way in the name is the subject's, not the source's, and no other port",
      objects: [db(toPorts(web))],
      flows: {
        "shop/web -> shop/db tcp 666": `${deny} shop/p`,
        "shop/web -> shop/db tcp 443": `${deny} shop/p`,
        "shop/web -> shop/db tcp 80": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db udp 80": `${deny} shop/p`,
      },
    },
    {
      name: "NP-43 NP-10 T-32 T-33: on the way out it is each destination's own number",
      objects: [policy("blog/p", { policyTypes: ["Egress"], egress: [{ ports: [{ port: "http" }] }] })],
      flows: {
        "blog/app -> shop/web tcp 8000": `${acceptOut} blog/p egress[0]`,
        "blog/app -> shop/db tcp 8080": `${acceptOut} blog/p egress[0]`,
        "blog/app -> shop/web tcp 8080": `${denyOut} blog/p`,
        "blog/app -> shop/bare tcp 8080": `${denyOut} blog/p`,
      },
    },
    {
      name: "NP-43: a name counts only with its own protocol",
      objects: [
        db(toPorts({ port: "dns", protocol: "UDP" })),
        policy("shop/q", { podSelector: label("app=db"), ...toPorts({ port: "dns" }) }),
      ],
      flows: {
        "shop/web -> shop/db udp 53": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db tcp 53": `${deny} shop/p,shop/q`,
      },
    },
    {
      name: "NP-44: a name means nothing on an address that is no pod's; other elements still count",
      objects: [policy("blog/p", { policyTypes: ["Egress"], egress: [{ ports: [{ port: "http" }, { port: 22 }] }] })],
      flows: {
        "blog/app -> 8.8.8.8 tcp 8080": `${denyOut} blog/p`,
        "blog/app -> 8.8.8.8 tcp 22": `${acceptOut} blog/p egress[0]`,
      },
    },
    {
      name: "NP-43 T-34: a name and a block",
      objects: [db({ ingress: [{ from: [block("172.17.0.0/16")], ports: [web] }] })],
      flows: {
        "172.17.3.4 -> shop/db tcp 80": `${accept} shop/p ingress[0]`,
        "172.17.3.4 -> shop/db tcp 81": `${deny} shop/p`,
      },
    },
    {
      name: "NP-45 NP-12 T-76: digits as text are no port; the element matches nothing, its sibling stands",
      objects: [db(toPorts({ port: "80" }, { port: 443 }))],
      flows: {
        "shop/web -> shop/db tcp 80": `${deny} shop/p`,
        "shop/web -> shop/db tcp 443": `${accept} shop/p ingress[0]`,
      },
    },
    {
      name: "NP-46: sidecars' names count, other init containers' don't",
      objects: [
        pod("shop/side", {
          labels: { app: "side" },
          ips: ["10.0.0.30"],
          spec: {
            initContainers: [
              { name: "a", restartPolicy: "Always", ports: [{ name: "proxy", containerPort: 15001 }] },
              { name: "b", ports: [{ name: "proxy", containerPort: 15002 }] },
            ],
          },
        }),
        policy("shop/p", { podSelector: label("app=side"), ...toPorts({ port: "proxy" }) }),
      ],
      flows: {
        "shop/web -> shop/side tcp 15001": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/side tcp 15002": `${deny} shop/p`,
      },
    },
    {
      name: "NP-50 NP-51 T-42: the pod's port counts, after DNAT",
      objects: [
        policy("blog/p", {
          policyTypes: ["Egress"],
          egress: [{ to: [{ namespaceSelector: {}, podSelector: label("app=db") }], ports: [{ port: 80 }] }],
        }),
      ],
      flows: { "blog/app -> shop/db tcp 8080 via service": `${denyOut} blog/p` },
    },
    {
      name: "T-74 NP-40: SCTP ports",
      objects: [db(toPorts({ protocol: "SCTP", port: 1234 }))],
      flows: {
        "shop/web -> shop/db sctp 1234": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db sctp 1235": `${deny} shop/p`,
      },
    },
    {
      name: "many rules: the first of a long list still names the answer",
      objects: [
        db({
          ingress: Array.from({ length: 40 }, (_, i) => ({ from: [block(`10.${i}.0.0/16`), block("99.0.0.0/8")] })),
        }),
      ],
      flows: {
        "10.7.1.1 -> shop/db tcp 1": `${accept} shop/p ingress[7]`,
        "10.39.1.1 -> shop/db udp 1": `${accept} shop/p ingress[39]`,
        "99.1.1.1 -> shop/db icmp 8": `${accept} shop/p ingress[0]`,
        "10.40.1.1 -> shop/db tcp 1": `${deny} shop/p`,
      },
    },
  ]);
});

describe("special endpoints and protocols", () => {
  const denyAll = { policyTypes: ["Ingress", "Egress"] };
  run([
    {
      name: "NP-56 T-44: from its own node, in both families, where isolated; other nodes are judged",
      objects: [db(denyAll)],
      flows: {
        "172.18.0.3 -> shop/db tcp 80": "accept ingress network-policy own-node",
        "fd18::3 -> fd00::2 tcp 80": "accept ingress network-policy own-node",
        "172.18.0.2 -> shop/db tcp 80": `${deny} shop/p`,
        "172.18.0.2 -> shop/web tcp 80": "accept",
      },
    },
    {
      name: "NP-56: the node's addresses that the pod's own status names",
      objects: [
        pod("shop/lost", { labels: { app: "lost" }, ips: ["10.0.0.40"], host: "172.18.0.99" }),
        pod("shop/lost2", { labels: { app: "lost" }, ips: ["10.0.0.41"], host: "172.18.0.98" }),
        policy("shop/p", { podSelector: label("app=lost") }),
      ],
      flows: {
        "172.18.0.99 -> 10.0.0.40 tcp 1": "accept ingress network-policy own-node",
        "172.18.0.98 -> 10.0.0.40 tcp 1": `${deny} shop/p`,
      },
    },
    {
      name: "NP-56 AN-24: an address that is a live pod's is no node's, whatever a Node object claims",
      objects: [
        node("n3", {}, "10.0.0.51"),
        pod("shop/x", { labels: { app: "x" }, ips: ["10.0.0.50"], node: "n3" }),
        pod("shop/y", { ips: ["10.0.0.51"] }),
        policy("shop/p", { podSelector: label("app=x") }),
      ],
      flows: { "10.0.0.51 -> 10.0.0.50 tcp 1": `${deny} shop/p` },
    },
    {
      name: "NP-57: to its own node, and to another",
      objects: [db(denyAll)],
      flows: {
        "shop/db -> 172.18.0.3 tcp 10250": "accept egress network-policy own-node",
        "shop/db -> 172.18.0.2 tcp 10250": `${denyOut} shop/p`,
      },
    },
    {
      name: "NP-57: npEgressToOwnNode=evaluate",
      objects: [db(denyAll)],
      knobs: { npEgressToOwnNode: "evaluate" },
      flows: {
        "shop/db -> 172.18.0.3 tcp 10250": `${denyOut} shop/p`,
        "172.18.0.3 -> shop/db tcp 80": "accept ingress network-policy own-node",
      },
    },
    {
      name: "NP-58 AN-31 T-50: a pod and itself",
      objects: [db(denyAll)],
      flows: {
        "shop/db -> shop/db tcp 80": "accept ingress admin-policy self",
        "shop/db -> shop/db tcp 80 via service": "accept ingress network-policy self",
        "shop/db -> shop/web tcp 80 via service": `${denyOut} shop/p`,
        "shop/web -> shop/web tcp 80": "accept ingress admin-policy self",
        "shop/web -> shop/web tcp 80 via service": "accept",
        "fd00::2 -> fd00::2 icmpv6 128": "accept ingress admin-policy self",
      },
    },
    {
      name: "NP-59 T-45: a hostNetwork pod is no subject, and its address is the node's",
      objects: [all(denyAll)],
      flows: { "8.8.8.8 -> 172.18.0.2 tcp 22": "accept", "172.18.0.2 -> 8.8.8.8 tcp 22": "accept" },
    },
    {
      name: "NP-62 T-54: ICMP and other protocols match rules without ports alone",
      objects: [
        db({ ingress: [{ from: [{ podSelector: label("app=web") }] }, { ports: [{ port: 80 }, {}] }] }),
        policy("blog/q", { ingress: [{ ports: [{ port: 80 }] }] }),
      ],
      flows: {
        "shop/web -> shop/db icmp 8": `${accept} shop/p ingress[0]`,
        "fd00::1 -> fd00::2 icmpv6 128": `${accept} shop/p ingress[0]`,
        "shop/web -> shop/db 50": `${accept} shop/p ingress[0]`,
        "shop/bare -> shop/db icmp 8": `${deny} shop/p`,
        "shop/bare -> shop/db tcp 80": `${accept} shop/p ingress[1]`,
        "shop/web -> blog/app icmp 8": `${deny} blog/q`,
        "shop/web -> blog/app 132 80": `${deny} blog/q`,
      },
    },
    {
      name: "NP-62: npNonL4=allow",
      objects: [db({})],
      knobs: { npNonL4: "allow" },
      flows: {
        "8.8.8.8 -> shop/db icmp 8": `${accept} shop/p npNonL4=allow`,
        "8.8.8.8 -> shop/db tcp 8": `${deny} shop/p`,
        "8.8.8.8 -> shop/db tcp 80 fragment": `${deny} shop/p`,
      },
    },
    {
      name: "NP-62: npNonL4=deny",
      objects: [db({ ingress: [{}] })],
      knobs: { npNonL4: "deny" },
      flows: {
        "8.8.8.8 -> shop/db icmp 8": `${deny} shop/p`,
        "8.8.8.8 -> shop/db tcp 8": `${accept} shop/p ingress[0]`,
        "8.8.8.8 -> shop/web icmp 8": "accept",
      },
    },
    {
      name: "SG-91 T-56: a fragment without its header matches rules without ports alone",
      objects: [db(toPorts({ port: 80 }, { protocol: "TCP" }), "a"), policy("blog/q", { ingress: [{}] })],
      flows: {
        "8.8.8.8 -> shop/db tcp 80 fragment": `${deny} shop/a`,
        "8.8.8.8 -> blog/app tcp 80 fragment": `${accept} blog/q ingress[0]`,
      },
    },
  ]);
});

test("NP-58: through a Service to itself, a pod that isn't isolated goes on to the baseline, reason self", () => {
  const { trace } = stageOf(cluster).judge("shop/db -> shop/db tcp 80 via service");
  expect(
    trace.filter((step) => step.evaluator === "network-policy").map((step) => `${step.verdict} ${step.reason}`),
  ).toEqual(["next self", "next self"]);
});

describe("invalid parts narrow (NP-12, DEF-7)", () => {
  const allowWeb = { podSelector: label("app=web") };
  const onlyWeb = {
    "shop/web -> shop/db tcp 1": `${accept} shop/p ingress[0]`,
    "shop/bare -> shop/db tcp 1": `${deny} shop/p`,
  };
  const nothing = { "shop/web -> shop/db tcp 1": `${deny} shop/p`, "8.8.8.8 -> shop/db tcp 1": `${deny} shop/p` };
  const bothWays = { ...nothing, "shop/db -> 8.8.8.8 tcp 1": `${denyOut} shop/p` };
  run([
    ...(
      [
        ["NP-34: a peer without a field", {}],
        ["NP-34: a null peer", null],
        ["NP-34: ipBlock beside a selector", { ipBlock: { cidr: "0.0.0.0/0" }, podSelector: {} }],
        ["NP-34: a bad CIDR", block("10.0.0.0/33")],
        ["NP-34: an address for a CIDR", block("10.0.0.1")],
        ["NP-36: an exception outside its block", block("10.0.0.0/8", "11.0.0.0/16")],
        ["NP-36: an exception as large as its block", block("0.0.0.0/0", "0.0.0.0/0")],
        ["NP-36: an exception of the other family", block("0.0.0.0/0", "fd00::/16")],
        ["NP-34: a bad exception", block("0.0.0.0/0", "x")],
        ["NP-22: an unknown operator", { podSelector: expressionOf("app", "Like", ["w"]) }],
        ["NP-22: In without values", { podSelector: expressionOf("app", "In", []) }],
        ["NP-22: Exists with values", { podSelector: expressionOf("env", "Exists", ["x"]) }],
        ["NP-23: a number for a label's value", { podSelector: { matchLabels: { app: 1 } } }],
        ["AN-64: a list for a selector", { podSelector: [] }],
        ["a misspelt selector field", { podSelector: { matchLables: {} } }],
        ["a misspelt peer field", { podSelector: {}, namespaceSelecter: {} }],
      ] as const
    ).map(
      ([name, peer]): Row => ({
        name: `${name}, beside a good one`,
        objects: [db(from(peer, allowWeb))],
        flows: onlyWeb,
      }),
    ),
    ...(
      [
        ["NP-42: port 70000", { port: 70000 }],
        ["NP-42: port 0", { port: 0 }],
        ["NP-42: half a port", { port: 1.5 }],
        ["NP-42: endPort before port", { port: 2, endPort: 1 }],
        ["NP-42: endPort 65536", { port: 1, endPort: 65536 }],
        ["NP-42: endPort alone", { endPort: 5 }],
        ["NP-42: endPort with a name", { port: "web", endPort: 700 }],
        ["NP-45: a name with a blank", { port: "w b" }],
        ["NP-40: a protocol in lower case", { protocol: "tcp" }],
        ["NP-40: an unknown protocol", { protocol: "ICMP" }],
        ["a misspelt field", { prot: "UDP" }],
        ["a number for an element", 80],
      ] as const
    ).map(
      ([name, port]): Row => ({
        name: `${name}, beside a good one`,
        objects: [db(toPorts(port, { port: 443 }))],
        flows: { "shop/web -> shop/db tcp 443": `${accept} shop/p ingress[0]`, ...nothing },
      }),
    ),
    { name: "AN-64: text for a list of peers", objects: [db({ ingress: [{ from: "all" }] })], flows: nothing },
    { name: "AN-64: an object for a list of ports", objects: [db({ ingress: [{ ports: {} }] })], flows: nothing },
    { name: "AN-64: an object for a list of rules", objects: [db({ ingress: {} })], flows: nothing },
    { name: "AN-64: text for a rule", objects: [db({ ingress: ["all"] })], flows: nothing },
    { name: "a misspelt field of a rule", objects: [db({ ingress: [{ form: [] }] })], flows: nothing },
    {
      name: "NP-12: text for a list of egress rules could have isolated for egress",
      objects: [db({ egress: "none" })],
      flows: bothWays,
    },
    {
      name: "AN-64: a null rule is an empty one",
      objects: [db({ ingress: [null] })],
      flows: { "8.8.8.8 -> shop/db icmp 8": `${accept} shop/p ingress[0]` },
    },
    {
      name: "NP-12: an unreadable podSelector selects all pods",
      objects: [policy("shop/p", { podSelector: "db" })],
      flows: { "8.8.8.8 -> shop/bare tcp 1": `${deny} shop/p` },
    },
    {
      name: "NP-12: a bad requirement of the podSelector selects all pods",
      objects: [
        policy("shop/p", {
          podSelector: { matchLabels: { app: "db" }, matchExpressions: [{ key: "x", operator: "?" }] },
        }),
      ],
      flows: { "8.8.8.8 -> shop/bare tcp 1": `${deny} shop/p` },
    },
    { name: "NP-12: an unknown policy type means both", objects: [db({ policyTypes: ["ingress"] })], flows: bothWays },
    { name: "NP-12: text for policyTypes means both", objects: [db({ policyTypes: "Ingress" })], flows: bothWays },
    {
      name: "AN-64: text for the spec selects all pods, both ways",
      objects: [policy("shop/p", "deny")],
      flows: { "8.8.8.8 -> shop/bare tcp 1": `${deny} shop/p`, "shop/web -> 8.8.8.8 tcp 1": `${denyOut} shop/p` },
    },
    {
      name: "NP-12: a missing namespace is default",
      objects: [
        pod("default/x", { ips: ["10.5.0.1"] }),
        { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { name: "p" }, spec: {} },
      ],
      flows: { "8.8.8.8 -> default/x tcp 1": `${deny} default/p`, "8.8.8.8 -> shop/db tcp 1": "accept" },
    },
    {
      name: "NP-12: without a name, no effect",
      objects: [
        { apiVersion: "networking.k8s.io/v1", kind: "NetworkPolicy", metadata: { namespace: "shop" }, spec: {} },
      ],
      flows: { "8.8.8.8 -> shop/db tcp 1": "accept" },
    },
    {
      name: "AN-64: another group's NetworkPolicy is another kind",
      objects: [
        {
          apiVersion: "projectcalico.org/v3",
          kind: "NetworkPolicy",
          metadata: { namespace: "shop", name: "p" },
          spec: {},
        },
      ],
      flows: { "8.8.8.8 -> shop/db tcp 1": "accept" },
    },
  ]);
});

function expressionOf(key: string, operator: string, values: readonly string[]) {
  return { matchExpressions: [{ key, operator, values }] };
}
