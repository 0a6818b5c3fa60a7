/**
 * Decisions that were made before, found again with one probe: by the joint classes of both ends, the protocol, the
 * classes of the ports (or ICMP's type and code), how the flow came, its relations and its held bits. That is all that
 * evaluators read; a decision that depended on more (the source port itself, the time) is never kept.
 *
 * Bounded, and it allocates nothing once it is made; an older decision makes room for a newer one. A program's decisions
 * bear its stamp, so that a change of programs forgets them all at once.
 */
import { type CompiledEvaluator, Reads } from "../model/evaluator.ts";
import type { FlowView } from "../model/flow.ts";
import { isIcmp } from "../net/protocol.ts";
import { ClassCache } from "./class-cache.ts";
import type { Decision } from "./decision.ts";
import { isPackable, packDecision, unpackDecision } from "./packed-decision.ts";
import { PortClasses } from "./port-classes.ts";
import type { Program, ProgramEvaluator } from "./program.ts";

/** Powers of two. A decision takes 64 bytes, an address 32, a class 48. */
export interface CacheSizes {
  readonly decisions: number;
  readonly addresses: number;
  readonly classes: number;
}

const defaultSizes: CacheSizes = { decisions: 1 << 15, addresses: 1 << 16, classes: 1 << 16 };

/** Words of an entry, which is a cache line: stamp, the key, the decision. */
const ENTRY = 16;
const DECISION = 7;
/** Relations are a byte each in two words of the key. A program with more of them remembers nothing. */
const MOST_RELATIONS = 8;
const LAST_STAMP = 0x3fffffff;

export class DecisionCache {
  readonly #classes: ClassCache;
  readonly #destinationPorts = new PortClasses();
  readonly #sourcePorts = new PortClasses();
  readonly #entries: Int32Array;
  readonly #mask: number;
  #program: Program | null = null;
  #related: readonly ProgramEvaluator[] = [];
  #stamp = 0;
  /** Where the decision asked for last goes, and the rest of its key; -1 where it can't be remembered. */
  #at = -1;
  #source = -1;
  #destination = -1;
  #ports = 0;
  #kind = 0;
  #relations = 0;
  #moreRelations = 0;

  constructor(sizes: CacheSizes = defaultSizes) {
    this.#classes = new ClassCache(sizes);
    this.#entries = new Int32Array(sizes.decisions * ENTRY);
    this.#mask = sizes.decisions - 1;
  }

  /** Forgets everything, unless it's the program that was used last. */
  useProgram(program: Program): void {
    if (program !== this.#program) this.#begin(program);
  }

  /** Apart from the question above, which is on the packet path: a function with closures allocates as it is entered. */
  #begin(program: Program): void {
    this.#program = program;
    this.#classes.useProgram(program);
    this.#forget();
    this.#destinationPorts.use(program.evaluators);
    // An answering packet goes to the flow's source port, and only what judges packets is asked about it.
    this.#sourcePorts.use(program.evaluators.filter((e) => !e.isStateful));
    const related = program.evaluators.filter(
      ({ compiled }) => (compiled.reads & Reads.addresses) !== 0 && compiled.relationOf !== undefined,
    );
    this.#related = related.filter((a, i) => related.findIndex((b) => sharesRelation(a.compiled, b.compiled)) === i);
  }

