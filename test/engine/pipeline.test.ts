/** The pipeline round small evaluators: order, conjunction, replies, memory, failures. Rows first. */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDecision, type Decision } from "../../src/engine/decision.ts";
import { type Memory, Pipeline } from "../../src/engine/pipeline.ts";
import { type FlowView, PacketState } from "../../src/model/flow.ts";
import type { Knobs } from "../../src/model/knobs.ts";
import { type ReasonName, reasonNames } from "../../src/model/reason.ts";
import type { StageName } from "../../src/model/stage.ts";
import { directionNames } from "../../src/model/verdict.ts";
import { programOf, type SmallEvaluator, viewOf } from "./programs.ts";

type Stages = Partial<Record<StageName, readonly SmallEvaluator[]>>;

interface Row {
  readonly name: string;
  readonly stages: Stages;
  readonly flow?: string;
  readonly state?: keyof typeof PacketState;
  readonly knobs?: Partial<Knobs>;
  readonly memory?: Partial<Memory>;
  /** `accept` or `deny` of the flow, and of the reply where it is told. */
  readonly verdict: "accept" | "deny";
  readonly reply?: "accept" | "deny";
  readonly reason: ReasonName;
  /** `ingress sg groups`, or null for nobody. */
  readonly by: string | null;
  readonly replyBy?: string;
  readonly asked?: readonly string[];
  readonly isSgHeld?: boolean;
  readonly isK8sHeld?: boolean;
}

const tcp = "tcp 10.0.0.1#40000 -> 10.0.0.2#443";
const nothing: Memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };

/** An SG that allows: `next` with a rule, admitted as tracked. */
const groups: SmallEvaluator = { name: "groups", isStateful: true, reason: "rule", rule: 0, tracking: "tracked" };
const acl: SmallEvaluator = { name: "acl", reason: "rule", rule: 0 };
const policies: SmallEvaluator = { name: "policies", isStateful: true, reason: "not-isolated" };
/** A network ACL that lets packets to port 443 in, and no others. */
const only443: SmallEvaluator = {
  name: "acl",
  reason: "rule",
  rule: 0,
  ingress: (view) => (view.destinationPort === 443 ? "next" : "deny"),
  egress: (view) => (view.destinationPort === 443 ? "next" : "deny"),
};
const towards443: SmallEvaluator = {
  name: "gate",
  isStateful: true,
  reason: "rule",
  rule: 0,
  egress: (view) => (view.destinationPort === 443 ? "next" : "deny"),
};

function judge(row: Row): { decision: Decision; asked: string[]; view: FlowView } {
  const asked: string[] = [];
  const program = programOf(row.stages, row.knobs, asked);
  const view = viewOf(row.flow ?? tcp);
  view.state = PacketState[row.state ?? "original"];
  const decision = createDecision();
  new Pipeline().decide(program, view, { ...nothing, ...row.memory }, decision);
  return { decision, asked, view };
}

function placeOf(row: Row, stage: number, evaluator: number, direction: number): string | null {
  if (stage < 0) return null;
  const program = programOf(row.stages, row.knobs);
  const name = evaluator < 0 ? "-" : program.evaluators[evaluator]?.name;
  return `${directionNames[direction]} ${program.stages[stage]?.name} ${name}`;
}

function check(row: Row): void {
  const { decision: d, asked } = judge(row);
  expect({
    verdict: d.isFlowAccepted ? "accept" : "deny",
    reason: reasonNames[d.reason],
    by: placeOf(row, d.stage, d.evaluator, d.direction),
  }).toEqual({ verdict: row.verdict, reason: row.reason, by: row.by });
  if (row.reply !== undefined) expect(d.isReplyAccepted ? "accept" : "deny").toBe(row.reply);
  if (row.replyBy !== undefined) {
    expect(placeOf(row, d.replyStage, d.replyEvaluator, d.replyDirection)).toBe(row.replyBy);
  }
  if (row.asked !== undefined) expect(asked).toEqual(row.asked);
  if (row.isSgHeld !== undefined) expect(d.isSgHeld).toBe(row.isSgHeld);
  if (row.isK8sHeld !== undefined) expect(d.isK8sHeld).toBe(row.isK8sHeld);
}

