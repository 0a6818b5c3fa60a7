/** What the engine relies on beyond verdicts: subjects, captures, classes, and what an evaluator leaves alone. */
import { describe, expect, test } from "vitest";
import { adminPolicyEvaluator, baselinePolicyEvaluator } from "../../../src/evaluators/admin-policy/evaluator.ts";
import { PolicyIndex } from "../../../src/evaluators/kubernetes/policy-index.ts";
import { networkPolicyEvaluator } from "../../../src/evaluators/network-policy/evaluator.ts";
import { createFlowView, fillFlowView } from "../../../src/model/flow.ts";
import { changeFromNothing } from "../../../src/model/inventory-change.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { Direction } from "../../../src/model/verdict.ts";
import { type Address, formatAddress, parseAddress } from "../../../src/net/address.ts";
import { anp, banp, cluster, label, pod, policy } from "./cluster.ts";
import { inventoryOfObjects, tablesOf } from "./stage.ts";

const address = (text: string) => parseAddress(text) as Address;
const captured = (objects: readonly unknown[]) => {
  const { kubernetes } = changeFromNothing(inventoryOfObjects([...cluster, ...objects]));
  const { captured: found } = new PolicyIndex(defaultKnobs).update(kubernetes);
  expect(found.removed).toEqual([]);
  return found.added.map(formatAddress).sort();
};

describe("capture and subjects", () => {
  const deny = { ingress: [{ action: "Deny", from: [{ namespaces: {} }] }] };
  const shop = ["10.0.0.1", "10.0.0.2", "10.0.0.3", "fd00::1", "fd00::2", "fd00::3"];

  test("nothing without policies", () => {
    expect(captured([])).toEqual([]);
  });

  test("NP-59 NP-60 NP-63 PL-13: the selected pods' addresses, not hostNetwork pods', ended ones' or numbers", () => {
    expect(captured([policy("shop/p", {})])).toEqual(shop);
    expect(captured([policy("blog/p", { podSelector: label("app=web") })])).toEqual(["10.0.1.1", "fd00:1::1"]);
  });

  test("AN-1: every tier captures its subjects, and none for a policy without rules", () => {
    const objects = [
      anp("a", 1, { subject: { namespaces: label("team=a") }, ...deny }),
      anp("b", 2, { subject: { namespaces: label("team=b") } }),
      banp("default", { subject: { namespaces: label("team=b") }, ...deny }),
    ];
    expect(captured(objects.slice(0, 2))).toEqual(shop);
    expect(captured(objects.slice(1))).toEqual(["10.0.1.1", "fd00:1::1"]);
    expect(captured(objects)).toEqual([...shop.slice(0, 3), "10.0.1.1", ...shop.slice(3), "fd00:1::1"].sort());
  });

  test("NP-2: a subject by direction", () => {
    const inventory = inventoryOfObjects([
      ...cluster,
      policy("shop/p", { podSelector: label("app=db"), policyTypes: ["Egress"] }),
    ]);
    const compiled = networkPolicyEvaluator.load(tablesOf(inventory));
    const isSubject = (text: string, direction: Direction) =>
      compiled.isSubject(compiled.classOf(address(text)), direction);
    expect(isSubject("10.0.0.2", Direction.egress)).toBe(true);
    expect(isSubject("fd00::2", Direction.egress)).toBe(true);
    expect(isSubject("10.0.0.2", Direction.ingress)).toBe(false);
    expect(isSubject("10.0.0.1", Direction.egress)).toBe(false);
    expect(isSubject("8.8.8.8", Direction.egress)).toBe(false);
  });
});

describe("classes", () => {
  test("pods that no policy tells apart share one", () => {
    const crowd = Array.from({ length: 50 }, (_, i) =>
      pod(`shop/c${i}`, { labels: { app: "crowd", id: `${i}` }, ips: [`10.3.0.${i}`], node: i % 2 ? "n1" : "n2" }),
    );
    const inventory = inventoryOfObjects([...cluster, ...crowd, policy("shop/p", { podSelector: label("app=crowd") })]);
    const compiled = networkPolicyEvaluator.load(tablesOf(inventory));
    expect(new Set(crowd.map((_, i) => compiled.classOf(address(`10.3.0.${i}`)))).size).toBe(1);
    expect(compiled.classOf(address("10.3.0.1"))).not.toBe(compiled.classOf(address("10.0.0.1")));
    const all = inventory.kubernetes.pods.flatMap((one) => one.addresses.map((a) => compiled.classOf(a)));
    expect(new Set(all).size).toBe(3);
  });
});

describe("an answer", () => {
  test("leaves the flow alone, sets reason and rule only, and is the same again", () => {
    const inventory = inventoryOfObjects([
      ...cluster,
      policy("shop/p", {}),
      anp("a", 1, { egress: [{ action: "Allow", to: [{ namespaces: {} }] }] }),
    ]);
    for (const evaluator of [adminPolicyEvaluator, networkPolicyEvaluator, baselinePolicyEvaluator] as const) {
      const compiled = evaluator.load(tablesOf(inventory));
      const view = createFlowView();
      const flow = {
        source: address("10.0.0.1"),
        destination: address("10.0.0.2"),
        protocol: 6,
        sourcePort: 1,
        destinationPort: 80,
        icmpType: 0,
        icmpCode: 0,
        viaService: false,
        isFragment: false,
      };
      fillFlowView(view, flow);
      view.sourceClass = compiled.classOf(view.source);
      view.destinationClass = compiled.classOf(view.destination);
      const first = compiled.evaluateEgress(view);
      const { reason, rule, ...rest } = structuredClone(view);
      expect(compiled.evaluateEgress(view)).toBe(first);
      expect(view).toEqual({ ...rest, reason, rule });
      expect(rest).toMatchObject(flow);
    }
  });
});
