/**
 * A decision that was made before is the decision that would be made: over programs drawn by lot, whose evaluators
 * answer from exactly what they say they read, with changes of programs and tables so small that everything collides.
 */
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { createDecision, type Decision } from "../../src/engine/decision.ts";
import { DecisionCache } from "../../src/engine/decision-cache.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import type { Program, ProgramEvaluator } from "../../src/engine/program.ts";
import { type CompiledEvaluator, Reads } from "../../src/model/evaluator.ts";
import { createFlowView, type FlowView, PacketState } from "../../src/model/flow.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { Reason } from "../../src/model/reason.ts";
import { stageNames } from "../../src/model/stage.ts";
import { Direction, Verdict } from "../../src/model/verdict.ts";
import { type Address, Family } from "../../src/net/address.ts";

interface EvaluatorSeed {
  readonly stage: number;
  readonly isStateful: boolean;
  readonly reads: number;
  readonly salt: number;
  readonly classes: number;
  readonly hasRelation: boolean;
  /** What the relation always is; null for one of the addresses. */
  readonly relation?: number | null;
  readonly bounds: readonly number[] | null;
  /** Answers out of 16 that are neither `next` nor `accept`. */
  readonly strictness: number;
  readonly fails: boolean;
}

interface FlowSeed {
  readonly from: number;
  readonly to: number;
  /** Which word of the address differs from the others', and whether it is IPv4. */
  readonly space: number;
  readonly protocol: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly viaService: boolean;
  readonly isFragment: boolean;
  readonly state: PacketState;
  readonly isSgHeld: boolean;
  readonly isK8sHeld: boolean;
  readonly program: number;
}

const ports = fc.constantFrom(0, 1, 53, 79, 80, 81, 1023, 1024, 49152, 65535);
const everything = Object.values(Reads).reduce((sum, bit) => sum | bit, 0);
const cacheable = everything & ~(Reads.sourcePort | Reads.time);

const evaluatorSeed: fc.Arbitrary<EvaluatorSeed> = fc.record({
  stage: fc.nat(stageNames.length - 1),
  isStateful: fc.boolean(),
  reads: fc.oneof(
    { weight: 12, arbitrary: fc.nat(everything).map((reads) => reads & cacheable) },
    { weight: 1, arbitrary: fc.nat(everything) },
  ),
  salt: fc.nat(),
  classes: fc.integer({ min: 1, max: 5 }),
  hasRelation: fc.boolean(),
  bounds: fc.option(fc.uniqueArray(ports), { freq: 3 }),
  strictness: fc.nat(3),
  fails: fc.oneof({ weight: 20, arbitrary: fc.constant(false) }, fc.constant(true)),
});

/** Flows that differ in little, so that a key that lacks anything is found out. */
function seldom<T>(usual: T, rare: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 5, arbitrary: fc.constant(usual) }, rare);
}

const flowSeed: fc.Arbitrary<FlowSeed> = fc.record({
  from: fc.nat(3),
  to: fc.nat(3),
  space: seldom(0, fc.nat(4)),
  protocol: seldom(6, fc.constantFrom(1, 17, 47, 58, 132)),
  sourcePort: seldom(40000, ports),
  destinationPort: seldom(80, ports),
  viaService: seldom(false, fc.constant(true)),
  isFragment: seldom(false, fc.constant(true)),
  state: fc.oneof(
    { weight: 4, arbitrary: fc.constant(PacketState.original) },
    { weight: 2, arbitrary: fc.constant(PacketState.reply) },
    fc.constantFrom(...Object.values(PacketState)),
  ),
  isSgHeld: seldom(false, fc.constant(true)),
  isK8sHeld: seldom(false, fc.constant(true)),
  program: seldom(0, fc.constant(1)),
});

/** The number of the flow: what those read who read the time. */
let clock = 0;

function mix(hash: number, value: number): number {
  const h = Math.imul(hash ^ value, 0x85ebca6b);
  return h ^ (h >>> 13);
}