describe("stages", () => {
  const rows: readonly Row[] = [
    {
      name: "PL-1: deny ends everything",
      stages: { sg: [{ ...groups, egress: "deny", reason: "no-rule-matches" }], k8s: [policies] },
      verdict: "deny",
      reason: "no-rule-matches",
      by: "egress sg groups",
      asked: ["egress policies", "egress groups"],
    },
    {
      name: "PL-1: accept ends its stage in its direction, not the other stages",
      stages: {
        sg: [{ ...groups, egress: "deny", reason: "no-rule-matches" }],
        k8s: [
          { ...policies, egress: "accept", reason: "rule" },
          { ...policies, name: "skipped" },
        ],
      },
      verdict: "deny",
      reason: "no-rule-matches",
      by: "egress sg groups",
      asked: ["egress policies", "egress groups"],
    },
    {
      name: "AN-4, T-62: an accept on egress doesn't speak for ingress",
      stages: { k8s: [{ ...policies, egress: "accept", ingress: "deny", reason: "rule", rule: 0 }] },
      verdict: "deny",
      reason: "rule",
      by: "ingress k8s policies",
    },
    {
      name: "PL-1: a stage of only next uses its default",
      stages: { sg: [], k8s: [policies] },
      knobs: { defaultVerdict: { k8s: "deny" } },
      verdict: "deny",
      reason: "default-deny",
      by: "egress k8s -",
    },
    {
      name: "PL-1, PL-4: a stage whose rule allows, with next, ignores its default",
      stages: { sg: [groups] },
      knobs: { defaultVerdict: { sg: "deny" } },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg groups",
    },
    {
      name: "PL-1, PL-4: one evaluator's allowing is enough, whoever else has nothing to say",
      stages: { sg: [groups, { ...policies, name: "others" }] },
      knobs: { defaultVerdict: { sg: "deny" } },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg groups",
    },
    {
      name: "PL-1: what one stage's rule allows is not decided for another stage",
      stages: { sg: [groups], k8s: [policies] },
      knobs: { defaultVerdict: { k8s: "deny" } },
      verdict: "deny",
      reason: "default-deny",
      by: "egress k8s -",
    },
    {
      name: "PL-1: a stage that accepts ignores its default",
      stages: { k8s: [{ ...policies, egress: "accept", ingress: "accept", reason: "rule", rule: 0 }] },
      knobs: { defaultVerdict: { k8s: "deny" } },
      verdict: "accept",
      reason: "rule",
      by: "ingress k8s policies",
    },
    {
      name: "PL-2, PL-3: egress from inside to outside, then ingress from outside to inside",
      stages: { nacl: [acl], sg: [groups], k8s: [policies] },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg groups",
      asked: [
        ...["egress policies", "egress groups", "egress acl", "ingress acl", "ingress groups", "ingress policies"],
        // The answer.
        ...["egress acl", "ingress acl"],
      ],
    },
    {
      name: "PL-2: a denial on egress skips ingress",
      stages: { nacl: [{ ...acl, egress: "deny" }], sg: [groups] },
      verdict: "deny",
      reason: "rule",
      by: "egress nacl acl",
      asked: ["egress groups", "egress acl"],
    },
    {
      name: "PL-4: next because a rule allows it is what accepted it",
      stages: { sg: [groups], k8s: [policies] },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg groups",
    },
    {
      name: "PL-7: nobody decided",
      stages: { nacl: [{ name: "acl", reason: "not-managed" }], k8s: [policies] },
      verdict: "accept",
      reply: "accept",
      reason: "default-allow",
      by: null,
    },
    {
      name: "PL-5, T-72: a custom accept in one stage skips what comes after it there",
      stages: {
        k8s: [
          { name: "custom", egress: "accept", ingress: "accept", reason: "rule" },
          { ...policies, ingress: "deny" },
        ],
      },
      verdict: "accept",
      reason: "rule",
      by: "ingress k8s custom",
    },
    {
      name: "PL-5, T-72: a custom accept doesn't skip a later stage",
      stages: {
        "custom:gate": [{ name: "custom", egress: "accept", ingress: "accept", reason: "rule" }],
        sg: [{ ...groups, ingress: "deny", reason: "no-rule-matches" }],
      },
      verdict: "deny",
      reason: "no-rule-matches",
      by: "ingress sg groups",
    },
    {
      name: "SG-84: neighbour discovery is never judged",
      stages: { sg: [{ ...groups, egress: "deny", ingress: "deny" }] },
      flow: "icmpv6 fe80::1#135 -> ff02::1:ff00:2#0",
      verdict: "accept",
      reply: "accept",
      reason: "neighbour-discovery",
      by: null,
      asked: [],
    },
    {
      name: "SG-84: ICMPv6 in IPv4 is no neighbour discovery",
      stages: { sg: [{ ...groups, egress: "deny", reason: "no-rule-matches" }] },
      flow: "icmpv6 10.0.0.1#133 -> 10.0.0.2#0",
      verdict: "deny",
      reason: "no-rule-matches",
      by: "egress sg groups",
    },
    ...(["untracked", "invalid"] as const).map((state) => ({
      name: `SG-84: a packet of such a type that the kernel didn't let out is judged (${state})`,
      stages: { sg: [{ ...groups, egress: "deny" as const, reason: "no-rule-matches" as const }] },
      flow: "icmpv6 2001:db8::1#137 -> 2001:db8::2#0",
      state,
      verdict: "deny" as const,
      reason: state === "invalid" ? ("invalid-state" as const) : ("no-rule-matches" as const),
      by: "egress sg groups",
    })),
  ];
  test.each(rows)("$name", check);
});

