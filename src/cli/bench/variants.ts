/** Who takes part: what stands between the client and the server in each lane. Pure. */
import type { DatasetSpec } from "./dataset/dataset.ts";

export interface Variant {
  /** Short and unique: in JSON, in lane names, on plots. */
  readonly name: string;
  readonly title: string;
  readonly kind: "none" | "rules" | "loop" | "engine" | "peer";
  /** Of a loop in C: packets taken at once; 0 is one packet, one verdict message, blocking. */
  readonly batch?: number;
  /** Of an engine. */
  readonly dataset?: DatasetSpec;
}

export const noQueue: Variant = { name: "none", title: "no queue", kind: "none" };
export const blockingLoop: Variant = { name: "c", title: "C, one verdict a message", kind: "loop", batch: 0 };
const batchedLoop: Variant = { name: "c-batch", title: "C, batches of 64", kind: "loop", batch: 64 };
export const rulesAlone: Variant = { name: "rules", title: "our rules without a queue", kind: "rules" };

const referenceSize = "1000/10000/all";

export const fullSizes = ["0/100", "10/100", "1000/10000", "10000/100000", referenceSize] as const;
export const shortSizes = ["10/100", referenceSize, "10000/100000"] as const;

export function variantsOf(sizes: readonly DatasetSpec[], hasPeer: boolean): Variant[] {
  return [
    noQueue,
    rulesAlone,
    blockingLoop,
    batchedLoop,
    ...sizes.map(engineVariant),
    ...(hasPeer ? [{ name: "peer", title: "the peer", kind: "peer" } as const] : []),
  ];
}

/** `POLICIES/ENDPOINTS`, with `/all` for all kinds of policies; null for any other text. */
export function parseSize(text: string, layout: DatasetSpec["layout"]): DatasetSpec | null {
  const words = /^(\d{1,6})\/(\d{1,7})(\/all)?$/.exec(text);
  if (words === null) return null;
  return { policies: Number(words[1]), endpoints: Number(words[2]), kinds: words[3] ? "all" : "kubernetes", layout };
}

/** What most goals are about: three evaluators, 1,000 policies. */
export function isReference({ dataset }: Variant): boolean {
  return dataset?.kinds === "all" && dataset.policies === 1000;
}

function engineVariant(dataset: DatasetSpec): Variant {
  const count = (n: number): string => n.toLocaleString("en");
  const kinds = dataset.kinds === "all" ? " of three kinds" : "";
  return {
    name: `v-${short(dataset.policies)}-${short(dataset.endpoints)}${dataset.kinds === "all" ? "-all" : ""}`,
    title: `verdictd, ${count(dataset.policies)} policies${kinds}, ${count(dataset.endpoints)} endpoints`,
    kind: "engine",
    dataset,
  };
}

/** 10000 → `10k`. */
function short(count: number): string {
  return count >= 1000 && count % 1000 === 0 ? `${count / 1000}k` : String(count);
}
