/** The engine against the reference engine over many random worlds; the tests and the nightly fuzzer run the same. */
import fc from "fast-check";
import { Explainer } from "../../src/engine/explain.ts";
import type { Program } from "../../src/engine/program.ts";
import { createReference } from "../reference/engine.ts";
import { judge, knobsOf, packetOf, programOf, viewOf, type World, world } from "./world.ts";

export interface Campaign {
  readonly flows: number;
  readonly inventories: number;
  /** How often each verdict was met: `deny sg ingress`, `accept, reply accept`. */
  readonly verdicts: ReadonlyMap<string, number>;
  /** The smallest world that could be found in which the two differ. */
  readonly difference: Difference | null;
}

export interface Difference {
  readonly world: World;
  readonly engine: string;
  readonly reference: string;
}

export const flowsPerWorld = 100;

export function runCampaign(flowCount: number, seed: number): Campaign {
  const verdicts = new Map<string, number>();
  const counted = { flows: 0, inventories: 0 };
  let isShrinking = false;
  const property = fc.property(world("dual", flowsPerWorld), (given) => {
    const difference = compare(given, (verdict) => {
      if (isShrinking) return;
      counted.flows++;
      verdicts.set(verdict, (verdicts.get(verdict) ?? 0) + 1);
    });
    if (!isShrinking) counted.inventories++;
    isShrinking ||= difference !== null;
    return difference === null;
  });
  const result = fc.check(property, { seed, numRuns: Math.ceil(flowCount / flowsPerWorld), maxSkipsPerRun: 0 });
  const [smallest] = result.counterexample ?? [];
  return { ...counted, verdicts, difference: smallest ? reproduce(smallest) : null };
}

/** The first flow of which the two say different things. */
export function compare(given: World, onVerdict: (verdict: string) => void = () => {}): Difference | null {
  const program = compile(given);
  // No document may make the compiler throw.
  if (typeof program === "string") return { world: given, engine: program, reference: "never throws" };
  const explainer = new Explainer(program, { withTrace: false });
  const reference = createReference(given, knobsOf(given));
  for (const flow of given.flows) {
    const said = judge(explainer, viewOf(flow));
    const expected = reference(packetOf(flow));
    onVerdict(said);
    if (said !== expected) return { world: { ...given, flows: [flow] }, engine: said, reference: expected };
  }
  return null;
}

function compile(given: World): Program | string {
  try {
    return programOf(given);
  } catch (error) {
    return `throws ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Takes away what isn't needed, as long as the two still differ. */
function reproduce(given: World): Difference {
  let best = compare(given) as Difference;
  const attempt = (smaller: World): boolean => {
    const found = tryCompare({ ...smaller, flows: best.world.flows });
    // The same difference, not another one that the missing part makes.
    if (found?.engine !== best.engine || found.reference !== best.reference) return false;
    best = found;
    return true;
  };
  let isSmaller = true;
  while (isSmaller) {
    isSmaller = false;
    for (const smaller of smallerOnes(best.world)) {
      if (!attempt(smaller as World)) continue;
      isSmaller = true;
      break;
    }
  }
  return best;
}

/** Null also for what is no document any more. */
function tryCompare(given: World): Difference | null {
  try {
    return compare(given);
  } catch {
    return null;
  }
}

/** What a thing is, and whose: without it another difference would be found. */
const identity = /^(kind|apiVersion|metadata|name|namespace|status|ip|.*Id)$/;

/** Every way of leaving out one field or element, outer ones first. */
function* smallerOnes(value: unknown): Generator<unknown> {
  if (Array.isArray(value)) {
    for (const i of value.keys()) yield value.filter((_, j) => j !== i);
    for (const [i, element] of value.entries()) {
      for (const smaller of smallerOnes(element)) yield value.map((old, j) => (i === j ? smaller : old));
    }
  } else if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([key]) => key !== "flows");
    const whole = value as Readonly<Record<string, unknown>>;
    const isWorld = Object.hasOwn(value, "flows");
    for (const [key] of isWorld ? [] : entries.filter(([name]) => !identity.test(name)))
      yield Object.fromEntries(Object.entries(whole).filter(([k]) => k !== key));
    for (const [key, element] of entries)
      for (const smaller of smallerOnes(element)) yield { ...whole, [key]: smaller };
  }
}
