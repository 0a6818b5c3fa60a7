/** Programs and packets for MixedTraffic, made by lot. */
import fc from "fast-check";
import { Compiler } from "../../src/engine/compiler.ts";
import { changeFromNothing } from "../../src/model/inventory-change.ts";
import { markHeld, markIn, markStates } from "../../src/model/mark.ts";
import { type Address, Family, parseAddress } from "../../src/net/address.ts";
import { inventoryOf, knobsOf, type World, world } from "../properties/world.ts";
import type { TrafficData } from "./mixed-traffic.ts";
import { slotFlags, slotLayout } from "./slot.ts";

const WORLDS = 4;
const FLOWS = 100;
const SYN = 2;
const ACK = 16;

export function createTrafficData(seed: number): TrafficData {
  const worlds = fc.sample(world("dual", FLOWS), { seed, numRuns: WORLDS });
  return {
    programs: worlds.map((given) => {
      const knobs = knobsOf(given);
      return { knobs, patches: new Compiler(knobs).update([changeFromNothing(inventoryOf(given))]).patches };
    }),
    packets: worlds.flatMap(({ flows }) => flows.flatMap(packetsOf)),
  };
}

/** A flow's packet in each state, with each held bit, and one that can't be parsed. */
function packetsOf(flow: World["flows"][number]): Uint32Array[] {
  const from = parseAddress(flow.from) as Address;
  const to = parseAddress(flow.to) as Address;
  const isTcp = flow.protocol === 6;
  const make = (mark: number, tcpFlags: number, isTurned: boolean, isUnparseable = false): Uint32Array => {
    const words = new Uint32Array(slotLayout.slotWords);
    const [source, destination] = isTurned ? [to, from] : [from, to];
    words[slotLayout.family] = source.family === Family.ipv6 ? 6 : 4;
    words[slotLayout.protocol] = flow.protocol;
    words.set([source.w0, source.w1, source.w2, source.w3], slotLayout.source);
    words.set([destination.w0, destination.w1, destination.w2, destination.w3], slotLayout.destination);
    words[slotLayout.sourcePort] = isTurned ? flow.port : flow.sourcePort;
    words[slotLayout.destinationPort] = isTurned ? flow.sourcePort : flow.port;
    words[slotLayout.icmpType] = flow.icmpType;
    words[slotLayout.icmpCode] = flow.icmpCode;
    words[slotLayout.flags] = (flow.isFragment ? slotFlags.fragment : 0) | (isUnparseable ? slotFlags.unparseable : 0);
    words[slotLayout.tcpFlags] = isTcp ? tcpFlags : 0;
    words[slotLayout.markIn] = ((mark << 24) | 0x1234) >>> 0;
    return words;
  };
  const { original, reply, related, midstream, untracked, invalid } = markStates;
  const dnat = flow.viaService ? markIn.dnat : 0;
  return [
    make(original | dnat, SYN, false),
    make(original | dnat | markHeld.sg, ACK, false),
    make(original | dnat | markHeld.k8s, ACK, false),
    make(reply | dnat, ACK, true),
    make(related, ACK, false),
    make(midstream, ACK, false),
    make(untracked, SYN, false),
    make(invalid, ACK, false),
    make(original, SYN, false, true),
  ];
}