  /** All at once: what bears another stamp isn't there. */
  #forget(): void {
    if (++this.#stamp > LAST_STAMP) {
      this.#stamp = 1;
      this.#entries.fill(0);
      this.#classes.clear();
    }
    this.#classes.forget(this.#stamp);
  }

  /**
   * Writes the decision that was kept for such a flow; false where there is none. The view is the flow's original
   * direction. Throws what an evaluator throws.
   */
  find(view: FlowView, isSgHeld: boolean, isK8sHeld: boolean, decision: Decision): boolean {
    this.#at = -1;
    this.#source = -1;
    this.#destination = -1;
    const source = this.#classes.find(view.source);
    const destination = this.#classes.find(view.destination);
    // More classes than there is room for have been seen since: those that are in use now will be seen again.
    if (this.#classes.isFull) {
      this.#forget();
      return false;
    }
    this.#source = source;
    this.#destination = destination;
    if (source < 0 || destination < 0 || !this.#relate(view)) return false;
    const { protocol } = view;
    const ports = isIcmp(protocol)
      ? (view.icmpType << 8) | view.icmpCode
      : (this.#destinationPorts.classOf(view.destinationPort) << 16) | this.#sourcePorts.classOf(view.sourcePort);
    const kind =
      protocol |
      (view.viaService ? 0x100 : 0) |
      (view.isFragment ? 0x200 : 0) |
      (isSgHeld ? 0x400 : 0) |
      (isK8sHeld ? 0x800 : 0);
    const relations = this.#relations;
    const more = this.#moreRelations;
    this.#ports = ports;
    this.#kind = kind;

    let hash = Math.imul(source, 0x9e3779b1) ^ Math.imul(destination ^ (ports << 7), 0x85ebca6b);
    hash = Math.imul(hash ^ (hash >>> 15) ^ ports, 0xc2b2ae35) ^ Math.imul(kind ^ relations, 0x27d4eb2f) ^ more;
    hash ^= hash >>> 14;
    const first = (hash & this.#mask) * ENTRY;
    this.#at = first;
    const entries = this.#entries;
    for (let way = 0; way < 2; way++) {
      const at = first ^ (way * ENTRY);
      if (
        entries[at] === this.#stamp &&
        entries[at + 1] === source &&
        entries[at + 2] === destination &&
        entries[at + 3] === ports &&
        entries[at + 4] === kind &&
        entries[at + 5] === relations &&
        entries[at + 6] === more
      ) {
        unpackDecision(entries, at + DECISION, decision);
        return true;
      }
    }
    return false;
  }

  /** Keeps the decision for flows like the one that was asked for last. */
  keep(decision: Decision): void {
    const first = this.#at;
    if (first < 0 || !isPackable(decision)) return;
    const entries = this.#entries;
    // The newer one of two is searched first.
    if (entries[first] === this.#stamp) entries.copyWithin(first ^ ENTRY, first, first + ENTRY);
    entries[first] = this.#stamp;
    entries[first + 1] = this.#source;
    entries[first + 2] = this.#destination;
    entries[first + 3] = this.#ports;
    entries[first + 4] = this.#kind;
    entries[first + 5] = this.#relations;
    entries[first + 6] = this.#moreRelations;
    packDecision(decision, entries, first + DECISION);
  }

  /** The class of an end of the flow that was asked for last, where `find` knew both: what `classOf` would answer. */
  classOf(isSource: boolean, evaluator: number): number {
    return this.#classes.classAt(isSource ? this.#source : this.#destination, evaluator);
  }

  get hasClasses(): boolean {
    return this.#source >= 0 && this.#destination >= 0;
  }

  /** Relations as bytes of two words; false where one isn't a byte, or there are too many. */
  #relate(view: FlowView): boolean {
    const related = this.#related;
    if (related.length > MOST_RELATIONS) return false;
    let words = 0;
    let more = 0;
    for (let i = 0; i < related.length; i++) {
      const { compiled, index } = related[i] as ProgramEvaluator;
      view.sourceClass = this.#classes.classAt(this.#source, index);
      view.destinationClass = this.#classes.classAt(this.#destination, index);
      const relation = compiled.relationOf?.(view) ?? -1;
      if ((relation & 0xff) !== relation) return false;
      if (i < 4) words |= relation << (i * 8);
      else more |= relation << (i * 8 - 32);
    }
    this.#relations = words;
    this.#moreRelations = more;
    return true;
  }
}

/** The same functions, so the same answers: one byte says the relation for both. */
function sharesRelation(a: CompiledEvaluator, b: CompiledEvaluator): boolean {
  return a.classOf === b.classOf && a.relationOf === b.relationOf;
}
