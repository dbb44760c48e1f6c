// A hub that is closed: whoever has it open writes nothing more, whatever it is in the middle of.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { claimAll, done, startOf } from "../../conformance/store/stories.ts";
import type { HubRows } from "../move/hub-rows.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { openSchemaHubRows, shownSchema } from "./schema-hub-rows.ts";

const CLOSED = { closed: "The task hub was moved to the moon.", note: undefined };
const OPEN = { closed: undefined, note: undefined };

async function connected(t: TestContext, connectionString: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString });
  await client.connect();
  t.after(() => client.end());
  return client;
}

async function rowsFor(t: TestContext, connectionString: string): Promise<HubRows> {
  const rows = await openSchemaHubRows({ connectionString, create: true });
  t.after(() => rows.close());
  return rows;
}

describe("a closed hub in PostgreSQL", { skip: withoutPostgres(), timeout: 60_000 }, () => {
  it("V4 refuses commits, claims and whoever opens it, with the text that says why; opened again, it goes on", async (t) => {
    const url = await databaseForTests();
    const store = openPostgresStore({ connectionString: url, renewal: "main" });
    t.after(() => store.close());
    await store.open();
    await done(store, startOf("a"));
    const rows = await rowsFor(t, url);
    await rows.setMark(CLOSED);
    const why = { code: "STORE_UNAVAILABLE", message: /moved to the moon/ };
    await assert.rejects(store.commit([startOf("b")]), why);
    await assert.rejects(claimAll(store), why);
    await assert.rejects(openPostgresStore({ connectionString: url }).open(), why);
    await rows.setMark(OPEN);
    await done(store, startOf("b"));
    assert.equal((await claimAll(store)).instances.length, 2);
  });

  it("V4 is closed when everybody has ended who found it open and is in the middle of writing", async (t) => {
    const url = await databaseForTests();
    const rows = await rowsFor(t, url);
    await rows.setMark(OPEN);
    const writer = await connected(t, url);
    await writer.query("begin");
    await writer.query("select closed from ostinato.hubs");
    const order: string[] = [];
    const closing = rows.setMark(CLOSED).then(() => order.push("closed"));
    const watcher = await connected(t, url);
    const waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while ((await watcher.query(waits)).rowCount === 0);
    order.push("written");
    await writer.query("commit");
    await closing;
    assert.deepEqual(order, ["written", "closed"]);
  });

  it("lets go of what was claimed, under higher epochs, however often it is told to rest", async (t) => {
    const url = await databaseForTests();
    const store = openPostgresStore({ connectionString: url, renewal: "main" });
    await store.open();
    await done(store, startOf("a", { keep: true }));
    const rows = await rowsFor(t, url);
    await rows.setMark(CLOSED);
    const [live] = await rows.liveOwners();
    assert.ok(live !== undefined && live.forMs > 0);
    await rows.dismissOwners();
    assert.deepEqual(await rows.liveOwners(), []);
    for (let i = 0; i < 2; i++) await rows.rest();
    const reader = await connected(t, url);
    const { rows: found } = await reader.query("select epoch::int, owner from ostinato.instances");
    assert.deepEqual(found, [{ epoch: 2, owner: null }]);
    assert.equal((await reader.query("select 1 from ostinato.ready")).rowCount, 1);
    assert.equal((await reader.query("select 1 from ostinato.owners")).rowCount, 0);
    await store.close();
  });

  it("is shown without credentials", () => {
    assert.equal(shownSchema("postgres://ada:s3@/cret@db:5432/orders?sslmode=require"), "postgres://db:5432/orders");
    assert.equal(
      shownSchema("postgres:///orders?host=/var/run/postgresql&password=s3cret", "a b", "jobs"),
      "postgres:///orders?host=/var/run/postgresql&hub=a%20b&schema=jobs",
    );
  });
});
