// Control operations of many steps, cut off at every commit: before it is written, and before anybody is told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { activity, orchestrator, type OrchestrationHandle } from "../src/index.ts";
import { assertSound } from "../src/conformance/backend/history-rules.ts";
import { atEveryCrash, createTestHub } from "../src/testing.ts";

/** Broken until the round of the test is over; the rounds begin with it broken. */
const bank = { broken: true };
const pay = activity("pay", async (_ctx, name: string) => {
  if (bank.broken && name.startsWith("bad")) throw new Error(`${name} is broken`);
  return name;
});
const leaf = orchestrator("leaf", async (ctx, name: string) => {
  await ctx.callActivity(pay, `begin ${name}`);
  return await ctx.callActivity(pay, name, { retry: { maxNumberOfAttempts: 2, firstRetryInterval: "1m" } });
});
const branch = orchestrator("branch", async (ctx, names: string[]) =>
  ctx.whenAll(names.map((name) => ctx.callSubOrchestrator(leaf, name, { instanceId: `leaf ${name}`, tags: { name } }))),
);
const top = orchestrator("top", async (ctx) => {
  const [a, b] = await ctx.whenAll([
    ctx.callSubOrchestrator(branch, ["bad 1", "good 1"], { instanceId: "branch 1" }),
    ctx.callSubOrchestrator(branch, ["good 2"], { instanceId: "branch 2" }),
  ]);
  return [...a, ...b];
});
const waits = orchestrator("waits", async (ctx, name: string) => `${name} ${await ctx.waitForExternalEvent<string>("go")}`);
const all = { orchestrators: [top, branch, leaf, waits], activities: [pay] };

const TREE = ["top", "branch 1", "branch 2", "leaf bad 1", "leaf good 1", "leaf good 2"];

test("C6 a tree that is rewound ends well, wherever the process dies; what succeeded is in each history once", async () => {
  const runs = await atEveryCrash(all, async (hub) => {
    bank.broken = true;
    const instance = await hub.start(top, undefined, { instanceId: "top" });
    await assert.rejects(instance.result(), { code: "ORCHESTRATION_FAILED" });
    bank.broken = false;
    await instance.rewind("mended");
    assert.deepEqual(await instance.result(), ["bad 1", "good 1", "good 2"]);
    assert.deepEqual((await hub.query()).map((status) => status.id).toSorted(), TREE.toSorted());
    for (const id of TREE) {
      const history = await hub.instance(id).history();
      assertSound(history);
      assert.equal((await hub.instance(id).status())?.status, "COMPLETED", id);
      const rewinds = history.filter((event) => event.kind === "ExecutionRewound").length;
      assert.equal(rewinds, ["top", "branch 1", "leaf bad 1"].includes(id) ? 1 : 0, id);
      const results = history.filter((event) => event.kind === "TaskCompleted").length;
      assert.equal(results, id.startsWith("leaf") ? 2 : 0, id);
    }
  });
  assert.ok(runs > 20);
});

test("C5 a recursive purge that is cut off can be asked for again, and leaves nothing", async () => {
  bank.broken = false;
  await atEveryCrash(all, async (hub) => {
    bank.broken = false;
    await (await hub.start(top, undefined, { instanceId: "top" })).result();
    const bystander = await hub.start(waits, "x", { instanceId: "bystander" });
    const { deletedCount, isComplete } = await hub.purge({ name: "top" }, { recursive: true });
    assert.ok(isComplete && deletedCount <= TREE.length);
    assert.deepEqual(
      (await hub.query()).map((status) => status.id),
      ["bystander"],
    );
    await bystander.raiseEvent("go", "on");
    assert.equal(await bystander.result(), "x on");
  });
});

test("C7 a restart, and a start that replaces, happen once, wherever the process dies", async () => {
  await atEveryCrash(all, async (hub) => {
    const first = await hub.start(waits, "1", { instanceId: "id" });
    await first.raiseEvent("go", "on");
    assert.equal(await first.result(), "1 on");
    const again = await first.restart();
    await again.raiseEvent("go", "again");
    assert.equal(await again.result(), "1 again");
    const copy = await first.restart({ newInstanceId: "copy" });
    const next = await hub.start(waits, "2", { instanceId: "copy", dedupeStatuses: [] });
    await next.raiseEvent("go", "last");
    assert.equal(await copy.result(), "2 last");
    assert.deepEqual((await hub.query()).map((status) => status.id).toSorted(), ["copy", "id"]);
  });
});

