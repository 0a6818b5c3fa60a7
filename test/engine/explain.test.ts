/** What `explain` says of a decision: each key of its JSON, and its words. */
import { describe, expect, test } from "vitest";
import { compileProgram } from "../../src/engine/compiler.ts";
import { Explainer } from "../../src/engine/explain.ts";
import { readFlow } from "../../src/engine/flow-request.ts";
import type { Program } from "../../src/engine/program.ts";
import { References } from "../../src/engine/reference.ts";
import { renderExplanation } from "../../src/engine/render-explain.ts";
import { ExplainJson, renderFlowError } from "../../src/engine/render-explain-json.ts";
import { EndpointNames } from "../../src/engine/render-explain-names.ts";
import { createFlowView } from "../../src/model/flow.ts";
import { emptyInventory } from "../../src/model/inventory.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { closed, inventoryOf, pod } from "./inventories.ts";
import { programOf, type SmallEvaluator, viewOf } from "./programs.ts";

const tcp = "tcp 10.0.0.1#40000 -> 10.0.0.2#443";
const groups: SmallEvaluator = { name: "security-group", isStateful: true, reason: "rule", rule: 0 };
const silent: SmallEvaluator = { name: "network-policy", isStateful: true, reason: "not-isolated" };
const acl: SmallEvaluator = {
  name: "network-acl",
  reason: "rule",
  rule: 1,
  egress: (view) => (view.destinationPort === 443 ? "next" : "deny"),
};
const step = { verdict: "next", reason: "rule", policy: "policy-a", rule: "first" };

function explain(program: Program, flow = tcp, withTrace = true): unknown {
  const explainer = new Explainer(program, { withTrace });
  explainer.explain(viewOf(flow));
  return JSON.parse(new ExplainJson(program).render(explainer, withTrace));
}

describe("JSON", () => {
  test("an accepted flow: decidedBy, reply and the whole trace", () => {
    expect(explain(programOf({ sg: [groups], k8s: [silent] }))).toEqual({
      verdict: "accept",
      reason: "rule",
      decidedBy: {
        stage: "sg",
        evaluator: "security-group",
        direction: "ingress",
        policy: "policy-a",
        rule: "first",
      },
      reply: { verdict: "accept", reason: "default-allow", decidedBy: null, trace: [] },
      trace: [
        { stage: "k8s", evaluator: "network-policy", direction: "egress", verdict: "next", reason: "not-isolated" },
        { stage: "sg", evaluator: "security-group", direction: "egress", ...step },
        { stage: "sg", evaluator: "security-group", direction: "ingress", ...step },
        { stage: "k8s", evaluator: "network-policy", direction: "ingress", verdict: "next", reason: "not-isolated" },
      ],
    });
  });

  test("a denied flow has no reply; a policy without a matching rule has rule null", () => {
    const denies: SmallEvaluator = { ...groups, egress: "deny", reason: "no-rule-matches", rule: 1 };
    expect(explain(programOf({ sg: [denies] }))).toEqual({
      verdict: "deny",
      reason: "no-rule-matches",
      decidedBy: { stage: "sg", evaluator: "security-group", direction: "egress", policy: "policy-b", rule: null },
      trace: [
        {
          stage: "sg",
          evaluator: "security-group",
          direction: "egress",
          verdict: "deny",
          reason: "no-rule-matches",
          policy: "policy-b",
          rule: null,
        },
      ],
    });
  });

  test("NA-18: a refused answer names who refused it", () => {
    const by = { stage: "nacl", evaluator: "network-acl", direction: "egress", policy: "policy-b", rule: null };
    expect(explain(programOf({ nacl: [acl], sg: [groups] }))).toMatchObject({
      verdict: "accept",
      reply: {
        verdict: "deny",
        reason: "rule",
        decidedBy: by,
        trace: [{ ...by, verdict: "deny", reason: "rule" }],
      },
    });
  });

  test("PL-7: nobody decided", () => {
    expect(explain(programOf({ k8s: [silent] }), tcp, false)).toEqual({
      verdict: "accept",
      reason: "default-allow",
      decidedBy: null,
      reply: { verdict: "accept", reason: "default-allow", decidedBy: null },
    });
  });

  test("PL-1: a stage's default has a stage, and no evaluator", () => {
    const program = programOf({ k8s: [silent] }, { defaultVerdict: { k8s: "deny" } });
    expect(explain(program, tcp, false)).toEqual({
      verdict: "deny",
      reason: "default-deny",
      decidedBy: { stage: "k8s", evaluator: null, direction: "egress", policy: null, rule: null },
    });
  });

  test.each(["throw", "nothing"] as const)("PL-8: an evaluator that fails (%s) is the trace's last step", (egress) => {
    const by = { stage: "sg", evaluator: "security-group", direction: "egress" };
    expect(explain(programOf({ sg: [{ ...groups, egress }], k8s: [silent] }))).toEqual({
      verdict: "deny",
      reason: "error",
      decidedBy: { ...by, policy: null, rule: null },
      trace: [
        { stage: "k8s", evaluator: "network-policy", direction: "egress", verdict: "next", reason: "not-isolated" },
        { ...by, verdict: "deny", reason: "error" },
      ],
    });
  });

  test("PL-8: a failure about the answer is part of one trace, with errorVerdict=accept too", () => {
    const fails: SmallEvaluator = {
      ...acl,
      ingress: (view) => (view.destinationPort === 443 ? "next" : "throw"),
      egress: "next",
    };
    const by = { stage: "nacl", evaluator: "network-acl", direction: "ingress" };
    expect(explain(programOf({ nacl: [fails] }, { errorVerdict: "accept" }))).toMatchObject({
      verdict: "accept",
      reason: "error",
      reply: { verdict: "accept", reason: "error", decidedBy: by, trace: [] },
      trace: [{}, {}, {}, { ...by, verdict: "accept", reason: "error" }],
    });
  });

  test("SG-84: neighbour discovery", () => {
    expect(explain(programOf({ sg: [groups] }), "icmpv6 fe80::1#135 -> fe80::2#0")).toEqual({
      verdict: "accept",
      reason: "neighbour-discovery",
      decidedBy: null,
      reply: { verdict: "accept", reason: "neighbour-discovery", decidedBy: null, trace: [] },
      trace: [],
    });
  });

  test("one explainer, many flows: nothing of one is left in the next", () => {
    const port443: SmallEvaluator = { ...groups, ingress: (view) => (view.destinationPort === 443 ? "next" : "deny") };
    const program = programOf({ sg: [port443] });
    const explainer = new Explainer(program, { withTrace: true });
    const json = new ExplainJson(program);
    const render = (flow: string): string => {
      explainer.explain(viewOf(flow));
      return json.render(explainer, true);
    };
    const other = "tcp 10.0.0.1#40000 -> 10.0.0.2#80";
    const first = [render(tcp), render(other)];
    expect([render(tcp), render(other)]).toEqual(first);
    expect(first.map((line) => JSON.parse(line).verdict)).toEqual(["accept", "deny"]);
  });

  test("an error is one object with code, field and message", () => {
    const error = { code: "unknown-ref", field: "from", message: 'nothing is called "x"' } as const;
    expect(JSON.parse(renderFlowError(error))).toEqual({ error });
  });
});

