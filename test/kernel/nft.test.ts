import { describe, expect, it } from "vitest";
import { applyRuleset, nftVersion } from "../../src/kernel/nft.ts";

const reason =
  (await nftVersion()) === null ? "nft isn't installed" : process.getuid?.() === 0 ? null : "nft asks the kernel: root";

if (reason !== null) console.warn(`test/kernel/nft: skipped: ${reason}`);

describe.skipIf(reason !== null)(`nft${reason === null ? "" : ` (skipped: ${reason})`}`, () => {
  // Only checked, and refused before the kernel is asked: nothing is changed in any namespace.
  it("names the line that it refuses, and quotes it", async () => {
    const text = "table inet t {\n\tchain c {\n\t\tnonsense here\n\t}\n}\n";
    await expect(applyRuleset(text, "check")).rejects.toMatchObject({
      name: "KernelError",
      message: expect.stringMatching(/^nft -f \(6 lines\): .*:3:.*rror.* in `nonsense here`$/),
    });
  });
});
