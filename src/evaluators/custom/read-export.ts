/** A module's namespace → what it exports as `evaluator`, once it's known to have the shape of one. */
import type { Capture } from "../../model/evaluator.ts";
import { stageNames } from "../../model/stage.ts";
import type { Address } from "../../net/address.ts";
import type { CustomEvaluator } from "./contract.ts";
import { ContractError } from "./failures.ts";
import { findMisspelt, isPlainFunction, isRecord } from "./shapes.ts";

const functions = ["capture", "build", "load", "compile"] as const;
/** They mean something else in metrics and explanations. */
const reservedNames: readonly string[] = ["none", ...stageNames];

/** `taken` are names of other evaluators. Throws ContractError with everything that is wrong. */
export function readExport(exported: Readonly<Record<string, unknown>>, taken: readonly string[]): CustomEvaluator {
  const given = exported.evaluator;
  const problems = given === undefined ? [noExport(exported)] : listProblems(given, [...taken, ...reservedNames]);
  if (problems.length > 0) throw new ContractError(problems.join("; "));
  return given as CustomEvaluator;
}

function noExport(exported: Readonly<Record<string, unknown>>): string {
  const [other] = Object.entries(exported).find(([, value]) => isRecord(value) && "name" in value) ?? [];
  const what = other === undefined ? "" : ` (${other} means nothing)`;
  return `it has no export called evaluator${what}: write export const evaluator = { name: "…", load() { … } }`;
}

function listProblems(given: unknown, taken: readonly string[]): string[] {
  if (!isRecord(given)) return ["evaluator must be an object with a name, and load or compile"];
  const problems = findMisspelt(given, ["name", "stage", "isStateful", ...functions]);
  const { name, stage, isStateful } = given;
  if (typeof name !== "string" || !/^[a-z][a-z0-9-]{0,39}$/.test(name)) {
    problems.push("name must be small letters, digits and hyphens, 40 at most, such as allow-list");
  } else if (taken.includes(name)) {
    problems.push(`the name ${name} is taken: choose another`);
  } else if (stage !== undefined && stage !== `custom:${name}`) {
    problems.push(`stage can only be custom:${name} in this version: leave it out`);
  }
  if (isStateful !== undefined && typeof isStateful !== "boolean") problems.push("isStateful must be true or false");
  for (const key of functions) {
    if (given[key] !== undefined && !isPlainFunction(given[key])) {
      problems.push(`${key} must be a function, and not async`);
    }
  }
  if (given.load === undefined && given.compile === undefined) problems.push("load or compile must be there");
  if (given.build !== undefined && given.load === undefined) {
    problems.push("build needs a load that takes what it returns");
  }
  return problems;
}

/** What `capture` returned. Throws ContractError. */
export function readCapture(given: unknown): Capture {
  const { subjects = "all", output = false } = isRecord(given) ? given : { subjects: null };
  if ((subjects !== "all" && !isAddressList(subjects)) || typeof output !== "boolean") {
    throw new ContractError(
      'it must return { subjects, output }: addresses (parseAddress) or "all", and true or false',
    );
  }
  return { subjects, output };
}

function isAddressList(value: unknown): value is readonly Address[] {
  return Array.isArray(value) && value.every(isAddress);
}

function isAddress(value: unknown): boolean {
  if (!isRecord(value)) return false;
  const words = [value.w0, value.w1, value.w2, value.w3];
  return [0, 4, 6].includes(value.family as number) && words.every((word) => (word as number) >>> 0 === word);
}
