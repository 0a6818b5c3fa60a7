import { expect, test } from "vitest";
import { InputReport } from "../../src/agent/input-report.ts";
import type { InventoryReport } from "../../src/agent/policy/protocol.ts";
import type { Cni } from "../../src/sources/kubernetes/cni/cni-detector.ts";
import type { Logger } from "../../src/telemetry/log.ts";

const usual = { sizes: {}, findings: [], holdsPolicies: true, managed: 1, strangeNode: [], dropsUnknown: false };

function reportOf(...cnis: Cni[]): InventoryReport {
  return { ...usual, cnis };
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

test("the name of another machine's Node is warned of once, for as long as it's so", () => {
  const report = new InputReport({ directories: [], cluster: null, nodeName: "n2" }, log);
  const told = (...strangeNode: string[]): string[] => {
    lines.length = 0;
    report.enforced({ ...usual, cnis: [], strangeNode });
    return [...lines];
  };
  const warning = expect.stringMatching(
    /^warn: --node-name n2: this machine has none .*\(10\.0\.0\.2, fd00::2\).*get nodes/,
  );
  expect(told("10.0.0.2", "fd00::2")).toEqual([warning]);
  expect(told("10.0.0.2", "fd00::2")).toEqual([]);
  expect(report.warnings).toHaveLength(1);
  expect(report.staleReasons).toEqual([]);
  expect(told()).toEqual([]);
  expect(report.warnings).toEqual([]);
  expect(told("10.0.0.2", "fd00::2")).toEqual([warning]);
});

test("where nothing is judged, what a pod range drops isn't passed over", () => {
  const told = (nodeName: string | null, dropsUnknown: boolean): string[] => {
    lines.length = 0;
    const report = new InputReport({ directories: [], cluster: null, nodeName }, log);
    report.enforced({ ...usual, managed: 0, cnis: [], dropsUnknown });
    return [...lines];
  };
  expect(told("n1", false)).toEqual([expect.stringMatching(/^info: no policy .* every packet passes: where/)]);
  expect(told("n1", true)).toEqual([expect.stringMatching(/^info: no policy .* passes, but for .* dropped .*: where/)]);
  expect(told(null, true)).toEqual([expect.stringMatching(/^warn: the policies .* passes, but for .* dropped .*: if/)]);
});
