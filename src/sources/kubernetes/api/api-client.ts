/**
 * Requests to an API server: whole answers, and watches line by line. The official client's own requests make a class
 * of each object and keep what they can't parse to themselves; here an answer is what was sent, or an error.
 */
import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { TLSSocket } from "node:tls";
import { ApiError, statusError } from "./api-error.ts";
import type { ClusterAccess } from "./cluster-access.ts";

export interface ApiRequest {
  readonly method?: "GET" | "POST" | "PATCH" | "PUT" | "DELETE";
  readonly body?: unknown;
  readonly contentType?: string;
  readonly signal?: AbortSignal;
}

export interface StreamListeners {
  readonly onOpen: () => void;
  readonly onLine: (value: unknown) => void;
}

export interface ApiTimeouts {
  /** Without a byte of an answer that has an end. */
  readonly answerMs: number;
  /** Without a byte of a watch: bookmarks come each minute or so. */
  readonly watchMs: number;
}

const defaultTimeouts: ApiTimeouts = { answerMs: 30_000, watchMs: 150_000 };
/** etcd takes objects of 1.5 MB; a line is one object with its name. */
const MAX_LINE_BYTES = 16 << 20;
const KEEP_ALIVE_MS = 15_000;
const NEWLINE = 10;

export class ApiClient {
  readonly #access: ClusterAccess;
  readonly #timeouts: ApiTimeouts;

  constructor(access: ClusterAccess, timeouts: ApiTimeouts = defaultTimeouts) {
    this.#access = access;
    this.#timeouts = timeouts;
  }

  get server(): string {
    return this.#access.server;
  }

  /** The JSON of a 2xx answer; throws ApiError for anything else, no answer included. */
  async request(path: string, options: ApiRequest = {}): Promise<unknown> {
    const answer = await this.#send(path, options, this.#timeouts.answerMs);
    return readJson(answer);
  }

  /**
   * Calls `onOpen` when the server has begun to answer, then `onLine` with the JSON of each line until it ends the stream,
   * and resolves. Throws ApiError where the stream breaks, is silent for too long, or says what is no JSON; whatever
   * `onLine` throws ends it, too.
   */
  async stream(path: string, { onOpen, onLine }: StreamListeners, signal: AbortSignal): Promise<void> {
    const answer = await this.#send(path, { signal }, this.#timeouts.watchMs);
    onOpen();
    if (answer.socket instanceof TLSSocket) answer.socket.setKeepAlive(true, KEEP_ALIVE_MS);
    let rest: Buffer[] = [];
    let restBytes = 0;
    try {
      for await (const chunk of answer as AsyncIterable<Buffer>) {
        let start = 0;
        for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
          const line = Buffer.concat([...rest, chunk.subarray(start, end)]);
          rest = [];
          restBytes = 0;
          start = end + 1;
          if (line.length > 0) onLine(parse(line, answer.statusCode ?? 0));
        }
        if (start === chunk.length) continue;
        restBytes += chunk.length - start;
        if (restBytes > MAX_LINE_BYTES) throw new ApiError(0, `an event of more than ${MAX_LINE_BYTES >> 20} MB`);
        rest.push(chunk.subarray(start));
      }
    } catch (error) {
      throw isBroken(error) ? noAnswer(error) : error;
    } finally {
      answer.destroy();
    }
    // What the last line was cut off from comes again: nothing of it was taken.
  }

  /** Resolves with a 2xx answer whose body hasn't been read. */
  async #send(path: string, options: ApiRequest, idleMs: number): Promise<IncomingMessage> {
    const { method = "GET", body, contentType = "application/json", signal } = options;
    const answer = await this.#open(path, { method, body, contentType, ...(signal ? { signal } : {}) }, idleMs);
    const status = answer.statusCode ?? 0;
    if (status >= 200 && status < 300) return answer;
    if (status === 401) this.#access.renew();
    const said = await readJson(answer).catch(() => null);
    throw statusError(status, said, answer.headers["retry-after"]);
  }

  async #open(path: string, options: ApiRequest, idleMs: number): Promise<IncomingMessage> {
    try {
      const { headers, ...access } = await this.#access.requestOptions();
      const url = new URL(`${this.#access.server}${path}`);
      const text = options.body === undefined ? null : JSON.stringify(options.body);
      return await new Promise<IncomingMessage>((resolve, reject) => {
        const send = url.protocol === "http:" ? httpRequest : httpsRequest;
        const request = send(url, {
          ...access,
          method: options.method ?? "GET",
          headers: {
            ...(headers as Readonly<Record<string, string>>),
            accept: "application/json",
            "user-agent": "verdictd",
            ...(text === null
              ? {}
              : { "content-type": options.contentType, "content-length": Buffer.byteLength(text) }),
          },
          ...(options.signal ? { signal: options.signal } : {}),
        });
        let answer: IncomingMessage | null = null;
        request.setTimeout(idleMs, () => {
          // Once there is an answer, it's what is read that says why it ends.
          (answer ?? request).destroy(new ApiError(0, `nothing heard for ${Math.round(idleMs / 1000)} s`));
        });
        request.on("response", (response) => {
          answer = response;
          resolve(response);
        });
        request.on("error", reject);
        request.end(text ?? undefined);
      });
    } catch (error) {
      // A certificate that isn't trusted may be signed by a CA that we haven't read yet.
      if (!isAbort(error)) this.#access.renew();
      throw error instanceof ApiError ? error : noAnswer(error);
    }
  }
}

async function readJson(answer: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
  } catch (error) {
    throw error instanceof ApiError ? error : noAnswer(error);
  }
  return parse(Buffer.concat(chunks), answer.statusCode ?? 0);
}

function parse(bytes: Buffer, status: number): unknown {
  try {
    return JSON.parse(bytes.toString("utf8"));
  } catch {
    throw new ApiError(status, `an answer that is no JSON: ${JSON.stringify(bytes.subarray(0, 60).toString("utf8"))}`);
  }
}

function noAnswer(error: unknown): ApiError {
  return new ApiError(0, error instanceof Error ? error.message || error.name : String(error), null, error);
}

/** The connection's error, not one of those who listen. */
function isBroken(error: unknown): boolean {
  return error instanceof Error && "code" in error;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}
