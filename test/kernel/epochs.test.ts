import { describe, expect, it } from "vitest";
import { Epochs, epochSets } from "../../src/kernel/epochs.ts";

const made = (...steps: ((epochs: Epochs) => void)[]): Epochs => {
  const epochs = new Epochs();
  for (const step of steps) step(epochs);
  return epochs;
};
const change = (keeps: boolean) => (epochs: Epochs) => epochs.publish(epochs.take() ?? expect.fail("none free"), keeps);
const show = ({ current, older, spent, freeCount }: Epochs) => ({ current, older, spent, freeCount });

describe("epochs", () => {
  it.each([
    ["none", [], { current: 0, older: [], spent: [], freeCount: 15 }],
    ["the first", [change(false)], { current: 1, older: [], spent: [], freeCount: 14 }],
    [
      "what some change keeps",
      [change(false), change(true), change(true)],
      { current: 3, older: [1, 2], spent: [], freeCount: 12 },
    ],
    [
      "what all change spends",
      [change(false), change(true), change(false)],
      { current: 3, older: [], spent: [1, 2], freeCount: 12 },
    ],
    [
      "one that was taken for a change that failed",
      [change(false), (e: Epochs) => e.take(), change(true)],
      { current: 3, older: [1], spent: [2], freeCount: 12 },
    ],
    [
      "swept ones are free; others can't be",
      [change(false), change(true), change(false), (e: Epochs) => e.free([1, 2, 3])],
      { current: 3, older: [], spent: [], freeCount: 14 },
    ],
    [
      "renumbered ones",
      [change(false), change(true), change(true), (e: Epochs) => e.retire([1, 3]), (e: Epochs) => e.free([1])],
      { current: 3, older: [2], spent: [], freeCount: 13 },
    ],
    [
      "the same again changes nothing",
      [change(false), (e: Epochs) => e.publish(1, false)],
      { current: 1, older: [], spent: [], freeCount: 14 },
    ],
  ] as const)("%s", (_, steps, expected) => {
    expect(show(made(...steps))).toEqual(expected);
  });

  it("come round, and end where none is swept", () => {
    const epochs = made(...Array.from({ length: 15 }, () => change(true)));
    expect(show(epochs)).toMatchObject({ current: 15, freeCount: 0 });
    expect(epochs.take()).toBe(null);
    epochs.retire([4, 5]);
    epochs.free([4, 5]);
    expect([epochs.take(), epochs.take()]).toEqual([4, 5]);
  });

  it("a copy is another one", () => {
    const epochs = made(change(false), change(true));
    const copy = epochs.copy();
    change(false)(copy);
    expect([show(epochs), show(copy)]).toMatchObject([
      { current: 2, older: [1], spent: [] },
      { current: 3, older: [], spent: [1, 2] },
    ]);
  });

  it.each([
    ["nothing in force", 0, [], false, [[], [], []]],
    ["no review", 3, [1, 2], false, [[3], [3, 1, 2], []]],
    ["a review", 3, [1, 2], true, [[3], [3], [1, 2]]],
  ] as const)("in the sets: %s", (_, current, older, isInReview, expected) => {
    const { current_epoch, epoch, reviewed_epoch } = epochSets({ current, older }, isInReview);
    expect([current_epoch, epoch, reviewed_epoch]).toEqual(expected);
  });
});
