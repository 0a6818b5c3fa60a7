/**
 * The packet path between `receive` and `send`: for each slot of a batch, header fields and mark into the view, the
 * pipeline's decision, verdict and mark back into the slot. It allocates nothing, throws nothing, logs nothing, awaits
 * nothing. A slot it doesn't touch keeps the preset error verdict.
 */
import { createDecision } from "../engine/decision.ts";
import { DecisionCache } from "../engine/decision-cache.ts";
import { type Memory, Pipeline } from "../engine/pipeline.ts";
import type { Program } from "../engine/program.ts";
import type { SlotFlags, SlotLayout } from "../kernel/addon.ts";
import { createFlowView, type FlowView, PacketState, reverseFlowView } from "../model/flow.ts";
import { type MarkLayout, markHeld, markIn, packetStates } from "../model/mark.ts";
import { Reason } from "../model/reason.ts";
import { equalAddresses, Family } from "../net/address.ts";
import { Protocol } from "../net/protocol.ts";
import { AdoptedFlows } from "./adopted-flows.ts";
import { acceptByte, denyByte, isFirstSyn, marksDenial, NF_ACCEPT, NF_DROP, remembersDenial } from "./answer.ts";
import { Counter, type Counters, decisionPlace } from "./counters.ts";

export interface LoopOptions {
  readonly layout: SlotLayout;
  readonly flags: SlotFlags;
  readonly slab: ArrayBufferLike;
  readonly mark: MarkLayout;
  readonly counters: Counters;
  /** `denyAction=reject`: the last chain answers, so every denied packet goes on to it, marked. */
  readonly rejects: boolean;
}

export class Loop {
  readonly #layout: SlotLayout;
  readonly #flags: SlotFlags;
  readonly #words: Uint32Array;
  readonly #mark: MarkLayout;
  readonly #counters: Counters;
  readonly #rejects: boolean;
  readonly #view: FlowView = createFlowView();
  readonly #decision = createDecision();
  readonly #memory: Memory = { isSgHeld: false, isK8sHeld: false, isAdopting: false };
  readonly #cache = new DecisionCache();
  readonly #pipeline: Pipeline;
  readonly #adopted = new AdoptedFlows();
  /** Decisions that aren't counted yet. Each batch has at least one, so there is room for as many batches. */
  readonly #notes: Int32Array;
  #noted = 0;
  #batches = 0;
  #program: Program;
  #epochNibble: number;

  constructor(options: LoopOptions, program: Program, epochNibble: number) {
    this.#layout = options.layout;
    this.#flags = options.flags;
    this.#words = new Uint32Array(options.slab);
    this.#mark = options.mark;
    this.#counters = options.counters;
    this.#notes = new Int32Array(options.layout.answeredRoom);
    this.#rejects = options.rejects;
    this.#pipeline = new Pipeline(null, this.#cache);
    this.#program = program;
    this.#epochNibble = epochNibble;
    this.#cache.useProgram(program);
  }

  /** Takes effect with the next batch. */
  useProgram(program: Program, epochNibble: number): void {
    this.#program = program;
    this.#epochNibble = epochNibble;
    this.#cache.useProgram(program);
  }

