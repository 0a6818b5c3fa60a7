/**
 * Where a text stops being JSON (RFC 8259); pure. `JSON.parse` says that it isn't, but its messages differ between
 * versions of Node.js and the short ones have no position at all.
 */

export interface JsonError {
  /** In UTF-16 units from the start of the text. */
  readonly offset: number;
  /** `a value`, `',' or '}'`. */
  readonly expected: string;
}

const SPACE = /[ \t\n\r]*/y;
const SCALAR = /true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const ESCAPE = String.raw`\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})`;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what a JSON string may not hold
const PLAIN = /[^"\\\u0000-\u001f]*/.source;
const STRING_START = new RegExp(`"${PLAIN}(?:${ESCAPE}${PLAIN})*`, "y");

/** Null where the text is JSON. Linear; nesting of any depth. */
export function findJsonError(text: string): JsonError | null {
  return new Scanner(text).scan();
}

class Scanner {
  readonly #text: string;
  readonly #open: ("{" | "[")[] = [];
  #offset = 0;

  constructor(text: string) {
    this.#text = text;
  }

  scan(): JsonError | null {
    for (;;) {
      const error = this.#scanValue() ?? this.#scanEnds();
      if (error !== null || this.#open.length === 0) return error;
    }
  }

  /** One scalar, one empty container, or everything up to the first scalar inside. */
  #scanValue(): JsonError | null {
    for (;;) {
      this.#skip(SPACE);
      const c = this.#text[this.#offset];
      if (c === '"') return this.#scanString();
      if (c !== "{" && c !== "[") return this.#skip(SCALAR) ? null : this.#expected("a value");
      this.#offset++;
      this.#skip(SPACE);
      if (this.#take(c === "{" ? "}" : "]")) return null;
      this.#open.push(c);
      const error = c === "{" ? this.#scanKey("a key in double quotes or '}'") : null;
      if (error) return error;
    }
  }

  /** What may follow a value: ends of containers, then a comma with a value to come, or the end of the text. */
  #scanEnds(): JsonError | null {
    for (;;) {
      this.#skip(SPACE);
      const container = this.#open.at(-1);
      if (container === undefined) return this.#offset === this.#text.length ? null : this.#expected("the end");
      if (this.#take(",")) return container === "{" ? this.#scanKey("a key in double quotes") : null;
      const end = container === "{" ? "}" : "]";
      if (!this.#take(end)) return this.#expected(`',' or '${end}'`);
      this.#open.pop();
    }
  }

  #scanKey(expected: string): JsonError | null {
    this.#skip(SPACE);
    if (this.#text[this.#offset] !== '"') return this.#expected(expected);
    const error = this.#scanString();
    if (error) return error;
    this.#skip(SPACE);
    return this.#take(":") ? null : this.#expected("':'");
  }

  #scanString(): JsonError | null {
    this.#skip(STRING_START);
    if (this.#take('"')) return null;
    return this.#expected(this.#text[this.#offset] === "\\" ? "a valid escape" : "'\"' before the end of the line");
  }

  #take(c: string): boolean {
    if (this.#text[this.#offset] !== c) return false;
    this.#offset++;
    return true;
  }

  #skip(pattern: RegExp): boolean {
    pattern.lastIndex = this.#offset;
    if (!pattern.test(this.#text)) return false;
    this.#offset = pattern.lastIndex;
    return true;
  }

  #expected(expected: string): JsonError {
    return { offset: this.#offset, expected };
  }
}
