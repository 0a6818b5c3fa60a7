/**
 * The plug-in contract: one policy language is one evaluator. Built-ins and users' modules use the same one.
 *
 * An evaluator is compiled once for each inventory and is then a pure function of the view: it allocates nothing,
 * throws nothing, keeps no reference to the view, and answers the same for the same view. An undefined answer is a
 * denial.
 */
import type { Address } from "../net/address.ts";
import type { FlowView } from "./flow.ts";
import type { Inventory } from "./inventory.ts";
import type { Knobs } from "./knobs.ts";
import type { Pod } from "./kubernetes.ts";
import type { StageName } from "./stage.ts";
import type { Direction, Verdict } from "./verdict.ts";

/** Bits of what a verdict depends on. An engine may remember an answer over exactly what is read. */
export const Reads = {
  sourceClass: 1,
  destinationClass: 2,
  protocol: 4,
  destinationPort: 8,
  icmp: 16,
  sourcePort: 32,
  /** Whether the flow went through a Service, and whether it is a fragment. */
  passage: 64,
  /** The two addresses beyond their classes (equality of the two, for example). */
  addresses: 128,
  time: 256,
} as const;

/** A rule as users know it. `rule` is null where the answer is that no rule of the policy (or policies) matched. */
export interface RuleRef {
  /** `sg-0a1b`, `acl-0c2d`, `shop/db`; several, in text order, joined by `,` where together they restrict a subject. */
  readonly policy: string;
  /** `tcp 5432 from sg-0a1b`, `100`, `ingress[0]`; null for "none of its rules". */
  readonly rule: string | null;
}

/** More than the trace can hold, for people; made only when asked for. */
export interface Explanation {
  /** One sentence: `none of its 2 rules allows tcp 5432 from 10.0.1.4 (it allows it from sg-app)`. */
  readonly text: string;
  /**
   * What would let the flow pass, as a command or a change; null where nothing in this policy would. Lines behind the
   * first are YAML to be copied.
   */
  readonly remedy: string | null;
}

/**
 * What a user's evaluator threw; kept without allocating, told by somebody who has the time. `error` is the last one; of
 * an evaluator that couldn't be made it's why not, before it was ever asked.
 */
export interface Failures {
  count: number;
  error: unknown;
}

/** The pod or workload that an address is of, so that explanations can name it; null for any other endpoint. */
export type PodLookup = (address: Address) => Pod | null;

export interface CompiledEvaluator {
  /** A sum of `Reads` bits. */
  readonly reads: number;
  /** What `view.rule` indexes. */
  readonly rules: readonly RuleRef[];
  /**
   * The class of an address: no rule tells two addresses of one class apart. Never allocates. Evaluators with the very
   * same function are asked once; so it goes for `relationOf`.
   */
  classOf(address: Address): number;
  /**
   * Judges the flow as it leaves its source, or as it enters its destination; `next` where that end is none of its
   * subjects. May set the answer's fields in the view (see FlowView).
   */
  evaluateEgress(view: FlowView): Verdict;
  evaluateIngress(view: FlowView): Verdict;
  /** True iff the class is a subject in this direction: one that the evaluator restricts, exempt traffic aside. */
  isSubject(classNumber: number, direction: Direction): boolean;
  /**
   * What the answers read of the two addresses beyond their classes (`Reads.addresses`), as a number from 0 to 255: two
   * flows with the same classes and the same number get the same answers. Without it nothing is remembered of what this
   * evaluator answers. The view's classes are its own. Never allocates.
   */
  relationOf?(view: FlowView): number;
  /**
   * The first ports of the ranges that its rules cut destination ports into, in any order, TCP, UDP and SCTP together:
   * no answer tells two ports apart that have none of these between them. Without it every port may be a case of its
   * own. Meaningful with `Reads.destinationPort`.
   */
  readonly portBounds?: Uint16Array;
  /** Only of users' own evaluators. */
  readonly failures?: Failures;
  /** Explains the answer that it gives for this view. May allocate; never on the packet path. */
  explain?(view: FlowView, direction: Direction, podAt?: PodLookup): Explanation | null;
}

/** The traffic that has to be diverted for an evaluator. */
export interface Capture {
  /** Addresses it manages (deduplicated, any order), or `all` traffic. */
  readonly subjects: readonly Address[] | "all";
  /** Whether packets that this host itself sends to its subjects are judged too (SG-83a). */
  readonly output: boolean;
}

export interface Evaluator {
  /** Closed-list name, also a metric label: `network-acl`. */
  readonly name: string;
  readonly stage: StageName;
  /**
   * A stateful evaluator judges flows: replies, and ICMP errors about accepted flows, pass it. A stateless one judges
   * every packet (NA-11).
   */
  readonly isStateful: boolean;
  compile(inventory: Inventory, knobs: Knobs): CompiledEvaluator;
  capture(inventory: Inventory, knobs: Knobs): Capture;
}

/**
 * A built-in's compile in two halves, so that it is built on one thread and used on others: `build` returns plain data
 * (typed arrays, numbers, strings; structured clone carries it), `load` puts the functions round it, cheaply.
 * `compile` is `load(build(…))`.
 */
export interface BuiltinEvaluator<Tables> extends Evaluator {
  build(inventory: Inventory, knobs: Knobs): Tables;
  load(tables: Tables): CompiledEvaluator;
}
