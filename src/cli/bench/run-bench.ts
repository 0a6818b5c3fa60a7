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

/** Returns who took part. Leaves nothing behind in any case. */
export async function runBench({ options, recorder, log, signal }: BenchRun): Promise<readonly Variant[]> {
  const { peer, engineFlags } = options;
  const variants = neededBy(options, variantsOf(options.sizes, peer !== null));
  const field = await Field.create({ variants, peer, engineFlags, recorder, log, signal });
  try {
    for (const [index, placement] of options.placements.entries()) {
      await field.place(placement);
      for (const name of options.parts) {
        if (index === 0 || parts[name].isPlaced)
          await rotate(field, name, placement, { options, recorder, log, signal });
      }
    }
    return field.contestants.map(({ variant }) => variant);
  } finally {
    await field.close();
  }
}

async function rotate(field: Field, name: PartName, placement: Placement, run: BenchRun): Promise<void> {
  const { rotations, seconds } = run.options;
  const part: Part = parts[name];
  const taking = (): Contestant[] => field.contestants.filter(({ variant }) => part.concerns(variant));
  for (let rotation = 0; rotation < rotations; rotation++) {
    run.log(`${part.title} (${placement.name}): rotation ${rotation + 1} of ${rotations}`);
    for (let turn = 0; turn < taking().length; turn++) {
      const contestant = turnOf(taking(), rotation, turn);
      await field.turn(name, contestant, placement, (t) => part.measure(t, seconds));
    }
  }
}

/** A part that is asked for alone doesn't start what it has no use for; rules alone come from an engine. */
function neededBy({ parts: names }: BenchOptions, variants: readonly Variant[]): Variant[] {
  const asked: readonly Part[] = names.map((name) => parts[name]);
  return variants.filter((variant) => variant.kind === "engine" || asked.some((part) => part.concerns(variant)));
}
