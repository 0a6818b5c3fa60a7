/** Lines of a stream of NDJSON. */

/** The whole lines of each piece that is read, with the number of the first; the last line needs no newline. */
export interface LineBatch {
  readonly lines: readonly string[];
  /** From 1. */
  readonly firstNumber: number;
}

/** `stream` yields text. Memory is bounded by the longest line and the pieces it comes in. */
export async function* readLines(stream: AsyncIterable<string>): AsyncGenerator<LineBatch> {
  let firstNumber = 1;
  let rest = "";
  for await (const piece of stream) {
    const lines = (rest + piece).split("\n");
    rest = lines.pop() ?? "";
    if (lines.length > 0) yield { lines, firstNumber };
    firstNumber += lines.length;
  }
  if (rest !== "") yield { lines: [rest], firstNumber };
}
