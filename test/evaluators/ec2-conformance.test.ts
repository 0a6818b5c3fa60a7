/** Generated VPCs whose flows an independent oracle judged: both gates, both directions, and the answering packet. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { isIcmp, parseProtocol } from "../../src/net/protocol.ts";
import { address, compile, judge, judgeReply, load } from "./ec2/pipeline.ts";

const root = join(import.meta.dirname, "../../../shared/conformance/ec2");
const folders = existsSync(root) ? readdirSync(root).sort() : [];

interface Line {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port?: number;
  readonly sourcePort?: number;
  readonly icmpType?: number;
  readonly icmpCode?: number;
  readonly expect: string;
  readonly expectReply?: string;
}

if (folders.length === 0) test("EC2 conformance", ({ skip }) => skip(`no conformance data in ${root}`));

describe.runIf(folders.length > 0)("EC2 conformance", () => {
  test.each(folders)("%s", (folder) => {
    const inventory = join(root, folder, "inventory");
    const files = readdirSync(inventory).map((f) => [f, JSON.parse(readFileSync(join(inventory, f), "utf8"))]);
    const { inventory: loaded, findings } = load(Object.fromEntries(files));
    expect(findings.filter((f) => f.severity === "error")).toEqual([]);
    const gates = compile(loaded);
    const lines = readFileSync(join(root, folder, "flows.ndjson"), "utf8")
      .trim()
      .split("\n");
    const wrong = lines.flatMap((line) => {
      const f = JSON.parse(line) as Line;
      const protocol = parseProtocol(f.protocol) as number;
      const given = {
        source: address(f.from),
        destination: address(f.to),
        protocol,
        sourcePort: f.sourcePort ?? 0,
        destinationPort: f.port ?? 0,
        icmpType: isIcmp(protocol) ? (f.icmpType ?? 8) : 0,
        icmpCode: f.icmpCode ?? 0,
        viaService: false,
        isFragment: false,
      };
      const verdict = judge(gates, given);
      const reply = verdict === "accept" ? judgeReply(gates, given) : null;
      const isRight =
        (verdict === "accept") === (f.expect === "accept") &&
        (f.expectReply === undefined || (reply === "accept") === (f.expectReply === "accept"));
      return isRight ? [] : [`${line} → ${verdict}, reply ${reply}`];
    });
    expect(lines.length).toBeGreaterThan(300);
    expect(wrong).toEqual([]);
  });
});
