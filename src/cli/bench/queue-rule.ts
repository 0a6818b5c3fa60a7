/**
 * A program of its own, to be started in a router's namespace: sends what begins a flow to a queue, as the rules of other
 * people's queue programs do, or accepts it there, or loads a ruleset from standard input. Not a part of the command line.
 *
 *   node queue-rule.js queue NUMBER | accept | load
 */
import { readFileSync } from "node:fs";
import { loadAddon } from "../../kernel/addon-loader.ts";
import { NetlinkClient, NetlinkProtocol } from "../../kernel/netlink-client.ts";
import { batch } from "../../kernel/nf-tables.ts";
import { applyRuleset } from "../../kernel/nft.ts";
import { probeKernel } from "../../kernel/probe.ts";
import { queueRule } from "../../kernel/queue-rule.ts";

const table = "verdictd_bench";
const chain = "first_packets";

/** Connection tracking and the look at its state are the same in all variants. */
const structure = (verdict: string): string => `add table inet ${table}
flush table inet ${table}
table inet ${table} {
	chain ${chain} {
		${verdict}
	}
	chain forward {
		type filter hook forward priority 10; policy accept;
		ct state new goto ${chain}
	}
}
`;

const [mode, number = "0"] = process.argv.slice(2);
if (mode === "load") await applyRuleset(readFileSync(0, "utf8"));
else if (mode === "accept") await applyRuleset(structure("accept"));
else await queue(Number(number));

async function queue(first: number): Promise<void> {
  const addon = loadAddon();
  const probe = await probeKernel(addon);
  if (probe.queue === null) throw new Error(probe.problems.join("; "));
  if (probe.queue === "native") return applyRuleset(structure(`queue num ${first}`));
  await applyRuleset(structure(""));
  const client = new NetlinkClient(addon, NetlinkProtocol.netfilter);
  try {
    client.request("queue rule", batch([queueRule(table, chain, { first, total: 1 }, false)]));
  } finally {
    client.close();
  }
}
