// Task hubs in PostgreSQL as their users open them: by URL, beside one another, with a pool of one's own, only to look, with few rights.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../../scripts/postgres-for-tests.ts";
import { activity, externalEvent, openTaskHub, orchestrator } from "../index.ts";
import type { Hub, HubOptions } from "../index.ts";
import { migratePostgres } from "../postgres.ts";
import { POSTGRES_FORMAT, POSTGRES_MIGRATIONS } from "../stores/postgres/schema.ts";
import type { PostgresMigration } from "../stores/postgres/schema.ts";

const greet = activity("greet", async (_ctx, name: string) => `Hello ${name}`);
const chain = orchestrator("chain", async (ctx, name: string) => {
  const first = await ctx.callActivity(greet, name);
  await ctx.createTimer("1ms");
  return [first, await ctx.callActivity(greet, `${name} again`)];
});

/** Runs one instance on a hub of this URL, and gives what came of it. */
async function runOne(url: string, id: string, options?: HubOptions): Promise<unknown> {
  const hub = await openTaskHub(url, options);
  try {
    await hub.startWorker({ orchestrators: [chain], activities: [greet] });
    return await (await hub.start(chain, id, { instanceId: id })).result({ timeout: "20s" });
  } finally {
    await hub.close();
  }
}

async function idsOf(hub: Hub): Promise<string[]> {
  const found: string[] = [];
  for await (const { id } of hub.query()) found.push(id);
  return found;
}

describe("a task hub in PostgreSQL", { skip: withoutPostgres() }, () => {
  it("is made by opening it; hubs and schemas of one database know nothing of one another", async () => {
    const url = await databaseForTests();
    assert.deepEqual(await runOne(url, "a"), ["Hello a", "Hello a again"]);
    assert.deepEqual(await runOne(`${url}?hub=orders+%27x%27%3B--`, "a"), ["Hello a", "Hello a again"]);
    assert.deepEqual(await runOne(`${url}?schema=Other&hub=default`, "b"), ["Hello b", "Hello b again"]);
    const seen = async (address: string): Promise<string[]> => {
      const hub = await openTaskHub(address, { readOnly: true });
      try {
        return await idsOf(hub);
      } finally {
        await hub.close();
      }
    };
    assert.deepEqual(await seen(url), ["a"]);
    assert.deepEqual(await seen(`${url}?hub=orders 'x';--`), ["a"]);
    assert.deepEqual(await seen(`${url}?schema=Other`), ["b"]);
  });

  it("that is opened to look makes nothing, takes nothing and writes nothing", async () => {
    const url = await databaseForTests();
    await assert.rejects(openTaskHub(url, { readOnly: true }), { code: "STORE_FORMAT", message: /has no task hub/ });
    const waiting = await openTaskHub(`${url}?hub=orders`);
    await waiting.start(chain, "x", { instanceId: "waits" });
    await assert.rejects(openTaskHub(url, { readOnly: true }), {
      code: "STORE_FORMAT",
      message: /no task hub "default".*there are "orders"/,
    });

    const looking = await openTaskHub(`${url}?hub=orders`, { readOnly: true });
    assert.equal((await looking.instance("waits").status())?.status, "PENDING");
    assert.deepEqual(await idsOf(looking), ["waits"]);
    for (const refused of [
      looking.start(chain, "y"),
      looking.instance("waits").terminate(),
      looking.startWorker({ orchestrators: [chain] }),
    ])
      await assert.rejects(refused, { code: "UNSUPPORTED", message: /opened to read/ });
    await looking.close();
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    const { rows } = await client.query("select count(*)::int as owners from ostinato.owners");
    await client.end();
    assert.deepEqual(rows, [{ owners: 1 }], "who looks is no owner");
    await waiting.close();
  });

  it("works with a pool of one's own, which is not ended", async () => {
    const url = await databaseForTests();
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    assert.deepEqual(await runOne("postgres:?hub=mine", "a", { postgres: { pool } }), ["Hello a", "Hello a again"]);
    const { rows } = await pool.query("select name from ostinato.hubs");
    assert.deepEqual(rows, [{ name: "mine" }]);
    await pool.end();
  });

  it("serves a role that may create nothing, once an administrator has migrated for it", async () => {
    const url = await databaseForTests();
    const name = `app_${new URL(url).pathname.slice(-6)}`;
    const administrator = new pg.Client({ connectionString: url });
    await administrator.connect();
    await administrator.query(`create role ${name} login password 'hush'`);
    await migratePostgres({ connectionString: url, grantTo: name });
    const app = new URL(url);
    app.username = name;
    app.password = "hush";
    assert.deepEqual(await runOne(app.href, "a"), ["Hello a", "Hello a again"]);
    const hub = await openTaskHub(app.href);
    assert.equal(await hub.instance("a").purge(), 1);
    await hub.close();
    await administrator.query(`drop owned by ${name}; drop role ${name}`);
    await administrator.end();
  });

  it("V2 goes on while its schema is migrated under it, and opens beside the next version", async () => {
    const url = await databaseForTests();
    const hub = await openTaskHub(url);
    const go = externalEvent("go");
    const waits = orchestrator("waits", async (ctx) => {
      await ctx.waitForExternalEvent(go);
      return await ctx.callActivity(greet, "after");
    });
    await hub.startWorker({ orchestrators: [waits, chain], activities: [greet] });
    const before = await hub.start(waits, undefined);
    await before.waitForStart({ timeout: "20s" });
    const next: PostgresMigration = {
      format: POSTGRES_FORMAT + 1,
      readableBy: POSTGRES_FORMAT,
      statements: `
        alter table {schema}.instances add column priority smallint not null default 0;
        alter table {schema}.messages add column origin text;
        create index instances_by_priority on {schema}.instances(hub, priority) where priority > 0;
        create function {schema}.commit_2() returns int language sql as 'select 2';`,
    };
    const did = await migratePostgres({ connectionString: url, testing: { migrations: [...POSTGRES_MIGRATIONS, next] } });
    assert.deepEqual(did.applied, [POSTGRES_FORMAT + 1]);
    await before.raiseEvent(go);
    assert.equal(await before.result({ timeout: "20s" }), "Hello after");
    assert.deepEqual(await runOne(url, "a"), ["Hello a", "Hello a again"]);
    await hub.close();
  });

  it("is named by OSTINATO_URL as well", async (t) => {
    const url = await databaseForTests();
    process.env["OSTINATO_URL"] = `${url}?hub=named`;
    t.after(() => delete process.env["OSTINATO_URL"]);
    const hub = await openTaskHub();
    assert.deepEqual(await idsOf(hub), []);
    await hub.close();
  });
});