describe("failures", () => {
  const rows: readonly Row[] = [
    {
      name: "PL-8, T-73: an evaluator throws, errorVerdict=deny",
      stages: { sg: [{ ...groups, egress: "throw" }], k8s: [policies] },
      verdict: "deny",
      reason: "error",
      by: "egress sg groups",
      asked: ["egress policies", "egress groups"],
    },
    {
      name: "PL-8, T-73: an evaluator throws, errorVerdict=accept",
      stages: { nacl: [{ ...acl, ingress: "deny" }], sg: [{ ...groups, egress: "throw" }] },
      knobs: { errorVerdict: "accept" },
      verdict: "accept",
      reply: "accept",
      reason: "error",
      by: "egress sg groups",
      asked: ["egress groups"],
    },
    {
      name: "PL-8: an evaluator answers nothing",
      stages: { k8s: [{ ...policies, ingress: "nothing" }] },
      verdict: "deny",
      reason: "error",
      by: "ingress k8s policies",
    },
    {
      name: "PL-8: it fails about the answer alone",
      stages: { nacl: [{ ...acl, ingress: (view) => (view.destinationPort === 443 ? "next" : "throw") }] },
      verdict: "deny",
      reply: "deny",
      reason: "error",
      by: "ingress nacl acl",
      isSgHeld: false,
    },
  ];
  test.each(rows)("$name", (row) => {
    check(row);
    expect(judge(row).decision.isError).toBe(true);
  });

  test("PL-8: whatever evaluators do, nothing is thrown and the answer is errorVerdict's or theirs", () => {
    const answer = fc.constantFrom("deny", "accept", "next", "throw", "nothing");
    const evaluator = fc.record({
      name: fc.constant("any"),
      isStateful: fc.boolean(),
      egress: answer,
      ingress: answer,
    });
    const states = fc.constantFrom(...(Object.keys(PacketState) as (keyof typeof PacketState)[]));
    fc.assert(
      fc.property(
        fc.array(evaluator, { maxLength: 3 }),
        fc.array(evaluator, { maxLength: 3 }),
        states,
        fc.boolean(),
        (sg, k8s, state, isAdopting) => {
          const row = { name: "", stages: { sg, k8s }, state, memory: { isAdopting } } as const;
          const { decision } = judge(row as unknown as Row);
          expect(decision.isError).toBe(decision.reason === reasonNames.indexOf("error"));
          if (decision.isError) expect(decision.isFlowAccepted).toBe(false);
        },
      ),
      { numRuns: 500, seed: 20 },
    );
  });
});

