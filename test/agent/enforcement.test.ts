import { expect, test, vi } from "vitest";
import { Enforcement, type EnforcementListeners, type EnforcementParts } from "../../src/agent/enforcement.ts";

const silent: EnforcementListeners = {
  onEpoch: () => {},
  onApplied: () => {},
  onSettled: () => {},
  onFatal: () => {},
};

test("IPVS that comes late moves the rules once; a move that fails is tried again (NP-50)", async () => {
  const lines: string[] = [];
  const say = (_: object | string, message?: string): number => lines.push(message ?? String(_));
  const firewall = {
    hook: "forward",
    useHook: vi.fn(async (hook: string) => {
      if (firewall.useHook.mock.calls.length === 1) throw new Error("busy");
      firewall.hook = hook;
    }),
  };
  const parts = { firewall, log: { warn: say, error: say } } as unknown as EnforcementParts;
  const enforcement = new Enforcement(parts, [], silent);
  let hasIpvs = false;
  const look = async (): Promise<void> => {
    enforcement.checkServices(() => hasIpvs);
    await new Promise(setImmediate);
  };
  await look();
  expect(firewall.useHook).not.toHaveBeenCalled();
  hasIpvs = true;
  await look();
  expect(firewall.hook).toBe("forward");
  await look();
  expect(firewall.hook).toBe("postrouting");
  await look();
  expect(firewall.useHook.mock.calls).toEqual([["postrouting"], ["postrouting"]]);
  expect(lines).toEqual([
    expect.stringContaining("could not be moved"),
    expect.stringContaining("judged in postrouting"),
  ]);
});
