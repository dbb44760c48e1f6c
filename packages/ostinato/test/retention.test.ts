// Retention as a user of a hub meets it: a month passes at once.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { activity, externalEvent, openTaskHub, orchestrator, type Retention } from "ostinato";
import { createTestHub, type TestHub } from "ostinato/testing";

const hello = activity("hello", async (_ctx, name: string) => `Hello ${name}!`);
const greet = orchestrator("greet", async (ctx, name: string) => ctx.callActivity(hello, name));
const breaks = orchestrator("breaks", async () => {
  throw new Error("no luck");
});
const done = externalEvent("done");
const family = orchestrator("family", async (ctx) => {
  const greeting = await ctx.callSubOrchestrator(greet, "child", { instanceId: "child" });
  await ctx.waitForExternalEvent(done);
  return greeting;
});

async function hubWith(retention: Retention | undefined): Promise<TestHub> {
  return createTestHub({
    orchestrators: [greet, breaks, family],
    activities: [hello],
    ...(retention === undefined ? {} : { retention }),
  });
}

async function idsOf(hub: TestHub): Promise<string[]> {
  const ids: string[] = [];
  for await (const status of hub.query()) ids.push(status.id);
  return ids.sort();
}

test("a finished instance is there for 30 days, and gone then with all that hung on it", async () => {
  const hub = await hubWith("30d");
  const instance = await hub.start(greet, "Ada", { instanceId: "a" });
  await instance.result();
  await hub.clock.advance("29d");
  assert.equal((await instance.status())?.status, "COMPLETED");
  await hub.clock.advance("25h");
  assert.equal(await instance.status(), undefined);
  assert.equal(hub.counters()["instancesRetired"], 1);
  assert.equal(await (await hub.start(greet, "Ada", { instanceId: "a" })).result(), "Hello Ada!", "its id is free again");
  await hub.close();
});

test("each outcome and each orchestrator has its own time, and 0 keeps for ever", async () => {
  const hub = await hubWith({ completed: "1d", failed: "10d", orchestrators: { family: 0 } });
  await (await hub.start(greet, "Ada", { instanceId: "completed" })).result();
  await assert.rejects((await hub.start(breaks, undefined, { instanceId: "failed" })).result());
  const parent = await hub.start(family, undefined, { instanceId: "kept" });
  await parent.raiseEvent(done);
  await parent.result();
  await hub.clock.advance("2d");
  assert.deepEqual(await idsOf(hub), ["failed", "kept"]);
  await hub.clock.advance("9d");
  assert.deepEqual(await idsOf(hub), ["kept"]);
  await hub.clock.advance("4000d");
  assert.deepEqual(await idsOf(hub), ["kept"]);
  await hub.close();
});

test("a child stays as long as its parent runs, and a crash in between changes nothing", async () => {
  const hub = await hubWith("1d");
  const parent = await hub.start(family, undefined, { instanceId: "parent" });
  await hub.clock.advance("10d");
  assert.deepEqual(await idsOf(hub), ["child", "parent"]);
  await hub.crash();
  await hub.clock.advance("1d");
  await parent.raiseEvent(done);
  assert.equal(await parent.result(), "Hello child!");
  await hub.clock.advance("1h");
  assert.deepEqual(await idsOf(hub), ["parent"]);
  await hub.clock.advance("1d");
  assert.deepEqual(await idsOf(hub), []);
  await hub.close();
});

test("in a file: what is over goes where a worker runs, and stays where none does", { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-retention-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const url = `sqlite:${join(folder, "hub.db")}`;
  const forever = await openTaskHub(url, { retention: 0 });
  const worker = await forever.startWorker({ orchestrators: [greet, breaks], activities: [hello] });
  for (let i = 0; i < 20; i++) await (await forever.start(greet, "Ada", { instanceId: `i${i}` })).result();
  await assert.rejects((await forever.start(breaks, undefined, { instanceId: "failed" })).result());
  await worker.stop();
  await forever.close();

  const hub = await openTaskHub(url, { retention: { completed: "1ms", failed: 0 } });
  assert.equal((await hub.sizes()).instances.COMPLETED, 20);
  const sweeping = await hub.startWorker({ orchestrators: [greet] });
  while ((await hub.sizes()).instances.COMPLETED > 0);
  const { instances, historyRows, messages } = await hub.sizes();
  assert.deepEqual([instances.FAILED, historyRows, messages], [1, 1, 0]);
  assert.equal(hub.counters()["instancesRetired"], 20);
  assert.deepEqual(await hub.checkIntegrity(), []);
  await sweeping.stop();
  await hub.close();
});

test("what is no retention is refused with the place where it stands", async () => {
  for (const [retention, said] of [
    ["soon", /duration/],
    [30, /retention must be a duration/],
    [{ failed: 30 }, /retention\.failed must be a duration/],
    ["0d", /retention is no time at all\. Write 0 to keep for ever/],
    [{ succeeded: "1d" }, /retention has no part 'succeeded'; it has completed, failed, terminated/],
    [{ orchestrators: { greet: { failed: "0s" } } }, /retention\.orchestrators\.greet\.failed is no time at all/],
  ] as const) {
    await assert.rejects(openTaskHub("memory:", { retention: retention as unknown as Retention }), {
      code: "INVALID_ARGUMENT",
      message: said,
    });
  }
});
