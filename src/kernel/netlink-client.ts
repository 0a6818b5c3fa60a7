/**
 * A netlink socket with its sequence numbers, and the errors of its requests as KernelError.
 */
import { getSystemErrorName } from "node:util";
import type { Addon, NetlinkSocket } from "./addon.ts";
import { KernelError } from "./error.ts";
import { concatBytes } from "./netlink-message.ts";

/** NETLINK_… */
export const NetlinkProtocol = { route: 0, netfilter: 12 } as const;
type NetlinkProtocol = (typeof NetlinkProtocol)[keyof typeof NetlinkProtocol];

/** Builds one message with the sequence number that it's given. */
export type MessageBuilder = (sequence: number) => Uint8Array;

export interface NetlinkError {
  readonly errno: number;
  readonly text: string;
}

const TIMEOUT_MS = 10_000;

const EPERM = 1;

export class NetlinkClient {
  readonly #socket: NetlinkSocket;
  #sequence = 0;

  constructor(addon: Pick<Addon, "NetlinkSocket">, protocol: NetlinkProtocol) {
    this.#socket = new addon.NetlinkSocket(protocol);
  }

  /**
   * Sends the messages as one buffer and returns what was answered; each that has an answer (`ack` or `dump`) is waited
   * for. Blocks. Throws the first error as KernelError, `errno` and the kernel's own words in it.
   */
  request(operation: string, messages: readonly (MessageBuilder | Silent)[]): readonly Uint8Array[] {
    const { answers, errors } = this.tryRequest(messages);
    const first = errors[0];
    if (first) throw netlinkFailure(operation, first);
    return answers;
  }

  /** The same, with the kernel's refusals returned instead of thrown. */
  tryRequest(messages: readonly (MessageBuilder | Silent)[]): {
    readonly answers: readonly Uint8Array[];
    readonly errors: readonly NetlinkError[];
  } {
    const awaited: number[] = [];
    const bytes = messages.map((message) => {
      this.#sequence = this.#sequence === 0xffffffff ? 1 : this.#sequence + 1;
      if (typeof message !== "function") return message.silent(this.#sequence);
      awaited.push(this.#sequence);
      return message(this.#sequence);
    });
    const { messages: answers, errors } = this.#socket.request(concatBytes(bytes), awaited, TIMEOUT_MS);
    return { answers, errors };
  }

  /** May be called twice. */
  close(): void {
    this.#socket.close();
  }
}

/** A message that the kernel doesn't answer: the frame of a batch. */
export interface Silent {
  readonly silent: MessageBuilder;
}

export function netlinkFailure(operation: string, { errno, text }: NetlinkError): KernelError {
  const name = getSystemErrorName(-errno);
  if (errno === EPERM) {
    return new KernelError(
      "VERDICTD_NO_PRIVILEGE",
      operation,
      errno,
      `${name}: this needs CAP_NET_ADMIN (run it with sudo)`,
    );
  }
  return new KernelError("VERDICTD_NETLINK", operation, errno, text === "" ? name : `${name}: ${text}`);
}
