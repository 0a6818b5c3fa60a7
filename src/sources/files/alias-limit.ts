/**
 * The guard against YAML documents that are small as text and endless as data ("billion laughs", a node inside itself);
 * pure. The parser shares aliased nodes, so it costs nothing there; whoever walks the document would pay.
 */

/** Far more than any hand uses: a document may be this many times its own size, and this much besides. */
const MAX_GROWTH = 10;
const MAX_EXTRA_NODES = 100_000;
/** The parser's own limit of nesting is 100; aliases nest further. */
const MAX_HEIGHT = 200;

interface Measure {
  /** Nodes, as if every alias were written out. */
  readonly size: number;
  readonly height: number;
}

/** What is wrong with the document's aliases; null where nothing is. Linear in what is written. */
export function findAliasExcess(document: unknown): string | null {
  const measures = new Map<object, Measure | null>();
  let written = 0;
  const measure = (node: unknown, depth: number): Measure => {
    written++;
    if (typeof node !== "object" || node === null) return { size: 1, height: 1 };
    const known = measures.get(node);
    if (known === null || depth > MAX_HEIGHT) return { size: 1, height: Number.POSITIVE_INFINITY };
    if (known) return known;
    measures.set(node, null);
    let size = 1;
    let height = 0;
    for (const child of Object.values(node)) {
      const inner = measure(child, depth + 1);
      size += inner.size;
      height = Math.max(height, inner.height);
    }
    const result = { size, height: height + 1 };
    measures.set(node, result);
    return result;
  };
  const { size, height } = measure(document, 0);
  if (height > MAX_HEIGHT) return `aliases nest deeper than ${MAX_HEIGHT} levels, or without end; write them out`;
  if (size > written * MAX_GROWTH + MAX_EXTRA_NODES) return "aliases make it many times as large; write them out";
  return null;
}
