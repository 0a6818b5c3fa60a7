/** A worker's place among the threads of the machine. */
import { getPriority, setPriority } from "node:os";

const NICE = -10;

/**
 * A packet waits for this thread alone: it goes before the agent's other threads and before other processes, whom the
 * scheduler still gives their share. Without CAP_SYS_NICE everything stays as it is.
 */
export function preferThisThread(): void {
  try {
    // On Linux 0 is the calling thread, not its process.
    if (getPriority(0) > NICE) setPriority(0, NICE);
  } catch {
    // Not allowed: slower where the CPU is shared, and no less right.
  }
}
