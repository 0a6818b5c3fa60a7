/**
 * The text of a file → the documents in it. JSON by its ending, otherwise YAML with any number of documents. YAML 1.2's
 * core schema, so that `y` and `2024-01-01` are text, with merge keys. Pure.
 */
import { CORE_SCHEMA, loadAll, mergeTag, YAMLException } from "js-yaml";

/** Line and column count from 1. */
export interface ParseFailure {
  readonly message: string;
}

export type Parsed =
  | { readonly documents: readonly unknown[]; readonly failure: null }
  | { readonly documents: null; readonly failure: ParseFailure };

const schema = CORE_SCHEMA.withTags(mergeTag);

/** Never throws. Empty documents are left out. */
export function parseFile(path: string, text: string): Parsed {
  try {
    const documents = path.endsWith(".json") ? parseJson(text) : loadAll(text, { schema });
    return { documents: documents.filter((document) => document !== null && document !== undefined), failure: null };
  } catch (error) {
    const message = path.endsWith(".json") ? describeJson(text, error) : describeYaml(error);
    return { documents: null, failure: { message } };
  }
}

function parseJson(text: string): readonly unknown[] {
  return text.trim() === "" ? [] : [JSON.parse(text)];
}

function describeYaml(error: unknown): string {
  if (!(error instanceof YAMLException)) return `no YAML: ${(error as Error).message}`;
  const { mark, reason } = error;
  const place = mark ? `line ${mark.line + 1}, column ${mark.column + 1}: ` : "";
  return `${place}no YAML: ${reason}`;
}

/** Node's releases word it differently: some name the position, some the line, some neither. */
function describeJson(text: string, error: unknown): string {
  const { message } = error as Error;
  const position = /at position (\d+)/.exec(message)?.[1];
  const reason = message.replace(/ (in JSON )?at position \d+.*$/s, "").replace(/, "[\s\S]*$/, "");
  const at = position === undefined ? firstErrorAt(text) : Number(position);
  const before = text.slice(0, at);
  const line = before.split("\n").length;
  const column = at - (before.lastIndexOf("\n") + 1) + 1;
  return `line ${line}, column ${column}: no JSON: ${reason}`;
}

/** The end of the longest start of the text in which every token is JSON's; the text's length where that is all. */
function firstErrorAt(text: string): number {
  const token =
    /[\s{}[\]:,]+|"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y;
  while (token.lastIndex < text.length) {
    const at = token.lastIndex;
    if (!token.test(text)) return at;
  }
  return text.length;
}