describe("retention in PostgreSQL", { skip: withoutPostgres() }, () => {
  const breaks = orchestrator("breaks", async () => {
    throw new Error("broken");
  });
  const audit = orchestrator("audit", async () => "kept");

  it("C8 HK5 what is over goes once, whichever process removes it, by orchestration and by outcome; nothing of it is left", async () => {
    const url = await databaseForTests();
    const forever = await openTaskHub(url, { retention: 0 });
    await forever.startWorker({ orchestrators: [chain, breaks, audit], activities: [greet] });
    const chains = Array.from({ length: 60 }, (_, i) => forever.start(chain, "Ada", { instanceId: `c${i}` }));
    for (const started of chains) await (await started).result({ timeout: "30s" });
    for (let i = 0; i < 3; i++) await (await forever.start(audit, undefined, { instanceId: `kept${i}` })).result({ timeout: "30s" });
    await assert.rejects((await forever.start(breaks, undefined, { instanceId: "failed" })).result({ timeout: "30s" }));
    assert.equal((await forever.sizes()).instances.COMPLETED, 63);
    await forever.close();

    const retention = { completed: "1ms", failed: 0, orchestrators: { audit: 0 } } as const;
    const hubs = [await openTaskHub(url, { retention }), await openTaskHub(url, { retention })];
    for (const hub of hubs) await hub.startWorker({ orchestrators: [breaks] });
    while ((await hubs[0]!.sizes()).instances.COMPLETED > 3);
    assert.deepEqual((await idsOf(hubs[1]!)).sort(), ["failed", "kept0", "kept1", "kept2"]);
    for (const hub of hubs) await hub.close();
    assert.equal(
      hubs.reduce((sum, hub) => sum + (hub.counters()["instancesRetired"] ?? 0), 0),
      60,
    );

    const client = new pg.Client({ connectionString: url });
    await client.connect();
    for (const table of ["payloads", "history", "messages", "activities", "ready", "news"]) {
      const { rows } = await client.query(
        `select count(*)::int as left from ostinato.${table} t where not exists (select 1 from ostinato.instances i where i.number = t.number)`,
      );
      assert.deepEqual(rows, [{ left: 0 }], table);
    }
    await client.end();
  });
});

describe("what cannot be opened in PostgreSQL", () => {
  it("is refused by name", async () => {
    const refused = async (url: string, options: HubOptions, message: RegExp): Promise<void> =>
      assert.rejects(openTaskHub(url, options), { code: "INVALID_ARGUMENT", message });
    await refused("postgres:?hub=x", {}, /leads to no database.*hand a pool in/);
    await refused("postgres://db/x?schema=pg_x", {}, /schema name "pg_x" belongs to PostgreSQL/);
    await refused("postgres://db/x", { postgres: { connection: 4 } as object }, /connection/);
    await refused("postgres://db/x", { postgres: { connections: 0 } }, /postgres.connections must be a whole number/);
    await refused("postgres://db/x", { postgres: { renewal: "process" as "main" } }, /postgres.renewal/);
    await refused("postgres:?hub=x", { postgres: { renewal: "thread", pool: new pg.Pool() } }, /needs a connection of its own/);
    await refused("sqlite:never-made.db", { postgres: {} }, /not in PostgreSQL/);
    await refused("grpc://localhost:1", { postgres: {} }, /postgres means nothing for a remote task hub/);
  });

  it("a server that does not answer is named, and no password", async () => {
    await assert.rejects(openTaskHub("postgres://ada:s3cret@127.0.0.1:1/orders"), (error: Error & { code?: string }) => {
      assert.equal(error.code, "STORE_UNAVAILABLE");
      assert.match(error.message, /PostgreSQL at 127\.0\.0\.1:1 \(database "orders"\) cannot be reached/);
      assert.doesNotMatch(error.message, /s3cret/);
      return true;
    });
  });
});
