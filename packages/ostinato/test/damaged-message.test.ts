// A message that cannot be read stops its own instance, visibly, and nothing else.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { activity, entity, openTaskHub, orchestrator } from "ostinato";

const hello = activity("hello", async (_ctx, name: string) => `Hello ${name}!`);
const greet = orchestrator("greet", async (ctx, name: string) => ctx.callActivity(hello, name));

test("D5 R4 a damaged message sets its instance aside with a reason, and others go on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-damaged-"));
  try {
    const file = join(folder, "hub.db");
    const before = await openTaskHub(`sqlite:${file}`);
    await before.start(greet, "Ada", { instanceId: "damaged" });
    await before.start(greet, "Grace", { instanceId: "sound" });
    await before.close();

    const db = new DatabaseSync(file);
    db.exec("update messages set body = 'x' || body where number = (select number from instances where id = 'damaged')");
    db.close();

    const hub = await openTaskHub(`sqlite:${file}`, { log: { level: "silent" } });
    const worker = await hub.startWorker({ orchestrators: [greet], activities: [hello] });
    assert.equal(await hub.instance(greet, "sound").result({ timeout: "10s" }), "Hello Grace!");
    const status = await hub.instance("damaged").status();
    assert.equal(status?.status, "PENDING");
    assert.equal(status.stall?.kind, "set-aside");
    assert.match(status.stall.reason, /cannot be read/);
    assert.equal(hub.counters()["instancesSetAside"], 1);

    await hub.instance("damaged").terminate();
    await worker.stop();
    await hub.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

const counter = entity("counter", { initial: () => 0 }).operations({ add: (state, amount: number) => state.set(state.value + amount) });
const ask = orchestrator("ask", async (ctx, key: string) => ctx.entity(counter, key).add(1));

test("D5 R4 a damaged operation sets its entity aside with a reason that can be acted upon, and others go on", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-damaged-"));
  try {
    const file = join(folder, "hub.db");
    const before = await openTaskHub(`sqlite:${file}`);
    for (const key of ["damaged", "sound"]) await before.entity(counter, key).signal.add(1);
    await before.close();

    const db = new DatabaseSync(file);
    db.exec("update messages set body = 'x' || body where number = (select number from instances where id = '@counter@damaged')");
    db.close();

    const hub = await openTaskHub(`sqlite:${file}`, { log: { level: "silent" } });
    const worker = await hub.startWorker({ entities: [counter], orchestrators: [ask] });
    assert.equal(await (await hub.start(ask, "sound")).result({ timeout: "10s" }), 2);
    const { stall } = (await hub.entity(counter, "damaged").metadata()) ?? {};
    assert.equal(stall?.kind, "set-aside");
    assert.match(stall.reason, /cannot be read/);
    assert.doesNotMatch(stall.reason, /terminate/, "an entity cannot be terminated");
    await worker.stop();
    await hub.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});
