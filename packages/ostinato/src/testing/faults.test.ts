import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator } from "../authoring/define.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { nextLoopTurn } from "../platform/standstill.ts";
import { machineClock } from "../stores/store-clock.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import { createFaultPlan, faultyStore } from "./faults.ts";
import { createQuiet } from "./quiet.ts";
import { createTestHub } from "./test-hub.ts";

const hello = activity("hello", async (ctx, name: string) => `Hello ${name}!`);
const greet = orchestrator("greet", async (ctx, name: string) => ctx.callActivity(hello, name));
const options = { orchestrators: [greet], activities: [hello], log: { level: "silent" } } as const;

test("a start that the store did not take is told to the caller, and nothing was started", async () => {
  const hub = await createTestHub(options);
  hub.failAt(1, "fail-before");
  await assert.rejects(hub.start(greet, "Ada", { instanceId: "one" }), { code: "STORE_UNAVAILABLE" });
  assert.equal(await hub.instance("one").status(), undefined);
  await hub.close();
});

test("a turn whose commit failed is run again", async () => {
  for (const commit of [2, 3]) {
    const hub = await createTestHub(options);
    hub.failAt(commit, "fail-before");
    assert.equal(await (await hub.start(greet, "Ada")).result(), "Hello Ada!", `commit ${commit}`);
    await hub.close();
  }
});

test("a turn whose commit was written, and whose answer was lost, goes on", async () => {
  for (const commit of [3, 2]) {
    const hub = await createTestHub(options);
    hub.failAt(commit, "fail-after");
    assert.equal(await (await hub.start(greet, "Ada")).result(), "Hello Ada!", `commit ${commit}`);
    await hub.close();
  }
});

test("an activity that was running when the process died is delivered again", async () => {
  const deliveries: number[] = [];
  let begun: () => void = () => undefined;
  const beginning = new Promise<void>((resolve) => (begun = resolve));
  const slow = activity("slow", async (ctx) => {
    deliveries.push(ctx.delivery);
    if (ctx.delivery > 1) return ctx.idempotencyKey;
    begun();
    return new Promise<string>(() => undefined);
  });
  const call = orchestrator("call", async (ctx) => ctx.callActivity(slow));
  const hub = await createTestHub({ orchestrators: [call], activities: [slow] });
  const instance = await hub.start(call);
  await beginning;
  await hub.crash();
  assert.match(await instance.result(), /./);
  assert.deepEqual(deliveries, [1, 2]);
  await hub.close();
});

test("whoever waits for what can never happen is told so", async () => {
  const forever = orchestrator("forever", async (ctx) => ctx.waitForExternalEvent("never"));
  const hub = await createTestHub({ orchestrators: [forever] });
  const instance = await hub.start(forever);
  await assert.rejects(
    instance.result(),
    (error: Error) => error.name === "ResultTimeoutError" && /never/.test(error.message) && /Nothing more will happen/.test(error.message),
  );
  await hub.close();
});

test("a page of a history that has to come from far is under way until it is there", async () => {
  const quiet = createQuiet();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const far = {
    ...createMemoryHub({ clock: machineClock() }).connect(),
    async *history(): AsyncGenerator<readonly HistoryEvent[]> {
      await arrived;
      yield [{ kind: "OrchestratorStarted", eventId: -1, timestamp: 0 }];
    },
  };
  const { store } = faultyStore(far, createFaultPlan(), quiet, () => undefined);
  const page = store.history("one")[Symbol.asyncIterator]().next();
  let isQuiet = false;
  const calm = quiet.quiet().then(() => (isQuiet = true));
  for (let i = 0; i < 10; i++) await nextLoopTurn();
  assert.equal(isQuiet, false);
  arrive();
  assert.equal((await page).done, false);
  await calm;
});
