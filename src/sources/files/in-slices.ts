/** Long work in short pieces, so that what comes meanwhile has its turn. */

/** Null where it was cancelled. */
export async function runInSlices<T>(
  work: Generator<void, T>,
  sliceMs: number,
  isCancelled: () => boolean,
): Promise<T | null> {
  for (;;) {
    const endMs = performance.now() + sliceMs;
    do {
      const step = work.next();
      if (step.done) return step.value;
    } while (performance.now() < endMs);
    await new Promise<void>((resolve) => setImmediate(resolve));
    if (isCancelled()) {
      // Closes what it has open.
      work.return(undefined as T);
      return null;
    }
  }
}
