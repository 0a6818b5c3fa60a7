/** A cell of the matrix in one word: open, or who closes it. */
import { cellOf, type Matrix, type MatrixColumn, stateOf } from "./matrix.ts";

/** Evaluators in few letters, and what they stand for. */
const shortNames: Readonly<Record<string, readonly [word: string, meaning: string]>> = {
  "vpc-route": ["route", "a route table"],
  "network-acl": ["nacl", "a network ACL"],
  "security-group": ["sg", "a security group"],
  "admin-policy": ["admin", "an admin policy"],
  "network-policy": ["np", "a NetworkPolicy"],
  "baseline-policy": ["base", "a baseline policy"],
};
const byDefault = ["default", "a stage's default"] as const;

export interface CellWord {
  readonly text: string;
  readonly tone: "good" | "bad" | "half" | "none";
  /** What the word stands for, where it isn't plain. */
  readonly meaning: string | null;
}

export const noAnswerMeaning = "packets pass, their answers don't";

export function wordOf(matrix: Matrix, column: MatrixColumn, source: number): CellWord {
  const decisions = cellOf(column, source).flatMap((number) => matrix.decisions[number] ?? []);
  const [first, second] = decisions;
  switch (stateOf(matrix, column, source)) {
    case "none":
      return { text: "·", tone: "none", meaning: null };
    case "open":
      return { text: "open", tone: "good", meaning: null };
    case "mixed": {
      const text = first?.state === "open" ? "v4 only" : second?.state === "open" ? "v6 only" : "mixed";
      return { text, tone: "half", meaning: null };
    }
    case "no-answer":
    case "closed": {
      const { evaluator = null, state } = first ?? {};
      const [word, meaning] = evaluator === null ? byDefault : (shortNames[evaluator] ?? [evaluator, evaluator]);
      return state === "no-answer" ? { text: `${word}!`, tone: "half", meaning } : { text: word, tone: "bad", meaning };
    }
  }
}
