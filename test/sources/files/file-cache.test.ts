import {
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { FileCache, type Look } from "../../../src/sources/files/file-cache.ts";
import { InventoryStore } from "../../../src/sources/inventory-store.ts";
import { groupDocument, makeDirectory, policyDocument } from "./temporary-directory.ts";

function scanned(root: string): FileCache {
  const cache = new FileCache([root], new InventoryStore());
  for (const _ of cache.scan());
  cache.take();
  return cache;
}

interface Row {
  readonly name: string;
  readonly change: (root: string) => void;
  /** The entry that is looked at. */
  readonly entry: string;
  /** Eagerly, then not. */
  readonly looks: readonly [Look, Look];
  readonly isChanged?: boolean;
}

/** Moved here a while after it was written. */
const moveIn = (root: string, name: string, text: string): void => {
  writeFileSync(join(root, "next"), text);
  utimesSync(join(root, "next"), 1, 1);
  renameSync(join(root, "next"), join(root, name));
};

const rows: readonly Row[] = [
  {
    name: "JSON that ends is whole",
    change: (root) => writeFileSync(join(root, "a.json"), groupDocument("sg-2")),
    entry: "a.json",
    looks: ["changed", "same"],
    isChanged: true,
  },
  {
    name: "JSON that doesn't end yet",
    change: (root) => writeFileSync(join(root, "a.json"), '{"SecurityGroups": ['),
    entry: "a.json",
    looks: ["early", "changed"],
    isChanged: true,
  },
  {
    name: "an empty file",
    change: (root) => truncateSync(join(root, "a.json")),
    entry: "a.json",
    looks: ["early", "changed"],
    isChanged: true,
  },
  {
    name: "YAML has no end: it may go on",
    change: (root) => writeFileSync(join(root, "b.yaml"), policyDocument("new")),
    entry: "b.yaml",
    looks: ["early", "changed"],
    isChanged: true,
  },
  {
    name: "YAML that was moved here",
    change: (root) => moveIn(root, "b.yaml", policyDocument("new")),
    entry: "b.yaml",
    looks: ["changed", "same"],
    isChanged: true,
  },
  {
    name: "broken, and moved here: no harm in another look",
    change: (root) => moveIn(root, "a.json", "{"),
    entry: "a.json",
    looks: ["changed", "same"],
    isChanged: true,
  },
  {
    name: "deleted, to be made again perhaps",
    change: (root) => unlinkSync(join(root, "a.json")),
    entry: "a.json",
    looks: ["early", "changed"],
    isChanged: true,
  },
  {
    name: "deleted with its directory, of which nothing is known yet",
    change: (root) => rmSync(join(root, "sub"), { recursive: true }),
    entry: "sub/p.yaml",
    looks: ["early", "unclear"],
  },
  {
    name: "the same bytes, moved here",
    change: (root) => moveIn(root, "a.json", groupDocument("sg-1")),
    entry: "a.json",
    looks: ["same", "same"],
  },
  { name: "nothing at all", change: () => {}, entry: "a.json", looks: ["same", "same"] },
  { name: "a name that was never there", change: () => {}, entry: "x.json", looks: ["same", "same"] },
  {
    name: "another file",
    change: (root) => writeFileSync(join(root, "notes.txt"), "x"),
    entry: "notes.txt",
    looks: ["same", "same"],
  },
  {
    name: "Kubernetes' own names",
    change: (root) => mkdirSync(join(root, "..data")),
    entry: "..data",
    looks: ["same", "same"],
  },
  {
    name: "a new directory",
    change: (root) => mkdirSync(join(root, "new")),
    entry: "new",
    looks: ["unclear", "unclear"],
  },
  {
    name: "a directory that went",
    change: (root) => renameSync(join(root, "sub"), join(makeDirectory(), "sub")),
    entry: "sub",
    looks: ["unclear", "unclear"],
  },
  {
    name: "a link",
    change: (root) => symlinkSync("a.json", join(root, "l.json")),
    entry: "l.json",
    looks: ["unclear", "unclear"],
  },
  {
    name: "a directory with a document's name",
    change: (root) => mkdirSync(join(root, "d.json")),
    entry: "d.json",
    looks: ["unclear", "unclear"],
  },
];

test.each(rows)("a look: $name", ({ change, entry, looks, isChanged = false }) => {
  const root = makeDirectory({ "a.json": groupDocument("sg-1"), "sub/p.yaml": policyDocument("sub") });
  const cache = scanned(root);
  change(root);
  const [directory, name] = entry.startsWith("sub/") ? [join(root, "sub"), entry.slice(4)] : [root, entry];
  const eager = cache.look(directory, name, true);
  expect([eager, cache.look(directory, name, false)]).toEqual(looks);
  expect(cache.isChanged).toBe(isChanged);
});

test("where entries depend on each other, or some can't be read, only a scan tells", () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-1"), "sub/p.yaml": policyDocument("sub") });
  const cache = scanned(root);
  expect(cache.canLook).toBe(true);
  const steps: readonly (readonly [change: () => void, canLook: boolean])[] = [
    [() => symlinkSync("sub", join(root, "linked")), false],
    [() => unlinkSync(join(root, "linked")), true],
    [() => symlinkSync("a.json", join(root, "linked.json")), false],
    [() => unlinkSync(join(root, "linked.json")), true],
    [() => symlinkSync("a.json", join(root, "a.txt")), true],
    [() => mkdirSync(join(root, "b.json")), false],
    [() => rmSync(join(root, "b.json"), { recursive: true }), true],
    // One file alone: the next look at it tells.
    [() => writeFileSync(join(root, "b.json"), "{"), true],
  ];
  for (const [change, canLook] of steps) {
    change();
    for (const _ of cache.scan());
    expect(cache.canLook).toBe(canLook);
  }
});

