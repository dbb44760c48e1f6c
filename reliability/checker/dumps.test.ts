// The two dumpers, on real runs of the product: what they read is clean, and what is broken by hand in a file is found.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { activity, openTaskHub, orchestrator, type Hub } from "ostinato";
import { createMemoryHub } from "ostinato/memory";
import { createLocalBackend } from "../../packages/ostinato/src/local/local-backend.ts";
import { createHub } from "../../packages/ostinato/src/hub/hub.ts";
import { limitsOf } from "../../packages/ostinato/src/hub/open-task-hub.ts";
import { defaultConverter } from "../../packages/ostinato/src/authoring/payload.ts";
import { systemClock } from "../../packages/ostinato/src/platform/clock.ts";
import { silentLogger } from "../../packages/ostinato/src/platform/logger.ts";
import { systemRandom } from "../../packages/ostinato/src/platform/random.ts";
import { check } from "./check.ts";
import { dumpOfMemory } from "./from-memory.ts";
import { dumpOfFile } from "./from-sqlite.ts";
import { violationText } from "./violation.ts";

const add = activity("add", async (ctx, n: number) => n + 1);
const kid = orchestrator("kid", async (ctx, n: number) => await ctx.callActivity(add, n));
const flow = orchestrator("flow", async (ctx, round: number) => {
  const [a, b] = await ctx.whenAll([ctx.callActivity(add, 1), ctx.callSubOrchestrator(kid, 2)]);
  await ctx.createTimer("5ms");
  const got = await ctx.waitForExternalEvent<number>("go");
  if (round > 0) {
    ctx.continueAsNew(round - 1);
    return 0;
  }
  return a + b + got;
});
const idle = orchestrator("idle", async (ctx) => {
  ctx.createTimer("30d");
  await ctx.waitForExternalEvent("never");
});

async function work(hub: Hub): Promise<void> {
  const worker = await hub.startWorker({ orchestrators: [flow, kid, idle], activities: [add] });
  const one = await hub.start(flow, 1, { instanceId: "one" });
  await one.raiseEvent("go", 10);
  await one.raiseEvent("go", 20);
  assert.equal(await one.result({ timeout: "20s" }), 25);
  const still = await hub.start(idle, undefined, { instanceId: "still" });
  await still.waitForStart();
  await worker.stop();
  await hub.close();
}

const expectations = [
  { instanceId: "one", output: 25 },
  { instanceId: "still", mayGoOn: true },
];

test("a file that the product wrote is clean, and one that was meddled with is not", async () => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-checker-"));
  try {
    const path = join(folder, "hub.db");
    await work(await openTaskHub(`sqlite:${path}`));
    const dump = dumpOfFile(path);
    assert.deepEqual(check({ dump, expectations, atRest: true }).map(violationText), []);
    assert.ok(dump.instances.length >= 3 && dump.messages.length > 0);

    const file = new DatabaseSync(path);
    file.exec("update instances set status = 4 where id = 'one'; delete from messages; delete from history where turn = 2");
    file.close();
    const found = new Set(check({ dump: dumpOfFile(path), expectations, atRest: true }).map((violation) => violation.invariant));
    assert.ok(found.has("H4") && found.has("T2"), [...found].join(", "));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a memory store that the product filled is clean", async () => {
  const memory = createMemoryHub({ clock: systemClock });
  const backend = await createLocalBackend({ store: memory.connect(), clock: systemClock, random: systemRandom, log: silentLogger });
  const world = { clock: systemClock, random: systemRandom, log: silentLogger, processors: 1, hold: () => () => undefined };
  await work(createHub({ ...world, backend, converter: defaultConverter, limits: limitsOf() }));
  assert.deepEqual(check({ dump: dumpOfMemory(memory), expectations, atRest: true }).map(violationText), []);
});
