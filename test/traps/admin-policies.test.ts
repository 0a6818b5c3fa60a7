/** Traps of AdminNetworkPolicy, its baseline and ClusterNetworkPolicy, and of stages, through the whole engine. */
import { describe, expect, test } from "vitest";
import { createDecision } from "../../src/engine/decision.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import type { Knobs } from "../../src/model/knobs.ts";
import { reasonNames } from "../../src/model/reason.ts";
import { programOf, type SmallEvaluator, viewOf } from "../engine/programs.ts";
import { anp, banp, cluster, cnp, label, namespace, policy } from "../evaluators/kubernetes/cluster.ts";
import { engineOf, type Trap, verdictsOf } from "./engine.ts";

const toAll = [{ namespaces: {} }];
const shop = { namespaces: label("kubernetes.io/metadata.name=shop") };
const closed = policy("shop/closed", { podSelector: label("app=db"), policyTypes: ["Ingress"] });
const toWorld = [{ networks: ["0.0.0.0/0"] }];
const ingress = "deny k8s ingress rule";
const egress = "deny k8s egress rule";

const traps: readonly Trap[] = [
  {
    name: "T-51: a pod reaches itself directly, but through a Service it is judged",
    documents: [
      ...cluster,
      cnp("no-siblings", "Admin", 1, { subject: shop, egress: [{ action: "Deny", to: [shop] }] }),
    ],
    flows: { "shop/db -> shop/db tcp 80": "accept", "shop/db -> shop/db tcp 80 via service": egress },
  },
  {
    name: "T-58: isolated for ingress alone, so that the baseline decides egress",
    documents: [...cluster, closed, banp("default", { egress: [{ action: "Deny", to: toWorld }] })],
    flows: { "shop/db -> 8.8.8.8 tcp 443": egress },
  },
  {
    name: "T-59: isolated and unmatched is final; a baseline's Allow comes too late",
    documents: [...cluster, closed, banp("default", { ingress: [{ action: "Allow", from: toAll }] })],
    flows: { "shop/web -> shop/db tcp 80": "deny k8s ingress no-rule-matches" },
  },
  {
    name: "T-60: Pass leaves the whole tier",
    documents: [
      ...cluster,
      anp("first", 10, { ingress: [{ action: "Pass", from: toAll }] }),
      anp("second", 20, { ingress: [{ action: "Deny", from: toAll }] }),
    ],
    flows: { "shop/web -> shop/db tcp 80": "accept" },
  },
  {
    name: "T-61: the lower number goes first",
    documents: [
      ...cluster,
      anp("fifty", 50, { ingress: [{ action: "Allow", from: toAll }] }),
      anp("five", 5, { ingress: [{ action: "Deny", from: toAll }] }),
    ],
    flows: { "shop/web -> shop/db tcp 80": ingress },
  },
  {
    name: "T-62: an Allow is for its own direction",
    documents: [...cluster, closed, anp("out", 1, { egress: [{ action: "Allow", to: toAll }] })],
    flows: { "shop/web -> shop/db tcp 80": "deny k8s ingress no-rule-matches" },
  },
  {
    name: "T-63: a named port has its number and its protocol",
    documents: [
      ...cluster,
      anp("dns", 1, { ingress: [{ action: "Deny", from: toAll, ports: [{ namedPort: "dns" }] }] }),
    ],
    flows: {
      "shop/web -> shop/db tcp 8080": "accept",
      "shop/web -> shop/db tcp 53": "accept",
      "shop/web -> shop/db udp 53": ingress,
    },
  },
  {
    name: "T-64: nodes are their addresses, not their pods",
    documents: [...cluster, cnp("cp", "Admin", 1, { egress: [{ action: "Deny", to: [{ nodes: label("role=cp") }] }] })],
    flows: {
      "shop/db -> shop/web tcp 80": "accept",
      "shop/db -> 172.18.0.2 tcp 6443": egress,
      "shop/db -> 172.18.0.3 tcp 6443": "accept",
    },
  },
  {
    name: "T-65: a Deny for a peer that nobody knows denies everyone",
    documents: [
      ...cluster,
      cnp("new", "Admin", 1, { subject: shop, ingress: [{ action: "Deny", from: [{ serviceAccounts: {} }] }] }),
    ],
    flows: {
      "blog/app -> shop/db tcp 80": ingress,
      "8.8.8.8 -> shop/db tcp 80": ingress,
      "shop/db -> blog/app tcp 80": "accept",
    },
  },
  {
    name: "T-66: while no DNS answer is observed a domain name opens nothing",
    documents: [
      ...cluster,
      cnp("names", "Admin", 1, {
        egress: [
          { action: "Accept", to: [{ domainNames: ["*.example.com"] }] },
          { action: "Deny", to: toWorld },
        ],
      }),
    ],
    flows: { "shop/db -> 93.184.216.34 tcp 443": egress },
  },
  {
    name: "T-67: networks are of one family, contain pods, and mean ICMP too",
    documents: [...cluster, cnp("ipv4", "Admin", 1, { egress: [{ action: "Deny", to: toWorld }] })],
    flows: {
      "10.0.0.2 -> 10.0.0.1 tcp 80": egress,
      "fd00::2 -> fd00::1 tcp 80": "accept",
      "10.0.0.2 -> 10.0.0.1 icmp 8": egress,
    },
  },
  {
    name: "T-68: without egress rules egress is untouched",
    documents: [...cluster, cnp("in", "Admin", 1, { ingress: [{ action: "Deny", from: toAll }] })],
    flows: { "shop/db -> 8.8.8.8 tcp 443": "accept", "blog/app -> shop/db tcp 80": ingress },
  },
  {
    name: "T-69: a baseline that denies all pods leaves the kubelet alone",
    documents: [...cluster, banp("default", { ingress: [{ action: "Deny", from: toAll }] })],
    flows: { "172.18.0.3 -> shop/db tcp 8080": "accept", "shop/web -> shop/db tcp 8080": ingress },
  },
];

