#!/usr/bin/env node
/**
 * The compiled engine against the naive reference engine, over random inventories and flows:
 * `node scripts/fuzz-verdicts.mjs [--flows 1000000] [--seed N]`. Prints the figures, and where the two differ the
 * smallest inventory and flow that could be found, as JSON; exit 1 then.
 */
import { register } from "node:module";
import { parseArgs } from "node:util";

register("../test/support/typescript-hooks.mjs", import.meta.url);

const { values } = parseArgs({ options: { flows: { type: "string" }, seed: { type: "string" } } });
const flows = Number(values.flows ?? 1_000_000);
const seed = Number(values.seed ?? Date.now() % 2 ** 31);
if (!Number.isInteger(flows) || flows < 1 || !Number.isInteger(seed)) {
  process.stderr.write("usage: node scripts/fuzz-verdicts.mjs [--flows 1000000] [--seed N], both whole numbers\n");
  process.exit(2);
}

const { runCampaign } = await import("../test/properties/campaign.ts");
const startMs = performance.now();
const campaign = runCampaign(flows, seed);
const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
const differences = campaign.difference === null ? 0 : 1;
for (const [verdict, count] of [...campaign.verdicts].sort(([, a], [, b]) => b - a)) {
  process.stdout.write(`${String(count).padStart(9)}  ${verdict}\n`);
}
process.stdout.write(
  `${campaign.flows} flows, ${campaign.inventories} inventories, ${differences} differences, ${seconds} seconds, seed ${seed}\n`,
);
if (campaign.difference !== null) {
  process.stdout.write(`${JSON.stringify(campaign.difference, null, 1)}\n`);
  process.exitCode = 1;
}
