/** The loops in C that the benchmark compares with, on the real queue: every packet passes, with the mark it had. */
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createQueueLab, QUEUE, type QueueLab } from "../native/queue-lab.ts";
import { skipReason, waitFor } from "../support/namespace.ts";

const program = fileURLToPath(new URL("../../build/queue-loop", import.meta.url));
const why = skipReason ?? (existsSync(program) ? null : "it isn't built: npm run build");
if (why !== null) console.warn(`test/bench/queue-loop: skipped: ${why}`);

describe.skipIf(why !== null)(`the loop in C (${why ?? "as root"})`, () => {
  let lab: QueueLab;
  beforeAll(() => {
    lab = createQueueLab();
  });
  afterAll(() => lab?.lab.destroy());

  it.each([{ shape: [] }, { shape: ["--batch", "1"] }, { shape: ["--batch", "64"] }])(
    "$shape accepts what comes",
    async ({ shape }) => {
      lab.counters();
      const child = lab.namespace.spawn([program, String(QUEUE), ...shape]);
      const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
      expect((await lines.next()).value).toBe("ready");
      const send = "for i in 1 2 3 4 5 6 7 8 9 10; do echo x > /dev/udp/127.0.0.1/9000; done";
      lab.namespace.check(["bash", "-c", send]);
      // Reading the counters sets them back.
      const seen = { sent: 0, passed: 0, unchanged: 0 };
      await waitFor("all to pass", () => {
        const { sent, passed, unchanged } = lab.counters();
        seen.sent += sent;
        seen.passed += passed;
        seen.unchanged += unchanged;
        return seen.passed >= 10;
      });
      child.kill("SIGTERM");
      expect((await lines.next()).value).toBe("verdicts 10");
      expect(seen).toEqual({ sent: 10, passed: 10, unchanged: 10 });
    },
  );

  it("says what is wrong with its arguments, and with the queue", () => {
    for (const args of [[], ["x"], ["65536"], ["1", "--batch"], ["1", "--batch", "0"], ["1", "2"]]) {
      expect(lab.namespace.run([program, ...args])).toMatchObject({ status: 2, stdout: "" });
    }
    const unable = lab.namespace.run(["setpriv", "--bounding-set=-net_admin", program, String(QUEUE)]);
    expect(unable).toMatchObject({ status: 1, stdout: "", stderr: expect.stringContaining("Operation not permitted") });
  });
});
