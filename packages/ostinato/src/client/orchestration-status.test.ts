import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import { createTestHub } from "../testing/test-hub.ts";

const approved = externalEvent("approved");
const elsewhere = activity("elsewhere", {});
const refuse = activity("refuse", async () => {
  throw new Error("no");
});
const ask = orchestrator("ask", async (ctx) => {
  void ctx.callActivity(elsewhere, undefined, { retry: { maxNumberOfAttempts: 3, firstRetryInterval: "1s" } });
  await ctx.first({ approved: ctx.waitForExternalEvent(approved), timeout: ctx.createTimer("1d") });
});
const fail = orchestrator("fail", async (ctx) => await ctx.callActivity(refuse));

test("O1 a status says which events are awaited, which activities nobody took, and what lies in the inbox", async () => {
  const hub = await createTestHub({ orchestrators: [ask, fail], activities: [refuse], unregistered: "wait" });
  const instance = await hub.start(ask, undefined, { instanceId: "a" });
  await hub.instance("a").waitForStart();
  const status = await instance.status();
  assert.deepEqual(status?.awaitedEvents, ["approved"]);
  assert.equal(status?.notBefore, undefined);
  const { activities, activityCount, dueMessages, laterMessages } = status?.outstanding ?? {};
  assert.deepEqual([activityCount, dueMessages, laterMessages], [1, 0, 1]);
  const [one] = activities ?? [];
  assert.deepEqual([one?.name, one?.attempt, one?.deliveries, one?.isOut, one?.expiresAt], ["elsewhere", 1, 0, false, undefined]);
  assert.ok(one?.since instanceof Date && one.since >= (status?.startedAt ?? new Date(0)));
  await hub.close();
});

test("nothing is outstanding for what has ended", async () => {
  const hub = await createTestHub({ orchestrators: [ask, fail], activities: [refuse], unregistered: "wait" });
  const instance = await hub.start(fail);
  await assert.rejects(instance.result());
  assert.deepEqual([(await instance.status())?.outstanding, (await instance.status())?.awaitedEvents], [undefined, []]);
  await hub.close();
});

test("O1 stalled instances are found by a query, and the others without them", async () => {
  const hub = await createTestHub({ orchestrators: [ask, fail], activities: [refuse], unregistered: "wait" });
  await hub.start(ask, undefined, { instanceId: "a" });
  await hub.instance("a").waitForStart();
  assert.deepEqual(await hub.query({ stalled: true }), []);
  assert.deepEqual(
    (await hub.query({ stalled: false })).map(({ id }) => id),
    ["a"],
  );
  await hub.close();
});
