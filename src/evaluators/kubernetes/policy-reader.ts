/** The tables on another thread than the one that compiles: they change as patches are applied, and have no words. */
import type { Knobs } from "../../model/knobs.ts";
import { PageReader } from "../../net/paged-words.ts";
import type { KubernetesPatch } from "./policy-index.ts";
import { type KubernetesTables, nameArrays, tableCount } from "./tables.ts";

export class KubernetesReader {
  readonly tables: KubernetesTables;
  readonly #reader = new PageReader(tableCount);

  constructor(knobs: Knobs) {
    this.tables = { knobs, ...nameArrays(this.#reader.arrays), names: null };
  }

  /**
   * Between two packets: what was remembered by class means nothing afterwards. The first patch must be a whole one, the
   * others follow in order.
   */
  apply(patch: KubernetesPatch): void {
    this.#reader.apply(patch);
  }
}
