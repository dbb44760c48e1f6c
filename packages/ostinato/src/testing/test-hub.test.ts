import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, externalEvent, orchestrator } from "../authoring/define.ts";
import { InstanceExistsError, OrchestrationFailedError, type ResultTimeoutError } from "../contract/errors.ts";
import { stub } from "./stub.ts";
import { atEveryCrash, createTestHub } from "./test-hub.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const sequence = orchestrator("sequence", async (ctx) => {
  const result1 = await ctx.callActivity(hello, "Tokyo");
  const result2 = await ctx.callActivity(hello, "Seattle");
  const result3 = await ctx.callActivity(hello, "London");
  return [result1, result2, result3];
});

const getWorkItems = activity("getWorkItems", async () => ["a", "bb", "ccc"]);
const processWorkItem = activity("processWorkItem", async (ctx, item: string) => item.length);
const summarise = orchestrator("summarise", async (ctx) => {
  const workItems = await ctx.callActivity(getWorkItems);
  const results = await ctx.whenAll(workItems.map((item) => ctx.callActivity(processWorkItem, item)));
  return { workItems, results, total: results.reduce((a, b) => a + b, 0) };
});

class Order {
  product: string;
  cost: number;
  quantity: number;
  constructor(product: string, cost: number, quantity: number) {
    this.product = product;
    this.cost = cost;
    this.quantity = quantity;
  }
  get needsApproval() {
    return this.cost >= 1000;
  }
}
const sendApprovalRequest = activity("sendApprovalRequest", { input: Order }, async (ctx, order) => void order.needsApproval);
const placeOrder = activity("placeOrder", { input: Order }, async () => undefined);
const approvalReceived = externalEvent<{ approver: string }>("approval_received");
const purchaseOrder = orchestrator("purchaseOrder", { input: Order }, async (ctx, order) => {
  if (!order.needsApproval) return "Auto-approved";
  await ctx.callActivity(sendApprovalRequest, order);
  const approval = ctx.waitForExternalEvent(approvalReceived);
  const timeout = ctx.createTimer("24h");
  const winner = await ctx.whenAny([approval, timeout]);
  if (winner === timeout) return "Canceled";
  await ctx.callActivity(placeOrder, order);
  return `Approved by '${approval.result.approver}'`;
});

const step = (name: string) => activity(name, async () => void name);
const [activityOne, activityTwo, activityThree] = [step("activityOne"), step("activityTwo"), step("activityThree")];
const migrating = orchestrator("migrating", async (ctx) => {
  const done: string[] = [];
  await ctx.callActivity(activityOne);
  done.push("one");
  if (ctx.isVersionAtLeast("2.0.0")) {
    await ctx.callActivity(activityThree);
    done.push("three");
  }
  await ctx.callActivity(activityTwo);
  done.push("two");
  return done;
});

const everything = {
  orchestrators: [sequence, summarise, purchaseOrder, migrating],
  activities: [hello, getWorkItems, processWorkItem, sendApprovalRequest, placeOrder, activityOne, activityTwo, activityThree],
};

