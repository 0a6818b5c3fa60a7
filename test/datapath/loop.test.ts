/** The packet path over a slab that the test fills: marks in, verdicts and marks out. */
import { beforeEach, describe, expect, test } from "vitest";
import { NF_ACCEPT, NF_DROP } from "../../src/datapath/answer.ts";
import { Counter, Counters } from "../../src/datapath/counters.ts";
import { Loop } from "../../src/datapath/loop.ts";
import type { Program, ProgramEvaluator, ProgramStage } from "../../src/engine/program.ts";
import type { SlotLayout } from "../../src/kernel/addon.ts";
import { type CompiledEvaluator, Reads } from "../../src/model/evaluator.ts";
import type { FlowView } from "../../src/model/flow.ts";
import { Tracking } from "../../src/model/flow.ts";
import { defaultKnobs, type Knobs } from "../../src/model/knobs.ts";
import {
  defaultMarkLayout,
  markHeld,
  markIn,
  markRemember,
  markStates,
  markVerdict,
  markWaiting,
} from "../../src/model/mark.ts";
import { Verdict } from "../../src/model/verdict.ts";
import { parseAddress } from "../../src/net/address.ts";

/** The addon's own layout isn't needed: any layout will do, and a strange one shows that none is assumed. */
const layout: SlotLayout = {
  slotWords: 29,
  headerWords: 11,
  answeredBatches: 2,
  answered: 3,
  answeredRoom: 4,
  markOut: 0,
  verdict: 1,
  packetId: 2,
  family: 3,
  protocol: 4,
  source: 5,
  destination: 9,
  sourcePort: 13,
  destinationPort: 14,
  icmpType: 15,
  icmpCode: 16,
  flags: 17,
  tcpFlags: 18,
  markIn: 19,
  hook: 20,
  inInterface: 21,
  outInterface: 22,
  lengthBytes: 23,
  tcpSequence: 26,
  payloadOffset: 27,
  payloadBytes: 28,
};
const flags = { unparseable: 1, fragment: 2 };
const EPOCH = 5;
const SYN = 2;
const ACK = 16;

interface Answers {
  /** Judges a flow (or a packet, for the stateless one); null throws. */
  readonly stateful?: (view: FlowView) => Verdict | null;
  readonly stateless?: (view: FlowView) => Verdict | null;
}

/** What the answers read, unless said otherwise: all there is, so that everybody is asked about every packet. */
const everything = Object.values(Reads).reduce((sum, bit) => sum | bit, 0);

function programOf(answers: Answers, knobs: Partial<Knobs> = {}, reads = everything): Program {
  const compile = (answer: (view: FlowView) => Verdict | null): CompiledEvaluator => ({
    reads,
    rules: [],
    classOf: () => 1,
    isSubject: () => true,
    evaluateEgress: (view) => {
      const verdict = answer(view);
      if (verdict === null) throw new Error("the evaluator is broken");
      return verdict;
    },
    evaluateIngress: () => Verdict.next,
  });
  const evaluators: ProgramEvaluator[] = [
    { name: "packets", isStateful: false, compiled: compile(answers.stateless ?? (() => Verdict.next)), index: 0 },
    { name: "flows", isStateful: true, compiled: compile(answers.stateful ?? (() => Verdict.next)), index: 1 },
  ];
  const all: Knobs = { ...defaultKnobs, ...knobs };
  const stage = (name: "nacl" | "sg", index: number): ProgramStage => ({
    name,
    index,
    evaluators: [evaluators[index] as ProgramEvaluator],
    acceptsByDefault: true,
    honoursHeld: name === "sg" && all.sgOnChange === "aws",
    passesRelated: true,
  });
  return { knobs: all, stages: [stage("nacl", 0), stage("sg", 1)], evaluators };
}

const slab = new ArrayBuffer(4 * (layout.headerWords + 2 * layout.slotWords));
const words = new Uint32Array(slab);
let counters: Counters;

beforeEach(() => {
  words.fill(0);
  counters = new Counters();
});

