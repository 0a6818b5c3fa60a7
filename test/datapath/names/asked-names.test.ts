/** What was asked is bounded by pod, and by time. */
import { expect, test } from "vitest";
import { AskedNames } from "../../../src/datapath/names/asked-names.ts";
import { type Address, parseAddress } from "../../../src/net/address.ts";

const at = (text: string): Address => parseAddress(text) ?? expect.fail(text);
const [web, db] = ["10.0.0.1", "10.0.0.2"].map((text) => ({ subject: at(text), protocol: 17, port: 40_000 }));
const question = (name: string) => ({ id: 1, type: 1, name });

test("a pod's first question is forgotten where it asks too much, and nobody else's", () => {
  if (!web || !db) return expect.fail();
  const asked = new AskedNames({ ofSubject: 2, lifetimeMs: 1000 });
  asked.ask(db, question("a.org"), 0);
  for (const name of ["a.org", "b.org", "a.org", "c.org"]) asked.ask(web, question(name), 0);
  expect(asked.size).toBe(3);
  expect(["a.org", "a.org", "a.org", "b.org", "c.org"].map((name) => asked.answers(web, question(name), 1))).toEqual([
    true,
    true,
    false,
    false,
    true,
  ]);
  expect(asked.answers(db, question("a.org"), 1)).toBe(true);
  expect(asked.size).toBe(0);
});

test("what nobody answered is forgotten", () => {
  if (!web) return expect.fail();
  const asked = new AskedNames({ ofSubject: 9, lifetimeMs: 1000 });
  asked.ask(web, question("a.org"), 0);
  asked.ask(web, question("b.org"), 500);
  asked.expire(999);
  expect(asked.size).toBe(2);
  expect(asked.answers(web, question("a.org"), 1000)).toBe(false);
  asked.ask(web, question("a.org"), 1000);
  asked.expire(1500);
  expect(asked.size).toBe(1);
  asked.expire(2000);
  expect(asked.size).toBe(0);
});
