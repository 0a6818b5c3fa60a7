/** `remove`: what earlier runs left in this network namespace goes, for an uninstall. Says in a sentence what went. */
import type { Writable } from "node:stream";
import { Command } from "commander";
import { removeEverything } from "../agent/removal.ts";
import { KernelError } from "../kernel/error.ts";
import type { Leftovers } from "../kernel/leftovers.ts";
import { CliExit } from "./exit.ts";
import { MARK_MASK_DEFAULT, MARK_MASK_HELP, parseMarkMask } from "./mark-mask.ts";

export function removeCommand(stdout: Writable = process.stdout): Command {
  return new Command("remove")
    .description("take out of this network namespace what earlier runs left (needs CAP_NET_ADMIN)")
    .option("--mark-mask <mask>", `${MARK_MASK_HELP}; those that were run with`, MARK_MASK_DEFAULT)
    .action(async ({ markMask }: { markMask: string }) => {
      const mark = parseMarkMask(markMask);
      if (typeof mark === "string") throw new CliExit(2, mark);
      try {
        stdout.write(`${describe(await removeEverything(mark))}\n`);
      } catch (error) {
        if (error instanceof KernelError) throw new CliExit(3, error.message);
        throw error;
      }
    });
}

function describe({ hadRules, switches, flows }: Leftovers): string {
  const parts = [
    ...(hadRules ? ["the rules"] : []),
    ...(switches > 0 ? [`${switches} switch${switches === 1 ? "" : "es"} of bridges`] : []),
    ...(flows > 0 ? [`the marks of ${flows} flow${flows === 1 ? "" : "s"}`] : []),
  ];
  return parts.length === 0 ? "nothing of ours is here" : `removed: ${parts.join(", ")}`;
}
