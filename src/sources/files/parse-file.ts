/**
 * The text of a file → the documents in it; pure. JSON by its ending, otherwise YAML with any number of documents. YAML
 * 1.2's core schema, so that `y` and `2024-01-01` are text, as for the API server, with merge keys.
 */
import { CORE_SCHEMA, loadAll, mergeTag, YAMLException } from "js-yaml";
import { findAliasExcess } from "./alias-limit.ts";
import { findJsonError } from "./json-error.ts";

export interface ParsedDocument {
  /** From 0, counting empty documents. */
  readonly index: number;
  readonly value: unknown;
}

/** One of both is null. A failure starts with its line and column, from 1. */
export type Parsed =
  | { readonly documents: readonly ParsedDocument[]; readonly failure: null }
  | { readonly documents: null; readonly failure: string };

const schema = CORE_SCHEMA.withTags(mergeTag);

/** Never throws. Empty documents are left out. */
export function parseFile(path: string, text: string): Parsed {
  const body = text.startsWith("\ufeff") ? text.slice(1) : text;
  // What a writer that truncates leaves for a moment: an empty file must not take its policies out of force.
  if (body.trim() === "") return failed("the file is empty; delete it if nothing is meant");
  return path.toLowerCase().endsWith(".json") ? parseJson(body) : parseYaml(body);
}

function parseJson(text: string): Parsed {
  try {
    return parsed([JSON.parse(text)]);
  } catch (error) {
    const found = findJsonError(text);
    if (!found) return failed(`no JSON: ${messageOf(error)}`);
    return failed(`${placeOf(text, found.offset)}: no JSON: ${found.expected} is expected`);
  }
}

function parseYaml(text: string): Parsed {
  try {
    const result = parsed(loadAll(text, { schema }));
    // Without a `*` there is no alias: most large files are spared the walk.
    for (const { index, value } of (text.includes("*") && result.documents) || []) {
      const excess = findAliasExcess(value);
      if (excess !== null) return failed(`document ${index + 1}: ${excess}`);
    }
    return result;
  } catch (error) {
    if (!(error instanceof YAMLException)) return failed(`no YAML: ${messageOf(error)}`);
    const place = error.mark ? `line ${error.mark.line + 1}, column ${error.mark.column + 1}: ` : "";
    return failed(`${place}no YAML: ${error.reason}`);
  }
}

function parsed(values: readonly unknown[]): Parsed {
  const documents = values.map((value, index) => ({ index, value }));
  return { documents: documents.filter(({ value }) => value !== null && value !== undefined), failure: null };
}

function failed(failure: string): Parsed {
  return { documents: null, failure };
}

function placeOf(text: string, offset: number): string {
  const before = text.slice(0, offset);
  return `line ${before.split("\n").length}, column ${offset - before.lastIndexOf("\n")}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