describe("replies", () => {
  const rows: readonly Row[] = [
    {
      name: "NA-18, T-6: the answer meets the network ACL on the client's port",
      stages: { nacl: [only443], sg: [groups] },
      verdict: "accept",
      reply: "deny",
      reason: "rule",
      by: "ingress sg groups",
      replyBy: "egress nacl acl",
    },
    {
      name: "PL-20: what judges flows isn't asked about the answer",
      stages: { sg: [towards443], k8s: [policies] },
      verdict: "accept",
      reply: "accept",
      reason: "rule",
      by: "ingress sg gate",
      asked: ["egress policies", "egress gate", "ingress gate", "ingress policies"],
    },
    {
      name: "PL-20: a reply packet is judged by its flow first",
      stages: { sg: [{ ...towards443, reason: "no-rule-matches" }] },
      flow: "tcp 10.0.0.1#443 -> 10.0.0.2#40000",
      state: "reply",
      verdict: "deny",
      reason: "no-rule-matches",
      by: "egress sg gate",
    },
    {
      name: "VR-3: only the answer is told that it is one, whichever packet asks",
      stages: {
        route: [{ name: "routes", egress: (view) => (view.state === PacketState.reply ? "deny" : "next") }],
      },
      state: "reply",
      verdict: "accept",
      reply: "deny",
      reason: "default-allow",
      by: null,
      replyBy: "egress route routes",
    },
  ];
  test.each(rows)("$name", check);

  test("the view is the flow again afterwards", () => {
    const { view } = judge({ name: "", stages: { nacl: [only443] }, verdict: "accept", reason: "rule", by: null });
    expect(view.destinationPort).toBe(443);
    expect(view.destination.w3 & 0xff).toBe(2);
  });
});

describe("memory", () => {
  const rows: readonly Row[] = [
    {
      name: "SG-66: a tracked flow that was admitted before stays",
      stages: { nacl: [acl], sg: [{ ...groups, egress: "deny", ingress: "deny" }] },
      memory: { isSgHeld: true },
      verdict: "accept",
      reason: "state",
      by: "ingress sg groups",
      isSgHeld: true,
    },
    {
      name: "SG-66: what judges packets still judges a held flow",
      stages: { nacl: [{ ...acl, ingress: "deny" }], sg: [groups] },
      memory: { isSgHeld: true },
      verdict: "deny",
      reason: "rule",
      by: "ingress nacl acl",
    },
    {
      name: "SG-66: what the sg stage admitted doesn't hold the k8s stage",
      stages: { sg: [groups], k8s: [{ ...policies, ingress: "deny", reason: "no-rule-matches" }] },
      memory: { isSgHeld: true },
      verdict: "deny",
      reason: "no-rule-matches",
      by: "ingress k8s policies",
    },
    {
      name: "SG-61: an admission as tracked is remembered",
      stages: { sg: [groups] },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg groups",
      isSgHeld: true,
      isK8sHeld: false,
    },
    {
      name: "SG-61: one untracked side forgets the whole flow",
      stages: { sg: [groups, { ...groups, name: "open", tracking: "untracked" }] },
      verdict: "accept",
      reason: "rule",
      by: "ingress sg open",
      isSgHeld: false,
    },
    {
      name: "SG-66: a denied flow isn't remembered",
      stages: { sg: [groups], k8s: [{ ...policies, ingress: "deny" }] },
      verdict: "deny",
      reason: "not-isolated",
      by: "ingress k8s policies",
      isSgHeld: false,
    },
    {
      name: "NP-70: npOnChange=new-only remembers flows of pods",
      stages: { k8s: [policies] },
      knobs: { npOnChange: "new-only" },
      verdict: "accept",
      reason: "default-allow",
      by: null,
      isK8sHeld: true,
    },
  ];
  test.each(rows)("$name", check);
});

describe("ICMP errors", () => {
  const error = "icmp 10.0.0.9#3 -> 10.0.0.1#0";
  const rows: readonly Row[] = [
    {
      name: "PL-21: about an accepted flow it passes what judges flows",
      stages: { sg: [{ ...groups, egress: "deny", ingress: "deny" }], k8s: [{ ...policies, ingress: "deny" }] },
      flow: error,
      state: "related",
      verdict: "accept",
      reason: "related",
      by: null,
      asked: [],
    },
    {
      name: "PL-21, NA-22: a network ACL judges it as a packet",
      stages: { nacl: [{ ...acl, ingress: "deny" }], sg: [groups] },
      flow: error,
      state: "related",
      verdict: "deny",
      reason: "rule",
      by: "ingress nacl acl",
    },
    {
      name: "SG-71: sgIcmpErrors=require-rule asks security groups, and only them",
      stages: {
        sg: [{ ...groups, ingress: "deny", reason: "no-rule-matches" }],
        k8s: [{ ...policies, egress: "deny" }],
      },
      knobs: { sgIcmpErrors: "require-rule" },
      flow: error,
      state: "related",
      verdict: "deny",
      reason: "no-rule-matches",
      by: "ingress sg groups",
    },
  ];
  test.each(rows)("$name", check);
});

