/** The dashboard and the alert rules ask for what is there: each metric, and each of its labels. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dump, load } from "js-yaml";
import { beforeAll, expect, test } from "vitest";
import { Metrics } from "../../src/telemetry/metrics.ts";
import { someMetricValues } from "../support/metric-values.ts";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly summary: string; readonly description: string };
}
interface Groups {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[];
}
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly expr: string }[];
}

const read = (path: string): string => readFileSync(new URL(`../../deploy/${path}`, import.meta.url), "utf8");
const plain = load(read("alerts/verdictd.rules.yaml")) as Groups;
const operator = load(read("alerts/verdictd.yaml")) as { readonly kind: string; readonly spec: Groups };
const rules = plain.groups.flatMap((group) => group.rules);
const panels = (JSON.parse(read("grafana/verdictd.json")) as { readonly panels: readonly Panel[] }).panels;
const queries = panels.flatMap((panel) => (panel.targets ?? []).map(({ expr }) => [panel.title, expr] as const));

/** What the scraper adds. */
const addedLabels = ["instance", "job"];
const published = new Map<string, Set<string>>([["up", new Set(addedLabels)]]);

beforeAll(async () => {
  const scrape = await new Metrics(async () => someMetricValues).scrape();
  for (const line of scrape.split("\n")) {
    const [, name, labels = ""] = /^([a-z_]+)(?:\{(.*)\})? \S+$/.exec(line) ?? [];
    if (name === undefined) continue;
    const names = [...labels.matchAll(/([a-z_]+)="/g)].map((match) => match[1] as string);
    published.set(name, new Set([...(published.get(name) ?? addedLabels), ...names]));
  }
});

/** Metrics of a query, each with the labels by which it's selected or grouped. */
function asked(expr: string): { readonly names: readonly string[]; readonly labels: readonly string[] } {
  const names = [...expr.matchAll(/\b(?:verdictd_[a-z_]+|up\b(?=\{))/g)].map((match) => match[0]);
  const selected = [...expr.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)\s*"/g)].map((match) => match[1] as string);
  const grouped = [...expr.matchAll(/\b(?:by|without|on|ignoring)\s*\(([^)]*)\)/g)].flatMap((match) =>
    (match[1] as string).split(",").map((label) => label.trim()),
  );
  return { names, labels: [...selected, ...grouped] };
}

test.each([...queries, ...rules.map(({ alert, expr }) => [alert, expr] as const)])(
  "%s: its metrics and labels exist",
  (_, expr) => {
    const { names, labels } = asked(expr);
    expect(names).not.toEqual([]);
    for (const name of names) expect([...published.keys()]).toContain(name);
    const all = new Set(names.flatMap((name) => [...(published.get(name) ?? [])]));
    for (const label of labels) expect([...all]).toContain(label);
  },
);

test("the check finds a wrong name and a wrong label", () => {
  expect(asked('sum by (ruel) (rate(verdictd_packets{verdcit="deny"}[5m]))')).toEqual({
    names: ["verdictd_packets"],
    labels: ["verdcit", "ruel"],
  });
  expect(published.has("verdictd_packets")).toBe(false);
  expect(published.get("verdictd_packets_total")).toEqual(
    new Set(["instance", "job", "verdict", "evaluator", "reason"]),
  );
});

test("panels have their own numbers and don't overlap", () => {
  expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
  const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
    Array.from({ length: w * h }, (_, i) => `${x + (i % w)},${y + Math.floor(i / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
});

test("the operator's object holds the same rules", () => {
  expect(operator.kind).toBe("PrometheusRule");
  expect(operator.spec).toEqual(plain);
});

test("each alert says what it means and what to do, once", () => {
  expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
  for (const { alert, labels, annotations } of rules) {
    expect(alert).toMatch(/^Verdictd[A-Z][A-Za-z]+$/);
    expect(["critical", "warning", "info"]).toContain(labels.severity);
    expect(annotations.summary.length * annotations.description.length).toBeGreaterThan(0);
  }
});

const hasPromtool = spawnSync("promtool", ["--version"]).status === 0;

test.skipIf(!hasPromtool)("promtool takes the rules, and the dashboard's queries as rules (needs promtool)", () => {
  const directory = mkdtempSync(join(tmpdir(), "verdictd-rules-"));
  try {
    const file = join(directory, "rules.yaml");
    const asRules = queries.map(([, expr], i) => ({
      record: `dashboard:query${i}`,
      expr: expr.replaceAll("$__rate_interval", "5m"),
    }));
    writeFileSync(file, dump({ groups: [...plain.groups, { name: "dashboard", rules: asRules }] }));
    const { status, stdout, stderr } = spawnSync("promtool", ["check", "rules", file], { encoding: "utf8" });
    expect(`${stdout}${stderr}`).toContain("SUCCESS");
    expect(status).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
