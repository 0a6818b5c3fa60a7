/**
 * A failure of the kernel or of a call to it: which operation, which errno, and what the operator can do. Callers match
 * on `code`.
 */
export class KernelError extends Error {
  override readonly name = "KernelError";
  /** Stable: `VERDICTD_QUEUE_BUSY`, `VERDICTD_NO_PRIVILEGE`, `VERDICTD_NETLINK`, `VERDICTD_NFT`, … */
  readonly code: string;
  /** What was being done: `bind queue 4720`. */
  readonly operation: string;
  /** Positive, or 0 where the failure has none. */
  readonly errno: number;

  constructor(code: string, operation: string, errno: number, message: string, options?: ErrorOptions) {
    super(`${operation}: ${message}`, options);
    this.code = code;
    this.operation = operation;
    this.errno = errno;
  }
}