describe("words", () => {
  const names = new EndpointNames(emptyInventory);
  const plain = (text: string): string => text;
  const style = { bold: plain, dim: plain, good: plain, bad: plain };
  const say = (program: Program, flow = tcp, withTrace = true): string => {
    const explainer = new Explainer(program, { withTrace });
    const view = viewOf(flow);
    explainer.explain(view);
    return renderExplanation(explainer, { from: "10.0.0.1", to: "10.0.0.2", view }, names, style);
  };

  test("a denial: who, why, what would change it, and every answer", () => {
    const denies: SmallEvaluator = { ...groups, ingress: "deny" };
    expect(say(programOf({ sg: [denies] }))).toBe(
      [
        "10.0.0.1 → 10.0.0.2  tcp 443",
        "  denied on ingress by security group policy-a: security-group was asked for ingress of port 443.",
        "  To allow it: ask again",
        "  trace",
        "    egress   sg  security-group  next  rule  policy-a first",
        "      security-group was asked for egress of port 443",
        "    ingress  sg  security-group  deny  rule  policy-a first",
        "      security-group was asked for ingress of port 443",
        "",
      ].join("\n"),
    );
  });

  test("who else denies it, there and back, in one line", () => {
    const denies: SmallEvaluator = { ...groups, ingress: "deny" };
    const policies: SmallEvaluator = { ...silent, egress: "deny", ingress: "deny", reason: "no-rule-matches", rule: 1 };
    const text = say(programOf({ nacl: [acl], sg: [denies], k8s: [policies] }), tcp, false);
    expect(text.split("\n").slice(1)).toEqual([
      "  denied on egress by NetworkPolicy policy-b: network-policy was asked for egress of port 443.",
      "  To allow it: ask again",
      "  Besides: security group policy-a denies it on ingress too, NetworkPolicy policy-b denies it on ingress too, network ACL policy-b denies its answer on egress too.",
      "",
    ]);
  });

  test("a stage's default is one setting, and a failure ends the search", () => {
    const denies: SmallEvaluator = { ...groups, egress: "deny" };
    const closed = programOf({ sg: [denies], k8s: [silent] }, { defaultVerdict: { k8s: "deny" } });
    expect(say(closed, tcp, false)).toMatch(
      /denied on egress: no policy of stage k8s.*\n {2}Besides: security group policy-a denies it on egress too\.\n$/,
    );
    const fails = programOf({ nacl: [{ ...acl, ingress: "throw" }], sg: [denies] });
    expect(say(fails, tcp, false)).not.toContain("Besides");
  });

  test("several policies are several", () => {
    const rules = [{ policy: "sg-1,sg-2", rule: null }];
    const program = programOf({
      sg: [{ ...groups, ingress: "deny", reason: "no-rule-matches" }],
      k8s: [{ ...silent, ingress: "deny", rule: 0 }],
    });
    for (const evaluator of program.evaluators) Object.assign(evaluator.compiled, { rules });
    expect(say(program, tcp, false)).toMatch(
      /denied on ingress by security groups sg-1, sg-2: .*\n.*\n {2}Besides: NetworkPolicies sg-1, sg-2 deny it on ingress too\.\n$/,
    );
  });

  test("NP-66: a pod that lost its address has none, and the note says whose it is", () => {
    const inventory = inventoryOf([
      { ...pod("a/cli", ["10.1.0.1"]), status: { phase: "Running", podIPs: [{ ip: "10.1.0.1" }] } },
      { ...pod("b/srv", ["10.1.0.1"]), status: { phase: "Pending", podIPs: [{ ip: "10.1.0.1" }] } },
      closed("b/all", "srv"),
    ]);
    const explainer = new Explainer(compileProgram(inventory, defaultKnobs), { withTrace: false });
    const view = createFlowView();
    const asked = { from: "a/cli", to: "b/srv" };
    expect(readFlow({ ...asked, port: 80 }, new References(inventory), view)).toBeNull();
    explainer.explain(view);
    const text = renderExplanation(explainer, { ...asked, view }, new EndpointNames(inventory), style);
    expect(text).toMatch(/^a\/cli \(10\.1\.0\.1\) → b\/srv {2}tcp 80\n {2}denied on ingress by NetworkPolicy b\/all/);
    expect(text).toContain("  Note: pod b/srv has no address: 10.1.0.1, which it claims, is pod a/cli's, and packets");
    expect(inventory.findings.map((f) => f.message)).toEqual([
      "10.1.0.1 is claimed by Pod a/cli too, whose it counts as: packets of it are judged as that pod's; remove the pod that is gone",
    ]);
  });

  test("NP-64 AN-65: a note says that packets of an unknown address of a node's pod range are held", () => {
    const inventory = inventoryOf([
      pod("a/cli", ["10.244.1.7"]),
      {
        ...{ apiVersion: "v1", kind: "Node", metadata: { name: "n1" } },
        spec: { podCIDRs: ["10.244.1.0/24"] },
        status: { addresses: [{ type: "InternalIP", address: "10.244.1.1" }] },
      },
    ]);
    const explainer = new Explainer(compileProgram(inventory, defaultKnobs), { withTrace: false });
    const view = createFlowView();
    const noteOf = (to: string): string | null => {
      const asked = { from: "a/cli", to };
      expect(readFlow({ ...asked, port: 80 }, new References(inventory), view)).toBeNull();
      explainer.explain(view);
      const text = renderExplanation(explainer, { ...asked, view }, new EndpointNames(inventory), style);
      return /^ {2}Note: (.*)$/m.exec(text)?.[1] ?? null;
    };
    expect(noteOf("10.244.1.9")).toMatch(/^10\.244\.1\.9 is in the pod range of node n1, .*run holds .*drops/);
    expect(["10.244.1.1", "10.244.1.7", "10.244.2.9"].map(noteOf)).toEqual([null, null, null]);
  });

  test("a refused answer is explained as the answer it is", () => {
    const text = say(programOf({ nacl: [acl], sg: [{ ...groups, ingress: "accept" }] }), tcp, false);
    expect(text).toContain("accepted on ingress by security group policy-a");
    expect(text).toContain("But it gets no answer");
    expect(text).toContain(
      "answer denied on egress by network ACL policy-b: network-acl was asked for egress of port 40000.",
    );
    expect(text).not.toContain("trace");
  });

  test.each([
    ["PL-7", programOf({ k8s: [silent] }), tcp, /accepted: neither end is in the input/],
    [
      "PL-1",
      programOf({ k8s: [silent] }, { defaultVerdict: { k8s: "deny" } }),
      tcp,
      /denied on egress: no policy of stage k8s allows it, and the setting defaultVerdict\.k8s is deny/,
    ],
    [
      "PL-8",
      programOf({ sg: [{ ...groups, egress: "throw" }] }),
      tcp,
      /denied: security-group failed.*errorVerdict=deny/,
    ],
    [
      "SG-84",
      programOf({ sg: [groups] }),
      "icmpv6 fe80::1#135 -> fe80::2#0",
      /icmpv6 type 135 code 0\n {2}accepted: IPv6 neighbour/,
    ],
  ])("%s", (_, program, flow, expected) => {
    expect(say(program, flow)).toMatch(expected);
  });
});
