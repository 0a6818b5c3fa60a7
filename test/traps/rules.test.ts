/** Rules about the engine as a whole, shown on documents as users write them. */
import { describe, expect, test } from "vitest";
import { defaultKnobs, listKnobs } from "../../src/model/knobs.ts";
import { directionNames, Verdict, verdictNames } from "../../src/model/verdict.ts";
import { acl, group, instance, instances, openAcl, vpc } from "../evaluators/ec2/documents.ts";
import { anp, banp, cluster, label, policy } from "../evaluators/kubernetes/cluster.ts";
import { engineOf, type Trap, verdictsOf } from "./engine.ts";

const hosts = [
  vpc,
  instances(
    instance("a", { ips: ["10.0.1.5"], groups: ["sg-a"], subnet: "subnet-1" }),
    instance("b", { ips: ["10.0.2.5"], groups: ["sg-b"], subnet: "subnet-2" }),
  ),
];
const groups = (...list: object[]) => ({ SecurityGroups: list });
const open = groups(group("sg-a", ["-1 0.0.0.0/0"]), group("sg-b", ["-1 0.0.0.0/0"]));
const closed = policy("shop/closed", { podSelector: label("app=db"), policyTypes: ["Ingress"] });
const denyPods = (tier: "ingress" | "egress", peer: "from" | "to") => ({
  [tier]: [{ action: "Deny", [peer]: [{ namespaces: {} }] }],
});

const rows: readonly Trap[] = [
  {
    name: "DEF-1 NP-50: the destination is the one after DNAT, and its port the container's",
    documents: [
      ...cluster,
      policy("shop/p", { podSelector: label("app=db"), ingress: [{ ports: [{ port: 8080 }] }] }),
      {
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "shop", name: "db" },
        spec: { clusterIP: "10.96.0.9" },
      },
    ],
    flows: {
      "shop/web -> shop/db tcp 8080 via service": "accept",
      "shop/web -> shop/db tcp 80 via service": "deny k8s ingress no-rule-matches",
    },
  },
  {
    name: "DEF-2 PL-2: a flow between two managed ends has both directions, and egress is asked first",
    documents: [
      ...cluster,
      closed,
      policy("shop/out", {
        podSelector: label("app=web"),
        policyTypes: ["Egress"],
        egress: [{ ports: [{ port: 80 }] }],
      }),
    ],
    flows: {
      "shop/web -> shop/db tcp 443": "deny k8s egress no-rule-matches",
      "shop/web -> shop/db tcp 80": "deny k8s ingress no-rule-matches",
      "shop/bare -> shop/db tcp 80": "deny k8s ingress no-rule-matches",
      "shop/web -> 8.8.8.8 tcp 80": "accept",
    },
  },
  {
    name: "NA-1 NA-3: entries of both directions come in one list, told apart by Egress",
    documents: [
      ...hosts,
      open,
      {
        NetworkAcls: [
          acl("acl-1", ["subnet-1"], openAcl),
          acl("acl-2", ["subnet-2"], ["100 ingress allow tcp 80 0.0.0.0/0", "100 egress deny tcp 80 0.0.0.0/0"]),
        ],
      },
    ],
    flows: { "i-a -> i-b tcp 80": "accept, reply deny nacl egress", "i-b -> i-a tcp 80": "deny nacl egress rule" },
  },
  {
    name: "NA-15: entries 100 and 101 are there only where they are printed, in the default ACL too",
    documents: [
      ...hosts,
      open,
      {
        NetworkAcls: [
          acl("acl-1", [], ["32767 ingress deny -1 0.0.0.0/0", "32767 egress deny -1 0.0.0.0/0"], { IsDefault: true }),
        ],
      },
    ],
    flows: { "i-a -> i-b tcp 80": "deny nacl egress rule" },
  },
  {
    name: "NP-52: a source that was masqueraded is the node that it shows",
    documents: [
      ...cluster,
      policy("shop/p", {
        podSelector: label("app=db"),
        ingress: [{ from: [{ podSelector: {} }, { ipBlock: { cidr: "172.18.0.2/32" } }] }],
      }),
    ],
    flows: {
      "172.18.0.2 -> shop/db tcp 80": "accept",
      "shop/web -> shop/db tcp 80": "accept",
      "blog/app -> shop/db tcp 80": "deny k8s ingress no-rule-matches",
    },
  },
  {
    name: "AN-5: Deny is final, whatever a later rule, a NetworkPolicy or the baseline would accept",
    documents: [
      ...cluster,
      anp("deny", 1, denyPods("ingress", "from")),
      anp("allow", 2, { ingress: [{ action: "Allow", from: [{ namespaces: {} }] }] }),
      policy("shop/open", { podSelector: {}, ingress: [{}] }),
      banp("default", { ingress: [{ action: "Allow", from: [{ namespaces: {} }] }] }),
    ],
    flows: { "shop/web -> shop/db tcp 80": "deny k8s ingress rule", "8.8.8.8 -> shop/db tcp 80": "accept" },
  },
];

