/** What the packets are that a worker warms up with. */
import { expect, test } from "vitest";
import { warmUp } from "../../src/datapath/warm-up.ts";
import { PacketState } from "../../src/model/flow.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { Family, formatAddress, parseAddress } from "../../src/net/address.ts";
import { programOf } from "../engine/programs.ts";
import { slotFlags, slotLayout } from "./slot.ts";

test("packets of both families, all protocols and states meet the evaluators, many from and to the given addresses", () => {
  const seen = { packets: 0, families: new Set(), protocols: new Set(), states: new Set(), ends: new Map() };
  const program = programOf({
    nacl: [
      {
        name: "spy",
        ingress: (view) => {
          seen.packets++;
          seen.families.add(view.source.family);
          seen.protocols.add(view.protocol);
          seen.states.add(view.state);
          for (const end of [view.source, view.destination]) {
            seen.ends.set(formatAddress(end), (seen.ends.get(formatAddress(end)) ?? 0) + 1);
          }
          return view.destinationPort % 2 === 0 ? "accept" : "deny";
        },
      },
    ],
  });
  const addresses = ["10.1.2.3", "fd00::2:3"];
  warmUp(
    { layout: slotLayout, flags: slotFlags, mark: defaultMarkLayout, rejects: false },
    program,
    addresses.map((text) => parseAddress(text)!),
  );
  expect([...seen.families].sort()).toEqual([Family.ipv4, Family.ipv6].sort());
  expect([...seen.protocols].sort()).toEqual([1, 132, 17, 58, 6]);
  const { original, related, midstream, untracked } = PacketState;
  for (const state of [original, related, midstream, untracked]) expect(seen.states).toContain(state);
  for (const address of addresses) expect(seen.ends.get(address)).toBeGreaterThan(seen.packets / 20);
  // Addresses that nobody has were among them too.
  expect(seen.ends.size).toBeGreaterThan(20);
});
