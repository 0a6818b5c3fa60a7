/** The waiting room over a slab that the test fills: what is kept, what isn't, and in which order it goes on (NP-64). */
import { beforeEach, describe, expect, test } from "vitest";
import { NF_DROP, NF_REPEAT, NF_STOLEN } from "../../src/datapath/answer.ts";
import { WaitingCounter, WaitingCounters } from "../../src/datapath/waiting-counters.ts";
import { WaitingRoom } from "../../src/datapath/waiting-room.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { Family, formatAddress, parseAddress } from "../../src/net/address.ts";
import { parsePrefix } from "../../src/net/prefix.ts";
import { slotFlags as flags, slotLayout as layout } from "./slot.ts";

const SLOTS = 4;
const PLACES = 6;
const DEADLINE_MS = 100;
const MARK = 0x04001234;

let words: Uint32Array;
let counters: WaitingCounters;
let room: WaitingRoom;
beforeEach(() => {
  const slab = new SharedArrayBuffer(4 * (layout.headerWords + SLOTS * layout.slotWords));
  words = new Uint32Array(slab);
  counters = new WaitingCounters();
  room = new WaitingRoom({
    ...{ layout, flags, slab, counters, mark: defaultMarkLayout },
    places: PLACES,
    placesOfAddress: 3,
    placesToAddress: 2,
    placesToAll: 3,
    seed: 1,
    deadlineMs: DEADLINE_MS,
  });
  room.usePrefixes(["10.1.0.0/24", "fd00:1::/64"].map((text) => parsePrefix(text)!));
  room.know(addresses("10.1.0.1", "fd00:1::1"), []);
});

const addresses = (...texts: string[]) => texts.map((text) => parseAddress(text)!);

/** The verdicts of one batch of packets `source > destination`, with the places of those that are kept. */
function batch(packets: readonly string[], nowMs = 0, mark = MARK): string[] {
  packets.forEach((packet, i) => {
    const at = layout.headerWords + i * layout.slotWords;
    words.fill(0, at, at + layout.slotWords);
    if (packet === "?") {
      words[at + layout.flags] = flags.unparseable;
      return;
    }
    const [source, destination] = addresses(...packet.split(" > "));
    words[at + layout.family] = source!.family === Family.ipv6 ? 6 : 4;
    words[at + layout.markIn] = mark;
    words.set([source!.w0, source!.w1, source!.w2, source!.w3], at + layout.source);
    words.set([destination!.w0, destination!.w1, destination!.w2, destination!.w3], at + layout.destination);
  });
  room.decideBatch(packets.length, nowMs);
  return packets.map((_, i) => {
    const at = layout.headerWords + i * layout.slotWords;
    const out = words[at + layout.markOut];
    const names: Record<number, string> = {
      [NF_DROP]: "drop",
      [NF_REPEAT]: `repeat ${out}`,
      [NF_STOLEN]: `keep ${out}`,
    };
    return names[words[at + layout.verdict]!] ?? "?";
  });
}
const taken = (count: number): number[] => [...room.taken.subarray(0, count)];
const counts = () =>
  Object.fromEntries(
    (["held", "packets", "released", "expired", "refused"] as const).map((name) => [
      name,
      counters.get(WaitingCounter[name]),
    ]),
  );

describe("who is kept", () => {
  test.each([
    ["an unknown source", "10.1.0.9 > 8.8.8.8", "keep 0"],
    ["an unknown destination", "8.8.8.8 > 10.1.0.9", "keep 0"],
    ["both", "10.1.0.8 > 10.1.0.9", "keep 0"],
    ["IPv6", "fd00:1::9 > fd00:2::1", "keep 0"],
    ["known on its way here", "10.1.0.1 > 8.8.8.8", `repeat ${MARK}`],
    ["known, IPv6", "fd00:1::1 > fd00:2::1", `repeat ${MARK}`],
    ["one of two", "10.1.0.1 > 10.1.0.9", "keep 0"],
    ["outside the range", "10.1.1.9 > 8.8.8.8", `repeat ${MARK}`],
    ["can't be parsed", "?", "drop"],
  ])("%s", (_, packet, answer) => {
    expect(batch([packet])).toEqual([answer]);
  });

  test.each([0x00001234, 0x01001234, 0x05001234, 0x14001234])(
    "mark %i: what wasn't sent here to wait isn't let go",
    (mark) => {
      expect(batch(["10.1.0.9 > 8.8.8.8", "10.1.0.1 > 8.8.8.8"], 0, mark)).toEqual(["drop", "drop"]);
      expect(counts()).toMatchObject({ held: 0, packets: 2, refused: 2 });
    },
  );

  test("no more of one address than its share, and of all than there is room", () => {
    expect(batch(Array(4).fill("10.1.0.9 > 8.8.8.8"))).toEqual(["keep 0", "keep 1", "keep 2", "drop"]);
    // Where both ends are unknown the share is the source's.
    expect(batch(["10.1.0.10 > 10.1.0.9", "10.1.0.9 > 10.1.0.10", "10.1.0.11 > 8.8.8.8"])).toEqual([
      "keep 3",
      "drop",
      "keep 4",
    ]);
    expect(batch(["10.1.0.12 > 8.8.8.8", "10.1.0.13 > 8.8.8.8"])).toEqual(["keep 5", "drop"]);
    expect(counts()).toEqual({ held: 6, packets: 9, released: 0, expired: 0, refused: 3 });
  });

  test("what only goes to unknown addresses leaves room for what comes from them", () => {
    expect(batch(Array(3).fill("8.8.8.8 > 10.1.0.9"))).toEqual(["keep 0", "keep 1", "drop"]);
    expect(batch(["8.8.8.8 > 10.1.0.10", "8.8.8.8 > 10.1.0.11"])).toEqual(["keep 2", "drop"]);
    // An address that is sent to has the whole of its share to send from.
    expect(batch(Array(4).fill("10.1.0.9 > 8.8.8.8"), 50)).toEqual(["keep 3", "keep 4", "keep 5", "drop"]);
    expect(taken(room.takeExpired(DEADLINE_MS))).toEqual([0, 1, 2]);
    expect(batch(Array(3).fill("8.8.8.8 > 10.1.0.11"))).toEqual(["keep 2", "keep 1", "drop"]);
    room.know(addresses("10.1.0.11"), []);
    expect(room.takeReady()).toBe(2);
    expect(batch(Array(3).fill("8.8.8.8 > 10.1.0.12"), 50)).toEqual(["keep 1", "keep 2", "drop"]);
  });
});