test("function chaining", async () => {
  const hub = await createTestHub(everything);
  const instance = await hub.start(sequence);
  assert.deepEqual(await instance.result(), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
  await hub.close();
});

test("fan-out and fan-in", async () => {
  const hub = await createTestHub(everything);
  assert.deepEqual(await (await hub.start(summarise)).result(), { workItems: ["a", "bb", "ccc"], results: [1, 2, 3], total: 6 });
  await hub.close();
});

test("human interaction: approved in time", async () => {
  const hub = await createTestHub(everything);
  const instance = await hub.start(purchaseOrder, new Order("laptop", 2000, 1), { instanceId: "po-17", tags: { team: "it" } });
  await hub.clock.advance("2h");
  const status = await instance.status();
  assert.equal(status?.status, "RUNNING");
  assert.ok(status?.input instanceof Order);
  assert.match(status.waitingFor.join("; "), /approval_received/);
  await instance.raiseEvent(approvalReceived, { approver: "Ada" });
  assert.equal(await instance.result(), "Approved by 'Ada'");
  await hub.close();
});

test("human interaction: nobody comes, and a day passes at once", async () => {
  const hub = await createTestHub(everything);
  const instance = await hub.start(purchaseOrder, new Order("laptop", 2000, 1));
  assert.equal(await instance.result(), "Canceled");
  assert.equal(hub.clock.date.getTime() - Date.UTC(2025, 0, 1) >= 86_400_000, true);
  assert.equal(await (await hub.start(purchaseOrder, new Order("pen", 2, 1))).result(), "Auto-approved");
  await hub.close();
});

test("one orchestrator serves instances of two versions", async () => {
  const hub = await createTestHub({
    ...everything,
    defaultVersion: "2.0.0",
    versioning: { version: "2.0.0", defaultVersion: "2.0.0", matchStrategy: "currentOrOlder", failureStrategy: "fail" },
  });
  const [old, current, future] = await Promise.all([
    hub.start(migrating, undefined, { version: "1.0.0" }),
    hub.start(migrating),
    hub.start(migrating, undefined, { version: "3.0.0" }),
  ]);
  assert.deepEqual(await old.result(), ["one", "two"]);
  assert.deepEqual(await current.result(), ["one", "three", "two"]);
  await assert.rejects(
    future.result(),
    (error: OrchestrationFailedError) => error.failure?.errorType === "VersionMismatch" && error.failure.nonRetriable === true,
  );
  await hub.close();
});

test("every pattern survives a crash at every commit", async () => {
  const runs = await atEveryCrash(everything, async (hub) => {
    const chain = await hub.start(sequence, undefined, { instanceId: "chain" });
    const fan = await hub.start(summarise, undefined, { instanceId: "fan" });
    const order = await hub.start(purchaseOrder, new Order("laptop", 2000, 1), { instanceId: "order" });
    const late = await hub.start(purchaseOrder, new Order("laptop", 2000, 1), { instanceId: "late" });
    await order.raiseEvent(approvalReceived, { approver: "Ada" });
    assert.deepEqual(await chain.result(), ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]);
    assert.deepEqual((await fan.result()).results, [1, 2, 3]);
    assert.equal(await order.result(), "Approved by 'Ada'");
    assert.equal(await late.result(), "Canceled");
  });
  assert.ok(runs > 20);
});

test("a stub stands for an activity and is typed by it", async () => {
  const hub = await createTestHub({
    orchestrators: [sequence],
    activities: [hello],
    stubs: [stub(hello, async (ctx, name) => `Hi ${name.toUpperCase()}`)],
  });
  assert.deepEqual(await (await hub.start(sequence)).result(), ["Hi TOKYO", "Hi SEATTLE", "Hi LONDON"]);
  await hub.close();
});

test("a name that nobody registered fails at once", async () => {
  const hub = await createTestHub({ orchestrators: [sequence] });
  await assert.rejects((await hub.start("nobody")).result(), OrchestrationFailedError);
  await assert.rejects((await hub.start(sequence)).result(), /hello/);
  await hub.close();
});

test("waits and ids are told apart", async () => {
  const forever = orchestrator("forever", async (ctx) => ctx.waitForExternalEvent("never"));
  const hub = await createTestHub({ orchestrators: [forever] });
  const instance = await hub.start(forever, undefined, { instanceId: "one" });
  await assert.rejects(
    instance.result({ timeout: "30s" }),
    (error: ResultTimeoutError) => /RUNNING/.test(error.message) && /never/.test(error.message),
  );
  await assert.rejects(hub.start(forever, undefined, { instanceId: "one" }), InstanceExistsError);
  await assert.rejects(hub.instance("two").result(), { code: "INSTANCE_NOT_FOUND" });
  assert.equal(await hub.instance("two").status(), undefined);
  await instance.terminate({ output: { why: "enough" } });
  await assert.rejects(
    instance.result(),
    (error: OrchestrationFailedError) => error.code === "ORCHESTRATION_TERMINATED" && (error.output as { why: string }).why === "enough",
  );
  assert.equal(await instance.purge(), 1);
  assert.equal(await instance.status(), undefined);
  await hub.close();
  await assert.rejects(hub.start(forever), { code: "HUB_CLOSED" });
});

