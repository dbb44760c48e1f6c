import assert from "node:assert/strict";
import { test } from "node:test";
import { orchestrator } from "ostinato";
import { atEveryCrash, createTestHub, testEntity } from "ostinato/testing";
import { counter, directory, entities, orchestrators, report } from "./main.ts";

test("a counter needs no engine to be tested", async () => {
  const visits = testEntity(counter, { key: "/home" });
  assert.equal(await visits.call.add(2), 2);
  assert.equal(await visits.call.add(3), 5);
  assert.equal(visits.state, 5);
});

test("the directory signals the counter of the page", async () => {
  const site = testEntity(directory, { key: "site" });
  await site.call.visited("/home");
  await site.call.visited("/home");
  assert.deepEqual(site.state, ["/home"]);
  assert.deepEqual(
    site.signals.map(({ entityId, operation }) => [entityId, operation]),
    [
      ["@counter@/home", "add"],
      ["@counter@/home", "add"],
    ],
  );
});

test("a hundred visitors at once are a hundred visits", async () => {
  await using hub = await createTestHub({ orchestrators, entities });
  const site = hub.entity(directory, "site");
  await Promise.all(Array.from({ length: 100 }, (_, at) => site.signal.visited(at % 2 === 0 ? "/home" : "/prices")));
  await hub.clock.advance("1s"); // until nothing is left to do
  assert.deepEqual(await (await hub.start(report)).result(), { "/home": 50, "/prices": 50 });
});

test("the process may die before and after every commit, and every visit counts once", async () => {
  const visit = orchestrator("visit", async (ctx) => {
    for (const page of ["/home", "/prices", "/home"]) ctx.entity(directory, "site").signal.visited(page);
  });
  await atEveryCrash({ orchestrators: [visit], entities }, async (hub) => {
    await (await hub.start(visit, undefined, { instanceId: "visits" })).result();
    await hub.clock.advance("1m");
    assert.equal(await hub.entity(counter, "/home").state(), 2);
    assert.equal(await hub.entity(counter, "/prices").state(), 1);
  });
});
