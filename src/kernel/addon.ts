/**
 * What the native addon exports. It owns sockets and bytes and decides nothing; offsets and sizes come from
 * native/packet_slot.h, so no layout is written twice. Every resource is closed explicitly; `close` may be called twice.
 */

/** One record of the slab, in 32-bit words from the start of a slot; all numbers in host order. */
export interface SlotLayout {
  /** Words in a slot; slot i starts at word `headerWords + i * slotWords`. */
  readonly slotWords: number;
  readonly headerWords: number;
  /** Word offset in the header: batches that were answered and not counted yet. Who counts them sets it to 0. */
  readonly answeredBatches: number;
  /**
   * Word offset in the header of what they took, two words each: nanoseconds from the receipt to after the send, and
   * packets. With `answeredRoom` of them uncounted, the next ones are lost.
   */
  readonly answered: number;
  readonly answeredRoom: number;
  /** Word offsets within a slot. */
  readonly packetId: number;
  /** 4, 6, or 0 where the packet can't be parsed. */
  readonly family: number;
  readonly protocol: number;
  /** Four words each, most significant first; IPv4 in the last one with the others 0. */
  readonly source: number;
  readonly destination: number;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly icmpType: number;
  readonly icmpCode: number;
  /** Bits of `SlotFlag`. */
  readonly flags: number;
  /** TCP flag byte (FIN 1, SYN 2, RST 4, PSH 8, ACK 16), 0 for other protocols. */
  readonly tcpFlags: number;
  readonly tcpSequence: number;
  /** What TCP or UDP carries: from the packet's start, and how much of it was copied. */
  readonly payloadOffset: number;
  readonly payloadBytes: number;
  /** The packet mark that the packet came with. */
  readonly markIn: number;
  readonly hook: number;
  readonly inInterface: number;
  readonly outInterface: number;
  /** Bytes of the whole packet, before truncation. */
  readonly lengthBytes: number;
  /**
   * Answer: kernel verdict, `NF_DROP` 0 or `NF_ACCEPT` 1. On a socket that keeps packets also `NF_STOLEN` 2, the packet is
   * kept, and `NF_REPEAT` 4, the hook that queued it runs again.
   */
  readonly verdict: number;
  /** Answer: the whole new packet mark; of a packet that is kept, its place. */
  readonly markOut: number;
}

/** `flags` of a slot. */
export interface SlotFlags {
  /** Family, protocol and addresses are not to be trusted: give it `errorVerdict`. */
  readonly unparseable: number;
  /** A fragment other than the first: no transport header (SG-91). */
  readonly fragment: number;
}

export interface QueueSocketOptions {
  readonly queue: number;
  /** Bytes of each packet that the kernel copies; 128 holds every header chain that is worth judging. */
  readonly copyRangeBytes: number;
  /** Packets that the kernel keeps waiting before it calls the queue full. */
  readonly maxLength: number;
  readonly receiveBufferBytes: number;
  /** `overflow=accept`: the kernel accepts what doesn't fit (NFQA_CFG_F_FAIL_OPEN). */
  readonly failOpen: boolean;
  /** Batch size; the slab must hold `headerWords + slots * slotWords` words. */
  readonly slots: number;
  /** Shared, so that nobody can take it away: then no batch has to look where it is. */
  readonly slab: SharedArrayBuffer;
  /**
   * Where the packets themselves are put, `copyRangeBytes` for each slot, for a callback that reads what they carry. Absent:
   * nobody does.
   */
  readonly packets?: SharedArrayBuffer;
  /**
   * How long the thread looks for the next packet before it sleeps, where that has paid lately; 0: not at all. At most
   * 1000.
   */
  readonly spinMicroseconds: number;
  /** What a slot holds before it is decided: the answer for a packet that our code fails on. */
  readonly errorVerdict: number;
  readonly errorMark: number;
  /**
   * Places for packets that are kept in the kernel's queue and answered later, numbered from 0; absent: none. A place that
   * isn't free leaves the packet its error verdict.
   */
  readonly keeps?: number;
  /** Bits of the packet mark that are ours: the others of `errorMark` are taken from the packet. */
  readonly markMask: number;
}

