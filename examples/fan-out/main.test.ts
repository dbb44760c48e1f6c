import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { createTestHub, stub } from "ostinato/testing";
import { getWorkItems, processWorkItem, summarise, summariseGently } from "./main.ts";

const expected = { workItems: ["apples", "pears", "figs", "dates", "elderberries"], results: [6, 5, 4, 5, 12], total: 32 };

test("all items are processed, and the results come in the order of the items", async () => {
  const hub = await createTestHub({ orchestrators: [summarise, summariseGently], activities: [getWorkItems, processWorkItem] });
  assert.deepEqual(await (await hub.start(summarise)).result(), expected);
  assert.deepEqual(await (await hub.start(summariseGently)).result(), expected);
  await hub.close();
});

test("nothing to do is done at once", async () => {
  const hub = await createTestHub({
    orchestrators: [summarise],
    activities: [processWorkItem],
    stubs: [stub(getWorkItems, async () => [])],
  });
  assert.deepEqual(await (await hub.start(summarise)).result(), { workItems: [], results: [], total: 0 });
  await hub.close();
});

test("at most two items are under way at once", async () => {
  let under = 0;
  let most = 0;
  const watched = stub(processWorkItem, async (ctx, item) => {
    most = Math.max(most, ++under);
    await sleep(2);
    under--;
    return item.length;
  });
  const hub = await createTestHub({ orchestrators: [summariseGently], activities: [getWorkItems], stubs: [watched] });
  assert.deepEqual(await (await hub.start(summariseGently)).result(), expected);
  assert.equal(most, 2);
  await hub.close();
});
