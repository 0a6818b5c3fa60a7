import { describe, expect, test } from "vitest";
import { defaultKnobs, parseKnobs } from "../../src/model/knobs.ts";

test("PL-1: a stage's default is set by the stage's name", () => {
  const { knobs, issues } = parseKnobs(["defaultVerdict.sg=deny", "defaultVerdict.k8s=accept"]);
  expect(issues).toEqual([]);
  expect(knobs).toEqual({ ...defaultKnobs, defaultVerdict: { sg: "deny", k8s: "accept" } });
});

test.each([
  ["hold(500)", { holdMs: 500 }],
  ["deny", "deny"],
  ["allow", "allow"],
] as const)("NP-64: unknownLocalIp=%s", (value, unknownLocalIp) => {
  expect(parseKnobs([`unknownLocalIp=${value}`])).toEqual({ knobs: { ...defaultKnobs, unknownLocalIp }, issues: [] });
});

describe("PL-0: a setting that can't be taken says what can, and changes nothing", () => {
  test.each([
    ["a stage that isn't", "defaultVerdict.foo=deny", /the stages are route, nacl, sg, k8s/],
    ["no stage", "defaultVerdict=deny", /the stages are/],
    ["more than a stage", "defaultVerdict.sg.foo=deny", /the stages are/],
    ["a custom stage", "defaultVerdict.custom:mine=deny", /the stages are/],
    ["a stage's value", "defaultVerdict.sg=allow", /must be one of accept, deny/],
    ["a class that isn't", "awsExempt.ntp=off", /the classes are dns, dhcp/],
    ["more than a class", "awsExempt.dns.x=off", /the classes are/],
    ["no time to hold", "unknownLocalIp=hold", /must be one of hold\(MILLISECONDS\), deny, allow/],
    ["no time at all", "unknownLocalIp=hold(0)", /must be one of hold/],
    ["no value", "bypass", /a setting is NAME=VALUE/],
    ["no knob", "bypas=drop", /no such knob; the knobs are bypass/],
  ])("%s", (_name, text, message) => {
    const { knobs, issues } = parseKnobs([text]);
    expect(knobs).toEqual(defaultKnobs);
    expect(issues).toEqual([{ text, message: expect.stringMatching(message) }]);
  });
});
