/** A user's module from its namespace to its answers: what is refused, what is left out, what goes wrong. */
import { describe, expect, test } from "vitest";
import type { CustomCompiled, CustomEvaluator } from "../../../src/evaluators/custom/contract.ts";
import { type PreparedEvaluator, prepareEvaluator } from "../../../src/evaluators/custom/prepare.ts";
import { toolkit } from "../../../src/evaluators/custom/toolkit.ts";
import * as entry from "../../../src/index.ts";
import { Reads } from "../../../src/model/evaluator.ts";
import { createFlowView, Tracking } from "../../../src/model/flow.ts";
import { emptyInventory } from "../../../src/model/inventory.ts";
import { defaultKnobs } from "../../../src/model/knobs.ts";
import { Reason } from "../../../src/model/reason.ts";
import { Direction, Verdict } from "../../../src/model/verdict.ts";
import { parseAddress } from "../../../src/net/address.ts";

const address = parseAddress("10.0.0.1") ?? expect.fail();
const pass = { evaluateIngress: () => Verdict.next };

function prepare(evaluator: CustomEvaluator): PreparedEvaluator {
  return prepareEvaluator({ evaluator }, []);
}

/** Loaded with what its `load` returns. */
function load(compiled: CustomCompiled) {
  const prepared = prepare({ name: "x", load: () => compiled });
  return prepared.load(prepared.build(emptyInventory, defaultKnobs));
}

describe("what is refused, with its remedy", () => {
  const load = () => pass;
  const rows: readonly (readonly [string, unknown, RegExp])[] = [
    ["no export", undefined, /^it has no export called evaluator: write export const evaluator = /],
    ["no object", "allow", /^evaluator must be an object with a name, and load or compile$/],
    ["no name", { load }, /^name must be small letters, digits and hyphens, 40 at most, such as allow-list$/],
    ["a name with capitals", { name: "AllowList", load }, /^name must be small letters/],
    ["a name that is a label's value for nobody", { name: "none", load }, /^the name none is taken: choose another$/],
    ["a stage's name", { name: "sg", load }, /^the name sg is taken/],
    ["another evaluator's name", { name: "network-acl", load }, /^the name network-acl is taken/],
    ["another stage", { name: "x", stage: "sg", load }, /^stage can only be custom:x in this version: leave it out$/],
    ["nothing to make it", { name: "x" }, /^load or compile must be there$/],
    ["build alone", { name: "x", build: load, compile: load }, /^build needs a load/],
    ["no function", { name: "x", load: pass }, /^load must be a function, and not async$/],
    ["async", { name: "x", compile: async () => pass }, /^compile must be a function, and not async$/],
    ["no boolean", { name: "x", isStateful: "no", load }, /^isStateful must be true or false$/],
    [
      "a misspelt member",
      { name: "x", isStatefull: false, load },
      /^isStatefull means nothing: did you mean isStateful\?$/,
    ],
    ["several things", { name: "X" }, /^name must be .*; load or compile must be there$/],
  ];
  test.each(rows)("%s", (_, evaluator, message) => {
    expect(() => prepareEvaluator({ evaluator }, ["network-acl"])).toThrow(message);
  });

  test("another name of the export is named", () => {
    expect(() => prepareEvaluator({ default: { name: "x", load } }, [])).toThrow("(default means nothing)");
  });
});

