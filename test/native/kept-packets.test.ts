/** Packets that are answered later: each stays in the kernel's queue until then, and has exactly one verdict. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { skipReason } from "../support/namespace.ts";
import { createQueueLab, type QueueLab } from "./queue-lab.ts";

const stats = (received: number, sent: number) => ({ received, sent, sendErrors: 0, failed: 0, kept: 0 });

if (skipReason !== null) console.warn(`test/native/kept-packets: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`packets that are kept (${skipReason ?? "as root"})`, () => {
  let lab: QueueLab;
  beforeAll(() => {
    lab = createQueueLab();
  });
  afterAll(() => lab?.lab.destroy());

  function play(scenario: string) {
    lab.counters();
    const { status, stdout, stderr } = lab.namespace.runNode(new URL("kept-process.ts", import.meta.url), [scenario]);
    if (status !== 0) throw new Error(`${scenario}: status ${status}\n${stdout}${stderr}`);
    expect(lab.queues()).toEqual([]);
    return { result: JSON.parse(stdout), counters: lab.counters() };
  }

  it.each(["keep, IPv4", "keep, IPv6"])("%s: answered once, in order; a repeat runs the hook again", (scenario) => {
    const { result, counters } = play(scenario);
    expect(result).toEqual({
      before: { waiting: 10, arrived: 0 },
      odd: 5,
      left: 5,
      received: [0, 2, 4, 6, 8],
      // Those that were repeated came a second time.
      stats: stats(15, 15),
    });
    expect(counters).toMatchObject({ sent: 10, passed: 5, decided: 5 });
  });

  it("more than fit in one send keep their order", () => {
    const { result, counters } = play("a hundred at once");
    expect(result).toEqual({ answered: 100, inOrder: true, stats: stats(100, 100) });
    // With the mark that they came with.
    expect(counters).toMatchObject({ passed: 100, unchanged: 100 });
  });

  it("a place that isn't free or isn't there leaves the error verdict; one without a packet is passed over", () => {
    const { result } = play("places that aren't free");
    expect(result).toEqual({ nothing: 0, once: 1, again: 0, received: [0], stats: { ...stats(4, 4), failed: 3 } });
  });

  it("a place is good for one packet after the other", () => {
    expect(play("a place again and again").result).toEqual({ stats: stats(50, 50) });
  });

  it("a socket without places keeps and repeats nothing", () => {
    expect(play("no places").result).toEqual({ stats: { ...stats(2, 2), failed: 2 }, received: [] });
  });

  it("closing ends them: the kernel drops what is kept", () => {
    expect(play("close with packets kept").result).toEqual({ answered: 0, left: 0, queues: [], stats: stats(20, 0) });
    const { result } = play("close inside the callback");
    expect(result).toMatchObject({ received: [], stats: { sent: 0, sendErrors: 0, kept: 0 } });
  });

  it("wrong arguments are refused", () => {
    expect(play("refused arguments").result).toEqual({ refused: true, emptied: true });
  });
});
