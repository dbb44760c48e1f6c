import assert from "node:assert/strict";
import { test } from "node:test";
import { atEveryCrash, createTestHub, stub } from "ostinato/testing";
import { hello, sequence } from "./main.ts";

test("the greetings come in order", async () => {
  const hub = await createTestHub({ orchestrators: [sequence], activities: [hello] });
  const instance = await hub.start(sequence);
  assert.deepEqual(await instance.result(), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
  await hub.close();
});

test("another body for the activity, typed by it", async () => {
  const hub = await createTestHub({ orchestrators: [sequence], stubs: [stub(hello, async (ctx, name) => name.toUpperCase())] });
  const instance = await hub.start(sequence);
  assert.deepEqual(await instance.result(), ["TOKYO", "SEATTLE", "LONDON"]);
  await hub.close();
});

test("the process may die before and after every commit", async () => {
  const runs = await atEveryCrash({ orchestrators: [sequence], activities: [hello] }, async (hub) => {
    const instance = await hub.start(sequence, undefined, { instanceId: "one" });
    assert.deepEqual(await instance.result(), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    const events = await instance.history();
    assert.equal(events.filter((event) => event.kind === "TaskCompleted").length, 3);
    assert.equal(events.filter((event) => event.kind === "ExecutionCompleted").length, 1);
  });
  assert.ok(runs > 4);
});
