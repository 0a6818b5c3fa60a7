/**
 * Gives back what a thread needed to start: reading and compiling a large inventory leaves several times of what is kept,
 * and a thread that then allocates little would keep it for good.
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Of this thread. Blocks for as long as its heap takes to be marked; not for a thread that is judging packets. */
export function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  setFlagsFromString("--no-expose-gc");
  if (typeof collect === "function") collect();
}
