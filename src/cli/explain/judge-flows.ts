/** Flows in, explanations out, in order: the loop of `explain`. */
import { Explainer } from "../../engine/explain.ts";
import { type FlowError, type FlowRequest, readFlow } from "../../engine/flow-request.ts";
import type { Program } from "../../engine/program.ts";
import { References } from "../../engine/reference.ts";
import { type ExplainStyle, renderExplanation } from "../../engine/render-explain.ts";
import { ExplainJson, renderFlowError } from "../../engine/render-explain-json.ts";
import { EndpointNames } from "../../engine/render-explain-names.ts";
import { createFlowView } from "../../model/flow.ts";
import type { Inventory } from "../../model/inventory.ts";
import type { Expectations } from "./expectations.ts";

export interface JudgeOptions {
  readonly isJson: boolean;
  readonly withTrace: boolean;
  readonly style: ExplainStyle;
}

/** Judges flows of one inventory one after the other. */
export class FlowJudge {
  readonly #references: References;
  readonly #explainer: Explainer;
  readonly #json: ExplainJson;
  /** Made for people only. */
  readonly #names: EndpointNames | null;
  readonly #expectations: Expectations;
  readonly #options: JudgeOptions;
  readonly #view = createFlowView();
  #errorCount = 0;
  #lastError: FlowError | null = null;

  constructor(inventory: Inventory, program: Program, expectations: Expectations, options: JudgeOptions) {
    this.#references = new References(inventory);
    this.#explainer = new Explainer(program, options);
    this.#json = new ExplainJson(program);
    this.#names = options.isJson ? null : new EndpointNames(inventory);
    this.#expectations = expectations;
    this.#options = options;
  }

  /** Flows that couldn't be judged. */
  get errorCount(): number {
    return this.#errorCount;
  }

  /** What was wrong with the last of them. */
  get lastError(): FlowError | null {
    return this.#lastError;
  }

  /** The output for one line of NDJSON, with its newline. Never throws. */
  judgeLine(line: string, number: number): string {
    let value: unknown;
    try {
      value = JSON.parse(line);
    } catch {
      return this.#fail({ code: "bad-flow", field: null, message: "the line is no JSON" }, number);
    }
    return this.judge(value, number);
  }

  /**
   * The output for one flow, with its newline; `number` is null where there is only one. For people, nothing where
   * that one can't be judged: it's the caller's flags that are wrong, see `lastError`.
   */
  judge(value: unknown, number: number | null): string {
    const error = readFlow(value, this.#references, this.#view);
    if (error !== null) return this.#fail(error, number);
    const request = value as FlowRequest;
    this.#explainer.explain(this.#view);
    this.#expectations.compare(request, this.#explainer.decision, number);
    if (this.#names === null) return `${this.#json.render(this.#explainer, this.#options.withTrace)}\n`;
    // An evaluator that failed may have left the record in any state.
    if (this.#explainer.decision.isError) readFlow(value, this.#references, this.#view);
    const asked = { from: request.from as string, to: request.to as string, view: this.#view };
    const text = renderExplanation(this.#explainer, asked, this.#names, this.#options.style);
    return number === null ? text : `${text}\n`;
  }

  #fail(error: FlowError, number: number | null): string {
    this.#errorCount++;
    this.#lastError = error;
    if (this.#options.isJson) return `${renderFlowError(error)}\n`;
    if (number === null) return "";
    return `line ${number}${error.field === null ? "" : `, ${error.field}`}: ${wordsOf(error)}\n`;
  }
}

/** What is wrong, said behind the name of the field that it concerns. */
export function wordsOf({ field, message }: FlowError): string {
  return field !== null && message.startsWith(`${field} is `) ? message.slice(field.length + 4) : message;
}
