import { describe, expect, test } from "vitest";
import { PacketState } from "../../src/model/flow.ts";
import { markIn, markLayout, markStates, markVerdictMask, packetStates } from "../../src/model/mark.ts";

describe("the mark byte", () => {
  test("every state is told from every other, and none looks like a verdict", () => {
    for (const [name, nibble] of Object.entries(markStates)) {
      expect(packetStates[nibble]).toBe(PacketState[name as keyof typeof PacketState]);
      expect(nibble & markVerdictMask).toBe(0);
    }
    expect(new Set(Object.values(markStates)).size).toBe(Object.keys(markStates).length);
  });

  test("DNAT doesn't change the state of an original or reply packet", () => {
    expect(packetStates[markStates.original | markIn.dnat]).toBe(PacketState.original);
    expect(packetStates[markStates.reply | markIn.dnat]).toBe(PacketState.reply);
  });

  test.each([
    [0xff000000, 24],
    [0x00ff0000, 16],
    [0x00000ff0, 4],
  ])("mask %i lies at bit %i", (mask, shift) => expect(markLayout(mask)).toEqual({ mask, shift }));

  test.each([0, 0xff, 0xf0000000, 0xffff0000, 0xff000001, 1.5])("%i: only 0xff is eight bits here", (mask) =>
    expect(markLayout(mask)?.shift ?? null).toBe(mask === 0xff ? 0 : null),
  );
});