test("an activity that waits for the real world holds the clock", async () => {
  let finish: (value: string) => void = () => undefined;
  let begun: () => void = () => undefined;
  const beginning = new Promise<void>((resolve) => (begun = resolve));
  const slow = activity("slow", () => new Promise<string>((resolve) => ((finish = resolve), begun())));
  const race = orchestrator("race", async (ctx) => {
    const got = await ctx.first({ slow: ctx.callActivity(slow), late: ctx.createTimer("1h") });
    return got.key;
  });
  const hub = await createTestHub({ orchestrators: [race], activities: [slow] });
  const instance = await hub.start(race);
  const result = instance.result();
  await beginning;
  for (let i = 0; i < 20; i++) await instance.status();
  finish("done");
  assert.equal(await result, "slow");
  assert.equal(hub.clock.date.getTime(), Date.UTC(2025, 0, 1));
  await hub.close();
});

test("a time-out comes when the test moves the time", async () => {
  const hung = activity("hung", { timeout: { attempt: "5s" } }, () => new Promise<void>(() => undefined));
  const call = orchestrator("call", async (ctx) => ctx.callActivity(hung));
  const hub = await createTestHub({ orchestrators: [call], activities: [hung] });
  const instance = await hub.start(call);
  await hub.clock.advance("5s");
  await assert.rejects(instance.result(), (error: OrchestrationFailedError) =>
    /timeout of 5000 ms/.test(
      String((error.cause as Error).message) + String(((error.cause as Error).cause as Error | undefined)?.message),
    ),
  );
  await hub.close();
});

test("the list of instances is read one by one, whole, or in pages", async () => {
  const hub = await createTestHub(everything);
  for (let i = 0; i < 5; i++) await hub.start(sequence, undefined, { instanceId: `s-${i}`, tags: { odd: String(i % 2 === 1) } });
  await Promise.all([0, 1, 2, 3, 4].map((i) => hub.instance(`s-${i}`).result()));
  const ids: string[] = [];
  for await (const status of hub.query({ status: "COMPLETED" })) ids.push(status.id);
  assert.deepEqual(ids, ["s-0", "s-1", "s-2", "s-3", "s-4"]);
  assert.deepEqual(
    (await hub.query({ tags: { odd: "true" } })).map((status) => status.output),
    [
      ["Hello Tokyo!", "Hello Seattle!", "Hello London!"],
      ["Hello Tokyo!", "Hello Seattle!", "Hello London!"],
    ],
  );
  const pages: number[] = [];
  for await (const page of hub.query({}).pages({ size: 2 })) pages.push(page.items.length);
  assert.deepEqual(pages, [2, 2, 1]);
  const events = await hub.instance("s-0").history();
  assert.equal(events.at(0)?.kind, "OrchestratorStarted");
  assert.equal(events.at(-1)?.kind, "ExecutionCompleted");
  await hub.close();
});

test("a process that dies again while its workers are being started is followed by the next one", async () => {
  const one = orchestrator("one", async () => "done");
  await using hub = await createTestHub({ orchestrators: [one], versioning: { version: "1", matchStrategy: "strict" } });
  await hub.start(one, undefined, { instanceId: "left", version: "2" });
  await hub.clock.advance("1s");
  assert.equal((await hub.instance("left").status())?.stall?.kind, "version");
  // What had stalled is marked anew when a worker comes: that is the first commit of the next process.
  hub.failAt(1, "crash-before");
  await hub.crash();
  assert.equal(await (await hub.start(one, undefined, { version: "1" })).result(), "done");
});
