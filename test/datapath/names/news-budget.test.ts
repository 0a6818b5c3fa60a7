/** What a pod hears is bounded, and nobody pays for another. */
import { expect, test } from "vitest";
import { NewsBudget } from "../../../src/datapath/names/news-budget.ts";
import { type Address, parseAddress } from "../../../src/net/address.ts";

const [web, db] = ["10.0.0.1", "10.0.0.2"].map((text) => parseAddress(text) as Address) as [Address, Address];

test("a pod hears so much at once, then one in so long, and another one as much", () => {
  const budget = new NewsBudget({ burst: 3, intervalMs: 20 });
  const heard = (subject: Address, nowMs: number) => [0, 1, 2, 3].map(() => budget.take(subject, nowMs));
  expect(heard(web, 0)).toEqual([true, true, true, false]);
  expect(heard(db, 0)).toEqual([true, true, true, false]);
  expect(heard(web, 19)).toEqual([false, false, false, false]);
  expect(heard(web, 20)).toEqual([true, false, false, false]);
  budget.expire(60);
  expect(budget.size).toBe(2);
  budget.expire(61);
  expect(budget.size).toBe(1);
  budget.expire(81);
  expect(budget.size).toBe(0);
  expect(heard(web, 81)).toEqual([true, true, true, false]);
});