test("an activity that was set aside has one more try when its instance is suspended and resumed", async () => {
  let dies = true;
  let tries = 0;
  const entries = countEntries();
  const deadly = activity("deadly", async () => {
    tries++;
    entries.enter();
    if (dies) await new Promise(() => undefined);
    return "survived";
  });
  const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(deadly));
  const hub = await createTestHub({ orchestrators: [calls], activities: [deadly], limits: { maxClaims: 2 }, log: { level: "silent" } });
  const instance = await hub.start(calls);
  for (let delivery = 1; delivery <= 2; delivery++) {
    await entries.of(delivery); // the activity has to be entered before its process dies
    await hub.crash();
  }
  await setAside(instance);
  await hub.crash();
  const status = await instance.status();
  assert.equal(status?.stall?.kind, "set-aside");
  assert.match(status.stall.reason, /suspending and resuming/);
  const before = tries;
  dies = false;
  await instance.suspend();
  await instance.resume();
  assert.equal(await instance.result(), "survived");
  assert.equal(tries, before + 1);
  assert.equal((await instance.status())?.stall, undefined);
  await hub.close();
});

test("the one more try of an activity that was set aside waits for a worker that has it", async () => {
  let dies = true;
  const entries = countEntries();
  const deadly = activity("deadly", async () => {
    entries.enter();
    if (dies) await new Promise(() => undefined);
    return "survived";
  });
  const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(deadly));
  const hub = await createTestHub({ orchestrators: [calls], unregistered: "wait", limits: { maxClaims: 2 }, log: { level: "silent" } });
  const worker = await hub.startWorker({ activities: [deadly] });
  const instance = await hub.start(calls);
  for (let delivery = 1; delivery <= 2; delivery++) {
    await entries.of(delivery); // the activity has to be entered before its process dies
    await hub.crash();
  }
  await setAside(instance);
  await hub.crash();
  assert.equal((await instance.status())?.stall?.kind, "set-aside");
  await worker.stop();
  dies = false;
  await instance.suspend();
  await instance.resume();
  assert.equal((await instance.status())?.stall, undefined);
  await hub.startWorker({ activities: [deadly] });
  assert.equal(await instance.result(), "survived");
  await hub.close();
});

test("R4 the one more try of an activity that was set aside outlives the process that was told of it", async () => {
  let dies = true;
  let tries = 0;
  const entries = countEntries();
  const deadly = activity("deadly", async () => {
    tries++;
    entries.enter();
    if (dies) await new Promise(() => undefined);
    return "survived";
  });
  const calls = orchestrator("calls", async (ctx) => await ctx.callActivity(deadly));
  const hub = await createTestHub({ orchestrators: [calls], unregistered: "wait", limits: { maxClaims: 2 }, log: { level: "silent" } });
  const worker = await hub.startWorker({ activities: [deadly] });
  const instance = await hub.start(calls);
  for (let delivery = 1; delivery <= 2; delivery++) {
    await entries.of(delivery); // the activity has to be entered before its process dies
    await hub.crash();
  }
  await setAside(instance);
  await worker.stop();
  for (let told = 1; told <= 2; told++) {
    const before = tries;
    await instance.suspend();
    await instance.resume();
    await hub.crash();
    assert.equal((await instance.status())?.stall, undefined);
    if (told === 2) dies = false;
    const next = await hub.startWorker({ activities: [deadly] });
    if (told === 2) break;
    await entries.of(before + 1);
    await hub.crash();
    await setAside(instance);
    assert.equal(tries, before + 1, "one more try is one");
    await next.stop();
  }
  assert.equal(await instance.result(), "survived");
  await hub.close();
});

/** Counts, and tells when there have been so many. */
function countEntries(): { enter(): void; of(count: number): Promise<void> } {
  let entered = 0;
  const waiting: (() => void)[] = [];
  return {
    enter() {
      entered++;
      for (const look of waiting.splice(0)) look();
    },
    async of(count) {
      while (entered < count) await new Promise<void>((resolve) => void waiting.push(resolve));
    },
  };
}

async function setAside(instance: OrchestrationHandle): Promise<void> {
  while ((await instance.status())?.stall?.kind !== "set-aside") await new Promise((resolve) => void setImmediate(resolve));
}
