/** What interrupts a lab, and how its work ends then: nobody waits, and everything is taken down in order. */
import { CliExit } from "../exit.ts";

const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** A signal that aborts with the CliExit for whichever came first of Ctrl-C, SIGTERM and SIGHUP. */
export function listenForSignals(): { readonly signal: AbortSignal; readonly stop: () => void } {
  const controller = new AbortController();
  const listeners = Object.entries(exitCodes).map(([name, code]) => {
    // A second Ctrl-C must not stop the cleaning up, so the listener stays.
    const listener = (): void => {
      if (!controller.signal.aborted) process.stderr.write("Interrupted; cleaning up.\n");
      controller.abort(new CliExit(code));
    };
    process.on(name, listener);
    return () => process.off(name, listener);
  });
  // A pipe that nobody reads any more (`npm start | head`) ends it as well.
  const onClosedPipe = (): void => controller.abort(new CliExit(1));
  process.stdout.on("error", onClosedPipe);
  const stop = (): void => {
    for (const off of listeners) off();
    process.stdout.off("error", onClosedPipe);
  };
  return { signal: controller.signal, stop };
}

/** What was begun when the signal came fails by itself as the lab goes; nobody waits for it. */
export async function unlessAborted<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
  let abort = (): void => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason as Error);
    signal.addEventListener("abort", abort);
  });
  try {
    return await Promise.race([work(), aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
