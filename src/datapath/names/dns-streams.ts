/**
 * DNS over TCP: the messages in what a server sends, each behind its length. Bounded: of a flow whose segments don't come in
 * turn nothing more is read until one starts with a whole message, and the flows that were silent longest are forgotten.
 */
const TcpFlag = { fin: 1, syn: 2, rst: 4 } as const;
/** A message with its length. */
const MESSAGE_BYTES = 65_537;

interface Stream {
  /** The sequence number of what comes next. */
  next: number;
  /** The beginning of a message. */
  pending: Uint8Array;
}

export interface Segment {
  readonly sequence: number;
  readonly tcpFlags: number;
  readonly payload: Uint8Array;
}

const nothing = new Uint8Array(0);

export class DnsStreams {
  readonly #limit: number;
  /** The ones that spoke last are at the end. */
  readonly #streams = new Map<string, Stream>();

  constructor(limit = 1024) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#streams.size;
  }

  /** The messages that the segment completes; null where it doesn't fit to what came before. */
  take(flow: string, { sequence, tcpFlags, payload }: Segment): readonly Uint8Array[] | null {
    const known = this.#streams.get(flow);
    this.#streams.delete(flow);
    if ((tcpFlags & TcpFlag.rst) !== 0) return [];
    if ((tcpFlags & TcpFlag.syn) !== 0) {
      this.#keep(flow, { next: (sequence + 1) >>> 0, pending: nothing });
      return [];
    }
    const stream = known ?? { next: sequence, pending: nothing };
    const gap = (sequence - stream.next) | 0;
    // Of one that was met on its way nothing is known but where a message begins, if one does.
    const isLost = payload.length > 0 && (gap > 0 || (known === undefined && !isWhole(payload)));
    if (isLost) return null;
    const fresh = payload.subarray(Math.min(payload.length, -gap));
    const messages: Uint8Array[] = [];
    stream.pending = split(concatenate(stream.pending, fresh), messages);
    stream.next = (stream.next + fresh.length) >>> 0;
    if ((tcpFlags & TcpFlag.fin) === 0 && stream.pending.length < MESSAGE_BYTES) this.#keep(flow, stream);
    return messages;
  }

  #keep(flow: string, stream: Stream): void {
    this.#streams.set(flow, stream);
    if (this.#streams.size <= this.#limit) return;
    for (const oldest of this.#streams.keys()) {
      this.#streams.delete(oldest);
      return;
    }
  }
}

function isWhole(payload: Uint8Array): boolean {
  return payload.length >= 2 && lengthAt(payload, 0) + 2 <= payload.length;
}

function lengthAt(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

/** What is left behind the whole messages; a copy, because the bytes are used again. */
function split(bytes: Uint8Array, messages: Uint8Array[]): Uint8Array {
  let at = 0;
  while (bytes.length - at >= 2) {
    const end = at + 2 + lengthAt(bytes, at);
    if (end > bytes.length) break;
    messages.push(bytes.subarray(at + 2, end));
    at = end;
  }
  return at === bytes.length ? nothing : bytes.slice(at);
}

function concatenate(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
