/** Changes that follow each other faster than connection tracking can be searched never wait for more than one search. */
import { setImmediate, setTimeout } from "node:timers/promises";
import { expect, it } from "vitest";
import { noFlowChanges } from "../../src/kernel/conntrack.ts";
import { FilterTable, noDelta } from "../../src/kernel/filter-table.ts";
import { FlowReview } from "../../src/kernel/flow-review.ts";
import { defaultKnobs } from "../../src/model/knobs.ts";
import { defaultMarkLayout } from "../../src/model/mark.ts";
import { parseAddress } from "../../src/net/address.ts";

const address = parseAddress("10.0.0.1") ?? expect.fail("an address");
const SEARCH_MS = 5;

it("200 changes in a row wait for numbers of epochs, not for the pause between searches", async () => {
  let searches = 0;
  const review = new FlowReview({
    conntrack: {
      settle: async () => {
        searches++;
        await setTimeout(SEARCH_MS);
        return 0;
      },
    },
    commit: () => {},
    onFailure: (error) => expect.fail(String(error)),
    delayMs: 60_000,
  });
  const table = new FilterTable({
    mark: defaultMarkLayout,
    queue: { first: 1, total: 1 },
    useNativeQueue: true,
    knobs: defaultKnobs,
    hook: "forward",
    managed: [address],
    output: [],
    epoch: 0,
  });
  const start = performance.now();
  for (let i = 0; i < 200; i++) {
    // As the firewall takes one.
    let epoch = table.epochs.take();
    for (let attempt = 0; epoch === null && attempt < 4; attempt++) {
      review.begin(table, noFlowChanges);
      await review.searched();
      epoch = table.epochs.take();
    }
    if (epoch === null) expect.fail("no number is free");
    const flows = { reviewed: [address], renewed: [] };
    const none = { managed: noDelta, output: noDelta, answered: noDelta, known: noDelta };
    table.note({ ...none, flows, epoch, keepsDecisions: true });
    review.begin(table, flows);
    // Now and then a change comes while a search is under way.
    if (i % 7 < 3) await setTimeout(1);
    else await setImmediate();
  }
  expect(performance.now() - start).toBeLessThan(20_000);
  expect(searches).toBeGreaterThan(5);
  review.stop();
  await review.settled();
  await review.searched();
});