describe("who goes on", () => {
  test("packets of an address that is known now, in the order in which they came", () => {
    batch(["10.1.0.9 > 8.8.8.8", "10.1.0.10 > 8.8.8.8", "7.7.7.7 > 10.1.0.9", "10.1.0.9 > 9.9.9.9"]);
    expect(room.takeReady()).toBe(0);
    room.know(addresses("10.1.0.9"), []);
    expect(taken(room.takeReady())).toEqual([0, 2, 3]);
    expect(room.count).toBe(1);
    expect(room.takeReady()).toBe(0);
    expect(counts()).toEqual({ held: 1, packets: 4, released: 3, expired: 0, refused: 0 });
  });

  test("a packet of two unknown addresses waits for both", () => {
    batch(["10.1.0.8 > 10.1.0.9"]);
    room.know(addresses("10.1.0.8"), []);
    expect(room.takeReady()).toBe(0);
    room.know(addresses("10.1.0.9"), []);
    expect(taken(room.takeReady())).toEqual([0]);
  });

  test("an address that is nobody's any more is waited for again", () => {
    room.know(addresses("10.1.0.9"), []);
    expect(batch(["10.1.0.9 > 8.8.8.8"])).toEqual([`repeat ${MARK}`]);
    room.know([], addresses("10.1.0.9"));
    expect(batch(["10.1.0.9 > 8.8.8.8"])).toEqual(["keep 0"]);
  });

  test("a range that is another: what isn't in it isn't waited for", () => {
    batch(["10.1.0.9 > 8.8.8.8"]);
    room.usePrefixes([parsePrefix("10.2.0.0/24")!]);
    expect(taken(room.takeReady())).toEqual([0]);
    expect(batch(["10.2.0.9 > 8.8.8.8", "10.1.0.9 > 8.8.8.8"])).toEqual(["keep 0", `repeat ${MARK}`]);
  });

  test("who is late is taken at the deadline, and its address told once for all its packets", () => {
    batch(["10.1.0.9 > 8.8.8.8", "8.8.8.8 > 10.1.0.9"], 1000);
    batch(["10.1.0.10 > 8.8.8.8"], 1050);
    expect(room.oldestMs).toBe(1000);
    expect(room.takeExpired(1099)).toBe(0);
    expect(taken(room.takeExpired(1100))).toEqual([0, 1]);
    expect(room.unknownAddresses(2).map(formatAddress)).toEqual(["10.1.0.9"]);
    expect(room.oldestMs).toBe(1050);
    expect(taken(room.takeExpired(2000))).toEqual([2]);
    expect(counts()).toEqual({ held: 0, packets: 3, released: 0, expired: 3, refused: 0 });
  });

  test("places are used again, never two packets in one", () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
      return (seed >>> 8) % below;
    };
    const inside = new Set<number>();
    for (let now = 0; now < 2000; now++) {
      const address = `10.1.0.${10 + random(4)}`;
      for (const answer of batch(Array(1 + random(SLOTS)).fill(`${address} > 8.8.8.8`), now)) {
        const place = /^keep (\d+)$/.exec(answer)?.[1];
        if (place === undefined) continue;
        expect(inside.has(Number(place))).toBe(false);
        expect(Number(place)).toBeLessThan(PLACES);
        inside.add(Number(place));
      }
      const left = random(2) === 0 ? taken(room.takeExpired(now - 20 + random(100))) : [];
      if (random(3) === 0) {
        room.know(addresses(address), []);
        left.push(...taken(room.takeReady()));
        room.know([], addresses(address));
      }
      for (const place of left) expect(inside.delete(place)).toBe(true);
      expect(room.count).toBe(inside.size);
    }
  });
});
