/** The README's lists are those of the code: reasons, knobs, metrics, flags. */
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { runCommand } from "../src/cli/run.ts";
import { listKnobs } from "../src/model/knobs.ts";
import { reasonNames } from "../src/model/reason.ts";
import { metricHelp } from "../src/telemetry/metrics.ts";

const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");

/** What stands in backquotes in the first column of a marked table. */
function firstColumn(name: string): string[] {
  const table = readme.split(`<!-- ${name} -->`)[1]?.split(`<!-- /${name} -->`)[0] ?? expect.fail(`no ${name}`);
  return table
    .split("\n")
    .map((line) => line.split("|")[1] ?? "")
    .flatMap((cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1] as string));
}

test("every reason is explained, and no other", () => {
  expect(firstColumn("reasons").sort()).toEqual([...reasonNames].sort());
});

test("every knob is listed, with its values", () => {
  expect(firstColumn("knobs")).toEqual(listKnobs().map((knob) => knob.name));
  for (const { name, values } of listKnobs()) {
    expect(readme).toContain(`| \`${name}\` | ${values.map((value) => `\`${value}\``).join(", ")} |`);
  }
});

test("every metric is listed, and no other", () => {
  expect(firstColumn("metrics").sort()).toEqual(Object.keys(metricHelp).sort());
  for (const name of new Set([...readme.matchAll(/verdictd_[a-z_]+/g)].map((match) => match[0]))) {
    expect(Object.keys(metricHelp)).toContain(name);
  }
});

test("every flag that the README's commands use exists", () => {
  const known = new Set(runCommand().options.map((option) => option.long));
  for (const name of ["--dir", "--listen", "--mark-mask", "--bridge", "--set", "--evaluator", "--pod-range"])
    expect(known).toContain(name);
});
