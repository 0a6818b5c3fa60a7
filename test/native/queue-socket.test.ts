/** One queue of the real kernel: each packet gets exactly one verdict, whatever the callback does. */
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { skipReason } from "../support/namespace.ts";
import { ipPacket, sendRaw } from "../support/raw-packet.ts";
import { createQueueLab, type QueueLab } from "./queue-lab.ts";

const process7 = new URL("queue-process.ts", import.meta.url);
const registerPath = new URL("../support/register-typescript.mjs", import.meta.url).pathname;
const none = { unparseable: 0, overruns: 0, sendErrors: 0, failed: 0, kept: 0 };
/** Whether it looked for packets before it slept is the machine's business. */
const all = (count: number) => ({
  ...none,
  received: count,
  sent: count,
  spinsPaid: expect.any(Number),
  spinsFailed: expect.any(Number),
});

if (skipReason !== null) console.warn(`test/native/queue-socket: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`a queue (${skipReason ?? "as root"})`, () => {
  let lab: QueueLab;
  beforeAll(() => {
    lab = createQueueLab();
  });
  afterAll(() => lab?.lab.destroy());

  /** Runs a scenario; its result, and what the counters say since the last one. Nothing of it is left over. */
  function play(scenario: string, prefix: readonly string[] = []) {
    lab.counters();
    const argv = [...prefix, process.execPath, "--import", registerPath, process7.pathname, scenario];
    const output = lab.namespace.run(argv);
    if (output.status !== 0) throw new Error(`${scenario}: status ${output.status}\n${output.stdout}${output.stderr}`);
    expect(lab.queues()).toEqual([]);
    return { result: JSON.parse(output.stdout), counters: lab.counters() };
  }

  describe("verdicts and marks", () => {
    it.each([
      ["accept", all(10), { passed: 10, decided: 10 }],
      ["drop", all(10), { passed: 0 }],
      ["no decision", all(10), { passed: 0 }],
      ["no decision, error verdict accept", all(10), { passed: 10, preset: 10 }],
      ["a verdict that is none", { ...all(10), failed: 10 }, { passed: 10, preset: 10 }],
      ["packet numbers overwritten", all(10), { passed: 10, decided: 10 }],
    ])("%s", (scenario, stats, counters) => {
      const played = play(scenario);
      expect(played.result).toEqual({ stats, errors: [] });
      expect(played.counters).toMatchObject({ sent: 10, ...counters });
    });

    it("a slot says what the packet is and where it is; what is preset keeps others' bits of the mark", () => {
      const common = { markIn: 0x1234, hook: 1, interfaces: [1, 0], preset: [0, 0x55001234] };
      expect(play("slots").result).toEqual([
        { ...common, says: "udp 127.0.0.1 > 127.0.0.1:9000", lengthBytes: 29 },
        { ...common, says: "udp [::1] > [::1]:9001", lengthBytes: 1048 },
      ]);
    });

    it("who reads what packets carry gets them whole", () => {
      expect(play("the packets themselves").result).toEqual(["69 x", "69 x", "69 x"]);
      expect(lab.counters()).toMatchObject({ sent: 0 });
    });

    it("a packet that can't be parsed has the error verdict, and is counted (PL-9)", async () => {
      lab.counters();
      const child = lab.namespace.node(process7, ["one packet from outside"]);
      const printed = new Promise<string>((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
      await new Promise((resolve) => createInterface({ input: child.stderr }).once("line", resolve));
      sendRaw(lab.namespace, [ipPacket("127.0.0.1", "127.0.0.1", 132, [1, 2, 3, 4])]);
      const result = JSON.parse(await printed);
      expect(result).toEqual({ says: "unparseable", stats: { ...all(1), unparseable: 1 } });
      expect(lab.counters()).toMatchObject({ passed: 1, preset: 1 });
    });
  });

  describe("callbacks that throw (PL-8)", () => {
    it.each([
      ["throw undecided", { ...all(10), failed: 10 }, { passed: 10, preset: 10 }, "Error: undecided"],
      ["throw when decided", all(10), { passed: 10, decided: 10 }, "Error: decided"],
      ["throw something else", { ...all(10), failed: 10 }, { passed: 0 }, "null"],
    ])("%s", (scenario, stats, counters, error) => {
      const played = play(scenario);
      expect(played.result.stats).toEqual(stats);
      expect(new Set(played.result.errors)).toEqual(new Set([error]));
      expect(played.counters).toMatchObject({ sent: 10, ...counters });
    });

    it("throw half way: what was decided stands, the rest has the error verdict", () => {
      const { result, counters } = play("throw half way");
      expect(result.stats).toMatchObject({ received: 10, sent: 10, sendErrors: 0 });
      // One of each batch of one or two was denied.
      expect(result.stats.failed).toBe(10 - result.errors.length);
      expect(counters).toMatchObject({ passed: result.stats.failed, preset: result.stats.failed });
    });

    it("the error handler throws too", () => {
      const { result, counters } = play("throw in the error handler");
      expect(result).toEqual({ stats: { ...all(10), failed: 10 }, handled: true });
      expect(counters).toMatchObject({ passed: 10, preset: 10 });
    });
  });

  describe("many packets", () => {
    it("5,000 that waited: each has one verdict, in full batches", () => {
      const { result, counters } = play("flood");
      expect(result).toEqual({
        stats: all(5000),
        ...{ queued: 5000, left: 0, ids: 5000, largest: 64, isCounted: true, isTimed: true },
      });
      expect(counters).toMatchObject({ sent: 5000, passed: 2500, decided: 2500 });
    });

    it("32 MiB over TCP, in merged segments", () => {
      const { result } = play("gso");
      expect(result).toMatchObject({ received: 32 << 20, isMerged: true, isSummed: true, stats: none });
      expect(result.stats.sent).toBe(result.stats.received);
    });

    it("a receive buffer that is too small: the queue goes on after an overrun", () => {
      const { result, counters } = play("overrun");
      expect(result).toMatchObject({ isPartly: true, after: 20, left: 0, stats: { sendErrors: 0, failed: 0 } });
      expect(result.stats.sent).toBe(result.stats.received);
      expect(counters.decided).toBe(result.stats.received);
    });

    it("a kernel short of memory for verdicts: they are sent again, in parts", () => {
      const library = fileURLToPath(new URL("../../build/test/short-of-memory.so", import.meta.url));
      const source = fileURLToPath(new URL("short-of-memory.cc", import.meta.url));
      mkdirSync(dirname(library), { recursive: true });
      const built = spawnSync("g++", ["-shared", "-fPIC", "-o", library, source], { encoding: "utf8" });
      expect([built.status, built.stderr]).toEqual([0, ""]);
      const { result, counters } = play("flood", ["env", `LD_PRELOAD=${process.env.LD_PRELOAD ?? ""} ${library}`]);
      expect(result).toMatchObject({ stats: all(5000), left: 0, ids: 5000 });
      expect(counters).toMatchObject({ sent: 5000, passed: 2500, decided: 2500 });
    });

    it.each([
      ["overflow drop", 10, { passed: 10, preset: 10 }],
      ["overflow accept", 10, { passed: 40, unchanged: 40 }],
    ])("%s (PL-10)", (scenario, received, counters) => {
      const played = play(scenario);
      expect(played.result).toMatchObject({ received, sent: received, sendErrors: 0 });
      expect(played.counters).toMatchObject({ sent: 50, ...counters });
    });
  });

  describe("opening and closing", () => {
    it("packets that are queued when it is closed get the error verdict; the queue is free at once", () => {
      const { result, counters } = play("close with packets queued");
      expect(result).toEqual({ queued: 300, left: [], stats: all(300) });
      expect(counters).toMatchObject({ sent: 300, passed: 300, preset: 300 });
    });

    it("close inside the callback: its batch is answered as decided, the rest with the error verdict", () => {
      const { result, counters } = play("close inside the callback");
      expect(result).toEqual({ calls: 1, left: 0, stats: all(100) });
      expect(counters).toMatchObject({ passed: 100, decided: 1, preset: 99 });
    });

    it("close in the error handler", () => {
      const { result, counters } = play("close in the error handler");
      expect(result).toEqual({ left: 0, stats: { ...all(100), failed: 1 } });
      expect(counters).toMatchObject({ passed: 100, preset: 100 });
    });

    it("a closed socket doesn't start, sends nothing, and closes again", () => {
      expect(play("a closed socket").result).toMatchObject({ thrown: { name: "TypeError" }, stats: all(0) });
    });

    it("an open one doesn't start twice", () => {
      expect(play("start twice").result).toMatchObject({ thrown: { name: "TypeError" } });
    });

    it("50 times opened and closed while packets arrive: what was received was answered", () => {
      const { result, counters } = play("open and close in traffic");
      expect(result.wrong).toEqual([]);
      expect(result.received).toBeGreaterThan(25);
      expect(counters.passed).toBe(result.received);
    });

    it("a queue that is held is busy, and free again after close", () => {
      expect(play("bind twice").result).toMatchObject({ name: "KernelError", code: "VERDICTD_QUEUE_BUSY", errno: 1 });
    });

    it("wrong options are refused before anything is opened", () => {
      expect(play("refused options").result).toEqual({
        accepted: [],
        getter: { name: "RangeError", message: "mine" },
        isLeaking: false,
      });
    });
  });

  describe("privilege", () => {
    const plain = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    const able = [...plain, "--inh-caps=+net_admin", "--ambient-caps=+net_admin"];
    const incapableRoot = ["setpriv", "--bounding-set=-net_admin"];

    const isReadable = (): boolean => lab.namespace.run([...plain, "test", "-r", process7.pathname]).status === 0;

    it("a user with CAP_NET_ADMIN may bind, and is told when a queue is busy", ({ skip }) => {
      skip(!isReadable(), "this checkout can't be read by another user");
      expect(play("bind", able).result).toBeNull();
      expect(play("bind twice", able).result).toMatchObject({ code: "VERDICTD_QUEUE_BUSY", errno: 1 });
    });

    it("a user without it is told so", ({ skip }) => {
      skip(!isReadable(), "this checkout can't be read by another user");
      expect(() => play("bind", plain)).toThrow(/VERDICTD_NO_PRIVILEGE/);
    });

    it("root without it is told so", () => {
      expect(() => play("bind", incapableRoot)).toThrow(/VERDICTD_NO_PRIVILEGE/);
    });
  });

  describe("turns of the event loop", () => {
    it("what has time until then is done once, after the last batch", () => {
      const { ran, sent, stats } = play("the turn's end").result;
      // Once for each turn, however many batches it had; and there was one with several.
      expect(ran.join()).toMatch(/^((batch,)+end,Error: at the end(,|$))+$/);
      expect(ran.join()).toContain("batch,batch");
      expect(stats).toEqual(all(sent));
    });

    it("promises and ticks of the callback run as the turn ends", () => {
      expect(play("promises and ticks").result).toEqual(["callback", "tick", "promise", "immediate"]);
    });

    it("messages of other threads are heard while packets keep coming", () => {
      const { result } = play("a message in traffic");
      expect(result).toMatchObject({ isAnswered: true });
      // A turn ends after 2 ms; the rest is for a machine with other work.
      expect(result.median).toBeLessThan(20);
    });

    it("the thread looks for packets before it sleeps where they come as soon as one is answered", () => {
      expect(play("spin, answer by answer").result.spinsPaid).toBeGreaterThan(0);
    });

    it("it soon gives up looking where they are far apart", () => {
      const { spinsPaid, spinsFailed } = play("spin, far apart").result;
      expect(spinsFailed).toBeGreaterThan(0);
      expect(spinsPaid + spinsFailed).toBeLessThan(15);
    });

    it("it never looks where that is switched off", () => {
      expect(play("spin, switched off").result).toEqual({ spinsPaid: 0, spinsFailed: 0 });
    });
  });
});