function compiledOf(seed: EvaluatorSeed, onCall: () => void): CompiledEvaluator {
  const { reads, salt, bounds } = seed;
  const does = (bit: number): boolean => (reads & bit) !== 0;
  const portOf = (port: number): number => (bounds === null ? port : bounds.filter((b) => b <= port).length);
  // It says nothing of what it is with the flow turned round.
  const relation = ({ source }: FlowView): number => seed.relation ?? (source.w3 ^ salt) & 3;
  const answer = (view: FlowView, direction: Direction): Verdict => {
    onCall();
    let h = mix(salt, direction + (view.state === PacketState.reply ? 2 : 0));
    if (does(Reads.sourceClass)) h = mix(h, view.sourceClass * 8);
    if (does(Reads.destinationClass)) h = mix(h, view.destinationClass);
    if (does(Reads.protocol)) h = mix(h, view.protocol);
    if (does(Reads.destinationPort)) h = mix(h, portOf(view.destinationPort));
    if (does(Reads.icmp)) h = mix(h, (view.icmpType << 8) | view.icmpCode);
    if (does(Reads.sourcePort)) h = mix(h, view.sourcePort);
    if (does(Reads.passage)) h = mix(h, (view.viaService ? 1 : 0) | (view.isFragment ? 2 : 0));
    if (does(Reads.addresses)) h = mix(h, relation(view));
    if (does(Reads.time)) h = mix(h, clock);
    const draw = (h >>> 4) & 15;
    view.reason = [Reason.rule, Reason["not-managed"], Reason.self, Reason["not-isolated"]][(h >>> 8) & 3] as Reason;
    view.rule = ((h >>> 10) & 7) - 1;
    view.tracking = ([0, 1, 1, 2] as const)[(h >>> 13) & 3] as FlowView["tracking"];
    if (draw < seed.strictness) return Verdict.deny;
    if (seed.fails && draw === 15) throw new Error("on purpose");
    return draw === 14 ? Verdict.accept : Verdict.next;
  };
  return {
    reads,
    rules: [],
    classOf: ({ family, w0, w1, w2, w3 }) => (w3 + (w0 & 1) + 2 * w1 + 3 * w2 + family / 2 + salt) % seed.classes,
    isSubject: (number) => number === 0,
    evaluateEgress: (view) => answer(view, Direction.egress),
    evaluateIngress: (view) => answer(view, Direction.ingress),
    ...(seed.hasRelation ? { relationOf: relation } : {}),
    ...(bounds === null ? {} : { portBounds: Uint16Array.from(bounds) }),
  };
}

function programOf(seeds: readonly EvaluatorSeed[], onCall: () => void = () => {}): Program {
  const evaluators = seeds.map((seed, index): ProgramEvaluator => {
    return { name: `e${index}`, isStateful: seed.isStateful, compiled: compiledOf(seed, onCall), index };
  });
  const stages = stageNames.map((name, index) => ({
    name,
    index,
    evaluators: evaluators.filter((_, i) => seeds[i]?.stage === index),
    acceptsByDefault: index !== 1,
    honoursHeld: name === "sg" || name === "k8s",
    passesRelated: true,
  }));
  return { knobs: defaultKnobs, evaluators, stages };
}

function fill(view: FlowView, seed: FlowSeed): void {
  const isIcmp = seed.protocol === 1 || seed.protocol === 58;
  const hasPorts = seed.protocol === 6 || seed.protocol === 17 || seed.protocol === 132;
  for (const [end, n] of [
    [view.source, seed.from],
    [view.destination, seed.to],
  ] as const) {
    end.family = seed.space === 0 ? Family.ipv4 : Family.ipv6;
    end.w0 = seed.space === 2 ? 0xffffffff : 0;
    end.w1 = seed.space === 3 ? 1 : 0;
    end.w2 = seed.space === 4 ? 1 : 0;
    end.w3 = 0xffffff00 + n;
  }
  view.protocol = seed.protocol;
  view.sourcePort = hasPorts ? seed.sourcePort : 0;
  view.destinationPort = hasPorts ? seed.destinationPort : 0;
  view.icmpType = isIcmp ? seed.sourcePort & 0xff : 0;
  view.icmpCode = isIcmp ? seed.destinationPort & 0xff : 0;
  view.viaService = seed.viaService;
  view.isFragment = seed.isFragment;
  view.state = seed.state;
}

/** Quicker than `expect`, for some hundred thousands of them. */
function isEqual(a: Decision, b: Decision): boolean {
  return (Object.keys(a) as (keyof Decision)[]).every((key) => a[key] === b[key]);
}

const many = fc.array(evaluatorSeed, { minLength: 1, maxLength: 12 });

describe("a remembered decision is the one that would be made", () => {
  test.each([
    ["tables where everything collides", { decisions: 2, addresses: 2, classes: 2 }],
    ["small tables", { decisions: 16, addresses: 8, classes: 4 }],
    ["tables with room for all", { decisions: 1 << 12, addresses: 1 << 8, classes: 1 << 8 }],
  ])("%s", (_, sizes) => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(many, many, fc.array(flowSeed, { minLength: 60, maxLength: 60 }), (first, second, flows) => {
        const programs = [programOf(first), programOf(second)];
        const cached = new Pipeline(null, new DecisionCache(sizes));
        const plain = new Pipeline();
        const decisions: readonly [Decision, Decision] = [createDecision(), createDecision()];
        const view = createFlowView();
        const decide = (pipeline: Pipeline, seed: FlowSeed, decision: Decision) => {
          fill(view, seed);
          const memory = { isSgHeld: seed.isSgHeld, isK8sHeld: seed.isK8sHeld, isAdopting: false };
          pipeline.decide(programs[seed.program] as Program, view, memory, decision);
        };
        // Twice: the second time what was kept is there, as far as it fits.
        for (const seed of [...flows, ...flows]) {
          clock++;
          decide(cached, seed, decisions[0]);
          decide(plain, seed, decisions[1]);
          if (!isEqual(...decisions)) expect(decisions[0]).toEqual(decisions[1]);
          seen.add(`${decisions[0].isFlowAccepted} ${decisions[0].isReplyAccepted} ${decisions[0].isError}`);
        }
      }),
      { numRuns: 500, seed: 20261122 },
    );
    expect([...seen]).toEqual(expect.arrayContaining(["true true false", "true false false", "false false false"]));
  });
});