test("while a scan reads what it found different, nothing of it can be taken", () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-1") });
  const cache = scanned(root);
  for (let n = 0; n < 20; n++) writeFileSync(join(root, `${n}.json`), groupDocument(`sg-x${n}`));
  // A reader of events finds one of them first: it may be told, alone.
  expect(cache.look(root, "0.json", false)).toBe("changed");
  expect(cache.take()?.ec2?.securityGroups).toHaveLength(2);
  let seen = 0;
  for (const _ of cache.scan()) if (cache.isChanged) seen++;
  expect(seen).toBe(0);
  expect(cache.isChanged).toBe(true);
  expect(cache.take()?.ec2?.securityGroups).toHaveLength(21);
});

test("what is looked at during a scan isn't undone by it", () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-a"), "b.json": groupDocument("sg-b") });
  const cache = scanned(root);
  const scan = cache.scan();
  for (let step = 0; step < 3; step++) scan.next();
  writeFileSync(join(root, "new.json"), groupDocument("sg-new"));
  unlinkSync(join(root, "b.json"));
  expect([cache.look(root, "new.json", false), cache.look(root, "b.json", false)]).toEqual(["changed", "changed"]);
  while (!scan.next().done);
  expect(cache.take()?.ec2?.securityGroups.map((g) => g.id)).toEqual(["sg-a", "sg-new"]);
});

test("with an error nothing is taken; then all at once", () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-a"), "b.json": groupDocument("sg-b") });
  const cache = scanned(root);
  writeFileSync(join(root, "a.json"), "{");
  writeFileSync(join(root, "b.json"), groupDocument("sg-b", "sg-c"));
  cache.look(root, "a.json", false);
  cache.look(root, "b.json", false);
  expect([cache.isChanged, cache.take(), cache.errors().map((e) => e.file)]).toEqual([
    true,
    null,
    [join(root, "a.json")],
  ]);
  // The same error again is no news.
  for (const _ of cache.scan());
  expect(cache.isChanged).toBe(false);
  unlinkSync(join(root, "a.json"));
  expect(cache.look(root, "a.json", false)).toBe("changed");
  expect(cache.take()?.ec2?.securityGroups.map((g) => g.id)).toEqual(["sg-b", "sg-c"]);
});

test("whoever else commits the store gets nothing of files while one is wrong, and no half of a scan", () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-a"), "b.json": groupDocument("sg-b") });
  const cache = scanned(root);
  const inForce = () => cache.store.inventory().ec2.securityGroups.map((g) => g.id);
  writeFileSync(join(root, "b.json"), groupDocument("sg-new"));
  writeFileSync(join(root, "c.json"), "{");
  for (const _ of cache.scan()) {
    expect(cache.store.commit().ec2).toBe(null);
    expect(inForce()).toEqual(["sg-a", "sg-b"]);
  }
  expect(cache.take()).toBe(null);
  expect([cache.store.commit().ec2, inForce()]).toEqual([null, ["sg-a", "sg-b"]]);
  // Undone, and gone again before anybody took it.
  writeFileSync(join(root, "b.json"), groupDocument("sg-b"));
  unlinkSync(join(root, "a.json"));
  writeFileSync(join(root, "c.json"), groupDocument("sg-c"));
  for (const _ of cache.scan()) expect(cache.store.commit().ec2).toBe(null);
  expect(cache.take()?.ec2?.securityGroups.map((g) => g.id)).toEqual(["sg-b", "sg-c"]);
});
