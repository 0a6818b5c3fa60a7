import { expect, test } from "vitest";
import { InputReport } from "../../src/agent/input-report.ts";
import type { InventoryReport } from "../../src/agent/policy/protocol.ts";
import type { Cni } from "../../src/sources/kubernetes/cni/cni-detector.ts";
import type { Logger } from "../../src/telemetry/log.ts";

function reportOf(...cnis: Cni[]): InventoryReport {
  return { sizes: {}, findings: [], holdsPolicies: true, managed: 1, cnis };
}

const lines: string[] = [];
const say =
  (level: string) =>
  (_: object, message: string): void => {
    lines.push(`${level}: ${message}`);
  };
const log = { info: say("info"), warn: say("warn"), error: say("error") } as unknown as Logger;

const kindnet: Cni = { name: "kindnet", enforces: true, switchOff: "another plugin" };
const flannel: Cni = { name: "flannel", enforces: false, switchOff: null };
const unknown: Cni = { name: "unknown", enforces: null, switchOff: null };

test("another engine is told once, and again only when it's another", () => {
  const report = new InputReport({ directories: [], cluster: null, nodeName: null }, log);
  const told = (...cnis: Cni[]): string[] => {
    lines.length = 0;
    report.enforced(reportOf(...cnis));
    return [...lines];
  };
  expect(told()).toEqual([]);
  expect(told(kindnet)).toEqual([
    "warn: kindnet enforces NetworkPolicy too, so two engines judge, and a packet passes only where both accept it; to leave it to this one: another plugin",
  ]);
  expect(told(kindnet)).toEqual([]);
  expect(told(flannel)).toEqual(["info: flannel: doesn't enforce NetworkPolicy, so this is the only engine that does"]);
  expect(told(flannel)).toEqual([]);
  expect(told(flannel, kindnet)).toHaveLength(1);
  expect(told(unknown)).toEqual([expect.stringContaining("no network plugin that we know")]);
});
