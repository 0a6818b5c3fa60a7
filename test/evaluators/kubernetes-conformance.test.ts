/**
 * Flows with known verdicts from three other projects' suites and one analyser's golden files, read from
 * `../shared/conformance` beside the checkout where it exists.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, test } from "vitest";
import type { Knobs } from "../../src/model/knobs.ts";
import { isIcmp, parseProtocol } from "../../src/net/protocol.ts";
import { createStage, inventoryOf, type Stage } from "./kubernetes/stage.ts";

const root = resolve(import.meta.dirname, "../../../shared/conformance");
const suites: readonly { name: string; knobs: Partial<Knobs> }[] = [
  { name: "cyclonus", knobs: {} },
  { name: "network-policy-api", knobs: {} },
  { name: "kube-network-policies", knobs: {} },
  // Its model keeps pods out of IP blocks.
  { name: "netpol-analyzer", knobs: { ipBlockMatchesPods: "false" } },
];

interface Line {
  readonly from: string;
  readonly to: string;
  readonly protocol: string;
  readonly port?: number;
  readonly icmpType?: number;
  readonly via?: string;
  readonly expect: "accept" | "deny";
}

if (!existsSync(root))
  console.warn(`test/evaluators/kubernetes-conformance: skipped: there is no conformance data in ${root}`);

describe.skipIf(!existsSync(root))(`conformance (skipped without ${root})`, () => {
  for (const { name, knobs } of suites) {
    test(`${name}: every flow`, { timeout: 60_000 }, () => {
      const wrong: string[] = [];
      let count = 0;
      for (const folder of readdirSync(join(root, name)).sort()) {
        const stage = createStage(inventoryOf(readManifests(join(root, name, folder, "manifests"))), knobs);
        for (const text of readFileSync(join(root, name, folder, "flows.ndjson"), "utf8").split("\n")) {
          if (text.trim() === "") continue;
          count++;
          const line = JSON.parse(text) as Line;
          if (isRight(stage, line)) continue;
          wrong.push(`${folder}: ${text}`);
        }
      }
      expect(count).toBeGreaterThan(0);
      expect(wrong.slice(0, 20)).toEqual([]);
    });
  }
});

function readManifests(folder: string): Record<string, string> {
  const files = readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((file) =>
    /\.(ya?ml|json)$/.test(file),
  );
  return Object.fromEntries(files.sort().map((file) => [file, readFileSync(join(folder, file), "utf8")]));
}

function isRight(stage: Stage, line: Line): boolean {
  const protocol = parseProtocol(line.protocol) as number;
  const accepted = stage.isAccepted({
    source: stage.addressOf(line.from, line.to),
    destination: stage.addressOf(line.to, line.from),
    protocol,
    sourcePort: 49152,
    destinationPort: line.port ?? 0,
    icmpType: line.icmpType ?? (isIcmp(protocol) ? 8 : 0),
    icmpCode: 0,
    viaService: line.via === "service",
    isFragment: false,
  });
  return accepted === (line.expect === "accept");
}
