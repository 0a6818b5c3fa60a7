import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { afterAll, describe, expect, it } from "vitest";
import { createLab, skipReason, sweepLeftovers } from "./namespace.ts";

if (skipReason !== null) console.warn(`test/support/namespace: skipped: ${skipReason}`);

describe.skipIf(skipReason !== null)(`namespaces (${skipReason ?? "root"})`, () => {
  const lab = createLab();
  afterAll(() => lab.destroy());

  it("wires two namespaces, runs our TypeScript in one, and leaves nothing", () => {
    const a = lab.namespace("a");
    const b = lab.namespace("b");
    lab.link(a, "eth0", b, "eth0");
    a.address("eth0", "10.9.0.1/24");
    b.address("eth0", "10.9.0.2/24");
    a.address("eth0", "fd00:9::1/64");
    b.address("eth0", "fd00:9::2/64");
    expect(a.run(["ping", "-c1", "-W2", "10.9.0.2"]).status).toBe(0);
    expect(a.run(["ping", "-c1", "-W2", "fd00:9::2"]).status).toBe(0);
    expect(a.run(["false"]).status).toBe(1);
    expect(() => a.check(["false"])).toThrow(/false: status 1/);
    const child = a.runNode(new URL("print-address.ts", import.meta.url), ["::ffff:10.0.0.1"]);
    expect(child).toEqual({ status: 0, stdout: "10.0.0.1\n", stderr: "" });
    lab.destroy();
    expect(existsSync(`/run/netns/${a.name}`)).toBe(false);
    expect(existsSync(`/run/netns/${b.name}`)).toBe(false);
  });

  it("sweeps what a process left that is gone, and nobody else's", () => {
    const own = lab.namespace("own");
    // No process has a number above the kernel's greatest.
    const left = "vd4194305-left";
    expect(spawnSync("ip", ["netns", "add", left]).status).toBe(0);
    sweepLeftovers();
    expect([left, own.name].map((name) => existsSync(`/run/netns/${name}`))).toEqual([false, true]);
  });
});
