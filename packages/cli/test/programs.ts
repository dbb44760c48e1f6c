// programs: what the instances of the command line's tests run, and a file that holds one in each state.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { activity, externalEvent, openTaskHub, orchestrator } from "ostinato";
import type { Hub, Worker } from "ostinato";

export const add = activity("add", async (ctx, sum: { a: number; b: number }) => sum.a + sum.b);
export const refuse = activity("refuse", async (ctx, why: string): Promise<string> => {
  throw new TypeError(`no: ${why}`);
});
/** Runs until its signal aborts. */
export const dwell = activity("dwell", async (ctx) => {
  await new Promise<void>((resolve) => ctx.signal.addEventListener("abort", () => resolve(), { once: true }));
  return "aborted";
});
const nowhere = activity("nowhere", {});
export const approved = externalEvent<{ by: string }>("approved");

export const chain = orchestrator("chain", async (ctx, start: number) => {
  const first = await ctx.callActivity(add, { a: start, b: 1 });
  return await ctx.callActivity(add, { a: first, b: 1 });
});
export const approval = orchestrator("approval", async (ctx, secret: string) => {
  const got = await ctx.first({ approved: ctx.waitForExternalEvent(approved), timeout: ctx.createTimer("24h") });
  return got.key === "approved" ? `approved by ${got.value.by}` : secret;
});
export const failing = orchestrator("failing", async (ctx) => await ctx.callActivity(refuse, "it is closed"));
export const retrying = orchestrator(
  "retrying",
  async (ctx) => await ctx.callActivity(refuse, "come back later", { retry: { maxNumberOfAttempts: 5, firstRetryInterval: "2h" } }),
);
export const parent = orchestrator(
  "parent",
  async (ctx) => await ctx.callSubOrchestrator(approval, "of the child", { instanceId: "the-child" }),
);
export const unserved = orchestrator("unserved", async (ctx) => await ctx.callActivity(nowhere, undefined));
export const dwelling = orchestrator("dwelling", async (ctx) => await ctx.callActivity(dwell, undefined));

export const orchestrators = [chain, approval, failing, retrying, parent, unserved, dwelling];
export const activities = [add, refuse, dwell];

/** A folder of its own for one test. */
export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "ostinato-cli-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a file's hub with a worker that has everything, which closes with the test. */
export async function openHub(
  t: TestContext,
  url: string,
): Promise<{ readonly hub: Hub; readonly worker: Worker; readonly close: () => Promise<void> }> {
  const hub = await openTaskHub(url, { log: { level: "silent" } });
  const worker = await hub.startWorker({ orchestrators, activities });
  const close = async (): Promise<void> => {
    await worker.stop({ graceMs: 0 });
    await hub.close();
  };
  t.after(close);
  return { hub, worker, close };
}

/** Waits until what an instance waits for begins with these words. */
export async function until(hub: Hub, id: string, words: string): Promise<void> {
  for (;;) {
    const status = await hub.instance(id).status();
    if (status?.waitingFor.some((line) => line.startsWith(words)) === true) return;
    if (status?.completedAt !== undefined) throw new Error(`'${id}' ended and never waited for ${words}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Starts an instance in each state, and waits until it is there. */
export async function populate(hub: Hub): Promise<void> {
  await hub.start(chain, 40, { instanceId: "done", tags: { team: "it" } });
  await hub.start(approval, "s3cret", { instanceId: "asking", tags: { team: "it", "order.id": "17" } });
  await hub.start(failing, undefined, { instanceId: "broken" });
  await hub.start(retrying, undefined, { instanceId: "again" });
  await hub.start(parent, undefined, { instanceId: "the-parent" });
  await hub.start(unserved, undefined, { instanceId: "unserved" });
  await hub.start(chain, 1, { instanceId: "later", startAt: new Date("2999-01-01T00:00:00Z") });
  await hub.start("unknown", undefined, { instanceId: "unbegun", version: "2.0.0" });
  await hub.start(approval, "x", { instanceId: "paused" });
  await hub.instance("done").result();
  await hub
    .instance("broken")
    .result()
    .catch(() => undefined);
  await until(hub, "asking", "external event");
  await until(hub, "again", "timer");
  await until(hub, "the-child", "external event");
  await until(hub, "unserved", "a worker that has activity");
  await until(hub, "paused", "external event");
  await hub.instance("paused").suspend("the bank is closed");
}