describe("what `check` says of what it returns", () => {
  const rows: readonly (readonly [string, Partial<Record<keyof CustomEvaluator, unknown>>, RegExp])[] = [
    ["nothing", { load: () => undefined }, /^load: it must return an object with evaluateIngress, evaluateEgress or/],
    ["no direction", { load: () => ({}) }, /^load: evaluateIngress, evaluateEgress or both must be there$/],
    ["a promise", { load: () => Promise.resolve(pass) }, /^load: it must not be async: return the evaluator itself$/],
    [
      "async",
      { load: () => ({ evaluateIngress: async () => 0 }) },
      /^load: evaluateIngress must be a function, and not/,
    ],
    [
      "a misspelt direction",
      { load: () => ({ ...pass, evaluateEgres: () => 0 }) },
      /^load: evaluateEgres means nothing: did you mean evaluateEgress\?$/,
    ],
    ["reads that aren't", { compile: () => ({ ...pass, reads: 1 << 20 }) }, /^compile: reads must be a sum of Reads/],
    [
      "classes without classOf",
      { compile: () => ({ ...pass, reads: Reads.sourceClass }) },
      /^compile: reads names classes of addresses, and there is no classOf/,
    ],
    [
      "rules that aren't",
      { load: () => ({ ...pass, rules: ["a"] }) },
      /^load: rules must be a list of \{ policy, rule/,
    ],
    [
      "a throw",
      { load: () => (null as unknown as { x: CustomCompiled }).x },
      /^load: TypeError: .* \(\/\S+:\d+:\d+\)$/,
    ],
    [
      "a thrown text",
      {
        load: () => {
          throw "enough";
        },
      },
      /^load: threw enough$/,
    ],
    ["data that can't be cloned", { build: () => () => 0, load: () => pass }, /^build: DataCloneError: /],
    ["data that comes later", { build: () => Promise.resolve(1), load: () => pass }, /^build: it must not be async/],
    ["no capture", { load: () => pass, capture: () => null }, /^capture: it must return \{ subjects, output \}/],
    ["a captured text", { load: () => pass, capture: () => ({ subjects: ["10.0.0.1"] }) }, /^capture: it must return/],
  ];
  test.each(rows)("%s", (_, members, message) => {
    const prepared = prepare({ name: "x", ...members } as CustomEvaluator);
    const problems = prepared.check(emptyInventory, defaultKnobs);
    expect(problems.join("\n")).toMatch(message);
    expect(problems).toHaveLength(1);
  });

  test("nothing of one that works", () => {
    expect(prepare({ name: "x", load: () => pass }).check(emptyInventory, defaultKnobs)).toEqual([]);
  });
});

test("what is left out has a safe value", () => {
  const prepared = prepare({ name: "x", load: () => pass });
  expect(prepared).toMatchObject({ name: "x", stage: "custom:x", isStateful: true });
  expect(prepared.capture(emptyInventory, defaultKnobs)).toEqual({ subjects: "all", output: false });
  const compiled = prepared.compile(emptyInventory, defaultKnobs);
  for (const bit of Object.values(Reads)) expect(compiled.reads & bit).toBe(bit);
  expect(compiled.rules).toEqual([]);
  expect(compiled.classOf(address)).toBe(0);
  expect(compiled.isSubject(0, Direction.ingress)).toBe(true);
  expect(compiled.isSubject(0, Direction.egress)).toBe(false);
  expect(compiled.relationOf).toBeUndefined();
  const view = createFlowView();
  expect(compiled.evaluateEgress(view)).toBe(Verdict.next);
  expect(view.reason).toBe(Reason["not-managed"]);
});

test("load has what build made, as a copy; compile has the inventory; each has the toolkit", () => {
  const data = { ports: [22] };
  const seen: unknown[] = [];
  const built = prepare({
    name: "x",
    build: (...args) => {
      seen.push(args);
      return data;
    },
    load: (...args) => {
      seen.push(args);
      return pass;
    },
  });
  built.load(structuredClone(built.build(emptyInventory, defaultKnobs)));
  data.ports.push(23);
  const compiled = prepare({
    name: "y",
    compile: (...args) => {
      seen.push(args);
      return pass;
    },
  });
  compiled.load(structuredClone(compiled.build(emptyInventory, defaultKnobs)));
  expect(seen).toEqual([
    [emptyInventory, defaultKnobs, toolkit],
    [{ ports: [22] }, toolkit],
    [emptyInventory, defaultKnobs, toolkit],
  ]);
});

test("its functions are called on what it returned", () => {
  class Ports {
    readonly port = 22;
    evaluateIngress(view: { destinationPort: number }) {
      return view.destinationPort === this.port ? Verdict.accept : Verdict.deny;
    }
  }
  const compiled = load(new Ports());
  const view = createFlowView();
  expect(compiled.evaluateIngress(view)).toBe(Verdict.deny);
  view.destinationPort = 22;
  expect(compiled.evaluateIngress(view)).toBe(Verdict.accept);
});

describe("the reason that it gives", () => {
  const rules = [{ policy: "a", rule: "first" }];
  const rows: readonly (readonly [string, { reason?: number; rule?: number }, Verdict, keyof typeof Reason, number])[] =
    [
      ["none", {}, Verdict.accept, "unspecified", -1],
      ["a rule of its own", { rule: 0 }, Verdict.deny, "rule", 0],
      ["a denial by none of its rules", {}, Verdict.deny, "no-rule-matches", -1],
      ["a rule that it hasn't got", { rule: 7 }, Verdict.accept, "unspecified", -1],
      ["no number", { rule: "0" as unknown as number }, Verdict.accept, "unspecified", -1],
      ["one of those that it may give", { reason: Reason.pass, rule: 0 }, Verdict.next, "pass", 0],
      ["one that only the engine gives", { reason: Reason.midstream }, Verdict.accept, "unspecified", -1],
      ["one that doesn't exist", { reason: 999 }, Verdict.accept, "unspecified", -1],
    ];
  test.each(rows)("%s", (_, answer, verdict, reason, rule) => {
    const compiled = load({
      rules,
      evaluateEgress(view) {
        Object.assign(view, answer, { tracking: Tracking.tracked });
        return verdict;
      },
    });
    const view = createFlowView();
    expect(compiled.evaluateEgress(view)).toBe(verdict);
    expect({ reason: view.reason, rule: view.rule, tracking: view.tracking }).toEqual({
      reason: Reason[reason],
      rule,
      tracking: Tracking.none,
    });
  });
});

describe("PL-8: what goes wrong while it judges is thrown, counted and kept", () => {
  const answers: readonly (readonly [string, (view: ReturnType<typeof createFlowView>) => unknown])[] = [
    ["nothing", (view) => load({ evaluateIngress: () => undefined as unknown as Verdict }).evaluateIngress(view)],
    ["another number", (view) => load({ evaluateIngress: () => 3 as Verdict }).evaluateIngress(view)],
    ["true", (view) => load({ evaluateIngress: () => true as unknown as Verdict }).evaluateIngress(view)],
    [
      "a promise",
      (view) => load({ evaluateIngress: () => Promise.resolve(1) as unknown as Verdict }).evaluateIngress(view),
    ],
    ["a class that is no number", () => load({ ...pass, classOf: () => "a" as unknown as number }).classOf(address)],
    ["a class below zero", () => load({ ...pass, classOf: () => -1 }).classOf(address)],
    ["a class between two", () => load({ ...pass, classOf: () => 1.5 }).classOf(address)],
    ["a relation above 255", (view) => load({ ...pass, relationOf: () => 256 }).relationOf?.(view)],
  ];
  test.each(answers)("%s", (_, answer) => {
    expect(() => answer(createFlowView())).toThrow(/answered/);
  });

  test("its own error", () => {
    const error = new Error("mine");
    const compiled = load({
      evaluateIngress() {
        throw error;
      },
    });
    for (let i = 1; i <= 2; i++) {
      expect(() => compiled.evaluateIngress(createFlowView())).toThrow(error);
      expect(compiled.failures).toEqual({ count: i, error });
    }
  });

  test("one that can't be made is asked, and fails; all traffic is its", () => {
    const fail = () => {
      throw new Error("no");
    };
    const prepared = prepare({ name: "x", build: fail, load: () => pass, capture: fail });
    const compiled = prepared.compile(emptyInventory, defaultKnobs);
    expect(() => compiled.evaluateEgress(createFlowView())).toThrow(/no/);
    expect(() => compiled.evaluateIngress(createFlowView())).toThrow(/no/);
    expect(compiled.isSubject(0, Direction.egress)).toBe(true);
    expect(prepared.capture(emptyInventory, defaultKnobs)).toEqual({ subjects: "all", output: false });
    expect(prepared.failures.count).toBe(2);
  });

  test("an explanation that fails is none", () => {
    const view = createFlowView();
    const explain = (given: () => unknown) =>
      load({ ...pass, explain: given as NonNullable<CustomCompiled["explain"]> }).explain?.(view, Direction.egress);
    expect(explain(() => ({ text: "closed at night" }))).toEqual({ text: "closed at night", remedy: null });
    expect(explain(() => "closed")).toBeNull();
    expect(
      explain(() => {
        throw new Error("no");
      }),
    ).toBeNull();
  });
});

test("the package's entry has all that the toolkit has, and no other values", () => {
  expect({ ...entry }).toEqual({ ...toolkit });
});
