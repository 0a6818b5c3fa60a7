/** Who had an address whose flows names admit: they are held whatever the knob says (AN-30). */
import { expect, test } from "vitest";
import { type OwnerMap, Owners } from "../../src/agent/owners.ts";
import type { Change } from "../../src/model/inventory-change.ts";
import { noChange } from "../../src/model/inventory-change.ts";
import type { Pod } from "../../src/model/kubernetes.ts";
import { type Address, addressKey, formatAddress, parseAddress } from "../../src/net/address.ts";

const address = parseAddress("10.0.0.1") as Address;
const known: OwnerMap = new Map([[addressKey(address), "Pod shop/a@1"]]);
const nothing = { added: [], removed: [] };
const moved = [{ before: { addresses: [address] }, after: { addresses: [address] } }] as unknown as Change<Pod>[];

function texts(found: readonly Address[] | "all"): readonly string[] | "all" {
  return found === "all" ? found : found.map(formatAddress);
}

test.each<[string, OwnerMap | null, owner: string, expected: readonly string[] | "all"]>([
  ["the same as an earlier run knew", known, "Pod shop/a@1", []],
  ["another one of that name", known, "Pod shop/a@2", ["10.0.0.1"]],
  ["somebody of whom nothing is known", new Map(), "Pod shop/a@1", ["10.0.0.1"]],
  ["nobody knows who had any", null, "Pod shop/a@1", "all"],
])("at the start: %s", (_, before, owner, expected) => {
  const owners = new Owners(false, before);
  expect(owners.updateAnswered({ added: [address], removed: [] }, [], () => owner)).toEqual([]);
  expect(texts(owners.update(noChange))).toEqual(expected);
});

test("later: whoever comes, and not who stays", () => {
  const owners = new Owners(false, known);
  let owner: string | null = null;
  const ownerOf = () => owner;
  owners.update(noChange);
  expect(owners.updateAnswered(nothing, moved, ownerOf)).toEqual([]);
  owner = "Pod shop/a@1";
  expect(texts(owners.updateAnswered({ added: [address], removed: [] }, [], ownerOf))).toEqual(["10.0.0.1"]);
  expect(owners.updateAnswered(nothing, moved, ownerOf)).toEqual([]);
  owner = "Pod shop/b@1";
  expect(texts(owners.updateAnswered(nothing, moved, ownerOf))).toEqual(["10.0.0.1"]);
  expect([...owners.entries()].map(([, who]) => who)).toEqual(["Pod shop/b@1"]);
  expect(owners.updateAnswered({ added: [], removed: [address] }, [], ownerOf)).toEqual([]);
  expect(texts(owners.updateAnswered({ added: [address], removed: [] }, [], ownerOf))).toEqual([]);
});

test("whom no policy names domains for meanwhile keeps what it has, until somebody else has the address", () => {
  const owners = new Owners(false, known);
  let owner = "Pod shop/a@1";
  const ownerOf = () => owner;
  const [comes, goes] = [
    { added: [address], removed: [] },
    { added: [], removed: [address] },
  ];
  owners.update(noChange);
  owners.updateAnswered(comes, [], ownerOf);
  owners.updateAnswered(goes, [], ownerOf);
  expect(texts(owners.updateAnswered(comes, moved, ownerOf))).toEqual([]);
  owners.updateAnswered(goes, [], ownerOf);
  owner = "Pod shop/b@1";
  expect(owners.updateAnswered(nothing, moved, ownerOf)).toEqual([]);
  expect([...owners.entries()]).toEqual([]);
  owner = "Pod shop/a@1";
  expect(texts(owners.updateAnswered(comes, moved, ownerOf))).toEqual(["10.0.0.1"]);
});
