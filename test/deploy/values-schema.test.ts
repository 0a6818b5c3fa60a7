/** The chart's values.schema.json knows the knobs and the prefixes that the agent knows, and no others. */
import { expect, test } from "vitest";
import { exemptClasses, listKnobs, parseKnobs } from "../../src/model/knobs.ts";
import { stageNames } from "../../src/model/stage.ts";
import { parsePrefix } from "../../src/net/prefix.ts";
import { read } from "./render.ts";

interface Schema {
  readonly enum?: readonly (string | boolean)[];
  readonly pattern?: string;
  readonly anyOf?: readonly Schema[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean;
}

const { properties } = JSON.parse(read("helm/verdictd/values.schema.json")) as Required<Pick<Schema, "properties">>;
const knobs = properties.knobs;
const families = new Map<string, readonly string[]>([
  ["STAGE", stageNames],
  ["CLASS", exemptClasses],
]);
/** Every knob's name, families by their members, with its values. */
const all = listKnobs().flatMap(({ name, values }) => {
  const [family = "", variable = ""] = name.split(".");
  const members = families.get(variable);
  return members === undefined ? [{ name, values }] : members.map((m) => ({ name: `${family}.${m}`, values }));
});

function schemaOf(name: string): Schema | undefined {
  const patterns = Object.entries(knobs?.patternProperties ?? {});
  return knobs?.properties?.[name] ?? patterns.find(([pattern]) => new RegExp(pattern).test(name))?.[1];
}

/** Of text alone: what YAML makes of a bare on is the chart's affair. */
function takes(schema: Schema | undefined, value: string): boolean {
  if (schema?.anyOf !== undefined) return schema.anyOf.some((one) => takes(one, value));
  if (schema?.pattern !== undefined) return new RegExp(schema.pattern).test(value);
  return schema?.enum?.includes(value) ?? false;
}

test("every knob, and no other", () => {
  expect(all.length).toBeGreaterThan(20);
  expect(knobs?.additionalProperties).toBe(false);
  expect(Object.keys(knobs?.properties ?? {}).sort()).toEqual(
    all
      .map(({ name }) => name)
      .filter((name) => !name.includes("."))
      .sort(),
  );
  for (const name of ["nobody", "defaultVerdict", "defaultVerdict.nobody", "awsExempt.nobody", "awsExempt.dns.x"]) {
    expect(schemaOf(name), name).toBeUndefined();
  }
});

test.each(all)("$name: the agent's values", ({ name, values }) => {
  const schema = schemaOf(name);
  const texts = (schema?.enum ?? values).filter((value) => typeof value === "string");
  expect([...texts].sort()).toEqual([...values].sort());
  const tried = [...values, "adopt(0)", "adopt(123456)", "adopt()", "hold(1)", "hold(0)", "hold(123456)", "nobody", ""];
  for (const value of tried) {
    expect(takes(schema, value), value).toBe(parseKnobs([`${name}=${value}`]).issues.length === 0);
  }
});

test.each([
  ...["10.244.0.0/16", "0.0.0.0/0", "10.0.0.1/32", "fd00:10:244::/56", "::/0", "fd00::1/128"],
  ...["10.0.0.0/33", "10.0.0.0/016", "10.0.0.0", "fd00::/129", "fd00::", "10.0.0/8", "all", "", "10.0.0.0/-1"],
])("podRanges: %s", (text) => {
  expect(takes(properties.podRanges?.items, text)).toBe(parsePrefix(text) !== null);
});