describe("TCP met mid-stream", () => {
  const reversed = "tcp 10.0.0.2#443 -> 10.0.0.1#40000";
  const rows: readonly Row[] = [
    {
      name: "PL-26: while adopting, the orientation it shows may pass",
      stages: { sg: [{ ...towards443, tracking: "tracked" }] },
      state: "midstream",
      memory: { isAdopting: true },
      verdict: "accept",
      reply: "accept",
      reason: "rule",
      by: "ingress sg gate",
      isSgHeld: true,
    },
    {
      name: "PL-26: while adopting, the other orientation may pass",
      stages: { sg: [{ ...towards443, tracking: "tracked" }] },
      flow: reversed,
      state: "midstream",
      memory: { isAdopting: true },
      verdict: "accept",
      reason: "midstream",
      by: null,
      isSgHeld: true,
    },
    {
      name: "PL-26: while adopting, as an answer it still meets what judges packets",
      stages: { nacl: [only443], sg: [towards443] },
      flow: reversed,
      state: "midstream",
      memory: { isAdopting: true },
      verdict: "deny",
      reason: "rule",
      by: "egress sg gate",
    },
    {
      name: "PL-26, VR-3: while adopting, as an answer it passes where only answers may",
      stages: {
        route: [
          {
            name: "nat",
            egress: (v) => (v.state === PacketState.reply || v.destinationPort === 443 ? "next" : "deny"),
          },
        ],
      },
      flow: reversed,
      state: "midstream",
      memory: { isAdopting: true },
      verdict: "accept",
      reason: "midstream",
      by: null,
    },
    {
      name: "PL-26: while adopting, neither orientation passes",
      stages: { sg: [{ ...groups, egress: "deny", reason: "no-rule-matches" }] },
      state: "midstream",
      memory: { isAdopting: true },
      verdict: "deny",
      reason: "no-rule-matches",
      by: "egress sg groups",
    },
    {
      name: "PL-26: later both must pass, and one doesn't",
      stages: { sg: [towards443] },
      state: "midstream",
      verdict: "deny",
      reason: "midstream",
      by: "egress sg gate",
    },
    {
      name: "PL-26: later both must pass, and do",
      stages: { sg: [groups] },
      state: "midstream",
      verdict: "accept",
      reply: "accept",
      reason: "rule",
      by: "ingress sg groups",
      isSgHeld: true,
    },
  ];
  test.each(rows)("$name", check);
});

describe("packets that tracking calls invalid or doesn't see", () => {
  const rows: readonly Row[] = [
    {
      name: "PL-27: an end that flows are judged for denies it",
      stages: { sg: [groups] },
      state: "invalid",
      verdict: "deny",
      reason: "invalid-state",
      by: "egress sg groups",
      asked: [],
    },
    {
      name: "PL-27: the destination alone is one",
      stages: { sg: [groups] },
      flow: "tcp 10.0.0.9#1 -> 10.0.0.2#443",
      state: "invalid",
      verdict: "deny",
      reason: "invalid-state",
      by: "ingress sg groups",
    },
    {
      name: "PL-27: otherwise what judges packets judges it",
      stages: { nacl: [{ ...acl, ingress: "deny" }], sg: [{ ...groups, isSubject: false }] },
      state: "invalid",
      verdict: "deny",
      reason: "rule",
      by: "ingress nacl acl",
      asked: ["egress acl", "ingress acl"],
    },
    {
      name: "PL-27: and may let it pass",
      stages: { nacl: [{ name: "acl", reason: "not-managed" }], sg: [{ ...groups, isSubject: false }] },
      state: "invalid",
      verdict: "accept",
      reason: "default-allow",
      by: null,
    },
    {
      name: "PL-20: an untracked packet is judged as a flow of its own",
      stages: { sg: [{ ...groups, ingress: "deny", reason: "no-rule-matches" }] },
      state: "untracked",
      verdict: "deny",
      reason: "no-rule-matches",
      by: "ingress sg groups",
    },
  ];
  test.each(rows)("$name", check);
});
