/** A worker with a queue, which goes as far as `workerData.step`, tells its parent, and stays there or leaves. */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { parentPort, workerData } from "node:worker_threads";
import { loadTestedAddon } from "./addon.ts";
import { openQueue } from "./queue-lab.ts";

const { step, isExiting, queue, rounds, seed } = workerData as {
  readonly step: string;
  readonly isExiting?: boolean;
  readonly queue?: number;
  readonly rounds?: number;
  readonly seed?: number;
};

function reached(): void {
  parentPort?.postMessage(step);
  if (isExiting) process.exit(0);
}
/** Waits without giving the thread back. */
function block(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}
async function sendPackets(count: number): Promise<void> {
  const sender = createSocket("udp4");
  sender.connect(9000, "127.0.0.1");
  await once(sender, "connect");
  sender.on("error", () => {});
  for (let i = 0; i < count; i++) sender.send("x");
}
function stay(): void {
  parentPort?.on("message", () => {});
}
const ignore = (): void => {};

const addon = loadTestedAddon();
const steps: Readonly<Record<string, () => void | Promise<void>>> = {
  "addon loaded": () => {
    stay();
    reached();
  },
  constructed: () => {
    openQueue(addon);
    stay();
    reached();
  },
  "constructed, packets queued": async () => {
    openQueue(addon);
    await sendPackets(100);
    stay();
    reached();
  },
  "not bound": () => {
    const first = openQueue(addon);
    try {
      openQueue(addon);
    } catch {
      first.socket.start(ignore, ignore);
      reached();
    }
  },
  started: () => {
    openQueue(addon).socket.start(ignore, ignore);
    reached();
  },
  "started, packets queued": async () => {
    const { socket } = openQueue(addon);
    await sendPackets(100);
    socket.start(ignore, ignore);
    reached();
    block();
  },
  "blocked in the callback": async () => {
    openQueue(addon).socket.start(() => {
      reached();
      block();
    }, ignore);
    await sendPackets(100);
  },
  "busy in the callback": async () => {
    openQueue(addon).socket.start(() => {
      reached();
      for (;;);
    }, ignore);
    await sendPackets(100);
  },
  "busy in the error handler": async () => {
    openQueue(addon).socket.start(
      () => {
        throw new Error("x");
      },
      () => {
        reached();
        for (;;);
      },
    );
    await sendPackets(100);
  },
  "closed in the callback": async () => {
    const { socket } = openQueue(addon);
    socket.start(() => {
      socket.close();
      reached();
      for (;;);
    }, ignore);
    await sendPackets(100);
  },
  "closed in this turn": () => {
    const { socket } = openQueue(addon);
    socket.start(ignore, ignore);
    stay();
    socket.close();
    reached();
    block();
  },
  "closed before": () => {
    const { socket } = openQueue(addon);
    socket.start(ignore, ignore);
    socket.close();
    stay();
    setImmediate(() => setImmediate(reached));
  },
  "waiting for an answer": () => {
    const socket = new addon.NetlinkSocket(0);
    reached();
    // Nothing is asked that would be answered: the socket waits for the whole time.
    try {
      socket.request(new Uint8Array(16).fill(16, 0, 1), [1], 300);
    } catch {
      stay();
    }
  },
  "an exchange under way": () => {
    const socket = new addon.NetlinkSocket(0);
    const unanswered = new Uint8Array(16).fill(16, 0, 1);
    void socket.exchange(unanswered, 1, 1, 300).catch(ignore);
    stay();
    reached();
  },
  "an exchange under way, closed": () => {
    const socket = new addon.NetlinkSocket(0);
    const unanswered = new Uint8Array(16).fill(16, 0, 1);
    void socket.exchange(unanswered, 1, 1, 300).catch(ignore);
    socket.close();
    stay();
    reached();
  },
  churn: async () => {
    reached();
    let state = seed ?? 1;
    for (let i = 0; i < (rounds ?? 0); i++) {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      const { socket } = openQueue(addon, {
        queue: queue ?? 0,
        slots: 1 + (state % 64),
        spinMicroseconds: state % 100,
      });
      if (state & 0x10000) socket.start(ignore, ignore, ignore);
      for (let turns = (state >>> 17) % 8; turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      const netlink = new addon.NetlinkSocket(12);
      if (state & 0x100000) netlink.close();
      socket.close();
      if (state & 0x200000) socket.close();
      parentPort?.postMessage(socket.stats());
    }
  },
};
await steps[step]?.();
