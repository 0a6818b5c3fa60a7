/** The demo's screen: every cell says what was observed and what was expected, and a contradiction can't be missed. */
import { describe, expect, it } from "vitest";
import { describeKernel } from "../../../src/cli/demo/describe-kernel.ts";
import { allProbes, isAsExpected, type Outcome } from "../../../src/cli/demo/matrix.ts";
import { cellText, printLatency, printLive, printMatrix, printMismatches } from "../../../src/cli/demo/print.ts";
import { styleFor } from "../../../src/cli/demo/style.ts";
import { endpoints } from "../../../src/cli/demo/topology.ts";

const plain = styleFor({}, {});
const probe = allProbes()[0]!;

const cells = [
  { name: "open as expected", outcomes: [{ expected: "open", isOpen: true }], text: "✓ open" },
  { name: "closed as expected, by whom", outcomes: [{ expected: "sg", isOpen: false }], text: "✗ sg" },
  { name: "closed although open was expected", outcomes: [{ expected: "open", isOpen: false }], text: "! open" },
  { name: "open although closed was expected", outcomes: [{ expected: "np", isOpen: true }], text: "! np" },
  {
    name: "one family of two contradicts",
    outcomes: [
      { expected: "acl", isOpen: false },
      { expected: "acl", isOpen: true },
    ],
    text: "! acl",
  },
  {
    name: "the families are expected to differ",
    outcomes: [
      { expected: "open", isOpen: true },
      { expected: "sg", isOpen: false },
    ],
    text: "✗ open/sg",
  },
  { name: "never probed", outcomes: [], text: "?" },
];

describe("a cell", () => {
  it.each(cells)("$name: $text", ({ outcomes, text }) => {
    expect(cellText(outcomes.map((o) => ({ probe, ...o })))).toBe(text);
  });
});

describe("the matrix", () => {
  const outcomes: Outcome[] = allProbes().map((p) => ({ probe: p, expected: "open", isOpen: true }));

  it("has a row and a column for each endpoint, within 96 columns, and counts every probe", () => {
    const lines = printMatrix(plain, outcomes);
    expect(lines[0]).toContain(`${outcomes.length} of ${outcomes.length} observed as expected`);
    for (const { name } of endpoints) {
      expect(lines[1]).toContain(name);
      expect(lines.filter((line) => line.startsWith(` ${name} `))).toHaveLength(1);
    }
    expect(Math.max(...lines.map((line) => [...line].length))).toBeLessThanOrEqual(96);
  });

  it("tells a contradiction that no cell shows: ping over IPv6", () => {
    const at = outcomes.findIndex((o) => o.probe.protocol === "icmp" && o.probe.family === "ipv6");
    const wrong = outcomes.map((o, i) => (i === at ? { ...o, isOpen: false } : o));
    expect(wrong.filter(isAsExpected)).toHaveLength(outcomes.length - 1);
    expect(printMatrix(plain, wrong).join("\n")).toContain("ping over IPv6: expected open, observed closed");
  });

  it("doesn't scroll away under many contradictions", () => {
    const wrong = outcomes.map((o) => ({ ...o, isOpen: false }));
    const lines = printMismatches(plain, wrong);
    expect(lines).toHaveLength(7);
    expect(lines[6]).toContain(`and ${outcomes.length - 6} more`);
  });

  it("uses colours on a terminal alone, and not under NO_COLOR", () => {
    const isColoured = (stream: { isTTY?: boolean }, env: Record<string, string>) =>
      printMatrix(styleFor(stream, env), outcomes).join("").includes("\u001b[");
    expect(isColoured({ isTTY: true }, { TERM: "xterm" })).toBe(true);
    expect(isColoured({ isTTY: true }, { TERM: "xterm", NO_COLOR: "1" })).toBe(false);
    expect(isColoured({ isTTY: true }, { TERM: "dumb" })).toBe(false);
    expect(isColoured({}, { TERM: "xterm" })).toBe(false);
  });
});

describe("the kernel's line", () => {
  const all = { kernel: "6.18.44-fc", nft: "1.0.6", acceptsRuleset: true, hasBridgeNetfilter: true };
  it.each([
    { queue: "xt", text: "Linux 6.18 · nft 1.0.6 · NFQUEUE ✓ (nft queue ✗ → xt target) · conntrack ✓ · bridges ✓" },
    { queue: "native", text: "Linux 6.18 · nft 1.0.6 · NFQUEUE ✓ (nft queue) · conntrack ✓ · bridges ✓" },
    { queue: null, text: "Linux 6.18 · nft 1.0.6 · NFQUEUE ✗ · conntrack ✓ · bridges ✓" },
  ] as const)("queue $queue", ({ queue, text }) => {
    expect(describeKernel({ ...all, queue })).toBe(text);
  });
});

describe("the live change", () => {
  it("says never for what didn't happen", () => {
    const text = printLive(plain, { deniedAfterMs: null, cutAfterMs: null, how: "none", restoredAfterMs: 3 }).join(
      "\n",
    );
    expect(text).toContain("new connections denied never, the open one was not cut; restored after 3.0 ms");
  });
});

describe("the latency table", () => {
  it("aligns its columns and tells losses", () => {
    const rows = [
      { name: "no queue", p50: 7.28, p99: 17.6, p999: 159.4, samples: 2400, lost: 0 },
      { name: "verdictd", p50: 32.1, p99: 70.2, p999: 180.9, samples: 2398, lost: 2 },
    ];
    expect(printLatency(plain, rows)).toEqual([
      " first packet of a flow        p50       p99     p99.9",
      "   no queue                 7.3 µs     18 µs    159 µs",
      "   verdictd                  32 µs     70 µs    181 µs  2 lost",
      expect.stringContaining("2400 flows each"),
    ]);
  });
});
