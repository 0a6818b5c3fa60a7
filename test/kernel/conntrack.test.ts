/** Our byte in thousands of ct marks: which entries lose what, both families, zones and DNAT. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createLab, type Lab, skipReason } from "../support/namespace.ts";

if (skipReason !== null) console.warn(`test/kernel/conntrack: skipped: ${skipReason}`);

type Marks = Readonly<Record<string, number>>;

describe.skipIf(skipReason !== null)(`ct marks (${skipReason ?? "root"})`, () => {
  let lab: Lab;
  let report: Readonly<Record<string, readonly [unknown, Marks]>> & { readonly before?: unknown };
  beforeAll(() => {
    lab = createLab();
    const result = lab.namespace("ct").runNode(new URL("conntrack-process.ts", import.meta.url));
    expect(result.stderr).toBe("");
    report = JSON.parse(result.stdout);
  });
  afterAll(() => lab?.destroy());

  /** What is there at first; the other owner's bits are in all. */
  const before = { "3100abcd": 5001, f100abcd: 1, "7100abcd": 1, "3200abcd": 1, abcd: 1, "1100abcd": 1 };

  it("all entries are read, in slices", () => {
    expect(report.before).toEqual(before);
  });

  const rows: readonly (readonly [string, string, unknown, Marks])[] = [
    ["nothing", "an address that nobody has", 0, before],
    ["withoutLayout", "before it's known where our byte is", 0, before],
    ["inForce", "what the epoch in force decided stays, and is held as it says", 0, before],
    [
      "pod",
      "one address, in every zone; held bits stay",
      11,
      { ...without("7100abcd"), "3100abcd": 4991, "4000abcd": 1, abcd: 11 },
    ],
    [
      "other",
      "what another epoch decided stays",
      10,
      { ...without("7100abcd"), "3100abcd": 4981, "4000abcd": 1, abcd: 21 },
    ],
    [
      "ipv6",
      "IPv6, at either end",
      2,
      { ...without("7100abcd", "f100abcd"), "3100abcd": 4980, "4000abcd": 1, c000abcd: 1, abcd: 22 },
    ],
    [
      "beforeDnat",
      "an address before DNAT is nobody's",
      0,
      { ...without("7100abcd", "f100abcd"), "3100abcd": 4980, "4000abcd": 1, c000abcd: 1, abcd: 22 },
    ],
    [
      "afterDnat",
      "after DNAT it's the destination's",
      1,
      { "3200abcd": 1, "3100abcd": 4980, "4000abcd": 1, c000abcd: 1, abcd: 23 },
    ],
    [
      "many",
      "hundreds of addresses",
      2980,
      { "3200abcd": 1, "3100abcd": 2000, "4000abcd": 1, c000abcd: 1, abcd: 3003 },
    ],
    ["spent", "all that spent epochs decided", 1, { "3100abcd": 2000, "4000abcd": 1, c000abcd: 1, abcd: 3004 }],
    ["renewed", "what one address's flows were held for", 1, { "3100abcd": 2000, "4000abcd": 1, abcd: 3005 }],
    [
      "renumbered",
      "a decision that counts gets the number in force, but for those of reviewed addresses",
      2000,
      { "3300abcd": 1000, "4000abcd": 1, abcd: 4005 },
    ],
    ["together", "two at once take turns", [0, 1], { "3300abcd": 1000, abcd: 4006 }],
    ["decisions", "all decisions", 1000, { abcd: 5006 }],
    ["all", "all that is ours, when there is nothing left", 0, { abcd: 5006 }],
  ];
  it.each(rows)("%s: %s", (name, _, result, marks) => {
    expect(report[name]).toEqual([result, marks]);
  });

  it("a walk that is overtaken by the end fails, and nothing waits for it", () => {
    expect(report.closed).toBe("VERDICTD_NETLINK");
  });

  function without(...gone: string[]): Marks {
    return Object.fromEntries(Object.entries(before).filter(([mark]) => !gone.includes(mark)));
  }
});
