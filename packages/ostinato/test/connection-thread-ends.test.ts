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
