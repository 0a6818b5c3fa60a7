/** What `/readyz` tells: whether enforcement is in the kernel, under which epoch, and whether the input is current. */
export interface Readiness {
  readonly ready: boolean;
  readonly epoch: number;
  /** The input in force is older than what the files say, because they couldn't be read. */
  readonly inventoryStale: boolean;
  /** Why it isn't ready or is stale, or may not enforce what is meant; one sentence each. */
  readonly reasons: readonly string[];
}
