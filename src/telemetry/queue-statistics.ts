/**
 * What the kernel says of each NFQUEUE: /proc/net/netfilter/nfnetlink_queue, absent until the module is loaded.
 * Columns (net/netfilter/nfnetlink_queue.c, `seq_show`): queue number, port id, waiting packets, copy mode, copy range,
 * dropped because the queue was full, dropped because the socket was full, last packet id, 1.
 */
export interface QueueStatistics {
  readonly queue: number;
  /** Packets waiting for a verdict. */
  readonly waiting: number;
  /** Since the bind: dropped because the queue was full, and because the socket's buffer was. */
  readonly queueDropped: number;
  readonly userDropped: number;
  /** Packets queued since the bind. */
  readonly sequence: number;
}

/** Lines that don't read as such are left out. */
export function parseQueueStatistics(text: string): QueueStatistics[] {
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/).map(Number))
    .filter((columns) => columns.length >= 8 && columns.every(Number.isFinite))
    .map(([queue = 0, , waiting = 0, , , queueDropped = 0, userDropped = 0, sequence = 0]) => ({
      queue,
      waiting,
      queueDropped,
      userDropped,
      sequence,
    }));
}
