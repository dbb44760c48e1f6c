// D8: a backup under load, restored elsewhere, goes on from its moment: every instance ends exactly once, and none is half of anything.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { activity, openTaskHub, orchestrator, type Hub } from "ostinato";
import { restoreTaskHub } from "ostinato/sqlite";

const STEPS = 5;
let keys = new Map<string, number>();
const step = activity("step", async (ctx, n: number) => {
  keys.set(ctx.idempotencyKey, (keys.get(ctx.idempotencyKey) ?? 0) + 1);
  return n;
});
const child = orchestrator("child", async (ctx, n: number) => ctx.callActivity(step, n));
const story = orchestrator("story", async (ctx, first: number) => {
  let sum = 0;
  for (let i = 0; i < STEPS; i++) sum += await ctx.callActivity(step, first + i);
  await ctx.createTimer("20ms");
  return sum + (await ctx.callSubOrchestrator(child, first));
});
const registered = { orchestrators: [story, child], activities: [step] };
const sumOf = (first: number): number => STEPS * first + (STEPS * (STEPS - 1)) / 2 + first;

async function statuses(hub: Hub): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  for await (const status of hub.query()) found.set(status.id, status.status);
  return found;
}

test("D8 H3 a backup under load, restored elsewhere, goes on and ends everything once", { timeout: 120_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-story-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const hub = await openTaskHub(`sqlite:${join(folder, "hub.db")}`);
  t.after(() => hub.close());
  const worker = await hub.startWorker(registered);
  const backup = join(folder, "backup.db");
  let stop = false;
  let count = 0;
  const starting = (async () => {
    while (!stop) {
      const at = count++;
      const instance = await hub.start(story, at, { instanceId: `s${at}` });
      if (at % 4 === 0) await instance.result();
    }
  })();
  while (count < 40) await hub.instance("s0").status();
  await hub.backup(backup);
  const atBackup = count;
  while (count < atBackup + 20) await hub.instance("s0").status();
  stop = true;
  await starting;
  for (let at = 0; at < count; at++) assert.equal(await hub.instance(story, `s${at}`).result({ timeout: "60s" }), sumOf(at));
  assert.deepEqual(await hub.checkIntegrity(), []);
  await worker.stop();
  await hub.close();

  keys = new Map();
  const url = `sqlite:${join(folder, "elsewhere.db")}`;
  assert.deepEqual(await restoreTaskHub(backup, url), []);
  await assert.rejects(restoreTaskHub(backup, url), { code: "INVALID_STATE" });
  await assert.rejects(restoreTaskHub(backup, "memory:"), { code: "INVALID_ARGUMENT" });
  const restored = await openTaskHub(url);
  t.after(() => restored.close());
  const before = await statuses(restored);
  const stories = [...before.keys()].filter((id) => id.startsWith("s"));
  const open = stories.filter((id) => before.get(id) !== "COMPLETED");
  assert.ok(stories.length >= 40 && open.length > 0, `${open.length} of ${stories.length} were open when the backup was made`);
  assert.ok(stories.length <= atBackup + 1);

  const going = await restored.startWorker(registered);
  for (const id of stories) assert.equal(await restored.instance(story, id).result({ timeout: "60s" }), sumOf(Number(id.slice(1))), id);
  for (const status of (await statuses(restored)).values()) assert.equal(status, "COMPLETED");
  for (const id of stories) {
    const kinds: string[] = [];
    const done = new Set<number>();
    for await (const event of restored.instance(id).history()) {
      kinds.push(event.kind);
      if (event.kind === "TaskCompleted") {
        assert.ok(!done.has(event.taskScheduledId), `${id} has two completions of task ${event.taskScheduledId}`);
        done.add(event.taskScheduledId);
      }
    }
    assert.equal(kinds.filter((kind) => kind === "ExecutionCompleted").length, 1, id);
    assert.equal(done.size, STEPS, id);
  }
  assert.ok(
    [...keys.values()].every((times) => times === 1),
    "no activity ran twice in the life that was restored",
  );
  assert.deepEqual(await restored.checkIntegrity(), []);
  await going.stop();
});

test("a hub in memory says that there is no file, and what has one", async () => {
  const hub = await openTaskHub("memory:");
  for (const ask of [() => hub.backup("x.db"), () => hub.sizes(), () => hub.checkIntegrity()])
    await assert.rejects(ask, { code: "UNSUPPORTED", message: /sqlite:orders\.db/ });
  await hub.close();
  await assert.rejects(hub.sizes(), { code: "HUB_CLOSED" });
});
