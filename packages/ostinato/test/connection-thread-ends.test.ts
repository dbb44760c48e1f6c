// The connection's thread dies: whoever waits is told what to do, and a hub that is opened again has everything that was acknowledged.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import threads from "node:worker_threads";

const started: threads.Worker[] = [];
const Worker = threads.Worker;
threads.Worker = class extends Worker {
  constructor(...args: ConstructorParameters<typeof Worker>) {
    super(...args);
    if (args[1]?.name === "ostinato-sqlite") started.push(this);
  }
};
syncBuiltinESMExports();
const { openTaskHub } = await import("ostinato");

test("D3 a connection whose thread has ended says so; the file can be opened again at once", { timeout: 30_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-thread-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const url = `sqlite:${join(folder, "hub.db")}`;
  const hub = await openTaskHub(url, { sqliteBody: "thread", log: { level: "silent" } });
  await hub.start("greet", "Ada", { instanceId: "a" });
  assert.equal(started.length, 1);
  const waiting = assert.rejects(
    (async () => {
      for (;;) await hub.start("greet", "x");
    })(),
    { code: "STORE_UNAVAILABLE", message: /thread of the SQLite connection has ended.*Close the hub and open it again/ },
  );
  await started[0]!.terminate();
  await waiting;
  await assert.rejects(hub.instance("a").status(), { code: "STORE_UNAVAILABLE" });
  await hub.close();
  const again = await openTaskHub(url, { sqliteBody: "thread" });
  assert.equal((await again.instance("a").status())?.status, "PENDING");
  assert.deepEqual(await again.checkIntegrity(), []);
  await again.close();
});

test(
  "D3 a connection that works wherever is better goes on here when its thread has ended, unless it was working there",
  { timeout: 30_000 },
  async (t) => {
    const folder = mkdtempSync(join(tmpdir(), "ostinato-thread-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    const before = started.length;
    const hub = await openTaskHub(`sqlite:${join(folder, "here.db")}`);
    await hub.start("greet", "Ada", { instanceId: "a" });
    await started[before]!.terminate();
    assert.equal((await hub.instance("a").status())?.status, "PENDING");
    await hub.start("greet", "Bea", { instanceId: "b" });
    await hub.close();

    // The disk is slow, and everything is carried out there: the thread ends in the middle of a COMMIT.
    const { openAuto } = await import("../src/stores/sqlite/auto-body.ts");
    const { OPEN, pushOperation } = await import("../src/stores/sqlite/wire.ts");
    const group: (string | number)[] = [];
    pushOperation(group, OPEN, 0, (to) => to.push("default"));
    const errors: Error[] = [];
    const isLost = Promise.withResolvers<void>();
    const body = await openAuto(
      { path: join(folder, "there.db"), readOnly: false, walPages: 1_000, commitDelayMs: 500, restless: true },
      {
        onReply: () => undefined,
        onLost(error) {
          errors.push(error);
          isLost.resolve();
        },
      },
    );
    body.send(group);
    await started[before + 1]!.terminate();
    await isLost.promise;
    const told = errors.length;
    body.send(group);
    assert.equal(errors.length, told + 1, "what is asked for after the end of the thread is not answered");
    assert.match(errors.at(-1)!.message, /thread of the SQLite connection has ended/);
    await body.close();
  },
);