interface PacketRow {
  readonly from?: string;
  readonly to?: string;
  readonly protocol?: number;
  readonly ports?: readonly [number, number];
  readonly tcpFlags?: number;
  /** Low byte of what came, as model/mark.ts draws it. */
  readonly mark: number;
  readonly flags?: number;
}

/** Judges one packet in slot 1; returns verdict and our byte, and checks that nobody else's bits changed. */
function judge(program: Program, row: PacketRow, options: { rejects?: boolean; adopting?: boolean; loop?: Loop } = {}) {
  const at = layout.headerWords + layout.slotWords;
  const foreign = 0x00abcdef;
  const put = (offset: number, address: string) => {
    const a = parseAddress(address) ?? expect.fail(address);
    words.set([a.w0, a.w1, a.w2, a.w3], at + offset);
    words[at + layout.family] = a.family;
  };
  put(layout.source, row.from ?? "10.0.0.1");
  put(layout.destination, row.to ?? "10.0.0.2");
  words[at + layout.protocol] = row.protocol ?? 6;
  words[at + layout.sourcePort] = row.ports?.[0] ?? 40000;
  words[at + layout.destinationPort] = row.ports?.[1] ?? 80;
  words[at + layout.tcpFlags] = row.tcpFlags ?? SYN;
  words[at + layout.flags] = row.flags ?? 0;
  words[at + layout.markIn] = ((row.mark << 24) | foreign) >>> 0;
  words[at + layout.verdict] = 0xdead;
  const loop =
    options.loop ??
    new Loop(
      { layout, flags, slab, mark: defaultMarkLayout, counters, rejects: options.rejects ?? false },
      program,
      EPOCH,
    );
  loop.decideBatch(2, options.adopting ?? false);
  loop.settle();
  const markOut = words[at + layout.markOut] as number;
  if (words[at + layout.verdict] !== 0xdead) expect(markOut & 0x00ffffff).toBe(foreign);
  return { verdict: words[at + layout.verdict], byte: markOut >>> 24 };
}

const acceptAll: Answers = {};
const denyFlows: Answers = { stateful: () => Verdict.deny };
const denyReplies: Answers = { stateless: (view) => (view.sourcePort === 80 ? Verdict.deny : Verdict.next) };

describe("what the kernel is told of a denial that doesn't depend on the source port", () => {
  const { original, reply, midstream, untracked, invalid } = markStates;
  const remembered = { verdict: NF_ACCEPT, byte: markVerdict.deny | markRemember | EPOCH };
  const dropped = { verdict: NF_DROP, byte: markVerdict.deny | EPOCH };
  const marked = { verdict: NF_ACCEPT, byte: markVerdict.deny | EPOCH };
  const classes = Reads.sourceClass | Reads.destinationClass | Reads.protocol | Reads.destinationPort | Reads.icmp;

  test.each<[string, PacketRow, number, { verdict: number; byte: number }]>([
    ["a SYN's is remembered", { mark: original }, classes, remembered],
    ["a datagram's is remembered", { mark: original, protocol: 17, tcpFlags: 0 }, classes, remembered],
    ["SCTP's is remembered", { mark: original, protocol: 132, tcpFlags: 0 }, classes, remembered],
    ["a ping's is remembered", { mark: original, protocol: 1, tcpFlags: 0 }, classes, remembered],
    ["a ping's of IPv6 is remembered", { mark: original, protocol: 58, tcpFlags: 0 }, classes, remembered],
    ["addresses are in the set, relations too", { mark: original }, classes | Reads.addresses, remembered],
    ["another protocol's isn't: its set has no key", { mark: original, protocol: 47, tcpFlags: 0 }, classes, dropped],
    ["one that read the source port isn't", { mark: original }, classes | Reads.sourcePort, dropped],
    ["one that read the time isn't", { mark: original }, classes | Reads.time, dropped],
    ["one through a Service isn't", { mark: original | markIn.dnat }, classes, dropped],
    ["a later fragment's isn't", { mark: original, flags: flags.fragment }, classes, dropped],
    ["TCP past its SYN marks its flow", { mark: original, tcpFlags: ACK }, classes, marked],
    ["a SYN with ACK begins nothing", { mark: original, tcpFlags: SYN | ACK }, classes, marked],
    ["a reply marks its flow", { mark: reply, ports: [80, 40000] }, classes, marked],
    ["met mid-stream: its direction isn't known", { mark: midstream, tcpFlags: ACK }, classes, dropped],
    ["untracked: nothing is remembered", { mark: untracked }, classes, dropped],
    ["invalid: nothing is remembered", { mark: invalid }, classes, dropped],
  ])("%s", (_, row, reads, expected) => {
    expect(judge(programOf(denyFlows, {}, reads), row)).toEqual(expected);
  });

  test("one by an evaluator that failed isn't (PL-8)", () => {
    expect(judge(programOf({ stateful: () => null }, {}, classes), { mark: original }).verdict).toBe(NF_DROP);
  });

  test("a network ACL's denial of the answer isn't one of the flow (NA-19)", () => {
    // It reads the destination port of the packet that it judges.
    const toClient: Answers = { stateless: (v) => (v.destinationPort === 40000 ? Verdict.deny : Verdict.next) };
    const program = programOf(toClient, {}, classes);
    expect(judge(program, { mark: original }).byte).toBe(markVerdict.acceptThis | EPOCH);
    expect(judge(program, { mark: reply, ports: [80, 40000] })).toEqual(dropped);
  });
});

