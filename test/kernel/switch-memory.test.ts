import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { SwitchMemory } from "../../src/kernel/switch-memory.ts";

const directory = mkdtempSync(join(tmpdir(), `vd${process.pid}-switches-`));
const path = join(directory, "deeper", "switches.json");
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("what a killed run found is what the next one puts back; then nothing is left", () => {
  new SwitchMemory(path).remember("bridge 7 br0", "00");
  const next = new SwitchMemory(path);
  next.remember("bridge 7 br0", "11");
  expect(next.before("bridge 7 br0")).toBe("00");
  next.forget("bridge 7 br0");
  expect(next.before("bridge 7 br0")).toBe(null);
  expect(existsSync(path)).toBe(false);
});

test("what another namespace with the same number left can be forgotten", () => {
  new SwitchMemory(path).remember("bridge 7 br0", "00");
  new SwitchMemory(path).clear();
  expect(new SwitchMemory(path).before("bridge 7 br0")).toBe(null);
});

test("a file that isn't ours is as none", () => {
  new SwitchMemory(path).remember("a", "1");
  writeFileSync(path, '["x"');
  expect(new SwitchMemory(path).before("a")).toBe(null);
});
