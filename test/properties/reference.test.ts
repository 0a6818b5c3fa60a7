/** The compiled engine gives the verdicts of the reference engine, which shares no code with it. */
import { expect, test } from "vitest";
import { runCampaign } from "./campaign.ts";

test("compiled ≡ reference over 50,000 seeded flows: verdict, denying stage and direction, reply (PL-2, PL-3, PL-4, NA-18)", () => {
  const { flows, inventories, verdicts, difference } = runCampaign(50_000, 20_261_121);
  expect(difference).toBeNull();
  expect(flows).toBe(50_000);
  expect(inventories).toBe(500);
  // The compiled path was everywhere: each stage denied in each direction, and answers were refused too.
  const stages = ["route", "nacl", "sg", "k8s"];
  for (const place of stages.flatMap((stage) => [`${stage} egress`, `${stage} ingress`])) {
    expect(verdicts.get(`deny ${place}`) ?? 0, place).toBeGreaterThan(100);
  }
  expect(verdicts.get("accept, reply accept")).toBeGreaterThan(10_000);
  expect(verdicts.get("accept, reply deny nacl ingress")).toBeGreaterThan(10);
  expect([...verdicts.keys()].filter((verdict) => verdict.startsWith("error"))).toEqual([]);
});
