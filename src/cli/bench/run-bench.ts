/** The bench from the first lane to the last rotation. */
import { Field } from "./field.ts";
import type { BenchOptions } from "./options.ts";
import { type Part, type PartName, parts } from "./parts/parts.ts";
import type { Placement } from "./placement.ts";
import type { Recorder } from "./recorder.ts";
import { turnOf } from "./statistics.ts";
import type { Contestant } from "./turn.ts";
import { type Variant, variantsOf } from "./variants.ts";

export interface BenchRun {
  readonly options: BenchOptions;
  readonly recorder: Recorder;
  /** Progress, for people. */
  readonly log: (line: string) => void;
  readonly signal: AbortSignal;
}

export interface BenchOutcome {
  /** Who took part. */
  readonly variants: readonly Variant[];
  /** The short form's time was up before all rotations were done. */
  readonly isCut: boolean;
}

/** The short form begins no further rotation of a part after so long, which leaves time for what must be done once. */
const shortSeconds = 140;

/** Leaves nothing behind in any case. */
export async function runBench({ options, recorder, log, signal }: BenchRun): Promise<BenchOutcome> {
  const { peer, engineFlags } = options;
  const variants = neededBy(options, variantsOf(options.sizes, peer !== null));
  const deadline = options.form === "short" ? performance.now() + shortSeconds * 1000 : Number.POSITIVE_INFINITY;
  const field = await Field.create({ variants, peer, engineFlags, recorder, log, signal });
  let isCut = false;
  try {
    for (const name of options.parts) {
      const part: Part = parts[name];
      for (const placement of options.placements.slice(0, part.isPlaced ? undefined : 1)) {
        await field.place(placement);
        if (!(await rotate(field, name, placement, { options, recorder, log, signal }, deadline))) isCut = true;
      }
    }
    return { variants: field.contestants.map(({ variant }) => variant), isCut };
  } finally {
    await field.close();
  }
}

/** False where the time was up before the last rotation; one is always done. */
async function rotate(
  field: Field,
  name: PartName,
  placement: Placement,
  run: BenchRun,
  deadline: number,
): Promise<boolean> {
  const { rotations, seconds, form } = run.options;
  const part: Part = parts[name];
  const taking = (): Contestant[] => field.contestants.filter(({ variant }) => takesPart(part, variant, run.options));
  for (let rotation = 0; rotation < rotations; rotation++) {
    // The first start of each engine was measured when it came.
    if (part.measure === null && rotation === 0) continue;
    if (rotation > 0 && performance.now() > deadline) return false;
    run.log(`${part.title} (${placement.name}): rotation ${rotation + 1} of ${rotations}`);
    for (let turn = 0; turn < taking().length; turn++) {
      const contestant = turnOf(taking(), rotation, turn);
      if (part.measure === null) await field.restart(contestant, placement);
      else await field.turn(name, contestant, placement, (t) => part.measure!(t, seconds, form === "short"));
    }
  }
  return true;
}

function takesPart(part: Part, variant: Variant, { form }: BenchOptions): boolean {
  return part.concerns(variant) && (form === "full" || part.concernsShort === undefined || part.concernsShort(variant));
}

/** Nobody is started who takes no part; our rules alone are a copy of an engine's. */
function neededBy(options: BenchOptions, variants: readonly Variant[]): Variant[] {
  const asked: readonly Part[] = options.parts.map((name) => parts[name]);
  const needed = variants.filter((variant) => asked.some((part) => takesPart(part, variant, options)));
  const needsModel = needed.some(({ kind }) => kind === "rules") && !needed.some(hasPolicies);
  return needsModel ? [...needed, ...variants.filter(hasPolicies).slice(0, 1)] : needed;
}

function hasPolicies({ dataset }: Variant): boolean {
  return dataset !== undefined && dataset.policies > 0;
}
