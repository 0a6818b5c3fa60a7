/**
 * Our rules as an engine has them in the kernel, with an accept in the queue's place: what the rules cost by themselves.
 * Pure.
 */

import { HOLD_CHAIN, NAMES_CHAIN, QUEUE_CHAIN } from "../../kernel/ruleset-config.ts";
import { defaultMarkLayout, markVerdict } from "../../model/mark.ts";

/**
 * `listing` is what `nft list table inet verdictd` prints. The queue rule becomes the answer that an engine would give to
 * a flow that it lets through. Throws where the listing isn't understood.
 */
export function withoutQueue(listing: string): string {
  const epoch = Number(/set epoch \{[^}]*elements = \{ (0x[0-9a-f]+) \}/.exec(listing)?.[1] ?? Number.NaN);
  const chain = new RegExp(`chain ${QUEUE_CHAIN} \\{\\n[^}]*\\}`).exec(listing)?.[0];
  if (Number.isNaN(epoch) || chain === undefined) throw new Error("the engine's ruleset isn't as it was expected");
  const { shift, mask } = defaultMarkLayout;
  const others = ~mask >>> 0;
  const answer = ((markVerdict.acceptBoth << shift) | epoch) >>> 0;
  const hex = (value: number): string => `0x${value.toString(16).padStart(8, "0")}`;
  const accept = `meta mark set meta mark & ${hex(others)} | ${hex(answer)} accept`;
  return (
    listing
      .replace(chain, `chain ${QUEUE_CHAIN} {\n\t\t${accept}\n\t}`)
      // What other queues are asked for isn't part of a decision.
      .replace(new RegExp(`(chain (?:${HOLD_CHAIN}|${NAMES_CHAIN}) \\{\\n)[^}]*\\}`, "g"), "$1\t\taccept\n\t}")
      // How nft 1.0.6 prints the port of a tracked flow; it doesn't read that back.
      .replaceAll(" [invalid type]", "")
  );
}