describe("what the kernel is told", () => {
  test.each([
    ["accepted, reply too", acceptAll, { mark: markStates.original }, NF_ACCEPT, markVerdict.acceptBoth | EPOCH],
    [
      "accepted, reply refused (NA-19)",
      denyReplies,
      { mark: markStates.original },
      NF_ACCEPT,
      markVerdict.acceptThis | EPOCH,
    ],
    ["a first packet denied", denyFlows, { mark: markStates.original }, NF_DROP, markVerdict.deny | EPOCH],
    [
      "TCP past its SYN denied: its flow is marked",
      denyFlows,
      { mark: markStates.original, tcpFlags: ACK },
      NF_ACCEPT,
      markVerdict.deny | EPOCH,
    ],
    [
      "UDP denied: it may be new",
      denyFlows,
      { mark: markStates.original, protocol: 17, tcpFlags: 0 },
      NF_DROP,
      markVerdict.deny | EPOCH,
    ],
    [
      "a reply of a denied flow: its flow is marked",
      denyFlows,
      { mark: markStates.reply, ports: [80, 40000] },
      NF_ACCEPT,
      markVerdict.deny | EPOCH,
    ],
    [
      "a refused reply of a flow that stands",
      denyReplies,
      { mark: markStates.reply, ports: [80, 40000] },
      NF_DROP,
      markVerdict.deny | EPOCH,
    ],
    [
      "a reply accepted",
      acceptAll,
      { mark: markStates.reply, ports: [80, 40000] },
      NF_ACCEPT,
      markVerdict.acceptBoth | EPOCH,
    ],
    ["PL-27: invalid with a subject", acceptAll, { mark: markStates.invalid }, NF_DROP, markVerdict.deny | EPOCH],
    [
      "PL-21: an ICMP error passes what judges flows",
      denyFlows,
      { mark: markStates.related, protocol: 1 },
      NF_ACCEPT,
      markVerdict.acceptBoth | EPOCH,
    ],
    [
      "PL-26: met mid-stream, one orientation denied",
      denyReplies,
      { mark: markStates.midstream, ports: [80, 40000], tcpFlags: ACK },
      NF_DROP,
      markVerdict.deny | EPOCH,
    ],
  ] as const)("%s", (_, answers, row, verdict, byte) => {
    expect(judge(programOf(answers), row)).toEqual({ verdict, byte });
  });

  test("denyAction=reject: every denied packet goes on to the chain that answers", () => {
    expect(judge(programOf(denyFlows), { mark: markStates.original }, { rejects: true })).toEqual({
      verdict: NF_ACCEPT,
      byte: markVerdict.deny | EPOCH,
    });
  });

  test("denyAction=reject: a refused reply of a flow that stands says nothing and marks nothing (NA-19)", () => {
    const row = { mark: markStates.reply, ports: [80, 40000] } as const;
    expect(judge(programOf(denyReplies), row, { rejects: true }).verdict).toBe(NF_DROP);
  });

  test("PL-26, NP-65: a flow adopted the other way round is judged that way round ever after; a SYN isn't", () => {
    // 10.0.0.1 may connect to 10.0.0.2; the server's packet is the first that tracking sees.
    const onlyToServer: Answers = {
      stateful: (view) => (view.destination.w3 === 0x0a000002 ? Verdict.next : Verdict.deny),
    };
    const program = programOf(onlyToServer);
    const loop = new Loop({ layout, flags, slab, mark: defaultMarkLayout, counters, rejects: false }, program, EPOCH);
    const answer = { from: "10.0.0.2", to: "10.0.0.1", ports: [80, 40000], tcpFlags: ACK } as const;
    const run = (row: PacketRow, adopting: boolean) => judge(program, row, { adopting, loop });
    expect(run({ ...answer, mark: markStates.midstream }, true).byte).toBe(markVerdict.acceptBoth | EPOCH);
    expect(run({ ...answer, mark: markStates.original }, false).verdict).toBe(NF_ACCEPT);
    expect(run({ mark: markStates.reply, tcpFlags: ACK }, false).byte).toBe(markVerdict.acceptBoth | EPOCH);
    expect(run({ ...answer, mark: markStates.original, tcpFlags: SYN }, false).verdict).toBe(NF_DROP);
    expect(run({ ...answer, ports: [81, 40000], mark: markStates.original }, false).byte).toBe(
      markVerdict.deny | EPOCH,
    );
  });

  test.each([
    ["neither", "10.0.0.2", 0, false],
    ["it was translated", "10.0.0.2", markIn.dnat, true],
    ["it goes to where it comes from (IPVS)", "10.0.0.1", 0, true],
  ])("AN-31: whether a packet went through a service: %s", (_, to, dnat, expected) => {
    let seen: boolean | null = null;
    const program = programOf({
      stateful: (view) => {
        seen = view.viaService;
        return Verdict.accept;
      },
    });
    judge(program, { to, mark: markStates.original | dnat });
    expect(seen).toBe(expected);
  });

  test("a reply is judged by its flow's original tuple", () => {
    const seen: number[][] = [];
    const program = programOf({
      stateful: (view) => {
        seen.push([view.source.w3, view.destination.w3, view.sourcePort, view.destinationPort]);
        return Verdict.next;
      },
    });
    judge(program, { mark: markStates.reply, from: "10.0.0.2", to: "10.0.0.1", ports: [80, 40000] });
    expect(seen.at(-1)).toEqual([0x0a000001, 0x0a000002, 40000, 80]);
  });

  test("SG-66: a held flow passes the stage that admitted it, unless sgOnChange=strict, and stays held", () => {
    const row = { mark: markStates.original | markHeld.sg, tcpFlags: ACK };
    expect(judge(programOf(denyFlows), row).byte).toBe(markVerdict.acceptBoth | markHeld.sg | EPOCH);
    expect(judge(programOf(denyFlows, { sgOnChange: "strict" }), row).byte).toBe(markVerdict.deny | EPOCH);
  });

  test.each([
    [Tracking.tracked, markHeld.sg],
    [Tracking.untracked, 0],
    [Tracking.none, 0],
  ])("SG-61: tracking %i is remembered as %i", (tracking, held) => {
    const answers: Answers = {
      stateful: (view) => {
        view.tracking = tracking;
        return Verdict.next;
      },
    };
    expect(judge(programOf(answers), { mark: markStates.original }).byte & markHeld.sg).toBe(held);
  });

  test("PL-8: a broken evaluator's packet gets errorVerdict, isn't remembered, and the next one is judged", () => {
    const broken = programOf({ stateful: () => null });
    expect(judge(broken, { mark: markStates.original, tcpFlags: ACK }).verdict).toBe(NF_DROP);
    const open = programOf({ stateful: () => null }, { errorVerdict: "accept" });
    expect(judge(open, { mark: markStates.original })).toEqual({ verdict: NF_ACCEPT, byte: markVerdict.acceptBoth });
    expect(counters.get(Counter.evaluatorErrors)).toBeGreaterThanOrEqual(2);
  });

  test("the same flow, judged once, is answered alike from memory, until the program is another one", () => {
    let asked = 0;
    const reads = Reads.sourceClass | Reads.destinationClass | Reads.protocol | Reads.destinationPort;
    const counting = (verdict: Verdict): Answers => ({
      stateful: () => {
        asked++;
        return verdict;
      },
    });
    const open = programOf(counting(Verdict.next), {}, reads);
    const loop = new Loop({ layout, flags, slab, mark: defaultMarkLayout, counters, rejects: false }, open, EPOCH);
    const row = { mark: markStates.original };
    for (let i = 0; i < 3; i++) expect(judge(open, row, { loop }).byte).toBe(markVerdict.acceptBoth | EPOCH);
    // Slot 0 holds a packet too, of zeros, which asks for nothing.
    expect(asked).toBe(1);
    loop.useProgram(programOf(counting(Verdict.deny), {}, reads), EPOCH + 1);
    const byte = markVerdict.deny | markRemember | (EPOCH + 1);
    for (let i = 0; i < 3; i++) expect(judge(open, row, { loop })).toEqual({ verdict: NF_ACCEPT, byte });
    expect(asked).toBe(2);
  });

  test.each([0, markWaiting, markIn.reply, markIn.dnat])(
    "byte %i: what wasn't sent here to be judged passes nobody",
    (mark) => {
      expect(judge(programOf(acceptAll), { mark }).verdict).toBe(NF_DROP);
    },
  );

  test("PL-9: what can't be parsed keeps the preset answer", () => {
    expect(judge(programOf(acceptAll), { mark: markStates.original, flags: flags.unparseable }).verdict).toBe(0xdead);
    expect(counters.get(Counter.unparseable)).toBe(1);
  });

  test("counts are settled when nobody waits, or when there is no more room for notes", () => {
    const loop = new Loop({ layout, flags, slab, mark: defaultMarkLayout, counters, rejects: false }, programOf({}), 1);
    const counted = () => [counters.get(Counter.packets), counters.get(Counter.batches)];
    const answered = (nanoseconds: number, packets: number): void => {
      const at = layout.answered + 2 * words[layout.answeredBatches]!++;
      words.set([nanoseconds, packets], at);
    };
    loop.decideBatch(2, false);
    answered(10_000, 2);
    loop.decideBatch(1, false);
    answered(30_000, 1);
    expect(counted()).toEqual([0, 0]);
    // Four packets are noted at most.
    loop.decideBatch(2, false);
    answered(50_000, 2);
    expect(counted()).toEqual([3, 2]);
    expect(counters.latency.scrape().sumMicroseconds).toBe(2 * 10 + 30);
    loop.settle();
    loop.settle();
    expect(counted()).toEqual([5, 3]);
    expect(counters.latency.scrape().sumMicroseconds).toBe(2 * 10 + 30 + 2 * 50);
    expect(counters.decisions().reduce((sum, { packets }) => sum + packets, 0)).toBe(5);
  });

  test("counters tell verdict, evaluator and reason", () => {
    judge(programOf(denyFlows), { mark: markStates.original });
    expect(counters.decisions()).toContainEqual({ verdict: "deny", evaluator: 1, reason: "unspecified", packets: 1 });
  });
});
