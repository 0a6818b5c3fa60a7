/** Slots of a slab that a test fills. */
import type { SlotFlags, SlotLayout } from "../../src/kernel/addon.ts";

/** The loop takes any layout; this one is as wide as the addon's. */
export const slotLayout: SlotLayout = {
  slotWords: 32,
  headerWords: 136,
  answeredBatches: 0,
  answered: 8,
  answeredRoom: 64,
  packetId: 0,
  family: 1,
  protocol: 2,
  source: 3,
  destination: 7,
  sourcePort: 11,
  destinationPort: 12,
  icmpType: 13,
  icmpCode: 14,
  flags: 15,
  tcpFlags: 16,
  markIn: 17,
  hook: 18,
  inInterface: 19,
  outInterface: 20,
  lengthBytes: 21,
  verdict: 22,
  markOut: 23,
  tcpSequence: 24,
  payloadOffset: 25,
  payloadBytes: 26,
};
export const slotFlags: SlotFlags = { unparseable: 1, fragment: 2 };
