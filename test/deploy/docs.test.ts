/** docs/kubernetes.md: files, flags and values that it names are there. */
import { existsSync, readFileSync } from "node:fs";
import { load } from "js-yaml";
import { expect, test } from "vitest";
import { explainCommand } from "../../src/cli/explain.ts";
import { removeCommand } from "../../src/cli/remove.ts";
import { metricHelp } from "../../src/telemetry/metrics.ts";
import { read } from "./render.ts";

const text = readFileSync(new URL("../../docs/kubernetes.md", import.meta.url), "utf8");
const matches = (pattern: RegExp): string[] => [...text.matchAll(pattern)].map((match) => match[1] ?? "");

test("every file is there", () => {
  const paths = [
    ...matches(/\b(deploy\/[\w./-]+\w)/g),
    ...matches(/`(components\/[\w-]+)`/g).map((c) => `deploy/kubernetes/${c}`),
  ];
  expect(paths.length).toBeGreaterThan(10);
  for (const path of paths) expect(existsSync(new URL(`../../${path}`, import.meta.url)), path).toBe(true);
});

test("every flag of ours exists", () => {
  const lines = matches(/main\.js (.*)$/gm);
  expect(lines.length).toBeGreaterThan(0);
  for (const line of lines) {
    const command = [explainCommand(), removeCommand()].find((candidate) => candidate.name() === line.split(" ")[0]);
    const flags = [...line.matchAll(/--[a-z-]+/g)].map(([flag]) => flag);
    for (const flag of flags)
      expect(
        command?.options.map(({ long }) => long),
        line,
      ).toContain(flag);
  }
  expect(matches(/`verdictd (\w+)`/g)).toEqual(expect.arrayContaining(["remove"]));
});

test("every value of the chart exists", () => {
  const values = load(read("helm/verdictd/values.yaml")) as Readonly<Record<string, unknown>>;
  const rows = text.split("| kustomize | chart |")[1]?.split("\n\n")[0] ?? "";
  const column = rows.split("\n").map((row) => row.split("|")[3] ?? "");
  const named = column.flatMap((cell) => [...cell.matchAll(/`([\w.]+)/g)].map((match) => match[1] ?? ""));
  const set = [...matches(/--set ([\w.]+)=/g), ...matches(/\(chart: `([\w.]+)`\)/g)];
  expect(named.length).toBeGreaterThan(5);
  for (const path of [...named, ...set]) {
    let at: unknown = values;
    for (const key of path.split(".")) at = (at as Readonly<Record<string, unknown>> | undefined)?.[key];
    expect(at, path).toBeDefined();
  }
});

test("every metric exists", () => {
  for (const name of matches(/`(verdictd_[a-z_]+)`/g)) expect(Object.keys(metricHelp)).toContain(name);
});
