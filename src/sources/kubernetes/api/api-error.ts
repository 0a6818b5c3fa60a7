/** What an API server, or the way to it, answered instead of what was asked for. */

export class ApiError extends Error {
  override readonly name = "ApiError";
  /** HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** The server asks to be left alone for so long; null: it doesn't say. */
  readonly retryAfterMs: number | null;

  constructor(status: number, message: string, retryAfterMs: number | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.status = status;
    this.retryAfterMs = retryAfterMs;
  }
}

/** A kind that has objects, and is served under no version that we can read. */
export class UnreadableKindError extends ApiError {
  readonly served: readonly string[];
  readonly readable: readonly string[];

  constructor(served: readonly string[], readable: readonly string[]) {
    super(404, `served only as ${served.join(", ")}`);
    this.served = served;
    this.readable = readable;
  }
}

/** Of an answer, or of an ERROR event: both are a `Status`. */
export function statusError(status: number, body: unknown, retryAfter?: string): ApiError {
  const { message, reason, details } = (typeof body === "object" && body !== null ? body : {}) as StatusBody;
  const text = typeof message === "string" && message !== "" ? message : typeof reason === "string" ? reason : "";
  const seconds = Number(retryAfter ?? details?.retryAfterSeconds);
  return new ApiError(
    status,
    `${status}${text === "" ? "" : ` ${text.slice(0, 300)}`}`,
    Number.isFinite(seconds) && seconds > 0 ? Math.min(seconds, 60) * 1000 : null,
  );
}

interface StatusBody {
  readonly message?: unknown;
  readonly reason?: unknown;
  readonly details?: { readonly retryAfterSeconds?: unknown };
}