export interface QueueStats {
  readonly received: number;
  readonly sent: number;
  readonly unparseable: number;
  /** ENOBUFS on receive: the kernel could not hand over packets. */
  readonly overruns: number;
  readonly sendErrors: number;
  /** Packets that got the error verdict because the callback threw, or gave them another one than the kernel has. */
  readonly failed: number;
  /** Packets that are kept now. */
  readonly kept: number;
  /** How often looking for the next packet found one, and how often none. */
  readonly spinsPaid: number;
  readonly spinsFailed: number;
}

/**
 * One NFQUEUE, bound by the constructor (throws VERDICTD_QUEUE_BUSY on EPERM, see `KernelError`). It lives on the event
 * loop of the thread that made it.
 */
export interface QueueSocket {
  /**
   * Calls `onBatch(count)` once for each batch received, with `count` slots filled and preset to the error verdict.
   * The callback decides slots; when it returns or throws, the answers of all slots go out in one send, so every packet
   * gets exactly one verdict. `onTurnEnd` is for what has time until no packet waits: it is called after batches, within
   * two milliseconds, and then promises and ticks run. What these two throw goes to `onError`.
   */
  start(onBatch: (count: number) => void, onError: (error: unknown) => void, onTurnEnd?: () => void): void;
  /**
   * Gives the packets of the first `count` places the verdict, `NF_DROP`, `NF_ACCEPT` or `NF_REPEAT`, with the mark that they
   * came with; their places are free again. Returns how many there were: a place without a packet is passed over.
   */
  answerKept(places: Uint32Array, count: number, verdict: number): number;
  stats(): QueueStats;
  /** Gives every packet still queued the error verdict, unbinds, and closes; what is kept, the kernel drops. */
  close(): void;
}
export type QueueSocketConstructor = new (options: QueueSocketOptions) => QueueSocket;

/** A netlink socket for requests from the control plane. */
export interface NetlinkSocket {
  /**
   * Sends the messages (one buffer, sequence numbers already in them, `NLM_F_ACK` or a dump flag on those that answer)
   * and reads until every one of `sequences` has been acknowledged, has failed, or its dump is done.
   * Returns the payload-carrying answers, each a whole message with its header, and the errors.
   * Throws KernelError on a socket error or after `timeoutMs`.
   */
  request(messages: Uint8Array, sequences: readonly number[], timeoutMs: number): NetlinkAnswer;
  /**
   * The same off the event loop, for answers of any length: sends the messages, or goes on with a dump where there are
   * none, and reads until `until` is acknowledged, has failed or its dump is done, or `maxBytes` have come. Resolves with
   * what came: whole messages, errors and ends of dumps among them. One at a time; a socket that is closed meanwhile
   * closes when it ends.
   */
  exchange(messages: Uint8Array, until: number, maxBytes: number, timeoutMs: number): Promise<Uint8Array>;
  close(): void;
}
export interface NetlinkAnswer {
  readonly messages: readonly Uint8Array[];
  /** `errno` positive; `text` is the kernel's extended acknowledgement, or the empty string. */
  readonly errors: readonly { readonly sequence: number; readonly errno: number; readonly text: string }[];
}
/** `protocol`: NETLINK_ROUTE 0, NETLINK_NETFILTER 12. */
export type NetlinkSocketConstructor = new (protocol: number) => NetlinkSocket;

export interface Addon {
  readonly slotLayout: SlotLayout;
  readonly slotFlags: SlotFlags;
  readonly QueueSocket: QueueSocketConstructor;
  readonly NetlinkSocket: NetlinkSocketConstructor;
  /** Parses an IP packet (no link header) into slot `index` of the slab, as a queued packet's bytes would be. */
  parsePacket(packet: Uint8Array, slab: ArrayBufferLike, index: number): void;
  /** Hands over the class of which native errors are made: `new ErrorClass(code, operation, errno, message)`. */
  initialize(errorClass: new (code: string, operation: string, errno: number, message: string) => Error): void;
}
