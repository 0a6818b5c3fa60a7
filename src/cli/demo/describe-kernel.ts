/** The kernel's abilities on one line. */
import type { Probe } from "../../kernel/probe.ts";

type Facts = Pick<Probe, "kernel" | "nft" | "queue" | "acceptsRuleset" | "hasBridgeNetfilter">;

/** `Linux 6.18 · nft 1.0.6 · NFQUEUE ✓ (nft queue ✗ → xt target) · conntrack ✓ · bridges ✓`. */
export function describeKernel(probe: Facts): string {
  const mark = (isThere: boolean): string => (isThere ? "✓" : "✗");
  const version = /^\d+\.\d+/.exec(probe.kernel)?.[0] ?? probe.kernel;
  const how = probe.queue === "xt" ? " (nft queue ✗ → xt target)" : probe.queue === "native" ? " (nft queue)" : "";
  return [
    `Linux ${version}`,
    `nft ${probe.nft ?? "✗"}`,
    `NFQUEUE ${mark(probe.queue !== null)}${how}`,
    `conntrack ${mark(probe.acceptsRuleset)}`,
    `bridges ${mark(probe.hasBridgeNetfilter)}`,
  ].join(" · ");
}