  /** Decides slots 0 … count-1. `isAdopting`: TCP met mid-stream passes in either orientation (PL-26). */
  decideBatch(count: number, isAdopting: boolean): void {
    const { slotWords, headerWords } = this.#layout;
    if (this.#noted + count > this.#notes.length) this.settle();
    for (let i = 0; i < count; i++) this.#decideSlot(headerWords + i * slotWords, isAdopting);
    this.#batches++;
  }

  /** Counts what has been noted, and what the batches took. For when no packet waits. */
  settle(): void {
    const counters = this.#counters;
    const notes = this.#notes;
    const words = this.#words;
    const { answeredBatches, answered } = this.#layout;
    for (let i = 0; i < this.#noted; i++) counters.countDecision(notes[i] as number);
    counters.add(Counter.packets, this.#noted);
    counters.add(Counter.batches, this.#batches);
    this.#noted = 0;
    this.#batches = 0;
    const end = answered + 2 * (words[answeredBatches] as number);
    for (let at = answered; at < end; at += 2) {
      counters.latency.record((words[at] as number) / 1000, words[at + 1] as number);
    }
    words[answeredBatches] = 0;
  }

  /** One word, where counting at once would touch memory that a packet would have to wait for. */
  #note(isAccept: boolean, evaluator: number, reason: number): void {
    if (this.#noted === this.#notes.length) this.settle();
    this.#notes[this.#noted++] = decisionPlace(isAccept, evaluator, reason);
  }

  #decideSlot(at: number, isAdopting: boolean): void {
    const words = this.#words;
    const layout = this.#layout;
    const flags = words[at + layout.flags] as number;
    if ((flags & this.#flags.unparseable) !== 0) {
      this.#counters.add(Counter.unparseable, 1);
      this.#note(words[at + layout.verdict] === NF_ACCEPT, -1, Reason.unparseable);
      return;
    }
    const mark = words[at + layout.markIn] as number;
    const byte = (mark >>> this.#mark.shift) & 0xff;
    if ((byte & markIn.queued) === 0) {
      // Not sent here to be judged: the rules of another run, which still stand as we start, had somebody else in mind.
      words[at + layout.verdict] = NF_DROP;
      words[at + layout.markOut] = mark;
      this.#note(false, -1, Reason["invalid-state"]);
      return;
    }
    const state = packetStates[byte & 0x0f] as PacketState;
    const view = this.#view;
    this.#fillView(at, flags, state, byte);
    if (state === PacketState.reply) reverseFlowView(view);
    const tcpFlags = words[at + layout.tcpFlags] as number;
    // A flow adopted the other way round (PL-26): tracking's original direction is the answers'. A SYN begins a new one.
    const isTurned =
      this.#adopted.size > 0 && isTrackedTcp(view, state) && !isFirstSyn(tcpFlags) && this.#adopted.has(view);
    if (isTurned) reverseFlowView(view);
    const isAnswer = (state === PacketState.reply) !== isTurned;
    const decision = this.#decision;
    const memory = this.#memory;
    memory.isSgHeld = (byte & markHeld.sg) !== 0;
    memory.isK8sHeld = (byte & markHeld.k8s) !== 0;
    memory.isAdopting = isAdopting;
    this.#pipeline.decide(this.#program, view, memory, decision);
    if (decision.isError) this.#counters.add(Counter.evaluatorErrors, 1);
    const isAccept = decision.isFlowAccepted && (!isAnswer || decision.isReplyAccepted);
    if (decision.isFlowAccepted && !isAccept) {
      this.#note(false, decision.replyEvaluator, decision.replyReason);
    } else {
      this.#note(isAccept, decision.evaluator, decision.reason);
    }
    let answer: number;
    let verdict = NF_ACCEPT;
    if (isAccept && decision.reason === Reason.midstream) this.#adopted.add(view);
    if (isAccept) {
      const held = (decision.isSgHeld ? markHeld.sg : 0) | (decision.isK8sHeld ? markHeld.k8s : 0);
      answer = acceptByte(decision.isReplyAccepted, held, decision.isError ? 0 : this.#epochNibble);
    } else {
      const isDenied = !decision.isFlowAccepted;
      const isRemembered = remembersDenial(state, view, tcpFlags, decision);
      const isMarked =
        isRemembered || (this.#rejects && isDenied) || marksDenial(state, view.protocol, tcpFlags, isDenied);
      answer = denyByte(this.#epochNibble, isRemembered);
      if (decision.isError || !isMarked) verdict = NF_DROP;
    }
    words[at + layout.verdict] = verdict;
    words[at + layout.markOut] = ((mark & ~this.#mark.mask) | (answer << this.#mark.shift)) >>> 0;
  }

  #fillView(at: number, flags: number, state: PacketState, byte: number): void {
    const words = this.#words;
    const layout = this.#layout;
    const view = this.#view;
    const family = words[at + layout.family] === 6 ? Family.ipv6 : Family.ipv4;
    const { source, destination } = view;
    source.family = family;
    source.w0 = words[at + layout.source] as number;
    source.w1 = words[at + layout.source + 1] as number;
    source.w2 = words[at + layout.source + 2] as number;
    source.w3 = words[at + layout.source + 3] as number;
    destination.family = family;
    destination.w0 = words[at + layout.destination] as number;
    destination.w1 = words[at + layout.destination + 1] as number;
    destination.w2 = words[at + layout.destination + 2] as number;
    destination.w3 = words[at + layout.destination + 3] as number;
    view.protocol = words[at + layout.protocol] as number;
    view.sourcePort = words[at + layout.sourcePort] as number;
    view.destinationPort = words[at + layout.destinationPort] as number;
    view.icmpType = words[at + layout.icmpType] as number;
    view.icmpCode = words[at + layout.icmpCode] as number;
    view.isFragment = (flags & this.#flags.fragment) !== 0;
    const isTranslated = (state === PacketState.original || state === PacketState.reply) && (byte & markIn.dnat) !== 0;
    // IPVS translates without telling tracking. What a pod sends to its own address never comes to a hook, unless it was
    // sent to a service (AN-31).
    view.viaService = isTranslated || equalAddresses(source, destination);
    view.state = state;
  }
}

/** A packet of a TCP flow whose direction tracking knows. */
function isTrackedTcp(view: FlowView, state: PacketState): boolean {
  return view.protocol === Protocol.tcp && (state === PacketState.original || state === PacketState.reply);
}
