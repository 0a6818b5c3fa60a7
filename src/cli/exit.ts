/**
 * How a verb ends other than by finishing: thrown up to `main`, the only place that ends the process.
 */

/** Exit codes: 1 the answer is "no"; 2 bad usage or input; 3 this machine can't do it. */
export class CliExit extends Error {
  readonly code: number;

  /** An empty message prints nothing. */
  constructor(code: number, message = "") {
    super(message);
    this.name = "CliExit";
    this.code = code;
  }
}
