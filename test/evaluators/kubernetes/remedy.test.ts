/** Remedies in YAML: what is copied must do what it says. */
import { load, loadAll } from "js-yaml";
import { describe, expect, test } from "vitest";
import { networkPolicyEvaluator } from "../../../src/evaluators/network-policy/evaluator.ts";
import type { Explanation } from "../../../src/model/evaluator.ts";
import { createFlowView, fillFlowView } from "../../../src/model/flow.ts";
import { Direction } from "../../../src/model/verdict.ts";
import { type Address, addressKey, parseAddress } from "../../../src/net/address.ts";
import { parseProtocol } from "../../../src/net/protocol.ts";
import { cluster, label, policy } from "./cluster.ts";
import { inventoryOfObjects, stageOf, tablesOf } from "./stage.ts";

const odd = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { namespace: "blog", name: "odd", labels: { "app.kubernetes.io/name": "true", "pod-template-hash": "5" } },
  status: { phase: "Running", podIPs: [{ ip: "10.0.1.7" }] },
};
const world = [...cluster, odd];
const db = policy("shop/db", {
  podSelector: label("app=db"),
  ingress: [{ from: [{ podSelector: label("app=web") }], ports: [{ port: "web" }] }],
});
const all = policy("shop/all", { policyTypes: ["Ingress", "Egress"] });

/** NetworkPolicy's words for `10.0.0.1 -> 10.0.0.2 tcp 80`. */
function explain(objects: readonly unknown[], text: string, direction: Direction): Explanation {
  const inventory = inventoryOfObjects(objects);
  const pods = new Map(inventory.kubernetes.pods.flatMap((p) => p.addresses.map((a) => [addressKey(a), p] as const)));
  const [, from = "", to = "", protocol = "", number = "0"] = /^(\S+) -> (\S+) (\S+) (\d+)$/.exec(text) ?? [];
  const view = createFlowView();
  fillFlowView(view, {
    source: parseAddress(from) as Address,
    destination: parseAddress(to) as Address,
    protocol: parseProtocol(protocol) as number,
    sourcePort: 49152,
    destinationPort: Number(number),
    icmpType: 8,
    icmpCode: 0,
    viaService: false,
    isFragment: false,
  });
  const compiled = networkPolicyEvaluator.load(tablesOf(inventory));
  return compiled.explain?.(view, direction, (address) => pods.get(addressKey(address)) ?? null) as Explanation;
}

/** The objects with what the remedy says. */
function follow(objects: readonly unknown[], remedy: string): unknown[] {
  const [words = "", ...lines] = remedy.split("\n");
  const yaml = lines.join("\n");
  const into = /^add to spec\.(ingress|egress) of NetworkPolicy (\S+)\/(\S+):$/.exec(words);
  if (!into) return [...objects, ...loadAll(yaml)];
  const [, direction = "", namespace, name] = into;
  return objects.map((object) => {
    const { metadata, spec } = object as { metadata: Record<string, string>; spec: Record<string, unknown[]> };
    if (metadata.namespace !== namespace || metadata.name !== name || !spec) return object;
    const rules = [...(spec[direction] ?? []), ...(load(yaml) as unknown[])];
    return { ...(object as object), spec: { ...spec, [direction]: rules } };
  });
}

describe("what a remedy says makes the flow pass, and comes without findings", () => {
  test.each<[string, readonly unknown[], string, "egress" | "ingress", RegExp]>([
    [
      "a rule of the one policy that has rules",
      [db],
      "10.0.0.1 -> 10.0.0.2 tcp 81",
      "ingress",
      /^add to spec\.ingress of NetworkPolicy shop\/db:\n- from:\n {4}- podSelector: \{matchLabels: \{app: web, env: prod\}\}\n {2}ports: \[\{protocol: TCP, port: 81\}\]$/,
    ],
    [
      "a pod of another namespace",
      [db],
      "10.0.1.1 -> 10.0.0.2 tcp 80",
      "ingress",
      /- namespaceSelector: \{matchLabels: \{kubernetes\.io\/metadata\.name: blog\}\}\n {6}podSelector: \{matchLabels: \{app: web\}\}/,
    ],
    [
      "labels that YAML reads as something else, and generated ones",
      [db],
      "10.0.1.7 -> 10.0.0.2 tcp 80",
      "ingress",
      /podSelector: \{matchLabels: \{app\.kubernetes\.io\/name: "true"\}\}/,
    ],
    [
      "no pod",
      [db],
      "192.0.2.1 -> 10.0.0.2 udp 53",
      "ingress",
      /- ipBlock: \{cidr: "192\.0\.2\.1\/32"\}\n {2}ports: \[\{protocol: UDP, port: 53\}\]/,
    ],
    ["IPv6", [db], "2001:db8::1 -> fd00::2 tcp 1", "ingress", /cidr: "2001:db8::1\/128"/],
    [
      "several policies: one of its own",
      [db, all],
      "10.0.1.1 -> 10.0.0.2 tcp 80",
      "ingress",
      /^add a NetworkPolicy of its own:\napiVersion: networking\.k8s\.io\/v1\n/,
    ],
    [
      "a policy that only closes: one of its own",
      [all],
      "10.0.0.1 -> 10.0.1.1 tcp 80",
      "egress",
      /name: web-egress\}\nspec:\n {2}podSelector: \{matchLabels: \{app: web, env: prod\}\}\n {2}policyTypes: \[Egress\]/,
    ],
    [
      "a pod without labels",
      [all],
      "10.0.0.1 -> 10.0.0.3 tcp 80",
      "ingress",
      /# bare has no label, so this selects its whole namespace\n/,
    ],
    [
      "a peer without labels",
      [db],
      "10.0.0.3 -> 10.0.0.2 tcp 80",
      "ingress",
      /# bare has no label, so this allows every pod of namespace shop\n/,
    ],
    ["a protocol without ports", [db], "10.0.0.1 -> 10.0.0.2 icmp 8", "ingress", /# ports are TCP's.*\n(?!.*ports:)/],
  ])("NP-9 … NP-11: %s", (_name, policies, flow, direction, text) => {
    const objects = [...world, ...policies];
    const { remedy } = explain(objects, flow, Direction[direction]);
    expect(remedy).toMatch(text);
    const after = follow(objects, remedy ?? "");
    expect(stageOf(after).inventory.findings).toEqual([]);
    expect(explain(objects, flow, Direction[direction]).remedy).not.toBeNull();
    expect(explain(after, flow, Direction[direction])).toMatchObject({
      text: expect.stringMatching(/ allows /),
      remedy: null,
    });
  });

  test("NP-43: a named port is shown with the number that the destination gives it", () => {
    expect(explain([...world, db], "10.0.0.1 -> 10.0.0.2 tcp 80", Direction.ingress).text).toBe(
      'ingress[0] of shop/db allows tcp port "web" (80) from pods app=web in namespace shop',
    );
    const bare = policy("shop/db", { podSelector: {}, ingress: [{ ports: [{ port: "web" }] }] });
    expect(explain([...world, bare], "10.0.0.1 -> 10.0.0.1 tcp 80", Direction.ingress).text).toMatch(/itself/);
    expect(explain([...world, bare], "10.0.0.2 -> 10.0.0.1 tcp 80", Direction.ingress).text).toMatch(
      /from 10\.0\.0\.2 it allows tcp port "web" \(666\)/,
    );
  });
});
