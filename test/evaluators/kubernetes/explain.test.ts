import { describe, expect, test } from "vitest";
import { anp, banp, cluster, cnp, label, policy } from "./cluster.ts";
import { stageOf } from "./stage.ts";

const stage = stageOf([
  ...cluster,
  policy("shop/db", {
    podSelector: label("app=db"),
    policyTypes: ["Ingress", "Egress"],
    ingress: [
      { from: [{ podSelector: label("app=web") }], ports: [{ port: "web" }, { port: 5432, endPort: 5433 }] },
      { from: [{ ipBlock: { cidr: "192.168.0.0/16", except: ["192.168.1.0/24"] } }] },
    ],
  }),
  policy("shop/all", { podSelector: {} }),
  cnp("guard", "Admin", 5, {
    subject: { namespaces: label("team=b") },
    ingress: [
      { name: "no-db", action: "Deny", from: [{ pods: { podSelector: label("app=db") } }] },
      { action: "Pass", from: [{ namespaces: label("team=a") }] },
    ],
    egress: [{ action: "Accept", to: [{ networks: ["8.0.0.0/8"] }, { nodes: {} }], protocols: [{ udp: {} }] }],
  }),
  anp("broken", 900, {
    subject: { namespaces: label("team=b") },
    egress: [{ action: "Deny", to: [{ serviceAccounts: {} }] }],
  }),
  banp("default", { ingress: [{ action: "Deny", from: [{ namespaces: {} }] }] }),
]);

/** The last step's text, and its remedy behind an arrow. */
function explain(flow: string): string {
  const step = stage.judge(flow).trace.at(-1);
  return `${step?.text}${step?.remedy ? ` => ${step.remedy}` : ""}`;
}

describe("explanations", () => {
  const rows: Readonly<Record<string, string>> = {
    "shop/web -> shop/db tcp 80":
      'ingress[0] of shop/db allows tcp port "web", tcp 5432-5433 from pods app=web in namespace shop',
    "shop/web -> shop/db tcp 81":
      "none of the ingress rules of shop/all, shop/db (2) allows tcp 81 from 10.0.0.1" +
      " (they allow it from 192.168.0.0/16 except 192.168.1.0/24;" +
      ' from 10.0.0.1 they allow tcp port "web", tcp 5432-5433)' +
      " => add an ingress rule to a NetworkPolicy of the pod's own that allows tcp 81 from 10.0.0.1",
    "8.8.8.8 -> shop/web tcp 1":
      "shop/all isolates the pod for ingress and has no rule for it" +
      " => add an ingress rule to a NetworkPolicy of the pod's own that allows tcp 1 from 8.8.8.8",
    "shop/db -> 8.8.8.8 icmp 8":
      "shop/db isolates the pod for egress and has no rule for it" +
      " => add an egress rule to a NetworkPolicy of the pod's own that allows icmp type 8 to 8.8.8.8",
    "172.18.0.3 -> shop/db tcp 1": "172.18.0.3 is the pod's own node, whose traffic shop/all, shop/db can't restrict",
    "shop/db -> shop/db tcp 1": "a pod that talks to its own address is subject to no policy",
    "shop/bare -> blog/app tcp 1":
      "ingress[0] of BaselineAdminNetworkPolicy default denies all traffic from all pods in all namespaces" +
      " => put a rule for tcp 1 from 10.0.0.3 in front of ingress[0] of default, with action Allow," +
      " or add a NetworkPolicy that allows it",
    "blog/app -> 1.1.1.1 tcp 1":
      "egress[0] of AdminNetworkPolicy broken denies all traffic to anywhere, because the rule is invalid" +
      " => put a rule for tcp 1 to 1.1.1.1 in front of egress[0] of broken, with action Allow," +
      " or Pass to leave it to NetworkPolicies",
    "1.1.1.1 -> 2.2.2.2 tcp 1": "2.2.2.2 is no pod that a baseline policy could select",
  };
  for (const [flow, text] of Object.entries(rows)) test(flow, () => expect(explain(flow)).toBe(text));

  test("every step of a trace says something", () => {
    const { trace } = stage.judge("shop/bare -> blog/app tcp 1");
    expect(trace.map((step) => `${step.direction} ${step.evaluator}: ${step.text}`)).toEqual([
      "egress admin-policy: no admin policy has egress rules for the pod",
      "egress network-policy: no NetworkPolicy isolates the pod for egress",
      "egress baseline-policy: no baseline policy has egress rules for the pod",
      "ingress admin-policy: ingress[1] of ClusterNetworkPolicy guard passes on all traffic from all pods in namespaces team=a",
      "ingress network-policy: no NetworkPolicy isolates the pod for ingress",
      "ingress baseline-policy: ingress[0] of BaselineAdminNetworkPolicy default denies all traffic from all pods in all namespaces",
    ]);
  });
});
