// A full disk, and one that fails, as a program over a hub meets them.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { TestContext } from "node:test";
import { activity, defaultConverter, orchestrator, type Hub } from "ostinato";
import { openSqliteStore } from "ostinato/sqlite";
import { createHub } from "../src/hub/hub.ts";
import { limitsOf } from "../src/hub/open-task-hub.ts";
import { createLocalBackend } from "../src/local/local-backend.ts";
import { holdProcess, systemClock } from "../src/platform/clock.ts";
import { silentLogger } from "../src/platform/logger.ts";
import { systemRandom } from "../src/platform/random.ts";

interface Disk {
  /** What a COMMIT throws now. */
  error: Error | undefined;
  commits: number;
}

async function hubOn(t: TestContext, disk: Disk): Promise<Hub> {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-disk-"));
  const store = openSqliteStore({
    path: join(folder, "hub.db"),
    body: "inline",
    testing: {
      beforeCommit() {
        disk.commits++;
        if (disk.error !== undefined) throw disk.error;
      },
    },
  });
  const common = { clock: systemClock, random: systemRandom, log: silentLogger };
  const backend = await createLocalBackend({ store, ...common });
  const hub = createHub({ backend, ...common, converter: defaultConverter, limits: limitsOf(), processors: 1, hold: holdProcess });
  t.after(async () => {
    disk.error = undefined;
    await hub.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return hub;
}

const FULL = Object.assign(new Error("database or disk is full"), { errcode: 13 });
const FAILED_FSYNC = Object.assign(new Error("disk I/O error"), { errcode: 1_034 });

for (const [what, error, said] of [
  ["D4 a full disk", FULL, /no room on the disk.*Nothing of this was written.*make room/],
  ["D3 a failing fsync", FAILED_FSYNC, /disk has failed.*1034.*opened anew/],
] as const) {
  test(`${what}: writes are refused and say why, reads go on, and it goes on by itself`, { timeout: 60_000 }, async (t) => {
    const disk: Disk = { error: undefined, commits: 0 };
    const hub = await hubOn(t, disk);
    const gate = Promise.withResolvers<void>();
    const ran: string[] = [];
    const work = activity("work", async (_ctx, name: string) => {
      ran.push(name);
      await gate.promise;
      return `${name} done`;
    });
    const job = orchestrator("job", async (ctx, name: string) => ctx.callActivity(work, name));
    const worker = await hub.startWorker({ orchestrators: [job], activities: [work] });
    const before = await hub.start(job, "before");
    while (ran.length === 0) await before.status();
    const early = await before.status();
    assert.equal(early?.status, "RUNNING");

    disk.error = error;
    await assert.rejects(hub.start(job, "refused", { instanceId: "refused" }), (thrown: Error & { code: string }) => {
      assert.equal(thrown.code, "STORE_UNAVAILABLE");
      assert.match(thrown.message, said);
      assert.match(thrown.message, /hub\.db/);
      return true;
    });
    gate.resolve();
    await assert.rejects(hub.start(job, "refused too"), { code: "STORE_UNAVAILABLE" });
    if (error === FULL) {
      assert.equal((await before.status())?.status, "RUNNING");
      assert.equal(await hub.instance("refused").status(), undefined);
    }
    assert.equal(hub.counters()["callsRefused"], 2);

    disk.error = undefined;
    assert.equal(await before.result({ timeout: "40s" }), "before done");
    assert.equal(await (await hub.start(job, "after")).result({ timeout: "20s" }), "after done");
    assert.equal(await hub.instance("refused").status(), undefined);

    const idle = disk.commits;
    for (let i = 0; i < 20; i++) await hub.instance("refused").status();
    assert.equal(disk.commits, idle, "a healthy hub does not probe its disk");
    await worker.stop();
  });
}
