/** The packet path allocates nothing: decisions over the examples, counted by the heap's growth. */
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { compileProgram } from "../../src/engine/compiler.ts";
import { createDecision } from "../../src/engine/decision.ts";
import { Pipeline } from "../../src/engine/pipeline.ts";
import { copyAddress, createFlowView, PacketState } from "../../src/model/flow.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { type Address, parseAddress } from "../../src/net/address.ts";
import { loadInventory } from "../../src/sources/files/load.ts";

const decisions = 100_000;

test("a decision allocates nothing, whatever its verdict and state", async () => {
  const roots = ["vpc", "openfaas"].map((name) => fileURLToPath(new URL(`../../examples/${name}`, import.meta.url)));
  const { inventory, errors } = await loadInventory(roots);
  expect(errors).toEqual([]);
  const program = compileProgram(inventory, defaultKnobs);
  const addresses = [
    ...inventory.ec2.interfaces.flatMap((i) => i.addresses),
    ...inventory.kubernetes.pods.flatMap((p) => p.addresses),
    ...["8.8.8.8", "2001:db8::8"].map((text) => parseAddress(text) as Address),
  ];
  const pipeline = new Pipeline();
  const decision = createDecision();
  const view = createFlowView();
  const memory = { isSgHeld: false, isK8sHeld: false, isAdopting: true };
  const states = Object.values(PacketState);
  const ports = [22, 53, 80, 5432, 8080];
  let accepted = 0;
  const decide = (count: number): void => {
    for (let i = 0; i < count; i++) {
      copyAddress(view.source, addresses[i % addresses.length] as Address);
      copyAddress(view.destination, addresses[(i * 7 + 3) % addresses.length] as Address);
      view.protocol = i % 3 === 0 ? 17 : 6;
      view.sourcePort = 49152;
      view.destinationPort = ports[i % ports.length] as number;
      view.state = states[i % states.length] as PacketState;
      pipeline.decide(program, view, memory, decision);
      if (decision.isFlowAccepted) accepted++;
    }
  };
  // Optimised first: while it warms up, the compiler and its feedback allocate.
  decide(decisions);
  expect(accepted).toBeGreaterThan(decisions / 100);
  expect(accepted).toBeLessThan(decisions);

  // The smallest of a few runs: what grows the heap in all of them is ours. One object a decision would be 1.6 MB or more.
  const growth = Array.from({ length: 5 }, () => {
    const before = process.memoryUsage().heapUsed;
    decide(decisions);
    return process.memoryUsage().heapUsed - before;
  });
  const grown = growth.filter((bytes) => bytes >= 0);
  expect(grown.length, `heap growth: ${growth}`).toBeGreaterThan(0);
  expect(Math.min(...grown) / decisions, `heap growth: ${growth}`).toBeLessThan(1);
});