describe("traps of admin policies", () => {
  test.each(traps)("$name", (trap) => {
    expect(verdictsOf(trap)).toEqual(trap.flows);
  });

  test("T-70: a namespace that loses its label is no subject any more", () => {
    const own = cnp("a", "Admin", 1, {
      subject: { namespaces: label("team=a") },
      ingress: [{ action: "Deny", from: toAll }],
    });
    const others = cluster.filter((object) => (object.metadata as { name?: string }).name !== "shop");
    const flow = "blog/app -> shop/db tcp 80";
    expect(engineOf([...others, namespace("shop", { team: "a" }), own]).ask(flow)).toBe(ingress);
    expect(engineOf([...others, namespace("shop"), own]).ask(flow)).toBe("accept");
  });
});

describe("traps of stages", () => {
  const ask = (program: ReturnType<typeof programOf>) => {
    const decision = createDecision();
    const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
    new Pipeline().decide(program, viewOf("tcp 10.0.0.1#40000 -> 10.0.0.2#443"), memory, decision);
    return `${decision.isFlowAccepted ? "accept" : "deny"} ${reasonNames[decision.reason]}`;
  };
  const own: SmallEvaluator = { name: "own", egress: "accept", ingress: "accept", reason: "rule" };
  const sg: SmallEvaluator = { name: "security-group", ingress: "deny", reason: "no-rule-matches" };

  test("T-72: an accept ends its own stage, and no other", () => {
    expect(ask(programOf({ sg: [own, sg] }))).toBe("accept rule");
    expect(ask(programOf({ "custom:own": [own], sg: [sg] }))).toBe("deny no-rule-matches");
  });

  test.each<[Knobs["errorVerdict"]]>([["deny"], ["accept"]])(
    "T-73: an evaluator that throws is errorVerdict=%s",
    (errorVerdict) => {
      expect(ask(programOf({ sg: [{ name: "broken", egress: "throw" }] }, { errorVerdict }))).toBe(
        `${errorVerdict} error`,
      );
    },
  );
});
