// What one process writes for later, another one runs in time.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { openTaskHub, orchestrator } from "../../index.ts";

const instantOf = orchestrator("instantOf", async (ctx) => ctx.currentUtcDateTime.getTime());

describe("PostgreSQL", { skip: withoutPostgres() }, () => {
  test("T2 L6 an instance that a process without a worker starts for later begins in time in a worker of another process", async () => {
    const url = await databaseForTests({});
    const worker = await openTaskHub(url);
    const client = await openTaskHub(url);
    after(async () => {
      await client.close();
      await worker.close();
    });
    await worker.startWorker({ orchestrators: [instantOf] });
    // It has looked for work, and found nothing to wait for.
    assert.ok((await (await client.start(instantOf)).result({ timeout: "10s" })) > 0);
    const startAt = new Date(Date.now() + 1_000);
    const began = await (await client.start(instantOf, undefined, { startAt })).result({ timeout: "8s" });
    assert.ok(began >= startAt.getTime(), `it began ${startAt.getTime() - began} ms early`);
  });
});
