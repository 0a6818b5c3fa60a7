/** Binds a queue, says so, and holds it until it's killed: somebody else's program. */
import { loadAddon } from "../../src/kernel/addon-loader.ts";

const addon = loadAddon();
const { slotWords, headerWords } = addon.slotLayout;
const socket = new addon.QueueSocket({
  queue: Number(process.argv[2]),
  copyRangeBytes: 128,
  maxLength: 64,
  receiveBufferBytes: 1 << 20,
  failOpen: false,
  slots: 8,
  slab: new SharedArrayBuffer(4 * (headerWords + 8 * slotWords)),
  spinMicroseconds: 0,
  errorVerdict: 0,
  errorMark: 0,
  markMask: 0xff000000,
});
socket.start(
  () => {},
  () => {},
);
process.stdout.write("bound\n");
