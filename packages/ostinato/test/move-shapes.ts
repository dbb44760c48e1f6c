// move-shapes: a task hub with an instance, an entity, a timer of every shape, in the middle of its work; and the check that all of it goes on elsewhere.
import assert from "node:assert/strict";
import { activity, entity, externalEvent, openTaskHub, orchestrator, type Hub } from "ostinato";

const LARGE = 'a line of text, \u00e9\u{1f600} " \\ {}\n'.repeat(20_000);

const echo = activity("echo", async (ctx, text: string) => text);
const refuse = activity("refuse", async (): Promise<string> => {
  throw new TypeError("no: it is closed");
});
/** As long as nobody opens the door, one that runs does not end: as at a process that dies meanwhile. */
const dwellWhile = (isShut: boolean) =>
  activity("dwell", async (ctx, n: number) => {
    if (isShut) await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve(), { once: true }));
    return n;
  });

const go = externalEvent<number>("go");
const large = orchestrator("large", async (ctx, text: string) => await ctx.callActivity(echo, text));
const failing = orchestrator("failing", async (ctx) => await ctx.callActivity(refuse, undefined));
const waiting = orchestrator("waiting", async (ctx) => {
  ctx.setCustomStatus({ waits: true });
  const buffered = [await ctx.waitForExternalEvent(go)];
  await ctx.waitForExternalEvent("end");
  for (let i = 0; i < 2; i++) buffered.push(await ctx.waitForExternalEvent(go));
  return buffered;
});
const sleeping = orchestrator("sleeping", async (ctx, forTime: "1s" | "24h") => {
  await ctx.createTimer(forTime);
  return "awake";
});
const spreading = orchestrator("spreading", async (ctx, count: number) => {
  const numbers = await ctx.whenAll(Array.from({ length: count }, (_, i) => ctx.callActivity(dwellWhile(true), i)));
  return numbers.reduce((sum, n) => sum + n, 0);
});
const parent = orchestrator(
  "parent",
  async (ctx) => `my child says ${await ctx.callSubOrchestrator(child, undefined, { instanceId: "child" })}`,
);
const child = orchestrator("child", async (ctx) => await ctx.waitForExternalEvent(go));
const rounds = orchestrator("rounds", async (ctx, sum: number): Promise<number | undefined> => {
  const n = await ctx.waitForExternalEvent(go);
  if (n === 0) return sum;
  ctx.continueAsNew(sum + n);
  return undefined;
});
const counter = entity("counter", { initial: () => 0 }).operations({
  add: (state, amount: number) => state.set(state.value + amount),
  get: (state) => state.value,
});
const locking = orchestrator("locking", async (ctx) => {
  const account = ctx.entity(counter, "locked");
  return await ctx.lockEntities([account], async () => {
    await account.add(1);
    await ctx.waitForExternalEvent(go);
    await account.add(10);
    return await account.get();
  });
});
const asking = orchestrator("asking", async (ctx) => {
  await ctx.entity(counter, "locked").add(100);
  return await ctx.entity(counter, "locked").get();
});
/** What it is at first, and after a deployment that does not fit. */
const changing = orchestrator("changing", async (ctx) => {
  await ctx.waitForExternalEvent(go);
  return await ctx.callActivity(echo, "as it was");
});
const changed = orchestrator("changing", async (ctx) => await ctx.callActivity(echo, "as it never was"));
const versioned = orchestrator("versioned", async (ctx) => {
  await ctx.waitForExternalEvent(go);
  return ctx.version;
});

const others = [large, failing, waiting, sleeping, spreading, parent, child, rounds, locking, asking, versioned];
const FANNED = 7;
const AT_ONCE = 3;

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

const waits = (hub: Hub, id: string, words: string) =>
  until(async () => (await hub.instance(id).status())?.waitingFor.some((line) => line.startsWith(words)) === true);

