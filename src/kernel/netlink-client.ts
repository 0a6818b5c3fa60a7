/**
 * A netlink socket with its sequence numbers, and the errors of its requests as KernelError.
 */
import { getSystemErrorName } from "node:util";
import type { Addon, NetlinkSocket } from "./addon.ts";
import { KernelError } from "./error.ts";
import { concatBytes, isLittleEndian, NLMSG_HDRLEN } from "./netlink-message.ts";

/** NETLINK_… */
export const NetlinkProtocol = { route: 0, netfilter: 12 } as const;
type NetlinkProtocol = (typeof NetlinkProtocol)[keyof typeof NetlinkProtocol];

/** Builds one message with the sequence number that it's given. */
export type MessageBuilder = (sequence: number) => Uint8Array;

export interface NetlinkError {
  readonly errno: number;
  readonly text: string;
}

/** One message of an answer: `view` from `at` up to `end`, header included. Nothing of it may be kept. */
export type MessageVisitor = (view: DataView, at: number, end: number) => void;

const TIMEOUT_MS = 10_000;
/** What an exchange hands over at a time: some hundred messages, a millisecond's work. */
const SLICE_BYTES = 128 << 10;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;

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
      const sequence = this.#next();
      if (typeof message !== "function") return message.silent(sequence);
      awaited.push(sequence);
      return message(sequence);
    });
    const { messages: answers, errors } = this.#socket.request(concatBytes(bytes), awaited, TIMEOUT_MS);
    return { answers, errors };
  }

  /**
   * Off the event loop, in slices, for what is long. `encode` writes the messages with the numbers that it asks for; the
   * one with the last number answers, and ends the exchange. After each slice `pause` may do something about it. One at a
   * time. Returns the kernel's refusals, without words.
   */
  async exchange(
    encode: (next: () => number) => Uint8Array,
    visit: MessageVisitor,
    pause: () => Promise<void> = async () => {},
  ): Promise<readonly NetlinkError[]> {
    const errors: NetlinkError[] = [];
    const numbers: number[] = [];
    let bytes = encode(() => {
      numbers.push(this.#next());
      return this.#sequence;
    });
    const last = this.#sequence;
    for (let isDone = false; !isDone; ) {
      const slice = await this.#socket.exchange(bytes, last, SLICE_BYTES, TIMEOUT_MS);
      bytes = nothing;
      const view = new DataView(slice.buffer, slice.byteOffset, slice.byteLength);
      for (let at = 0; at + NLMSG_HDRLEN <= view.byteLength; ) {
        const length = view.getUint32(at, isLittleEndian);
        if (length < NLMSG_HDRLEN || at + length > view.byteLength) break;
        const type = view.getUint16(at + 4, isLittleEndian);
        const sequence = view.getUint32(at + 8, isLittleEndian);
        if (numbers.includes(sequence)) {
          if (type === NLMSG_ERROR || type === NLMSG_DONE) {
            const errno = length < NLMSG_HDRLEN + 4 ? 0 : -view.getInt32(at + NLMSG_HDRLEN, isLittleEndian);
            if (errno > 0) errors.push({ errno, text: "" });
            if (sequence === last) isDone = true;
          } else {
            visit(view, at, at + length);
          }
        }
        at += (length + 3) & ~3;
      }
      await pause();
    }
    return errors;
  }

  /** May be called twice. */
  close(): void {
    this.#socket.close();
  }

  #next(): number {
    this.#sequence = this.#sequence === 0xffffffff ? 1 : this.#sequence + 1;
    return this.#sequence;
  }
}

const nothing = new Uint8Array(0);

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