describe("rules of the whole engine", () => {
  test.each(rows)("$name", (row) => {
    expect(verdictsOf(row)).toEqual(row.flows);
  });

  test("DEF-3: an evaluator denies, accepts or passes on, and zero denies", () => {
    expect([...verdictNames]).toEqual(["deny", "accept", "next"]);
    expect(Verdict.deny).toBe(0);
    expect([...directionNames]).toEqual(["egress", "ingress"]);
  });

  test("SG-70 PL-26: without its entry a packet in the middle of a flow is judged by the rules of today", () => {
    const documents = [...hosts, groups(group("sg-a", []), group("sg-b", ["tcp 80 0.0.0.0/0"], []))];
    const flow = "8.8.8.8 -> i-b tcp 80";
    expect(engineOf(documents).decide(`${flow} midstream`).isFlowAccepted).toBe(false);
    expect(engineOf(documents).decide(`${flow} midstream`, { isAdopting: true }).isFlowAccepted).toBe(true);
    const without = engineOf([...hosts, groups(group("sg-b", [], []))]);
    expect(without.decide(`${flow} midstream`, { isAdopting: true }).isFlowAccepted).toBe(false);
    // With its entry it goes on (SG-66).
    expect(without.decide(flow, { isSgHeld: true }).isFlowAccepted).toBe(true);
  });

  test("NP-71: a live flow is judged again as it began, whichever of its packets asks", () => {
    const engine = engineOf([...cluster, closed]);
    const [asked, answered] = ["", " reply"].map((state) => engine.decide(`shop/web -> shop/db tcp 80${state}`));
    expect(asked?.isFlowAccepted).toBe(false);
    expect(answered).toEqual(asked);
    expect(engine.ask("shop/db -> shop/web tcp 49152")).toBe("accept");
  });

  test("PL-0: every knob has its values, the first of them the default", () => {
    const known = Object.fromEntries(listKnobs().map(({ name, values }) => [name, values]));
    expect(known).toMatchObject({
      bypass: ["drop", "accept"],
      overflow: ["drop", "accept"],
      errorVerdict: ["deny", "accept"],
      onStop: ["remove", "keep"],
      "defaultVerdict.STAGE": ["accept", "deny"],
      denyAction: ["drop", "reject"],
      sgOnChange: ["aws", "strict"],
      sgIcmpErrors: ["related", "require-rule"],
      sgTimeouts: ["kernel", "aws"],
      "awsExempt.CLASS": ["on", "off"],
      ipBlockMatchesPods: ["true", "false"],
      npNonL4: ["peer-only", "allow", "deny"],
      npEgressToOwnNode: ["allow", "evaluate"],
      npOnChange: ["strict", "new-only"],
      midstream: ["adopt(60)", "strict"],
      unknownLocalIp: ["hold(2000)", "deny", "allow"],
    });
    const { holdMs } = defaultKnobs.unknownLocalIp as { readonly holdMs: number };
    const settings: Readonly<Record<string, unknown>> = { ...defaultKnobs, unknownLocalIp: `hold(${holdMs})` };
    for (const [name, [first]] of Object.entries(known)) if (name in settings) expect(settings[name], name).toBe(first);
  });

  test("PL-12: two hosts that each know their own end deny together what one host denies", () => {
    const policies = [
      closed,
      policy("shop/out", {
        podSelector: label("app=web"),
        policyTypes: ["Egress"],
        egress: [{ ports: [{ port: 80 }] }],
      }),
    ];
    const without = (name: string) =>
      cluster.filter((o) => o.kind !== "Pod" || (o.metadata as { name?: string }).name !== name);
    const [both, source, destination] = [cluster, without("db"), without("web")].map((objects) =>
      engineOf([...objects, ...policies]),
    );
    for (const flow of [
      "10.0.0.1 -> 10.0.0.2 tcp 80",
      "10.0.0.1 -> 10.0.0.2 tcp 443",
      "10.0.0.1 -> 10.0.0.3 tcp 80",
      "10.0.0.3 -> 10.0.0.2 tcp 80",
    ]) {
      const verdicts = [source, destination].map((engine) => engine?.decide(flow).isFlowAccepted);
      expect(both?.decide(flow).isFlowAccepted, flow).toBe(!verdicts.includes(false));
    }
  });

  test("PL-22: nothing remembered outlives the program that it was said by", () => {
    const flow = "shop/web -> shop/db tcp 80";
    const [before, after] = [engineOf(cluster), engineOf([...cluster, closed])];
    expect([before.ask(flow), after.ask(flow), before.ask(flow), after.ask(flow)]).toEqual([
      "accept",
      "deny k8s ingress no-rule-matches",
      "accept",
      "deny k8s ingress no-rule-matches",
    ]);
  });
});
