/** What threads that serve a queue do with errors of their socket: the callback's own are told, the socket's are the end. */
import { KernelError } from "../kernel/error.ts";

/** For `QueueSocket.start`. `onFault` is told of a defect of ours, after which the thread goes on. */
export function socketErrors(onFault: (message: string) => void): (error: unknown) => void {
  return (error) => {
    // The socket is gone, and the thread has nothing left to do. Thrown outside the callback, it ends the thread and
    // reaches the agent.
    if (error instanceof KernelError) {
      setImmediate(() => {
        throw error;
      });
      return;
    }
    onFault(error instanceof Error ? (error.stack ?? error.message) : String(error));
  };
}
