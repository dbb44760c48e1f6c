import assert from "node:assert/strict";
import { test } from "node:test";
import { createTestHub, stub } from "ostinato/testing";
import { recurringReport, sendReport, sold } from "./main.ts";

async function shop() {
  const reports: [period: number, sales: number, total: number][] = [];
  const sent = stub(sendReport, async (ctx, { period, sales, total }) => void reports.push([period, sales, total]));
  return { hub: await createTestHub({ orchestrators: [recurringReport], stubs: [sent] }), reports };
}

test("a report for each day, with the sales of that day", async () => {
  const { hub, reports } = await shop();
  const instance = await hub.start(recurringReport, { number: 1, last: 3, length: "24h" }, { instanceId: "sales" });
  const first = (await instance.status())?.executionId;
  await hub.clock.advance("1h");
  await instance.raiseEvent(sold, 10);
  await instance.raiseEvent(sold, 20);
  await hub.clock.advance("1d");
  await instance.raiseEvent(sold, 5);
  assert.equal(await instance.result(), "3 reports sent");
  assert.deepEqual(reports, [
    [1, 2, 30],
    [2, 1, 5],
    [3, 0, 0],
  ]);
  const history = await instance.history();
  assert.equal(history.filter((event) => event.kind === "TimerCreated").length, 1, "the history is that of the last day alone");
  assert.notEqual((await instance.status())?.executionId, first);
  await hub.close();
});

test("a sale that comes while the report is written belongs to the next day", async () => {
  const reports: number[] = [];
  const { promise: writing, resolve: begin } = Promise.withResolvers<void>();
  const { promise: written, resolve: finish } = Promise.withResolvers<void>();
  const slow = stub(sendReport, async (ctx, { period, total }) => {
    reports.push(total);
    if (period > 1) return;
    begin();
    await written;
  });
  const hub = await createTestHub({ orchestrators: [recurringReport], stubs: [slow] });
  const instance = await hub.start(recurringReport, { number: 1, last: 2, length: "24h" });
  const day = hub.clock.advance("24h");
  await writing;
  for (const amount of [1, 2, 4]) await instance.raiseEvent(sold, amount);
  finish();
  await day;
  assert.equal(await instance.result(), "2 reports sent");
  assert.deepEqual(reports, [0, 7]);
  await hub.close();
});
