import { mkdirSync, renameSync, rmSync, symlinkSync, unlinkSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import type { Inventory } from "../../../src/model/inventory.ts";
import type { FileError } from "../../../src/sources/files/file-error.ts";
import { FileSource } from "../../../src/sources/files/file-source.ts";
import type { Loaded } from "../../../src/sources/files/loaded.ts";
import { groupDocument, makeDirectory, policyDocument, writeFiles } from "./temporary-directory.ts";

/** What the files said at one moment. */
interface State {
  readonly inventory: Inventory;
  readonly errors: readonly FileError[];
}

const stateOf = ({ store, errors }: Loaded): State => ({ inventory: store.inventory(), errors });

/** A watched source, and what it told. */
class Watched {
  readonly calls: State[] = [];
  readonly source: FileSource;
  #wake: () => void = () => {};

  constructor(roots: readonly string[]) {
    this.source = new FileSource(roots);
    onTestFinished(() => this.source.close());
  }

  /** Resolves when the first scan is done: `load` waits for the scans before it. */
  async start(): Promise<State> {
    const loaded = stateOf(await this.source.load());
    this.source.watch((changed) => {
      this.calls.push(stateOf(changed));
      this.#wake();
    });
    await this.source.load();
    return loaded;
  }

  /** The first state told that meets the condition; the test's time limit ends the waiting. */
  async until(condition: (loaded: State) => boolean): Promise<State> {
    for (;;) {
      const last = this.calls.at(-1);
      if (last && condition(last)) return last;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  untilNames(...names: string[]): Promise<State> {
    return this.until((loaded) => loaded.errors.length === 0 && namesOf(loaded).join() === names.join());
  }
}

function namesOf({ inventory }: State): string[] {
  return [...inventory.ec2.securityGroups.map((g) => g.id), ...inventory.kubernetes.networkPolicies.map((p) => p.name)];
}

async function watchDirectory(root: string): Promise<Watched> {
  const watched = new Watched([root]);
  await watched.start();
  return watched;
}

describe("changes that are told", () => {
  const rows: { readonly name: string; readonly change: (root: string) => void; readonly after: readonly string[] }[] =
    [
      {
        name: "a file written in place",
        change: (root) => writeFileSync(join(root, "a.json"), groupDocument("sg-1", "sg-2")),
        after: ["sg-1", "sg-2", "sub"],
      },
      {
        name: "a file renamed over another one, as editors and kubectl do it",
        change: (root) => {
          writeFileSync(join(root, ".a.json.tmp"), groupDocument("sg-9"));
          renameSync(join(root, ".a.json.tmp"), join(root, "a.json"));
        },
        after: ["sg-9", "sub"],
      },
      {
        name: "a new file",
        change: (root) => writeFileSync(join(root, "b.yml"), policyDocument("new")),
        after: ["sg-1", "new", "sub"],
      },
      { name: "a deleted file", change: (root) => unlinkSync(join(root, "a.json")), after: ["sub"] },
      {
        name: "a file in a directory that was there",
        change: (root) => writeFileSync(join(root, "sub/b.yaml"), policyDocument("deep")),
        after: ["sg-1", "deep", "sub"],
      },
      {
        name: "a new directory with another one in it",
        change: (root) => writeFiles(root, { "x/y/z.yaml": policyDocument("deeper") }),
        after: ["sg-1", "deeper", "sub"],
      },
      {
        name: "a directory moved in",
        change: (root) => renameSync(makeDirectory({ "z.yaml": policyDocument("moved") }), join(root, "moved")),
        after: ["sg-1", "moved", "sub"],
      },
      {
        name: "a deleted directory",
        change: (root) => rmSync(join(root, "sub"), { recursive: true }),
        after: ["sg-1"],
      },
      {
        name: "the same length, written at once after the first reading",
        change: (root) => writeFileSync(join(root, "a.json"), groupDocument("sg-7")),
        after: ["sg-7", "sub"],
      },
      {
        name: "the same length and modification time",
        change: (root) => {
          writeFileSync(join(root, "a.json"), groupDocument("sg-8"));
          utimesSync(join(root, "a.json"), 1, 1);
        },
        after: ["sg-8", "sub"],
      },
    ];

  test.each(rows)("$name", async ({ change, after }) => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1"), "sub/p.yaml": policyDocument("sub") });
    utimesSync(join(root, "a.json"), 1, 1);
    const watched = await watchDirectory(root);
    change(root);
    await watched.untilNames(...after);
  });

  test("directories that came later are watched as well, and once more when replaced", async () => {
    const root = makeDirectory();
    const watched = await watchDirectory(root);
    writeFiles(root, { "x/a.json": groupDocument("sg-1") });
    await watched.untilNames("sg-1");
    writeFiles(root, { "x/a.json": groupDocument("sg-2") });
    await watched.untilNames("sg-2");
    const other = makeDirectory({ "a.json": groupDocument("sg-3") });
    renameSync(join(root, "x"), join(root, "..old"));
    renameSync(other, join(root, "x"));
    await watched.untilNames("sg-3");
    writeFiles(root, { "x/a.json": groupDocument("sg-4") });
    await watched.untilNames("sg-4");
  });

  test("a ConfigMap's update: the link ..data is renamed over", async () => {
    const root = makeDirectory({ "..1/a.json": groupDocument("sg-1") });
    symlinkSync("..1", join(root, "..data"));
    symlinkSync("..data/a.json", join(root, "a.json"));
    const watched = await watchDirectory(root);
    for (const version of ["2", "3", "4"]) {
      writeFiles(root, { [`..${version}/a.json`]: groupDocument(`sg-${version}`) });
      symlinkSync(`..${version}`, join(root, "..data_tmp"));
      renameSync(join(root, "..data_tmp"), join(root, "..data"));
      rmSync(join(root, `..${Number(version) - 1}`), { recursive: true });
      await watched.untilNames(`sg-${version}`);
    }
    expect(watched.calls.flatMap((call) => call.errors)).toEqual([]);
  });

  test("a link's target that lies elsewhere", async () => {
    const other = makeDirectory({ "real.json": groupDocument("sg-1") });
    const root = makeDirectory();
    symlinkSync(join(other, "real.json"), join(root, "a.json"));
    const watched = await watchDirectory(root);
    writeFiles(other, { "real.json": groupDocument("sg-2") });
    await watched.untilNames("sg-2");
  });

  test("before `watch` was called, after `load`", async () => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1") });
    const source = new FileSource([root]);
    onTestFinished(() => source.close());
    await source.load();
    writeFiles(root, { "a.json": groupDocument("sg-2") });
    const changed = await new Promise<Loaded>((resolve) => source.watch(resolve));
    expect(namesOf(stateOf(changed))).toEqual(["sg-2"]);
  });
});

describe("the root itself", () => {
  test("replaced by another directory, again and again", async () => {
    const parent = makeDirectory({ "root/a.json": groupDocument("sg-0") });
    const root = join(parent, "root");
    const watched = await watchDirectory(root);
    for (const n of [1, 2, 3]) {
      writeFiles(parent, { [`next${n}/a.json`]: groupDocument(`sg-${n}`) });
      renameSync(root, join(parent, `old${n}`));
      renameSync(join(parent, `next${n}`), root);
      await watched.untilNames(`sg-${n}`);
    }
    writeFiles(root, { "a.json": groupDocument("sg-9") });
    await watched.untilNames("sg-9");
  });

  test("a link that is led elsewhere", async () => {
    const parent = makeDirectory({ "one/a.json": groupDocument("sg-1"), "two/a.json": groupDocument("sg-2") });
    symlinkSync("one", join(parent, "root"));
    const watched = await watchDirectory(join(parent, "root"));
    symlinkSync("two", join(parent, "next"));
    renameSync(join(parent, "next"), join(parent, "root"));
    await watched.untilNames("sg-2");
    writeFiles(parent, { "two/a.json": groupDocument("sg-3") });
    await watched.untilNames("sg-3");
  });

  test("deleted with the directory above it: an error; made again: gone", async () => {
    const top = makeDirectory({ "up/root/a.json": groupDocument("sg-1") });
    const root = join(top, "up/root");
    const watched = await watchDirectory(root);
    rmSync(join(top, "up"), { recursive: true });
    const broken = await watched.until(({ errors }) => errors.length > 0);
    expect(broken.errors).toEqual([{ file: root, message: expect.stringContaining("no such directory") }]);
    mkdirSync(join(top, "up"));
    writeFiles(root, { "a.json": groupDocument("sg-2") });
    await watched.untilNames("sg-2");
  });
});

describe("errors come and go", () => {
  test("a broken file, then the same content as before it broke", async () => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1") });
    const watched = await watchDirectory(root);
    writeFiles(root, { "a.json": '{"SecurityGroups": [' });
    const broken = await watched.until(({ errors }) => errors.length > 0);
    expect(broken.errors[0]?.message).toMatch(/^line 1, column 21: no JSON/);
    writeFiles(root, { "a.json": groupDocument("sg-1") });
    await watched.untilNames("sg-1");
  });

  test("a file truncated for longer is an error, not the end of its policies", async () => {
    const root = makeDirectory({ "a.yaml": policyDocument("one") });
    const watched = await watchDirectory(root);
    writeFiles(root, { "a.yaml": "" });
    const broken = await watched.until(() => true);
    expect(broken.errors).toEqual([{ file: join(root, "a.yaml"), message: expect.stringContaining("empty") }]);
  });
});

