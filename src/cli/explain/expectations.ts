/** What flows were expected to do, beside what was decided. */

import type { Decision } from "../../engine/decision.ts";
import type { FlowRequest } from "../../engine/flow-request.ts";

/** Differences that are told one by one. */
const SHOWN = 10;

export class Expectations {
  /** For flows that bring none of their own. */
  readonly #default: string | null;
  #count = 0;
  readonly #differences: string[] = [];
  #different = 0;

  constructor(byDefault: string | null) {
    this.#default = byDefault;
  }

  /** `line` is null for a single flow. */
  compare(request: FlowRequest, decision: Decision, line: number | null): void {
    const expected = request.expect ?? this.#default;
    const verdict = decision.isFlowAccepted ? "accept" : "deny";
    // The answer to a packet that is denied doesn't pass either.
    const reply = decision.isFlowAccepted && decision.isReplyAccepted ? "accept" : "deny";
    const isWrong = typeof expected === "string" && expected !== verdict;
    const isReplyWrong = typeof request.expectReply === "string" && request.expectReply !== reply;
    this.#count++;
    if (!isWrong && !isReplyWrong) return;
    this.#different++;
    if (this.#differences.length >= SHOWN) return;
    const what = isWrong
      ? `expected ${expected}, but the verdict is ${verdict}`
      : `expected ${request.expectReply} for the answer, but its verdict is ${reply}`;
    this.#differences.push(line === null ? what : `line ${line}: ${what}`);
  }

  get isMet(): boolean {
    return this.#different === 0;
  }

  /** Lines for people, empty where all is as expected. */
  describe(): string {
    if (this.isMet) return "";
    const more = this.#different - this.#differences.length;
    return [
      ...this.#differences,
      ...(more > 0 ? [`and ${more} more`] : []),
      ...(this.#count > 1 ? [`${this.#different} of ${this.#count} flows differ from what was expected`] : []),
    ].join("\n");
  }
}
