/** What a run is left of what pods were told: for flows that are there, and for the same pod alone. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { NamesMemory } from "../../src/agent/names-memory.ts";
import { type Address, addressKey, formatAddress, parseAddress } from "../../src/net/address.ts";

const at = (text: string): Address => parseAddress(text) ?? expect.fail(text);
const told = { owner: "Pod shop/a@1", subject: at("10.0.0.1"), name: "www.example.com", address: at("2001:db8::1") };
const owners = new Map([[addressKey(told.subject), told.owner]]);
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "vd-names-"));
  path = join(directory, "names.json");
});
afterEach(() => rmSync(directory, { recursive: true }));

function restored(owners: ReadonlyMap<string, string>): readonly string[] {
  return new NamesMemory(path)
    .restore(() => owners)
    .map(
      ({ subject, name, address, isLearnt }) =>
        `${isLearnt ? "+" : "-"}${formatAddress(subject)} ${name} ${formatAddress(address)}`,
    );
}

test("comes back as what has expired, for the pod that asked and no other", () => {
  const memory = new NamesMemory(path);
  memory.writeSoon(() => [told]);
  expect(restored(owners)).toEqual([]);
  memory.flush();
  expect(restored(owners)).toEqual(["+10.0.0.1 www.example.com 2001:db8::1", "-10.0.0.1 www.example.com 2001:db8::1"]);
  expect(restored(new Map())).toEqual([]);
  expect(restored(new Map([[addressKey(told.subject), "Pod shop/a@2"]]))).toEqual([]);
  memory.clear();
  expect(restored(owners)).toEqual([]);
});

test("is written soon, once, as it is then", async () => {
  const memory = new NamesMemory(path);
  let reads = 0;
  await new Promise<void>((resolve) => {
    const read = () => {
      reads++;
      resolve();
      return [told];
    };
    memory.writeSoon(read);
    memory.writeSoon(read);
  });
  memory.flush();
  expect(reads).toBe(1);
  expect(JSON.parse(readFileSync(path, "utf8"))).toHaveLength(1);
});

test.each<[string, string]>([
  ["that isn't JSON", "{"],
  ["that isn't a list", '{"a":1}'],
  ["of other entries", '[1, null, ["a"], ["Pod shop/a@1", "4:0:0:0:167772161", "www.example.com", "x"]]'],
])("a file %s is none", (_, text) => {
  writeFileSync(path, text);
  expect(restored(owners)).toEqual([]);
});