/** Fills a hub in a file and writes a copy of it from the middle of its work: as if the process had died then. */
export async function writeHubWithEveryShape(path: string, copy: string): Promise<void> {
  await using hub = await openTaskHub(`sqlite:${path}`, { log: { level: "silent" } });
  const before = await hub.startWorker({ orchestrators: [changing], activities: [echo] });
  await hub.start(changing, undefined, { instanceId: "stalled" });
  await waits(hub, "stalled", "external event");
  await before.stop();

  const worker = await hub.startWorker({
    orchestrators: [changed, ...others],
    activities: [echo, refuse, dwellWhile(true)],
    entities: [counter],
    concurrency: { activities: AT_ONCE },
  });
  await hub.instance("stalled").raiseEvent(go, 1);
  await until(async () => (await hub.instance("stalled").status())?.stall !== undefined);
  await hub.start(large, LARGE, { instanceId: "large", tags: { team: "it", "\u00e9": "" } });
  await hub.start(failing, undefined, { instanceId: "failed" });
  await hub.instance("large").result();
  await hub
    .instance("failed")
    .result()
    .catch(() => undefined);

  await hub.start(waiting, undefined, { instanceId: "waiting" });
  for (const n of [1, 2, 3]) await hub.instance("waiting").raiseEvent(go, n);
  await waits(hub, "waiting", "external event 'end'");
  await hub.start(waiting, undefined, { instanceId: "suspended" });
  await waits(hub, "suspended", "external event");
  await hub.instance("suspended").suspend("the bank is closed");
  for (const n of [4, 5, 6]) await hub.instance("suspended").raiseEvent(go, n);
  await hub.start(sleeping, "1s", { instanceId: "napping" });
  await hub.start(sleeping, "24h", { instanceId: "sleeping" });
  await waits(hub, "sleeping", "timer");
  await hub.start(parent, undefined, { instanceId: "parent" });
  await waits(hub, "child", "external event");
  await hub.start(rounds, 0, { instanceId: "rounds" });
  for (const n of [1, 2, 3]) await hub.instance("rounds").raiseEvent(go, n);
  await until(async () => (await hub.instance("rounds").status())?.input === 6);
  await hub.start(versioned, undefined, { instanceId: "versioned", version: "2.1" });
  await waits(hub, "versioned", "external event");
  await hub.start(large, "x", { instanceId: "later", startAt: new Date("2999-01-01T00:00:00Z") });
  await hub.start("unknown", undefined, { instanceId: "unknown" });

  await hub.entity(counter, "free").signal.add(5);
  await hub.entity(counter, "free").signal.add(7, { at: "1s" });
  await hub.entity(counter, "free").signal.add(1_000, { at: "24h" });
  await hub.start(locking, undefined, { instanceId: "locking" });
  await until(async () => (await hub.entity(counter, "locked").metadata())?.lockedBy === "locking");
  await waits(hub, "locking", "external event");
  await hub.start(asking, undefined, { instanceId: "asking" });
  await until(async () => (await hub.entity(counter, "locked").metadata())?.backlogQueueSize === 1);

  await hub.start(spreading, FANNED, { instanceId: "spreading" });
  await until(async () => {
    const found = await hub.instance("spreading").status();
    return found?.outstanding?.activities.filter(({ isOut }) => isOut).length === AT_ONCE;
  });
  await hub.backup(copy);
  await worker.stop({ graceMs: 0 });
}

/** Opens the hub where it is now, with a worker that fits everything, and sees that each of them goes on as if nothing had happened. */
export async function goesOn(url: string): Promise<void> {
  await using hub = await openTaskHub(url, { log: { level: "silent" } });
  const status = async (id: string) => await hub.instance(id).status();
  assert.deepEqual((await status("large"))?.tags, { team: "it", "\u00e9": "" });
  assert.equal((await status("large"))?.input, LARGE);
  assert.equal((await status("suspended"))?.status, "SUSPENDED");
  assert.deepEqual((await status("waiting"))?.customStatus, { waits: true });
  assert.equal((await status("stalled"))?.stall?.kind, "non-determinism");
  assert.equal((await status("later"))?.scheduledAt?.getTime(), Date.parse("2999-01-01T00:00:00Z"));
  assert.equal((await status("unknown"))?.status, "PENDING");
  assert.equal((await status("child"))?.parentInstanceId, "parent");
  assert.equal(await hub.entity(counter, "free").state(), 5);
  assert.equal((await hub.entity(counter, "locked").metadata())?.lockedBy, "locking");

  await using _ = await hub.startWorker({
    orchestrators: [changing, ...others],
    activities: [echo, refuse, dwellWhile(false)],
    entities: [counter],
  });
  const result = async (id: string): Promise<unknown> => await hub.instance(id).result({ timeout: "60s" });
  assert.equal(await result("large"), LARGE);
  await assert.rejects(hub.instance("failed").result(), /no: it is closed/);
  await hub.instance("waiting").raiseEvent("end");
  assert.deepEqual(await result("waiting"), [1, 2, 3]);
  await hub.instance("suspended").resume();
  await hub.instance("suspended").raiseEvent("end");
  assert.deepEqual(await result("suspended"), [4, 5, 6]);
  assert.equal(await result("napping"), "awake");
  assert.match((await status("sleeping"))?.waitingFor.join() ?? "", /timer/);
  for (const id of ["child", "locking", "versioned"]) await hub.instance(id).raiseEvent(go, 8);
  assert.equal(await result("parent"), "my child says 8");
  assert.equal(await result("versioned"), "2.1");
  assert.equal(await result("locking"), 11);
  assert.equal(await result("asking"), 111);
  for (const n of [10, 0]) await hub.instance("rounds").raiseEvent(go, n);
  assert.equal(await result("rounds"), 16);
  assert.equal(await result("spreading"), (FANNED * (FANNED - 1)) / 2);
  assert.equal(await result("stalled"), "as it was");
  await until(async () => (await hub.entity(counter, "free").state()) === 12);
}