describe("what is remembered", () => {
  const seed: EvaluatorSeed = {
    stage: 2,
    isStateful: true,
    reads: Reads.sourceClass | Reads.destinationClass | Reads.protocol | Reads.destinationPort,
    salt: 1,
    classes: 3,
    hasRelation: false,
    bounds: null,
    strictness: 0,
    fails: false,
  };
  const flow: FlowSeed = {
    from: 1,
    to: 2,
    space: 0,
    protocol: 6,
    sourcePort: 40000,
    destinationPort: 80,
    viaService: false,
    isFragment: false,
    state: PacketState.original,
    isSgHeld: false,
    isK8sHeld: false,
    program: 0,
  };

  /** How many of these flows somebody was asked about. */
  function countAsked(
    evaluators: readonly EvaluatorSeed[],
    flows: readonly Partial<FlowSeed>[],
    decisions = 64,
    classes = 64,
  ): number {
    let calls = 0;
    const program = programOf(evaluators, () => calls++);
    const pipeline = new Pipeline(null, new DecisionCache({ decisions, addresses: 64, classes }));
    const view = createFlowView();
    return flows.filter((row) => {
      const before = calls;
      const given = { ...flow, ...row };
      fill(view, given);
      const memory = { isSgHeld: given.isSgHeld, isK8sHeld: given.isK8sHeld, isAdopting: false };
      pipeline.decide(program, view, memory, createDecision());
      return calls > before;
    }).length;
  }

  const sourcePorts = [40000, 40001, 40002, 40003].map((sourcePort) => ({ sourcePort }));
  const destinationPorts = [80, 81, 82, 1024].map((destinationPort) => ({ destinationPort }));
  const stateless = { ...seed, stage: 1, isStateful: false };
  const reply = { state: PacketState.reply };

  test.each<[string, readonly EvaluatorSeed[], readonly Partial<FlowSeed>[], number]>([
    ["the same flow is decided once", [seed], [{}, {}, {}], 1],
    ["a flow from another source port is the same, if nobody reads it", [seed], sourcePorts, 1],
    ["whoever reads the source port is asked each time", [{ ...seed, reads: Reads.sourcePort }], [{}, {}, {}], 3],
    ["whoever reads the time is asked each time", [{ ...seed, reads: Reads.time }], [{}, {}, {}], 3],
    ["an unknown kind of reading is asked each time", [{ ...seed, reads: 1 << 12 }], [{}, {}, {}], 3],
    ["addresses without a relation are asked each time", [{ ...seed, reads: Reads.addresses }], [{}, {}], 2],
    ["with a relation once", [{ ...seed, reads: Reads.addresses, hasRelation: true }], [{}, {}], 1],
    ["ports that no rule tells apart", [{ ...seed, bounds: [1024] }], destinationPorts, 2],
    ["ports that are cases of their own", [seed], destinationPorts, 4],
    ["answers to ports that no rule tells apart", [{ ...stateless, bounds: [40002] }], sourcePorts, 2],
    ["answers to ports that are cases of their own", [stateless], sourcePorts, 4],
    ["a flow and its reply are one", [seed], [{}, reply], 1],
    ["a held flow is another one", [seed], [{}, { isK8sHeld: true }, {}, { isK8sHeld: true }], 2],
    ["nobody is asked about a flow that its stage holds", [seed], [{ isSgHeld: true }, {}, { isSgHeld: true }], 1],
    ["what came through a Service is another flow", [seed], [{}, { viaService: true }, {}], 2],
    ["only flows are remembered", [seed], [{ state: PacketState.midstream }, { state: PacketState.midstream }], 2],
  ])("%s", (_, evaluators, flows, asked) => {
    expect(countAsked(evaluators, flows)).toBe(asked);
  });

  test("nothing is remembered of a decision that failed (PL-8)", () => {
    const broken = { ...seed, strictness: 0, fails: true };
    let calls = 0;
    const program = programOf([broken], () => {
      calls++;
      throw new Error("on purpose");
    });
    const pipeline = new Pipeline(null, new DecisionCache());
    const view = createFlowView();
    const decision = createDecision();
    for (let i = 1; i <= 3; i++) {
      fill(view, flow);
      pipeline.decide(program, view, { isSgHeld: false, isK8sHeld: false, isAdopting: false }, decision);
      expect(decision.isError).toBe(true);
      expect(calls).toBe(i);
    }
  });

  test.each(["classOf", "relationOf"] as const)("a %s that throws, or gives no whole number, isn't trusted", (name) => {
    for (const value of [
      () => {
        throw new Error("on purpose");
      },
      (given: FlowView | Address) => ("w3" in given ? given.w3 : given.source.w3) / 8,
      () => Number.NaN,
      () => -1,
      () => undefined,
    ]) {
      const reads = Reads.sourceClass | Reads.addresses;
      const program = programOf([{ ...seed, reads, hasRelation: true, strictness: 8 }]);
      const [evaluator] = program.evaluators;
      Object.assign((evaluator as ProgramEvaluator).compiled, { [name]: value });
      const [cached, plain] = [createDecision(), createDecision()];
      const pipelines = [new Pipeline(null, new DecisionCache()), new Pipeline()] as const;
      const view = createFlowView();
      for (const from of [1, 1, 2, 3, 1, 4, 5, 6]) {
        for (const [at, decision] of [cached, plain].entries()) {
          fill(view, { ...flow, from });
          const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
          pipelines[at]?.decide(program, view, memory, decision);
        }
        expect(cached).toEqual(plain);
      }
    }
  });

  test("more classes than there is room for: those in use are remembered again", () => {
    const evaluators = [{ ...seed, classes: 256 }];
    // Two classes a flow, and room for four: the first three flows fill it, the third anew each time that it's full.
    const flows = [1, 3, 5, 1, 3, 5].map((from) => ({ from, to: from + 1 }));
    expect(countAsked(evaluators, flows, 64, 4)).toBe(6);
    expect(countAsked(evaluators, [...flows, ...Array(10).fill({ from: 5, to: 6 })], 64, 4)).toBeLessThanOrEqual(8);
    expect(countAsked(evaluators, flows, 64, 8)).toBe(3);
  });

  describe("relations", () => {
    const related = { ...seed, stage: 3, classes: 1, reads: Reads.addresses, hasRelation: true };
    // The relation is of the source's last word.
    const flows = [{ from: 1 }, { from: 2 }, { from: 1 }, { from: 2 }, { from: 5 }];

    test.each([0, 1, 2, 3, 4, 5, 6, 7])("that of evaluator %i counts alone", (at) => {
      const evaluators = Array.from({ length: 8 }, (_, i) => ({ ...related, relation: i === at ? null : 255 }));
      // With places for two decisions, each is looked for where the other one may be.
      expect(countAsked(evaluators, flows, 2)).toBe(2);
    });

    test("there is room for those of eight evaluators; with a ninth nothing is remembered", () => {
      const eight = Array.from({ length: 8 }, (_, i) => ({ ...related, salt: i }));
      expect(countAsked(eight, flows)).toBe(2);
      expect(countAsked([...eight, related], flows)).toBe(5);
    });
  });

  test("a change of programs forgets all: the same flow under another rule", () => {
    const pipeline = new Pipeline(null, new DecisionCache());
    const decision = createDecision();
    const view = createFlowView();
    const programs = [programOf([{ ...seed, strictness: 16 }]), programOf([seed])] as const;
    const answers = [0, 0, 1, 1, 0, 1].map((at) => {
      fill(view, flow);
      const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
      pipeline.decide(programs[at as 0 | 1], view, memory, decision);
      return decision.isFlowAccepted;
    });
    expect(answers).toEqual([false, false, true, true, false, true]);
  });
});

test("`reads` is the sum over who was asked, and of the answer it is turned round", () => {
  const pipeline = new Pipeline();
  const decision = createDecision();
  const view = createFlowView();
  const base = { salt: 1, classes: 1, hasRelation: false, bounds: null, strictness: 0, fails: false };
  const program = programOf([
    { ...base, stage: 2, isStateful: true, reads: Reads.sourceClass | Reads.time },
    { ...base, stage: 1, isStateful: false, reads: Reads.destinationClass | Reads.destinationPort },
  ]);
  fill(view, {
    from: 1,
    to: 2,
    space: 0,
    protocol: 6,
    sourcePort: 40000,
    destinationPort: 80,
    viaService: false,
    isFragment: false,
    state: PacketState.original,
    isSgHeld: false,
    isK8sHeld: false,
    program: 0,
  });
  pipeline.decide(program, view, { isSgHeld: false, isK8sHeld: false, isAdopting: false }, decision);
  expect(decision.reads).toBe(
    Reads.sourceClass | Reads.time | Reads.destinationClass | Reads.destinationPort | Reads.sourcePort,
  );
});