describe("what isn't told", () => {
  test("the same bytes again, other files, and nothing at all", async () => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1"), "b.json": groupDocument("sg-b") });
    const watched = await watchDirectory(root);
    writeFiles(root, { "a.json": groupDocument("sg-1"), "notes.txt": "x" });
    utimesSync(join(root, "b.json"), 5, 5);
    await watched.source.load();
    // The next call is about the next change: nothing came before it.
    writeFiles(root, { "c.json": groupDocument("sg-c") });
    await watched.untilNames("sg-1", "sg-b", "sg-c");
    expect(watched.calls).toHaveLength(1);
  });

  test("after close, and a second watch is refused", async () => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1") });
    const watched = await watchDirectory(root);
    const other = await watchDirectory(root);
    expect(() => watched.source.watch(() => {})).toThrow(/watched once/);
    watched.source.close();
    watched.source.close();
    writeFiles(root, { "a.json": groupDocument("sg-2") });
    await other.untilNames("sg-2");
    expect(watched.calls).toEqual([]);
  });

  test("unchanged files aren't parsed again: their resources stay the same objects", async () => {
    const root = makeDirectory({ "a.json": groupDocument("sg-1"), "b.json": groupDocument("sg-2") });
    const watched = new Watched([root]);
    const before = await watched.start();
    writeFiles(root, { "b.json": groupDocument("sg-3") });
    const after = await watched.untilNames("sg-1", "sg-3");
    expect(after.inventory.ec2.securityGroups[0]).toBe(before.inventory.ec2.securityGroups[0]);
  });
});

test("a writer that never rests: every write is told in the end, and none of the states is torn", async () => {
  const root = makeDirectory({ "a.json": groupDocument("sg-0"), "b.json": groupDocument("sg-0b") });
  const watched = await watchDirectory(root);
  for (let n = 1; n <= 200; n++) {
    writeFileSync(join(root, "next"), groupDocument(`sg-${n}`));
    renameSync(join(root, "next"), join(root, "a.json"));
    await new Promise(setImmediate);
  }
  await watched.untilNames("sg-0b", "sg-200");
  for (const call of watched.calls) {
    expect(call.errors).toEqual([]);
    expect(call.inventory.ec2.securityGroups).toHaveLength(2);
  }
});
