/** What the double of an API server does instead of answering as it should. */
import type { ServerResponse } from "node:http";

export type Verb = "list" | "watch" | "discovery";

export interface Asked {
  readonly verb: Verb;
  /** Empty for discovery. */
  readonly kind: string;
  readonly url: URL;
  /** What the right answer to a list is. */
  readonly page: () => string;
}

/** In the place of an answer; `serve` goes on as if nothing were. */
export type Trick = (answer: ServerResponse, asked: Asked, serve: () => void) => void;

export const refusal =
  (status: number, headers: Readonly<Record<string, string>> = {}): Trick =>
  (answer) =>
    refuse(answer, status, "Refused", headers);

/** A 200 of this text, whole. */
export const text =
  (body: string): Trick =>
  (answer) =>
    answer.writeHead(200, { "Content-Type": "application/json" }).end(body);

/** No byte at all. */
export const silence: Trick = () => {};

export const silenceAfterHeaders: Trick = (answer) => {
  answer.writeHead(200, { "Content-Type": "application/json" });
  answer.flushHeaders();
};

export const hangUp: Trick = (answer) => answer.destroy();

/** Half of the right list, and then an end as if it were all. */
export const halfAndEnd: Trick = (answer, { page }) => {
  const whole = page();
  answer.writeHead(200, { "Content-Type": "application/json" }).end(whole.slice(0, whole.length / 2));
};

export const halfAndHangUp: Trick = (answer, { page }) => {
  const whole = page();
  answer.writeHead(200, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(whole) });
  answer.write(whole.slice(0, whole.length / 2), () => answer.destroy());
};

export const halfAndSilence: Trick = (answer, { page }) => {
  const whole = page();
  answer.writeHead(200, { "Content-Type": "application/json" }).write(whole.slice(0, whole.length / 2));
};

export function refuse(
  answer: ServerResponse,
  code: number,
  reason: string,
  headers: Readonly<Record<string, string>> = {},
) {
  const status = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: reason, reason, code };
  answer.writeHead(code, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(status));
}
