import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { ValidationError } from "ostinato";
import { atEveryCrash, createTestHub, stub } from "ostinato/testing";
import { activities, bookCourier, chargeCard, order, orchestrators, shipping, world } from "./main.ts";

const kettles = { id: "A1", line: { sku: "kettle", quantity: 2 }, amount: 60, address: "1 Main Street" };
beforeEach(() => void (world.log.length = 0));

test("everything goes well, after the payment service was busy twice", async () => {
  const hub = await createTestHub({ orchestrators, activities });
  const instance = await hub.start(order, kettles, { instanceId: "A1" });
  assert.equal(await instance.result(), "on its way as 1Z 999");
  assert.deepEqual(world.log, ["reserved 2 x kettle", "charged 60 on attempt 3", "printed a label for 1 Main Street", "booked a courier"]);
  const child = await hub.instance(shipping, "A1/shipping").status();
  assert.deepEqual([child?.status, child?.parentInstanceId, child?.output], ["COMPLETED", "A1", "1Z 999"]);
  await hub.close();
});

test("a declared error is an answer, typed by the activity", async () => {
  const hub = await createTestHub({ orchestrators, activities });
  const instance = await hub.start(order, { ...kettles, line: { sku: "kettle", quantity: 9 } });
  assert.equal(await instance.result(), "refused: only 5 left");
  await hub.close();
});

test("the last step fails: what was done is taken back, in reverse", async () => {
  const hub = await createTestHub({ orchestrators, activities });
  const instance = await hub.start(order, { ...kettles, address: "" });
  assert.match(await instance.result(), /^taken back: .*the address is empty/);
  assert.deepEqual(world.log, ["reserved 2 x kettle", "charged 60 on attempt 3", "refunded the payment", "released 2 x kettle"]);
  await hub.close();
});

test("retries end: three attempts at a courier, all with one idempotency key", async () => {
  const keys: string[] = [];
  const noCourier = stub(bookCourier, async (ctx): Promise<string> => {
    keys.push(ctx.idempotencyKey);
    throw new Error("nobody is free");
  });
  const hub = await createTestHub({ orchestrators, activities, stubs: [noCourier] });
  const instance = await hub.start(order, kettles);
  assert.match(await instance.result(), /^taken back: .*nobody is free/);
  assert.equal(keys.length, 3);
  assert.equal(new Set(keys).size, 1);
  await hub.close();
});

test("the payment hangs: each attempt has ten seconds, the whole call a minute", async () => {
  const hanging = stub(
    chargeCard,
    (ctx) => new Promise<string>((_, reject) => ctx.signal.addEventListener("abort", () => reject(ctx.signal.reason as Error))),
  );
  const hub = await createTestHub({ orchestrators, activities, stubs: [hanging] });
  const instance = await hub.start(order, kettles);
  await hub.clock.advance("2m");
  assert.match(await instance.result(), /^taken back: /);
  assert.deepEqual(world.log, ["reserved 2 x kettle", "released 2 x kettle"]);
  await hub.close();
});

test("what the schema refuses never starts", async () => {
  const hub = await createTestHub({ orchestrators, activities });
  await assert.rejects(hub.start(order, { ...kettles, line: { sku: "kettle", quantity: 0 } }), (error) => {
    assert.ok(error instanceof ValidationError);
    assert.match(error.path, /line\.quantity$/);
    return true;
  });
  await hub.close();
});

test("the process may die before and after every commit, and nothing is taken back twice", async () => {
  await atEveryCrash({ orchestrators, activities }, async (hub) => {
    const instance = await hub.start(order, { ...kettles, address: "" }, { instanceId: "A3" });
    assert.match(await instance.result(), /^taken back: .*the address is empty/);
    const events = await instance.history();
    const completed = events.filter((event) => event.kind === "TaskCompleted").map((event) => event.taskScheduledId);
    assert.equal(new Set(completed).size, completed.length);
  });
});
