// Schemas on a real server: made, migrated by two at once, refused in words, and used by a role that may create nothing.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import type { TestContext } from "node:test";
import pg from "pg";
import { dropDatabase, freshDatabaseOn, startPostgres, whyNoPostgres } from "../../../../../scripts/throw-away-postgres.ts";
import type { ThrowAwayPostgres } from "../../../../../scripts/throw-away-postgres.ts";
import { inSchema } from "./functions.ts";
import { migratePostgres, postgresFormat, postgresGrants, prepareSchema } from "./migrate.ts";
import { withConnection } from "./place.ts";
import { POSTGRES_FORMAT, POSTGRES_MIGRATIONS } from "./schema.ts";
import type { PostgresMigration } from "./schema.ts";

const [FIRST] = POSTGRES_MIGRATIONS as readonly [PostgresMigration];
/** What a next version might bring: a column with a default, and a successor of a function. Nothing that format 1 reads is touched. */
const SECOND: PostgresMigration = {
  format: 2,
  readableBy: 1,
  statements: `
    alter table {schema}.instances add column priority smallint not null default 0;
    create table {schema}.notes(number bigint primary key, text text not null);
    create function {schema}.now_2() returns bigint language sql as $$ select {schema}.now_1() $$;
    ${/create function \{schema\}\.commit_1\([^]*?\nend \$\$;/.exec(FIRST.statements)?.[0].replace("commit_1", "commit_2") ?? assert.fail("there is no commit_1")}`,
};
const THIRD: PostgresMigration = { format: 3, readableBy: 1, statements: "alter table {schema}.instances add column third int;" };
const INCOMPATIBLE: PostgresMigration = { ...SECOND, readableBy: 2 };
const BROKEN: PostgresMigration = { ...SECOND, statements: `${SECOND.statements} select 1 / 0;` };

interface Database {
  readonly url: string;
  readonly ask: (text: string) => Promise<Readonly<Record<string, unknown>>[]>;
}

/** Asks once, on a connection of its own; of several statements the last one answers. */
function asked(url: string, text: string): Promise<Readonly<Record<string, unknown>>[]> {
  return withConnection({ connectionString: url }, async (one) => {
    const answers = [await one.query({ text: inSchema(text, "ostinato") })].flat();
    return [...(answers.at(-1)?.rows ?? [])];
  });
}

describe("schemas of task hubs", { skip: whyNoPostgres() ?? false }, () => {
  let server = process.env["OSTINATO_TEST_POSTGRES"] ?? "";
  let own: ThrowAwayPostgres | undefined;
  before(async () => {
    if (server === "") server = (own = await startPostgres({ fsync: false })).url;
  });
  after(() => own?.stop());

  /** An empty database, and a way to ask it. */
  async function database(t: TestContext): Promise<Database> {
    const url = await freshDatabaseOn(server);
    t.after(() => dropDatabase(url));
    return { url, ask: (text) => asked(url, text) };
  }

  const prepare = (url: string, options: { schema?: string; readOnly?: boolean; migrations?: readonly PostgresMigration[] } = {}) =>
    withConnection({ connectionString: url }, (one) =>
      prepareSchema(one, options.schema ?? "ostinato", { place: { connectionString: url }, ...options }),
    );

  /** A role of this test alone, which may log in and nothing else; its URL. It is there as long as its database. */
  async function role(t: TestContext, name: string, { url, ask }: Database): Promise<{ name: string; url: string }> {
    const unique = `${name}_${new URL(url).pathname.slice(-6)}`;
    await ask(`create role "${unique}" login password 'hush'`);
    t.after(() => asked(server, `drop role "${unique}"`));
    const address = new URL(url);
    address.username = unique;
    address.password = "hush";
    return { name: unique, url: address.href };
  }

  it("V2 connecting makes a schema where there is none, once, and changes nothing afterwards", async (t) => {
    const { url, ask } = await database(t);
    assert.equal(await postgresFormat({ connectionString: url }), undefined);
    await assert.rejects(prepare(url, { readOnly: true }), { code: "STORE_FORMAT", message: /no task hub.*without \{ readOnly: true \}/ });
    assert.equal(await postgresFormat({ connectionString: url }), undefined);

    const made = { format: POSTGRES_FORMAT, readableBy: POSTGRES_MIGRATIONS.at(-1)!.readableBy };
    assert.deepEqual(await prepare(url), made);
    const before = await ask("select oid, relname from pg_class where relnamespace = 'ostinato'::regnamespace order by oid");
    assert.deepEqual(await prepare(url), made);
    assert.deepEqual(await prepare(url, { readOnly: true }), made);
    assert.deepEqual(await ask("select oid, relname from pg_class where relnamespace = 'ostinato'::regnamespace order by oid"), before);
    assert.deepEqual(await postgresFormat({ connectionString: url }), made);
  });

  it("many at once find one schema, whole", async (t) => {
    const { url, ask } = await database(t);
    const formats = await Promise.all(Array.from({ length: 8 }, () => prepare(url)));
    assert.deepEqual(new Set(formats.map(({ format }) => format)), new Set([POSTGRES_FORMAT]));

    const migrations = [FIRST, SECOND];
    const done = await Promise.all(Array.from({ length: 8 }, () => migratePostgres({ connectionString: url, testing: { migrations } })));
    assert.deepEqual(
      done.flatMap(({ applied }) => applied),
      [2],
      "one of them migrates, the others find it done",
    );
    assert.deepEqual(await ask("select key, value from ostinato.meta order by key"), [
      { key: "format", value: "2" },
      { key: "readable_by", value: "1" },
    ]);
  });

  it("V2 an older schema is refused with what to do, and migrated only when somebody says so", async (t) => {
    const { url } = await database(t);
    const migrations = [FIRST, SECOND];
    await migratePostgres({ connectionString: url, testing: { migrations: [FIRST] } });
    await assert.rejects(prepare(url, { migrations }), {
      code: "STORE_FORMAT",
      message: /has format 1, and this version of Ostinato needs format 2\. Connecting changes no schema: run `npx @ostinato\/cli migrate/,
    });
    const would = await migratePostgres({ connectionString: url, dryRun: true, testing: { migrations } });
    assert.deepEqual([would.from, would.to, would.applied], [1, 2, [2]]);
    assert.match(would.statements.join(";\n"), /alter table "ostinato"\.instances add column priority/);
    assert.equal((await postgresFormat({ connectionString: url }))?.format, 1);

    const did = await migratePostgres({ connectionString: url, testing: { migrations } });
    assert.deepEqual(did, would);
    assert.equal((await prepare(url, { migrations })).format, 2);
    const again = await migratePostgres({ connectionString: url, testing: { migrations } });
    assert.deepEqual(again, { from: 2, to: 2, applied: [], statements: [] });
  });

  it("V2 the version before works on beside a newer schema, as long as that says so", async (t) => {
    const { url, ask } = await database(t);
    await migratePostgres({ connectionString: url, testing: { migrations: [FIRST, SECOND] } });
    assert.deepEqual(await prepare(url, { migrations: [FIRST] }), { format: 2, readableBy: 1 });
    assert.deepEqual((await migratePostgres({ connectionString: url, testing: { migrations: [FIRST] } })).applied, []);
    const [registered] = await ask("select * from ostinato.register_1('default', null, 15000, 'a process of the version before')");
    assert.ok(Number(registered?.["o_owner"]) > 0);

    await ask("update ostinato.meta set value = 2 where key = 'readable_by'");
    for (const attempt of [
      () => prepare(url, { migrations: [FIRST] }),
      () => migratePostgres({ connectionString: url, testing: { migrations: [FIRST] } }),
    ])
      await assert.rejects(attempt, { code: "STORE_FORMAT", message: /has format 2, made by a later version.*this one knows format 1/ });
    assert.equal((await prepare(url, { migrations: [FIRST, INCOMPATIBLE] })).format, 2);
  });

  it("a migration is whole or not at all, the first ones together", async (t) => {
    const { url, ask } = await database(t);
    await assert.rejects(migratePostgres({ connectionString: url, testing: { migrations: [FIRST, BROKEN] } }), /division by zero/);
    assert.equal(await postgresFormat({ connectionString: url }), undefined);
    assert.deepEqual(await ask("select 1 from pg_namespace where nspname = 'ostinato'"), []);

    await prepare(url, { migrations: [FIRST] });
    await assert.rejects(migratePostgres({ connectionString: url, testing: { migrations: [FIRST, BROKEN] } }), /division by zero/);
    assert.equal((await postgresFormat({ connectionString: url }))?.format, 1);
    assert.deepEqual(await ask("select 1 from pg_class where relname = 'notes'"), []);
  });

  it("a migration lets those go first who work with a table, and stands in nobody's way meanwhile", async (t) => {
    const { url, ask } = await database(t);
    await prepare(url, { migrations: [FIRST] });
    const busy = new pg.Client({ connectionString: url });
    await busy.connect();
    await busy.query("begin; select count(*) from ostinato.instances");
    const migrating = migratePostgres({ connectionString: url, testing: { migrations: [FIRST, SECOND], lockMs: 100 } });
    // Queued behind the migration while that waits; were there no end to its waiting, there would be none to this.
    for (let look = 0; look < 5; look++) await ask("select count(*) from ostinato.instances");
    await busy.query("commit");
    assert.deepEqual((await migrating).applied, [2]);

    await busy.query("begin; lock table ostinato.instances in access share mode");
    await assert.rejects(migratePostgres({ connectionString: url, testing: { migrations: [FIRST, SECOND, THIRD], lockMs: 1 } }), {
      code: "STORE_UNAVAILABLE",
      message: /could not be changed: others held its tables all the time.*try again/,
    });
    assert.equal((await postgresFormat({ connectionString: url }))?.format, 2);
    await busy.end();
  });

  it("who may create nothing is told whom to ask; what that person runs is enough, also for what comes later", async (t) => {
    const it = await database(t);
    const name = new URL(it.url).pathname.slice(1);
    await it.ask(`revoke create on schema public from public; revoke temporary on database ${name} from public`);
    const app = await role(t, "app", it);
    const asApp = (text: string): Promise<unknown[]> => asked(app.url, text);
    await assert.rejects(prepare(app.url), {
      code: "ACCESS_DENIED",
      message:
        /cannot be made or changed by this role: permission denied for database.*Ask an administrator to run `npx @ostinato\/cli migrate postgres:\/\/\.\.\. --grant-to <this role>`/,
    });
    await prepare(it.url, { migrations: [FIRST] });
    const denied = await prepare(app.url).catch((error: unknown) => error as Error & { code: string });
    assert.ok("code" in denied);
    assert.equal(denied.code, "ACCESS_DENIED");
    assert.match(denied.message, new RegExp(`role "${app.name}" may not use.*--grant-to ${app.name}`));
    assert.doesNotMatch(denied.message, /hush/);

    const granted = await migratePostgres({ connectionString: it.url, grantTo: app.name, testing: { migrations: [FIRST] } });
    assert.deepEqual(granted.statements, postgresGrants(app.name));
    assert.equal((await prepare(app.url, { migrations: [FIRST] })).format, 1);
    await asApp("select * from {schema}.register_1('default', null, 15000, 'app')");
    assert.deepEqual(await asApp("select alive from {schema}.renew_1(1, 15000)"), [{ alive: true }]);
    await asApp("select {schema}.read_1(1, null, '{a}')");
    for (const forbidden of [
      "create table {schema}.mine(x int)",
      "create table public.mine(x int)",
      "create temporary table mine(x int)",
      "create function {schema}.mine() returns int language sql as 'select 1'",
      "alter table {schema}.instances add column mine int",
      "drop table {schema}.instances",
      "truncate {schema}.instances",
      "update {schema}.meta set value = 7",
      "create schema mine",
    ])
      await assert.rejects(asApp(forbidden), (error: { code?: string }) => error.code === "42501", forbidden);

    await migratePostgres({ connectionString: it.url, testing: { migrations: [FIRST, SECOND] } });
    await asApp("insert into {schema}.notes values (1, 'of a later format')");
    await asApp("select {schema}.now_2()");
    await assert.rejects(migratePostgres({ connectionString: it.url, grantTo: "nobody at all" }), {
      code: "INVALID_ARGUMENT",
      message: /no role "nobody at all"/,
    });
  });

  it("functions have the rights of who calls them", async (t) => {
    const { url, ask } = await database(t);
    await prepare(url);
    assert.deepEqual(await ask("select proname from pg_proc where pronamespace = 'ostinato'::regnamespace and prosecdef"), []);
  });

  it("what is somebody else's stays theirs", async (t) => {
    const { url, ask } = await database(t);
    await ask("create schema a; create table a.meta(key text primary key, value text); insert into a.meta values ('format', 'mine')");
    await ask("create schema b; create table b.meta(name text)");
    await ask("create schema c; create table c.instances(x int); insert into c.instances values (1)");
    for (const schema of ["a", "b", "c"]) {
      await assert.rejects(prepare(url, { schema }), { code: "STORE_FORMAT", message: /no task hub's. Nothing was changed/ }, schema);
      await assert.rejects(migratePostgres({ connectionString: url, schema }), { code: "STORE_FORMAT" }, schema);
    }
    assert.deepEqual(await ask("select count(*)::int as tables from pg_tables where schemaname in ('a', 'b', 'c')"), [{ tables: 3 }]);
  });

  it("schemas have any name that is one, and stand side by side", async (t) => {
    const { url, ask } = await database(t);
    for (const schema of ["Orders-2", "orders"]) await migratePostgres({ connectionString: url, schema });
    await migratePostgres({ connectionString: `${url}?hub=any&schema=_` });
    assert.equal((await postgresFormat({ connectionString: `${url}?schema=_`, schema: "_" }))?.format, POSTGRES_FORMAT);
    await assert.rejects(migratePostgres({ connectionString: `${url}?schema=_`, schema: "orders" }), {
      code: "INVALID_ARGUMENT",
      message: /says another schema than "orders"/,
    });
    assert.deepEqual(
      (await ask("select schemaname from pg_tables where tablename = 'instances' order by 1")).map((row) => row["schemaname"]),
      ["Orders-2", "_", "orders"],
    );
    await assert.rejects(migratePostgres({ connectionString: url, schema: 'x"; drop schema orders; --' }), { code: "INVALID_ARGUMENT" });
  });

  it("a pool that is handed in is used, given back, and not ended", async (t) => {
    const { url } = await database(t);
    const pool = new pg.Pool({ connectionString: url, max: 1 });
    assert.deepEqual(
      (await migratePostgres({ pool })).applied,
      POSTGRES_MIGRATIONS.map(({ format }) => format),
    );
    await assert.rejects(migratePostgres({ pool, grantTo: "nobody" }), { code: "INVALID_ARGUMENT" });
    assert.equal((await postgresFormat({ pool }))?.format, POSTGRES_FORMAT);
    await pool.end();
  });

  it("a database that cannot hold every text, or that is not there, is refused", async (t) => {
    const { ask } = await database(t);
    const name = `latin_${Date.now()}`;
    await ask(`create database ${name} encoding 'LATIN1' locale 'C' template template0`);
    const latin = new URL(server);
    latin.pathname = `/${name}`;
    t.after(() => dropDatabase(latin.href));
    await assert.rejects(prepare(latin.href), { code: "UNSUPPORTED", message: /keeps text as LATIN1.*'UTF8'/ });
    latin.pathname = "/nowhere";
    await assert.rejects(prepare(latin.href), { code: "STORE_UNAVAILABLE", message: /database "nowhere".*Create the database first/ });
  });
});

describe("a server that is not there", () => {
  it("is told with its place, and nobody's password", async () => {
    await assert.rejects(migratePostgres({ connectionString: "postgres://ada:s3cret@127.0.0.1:1/orders" }), (error: Error) => {
      assert.match(error.message, /^PostgreSQL at 127\.0\.0\.1:1 \(database "orders"\) cannot be reached: .*Nothing listens there/);
      assert.doesNotMatch(error.message, /s3cret|ada/);
      return true;
    });
    await assert.rejects(migratePostgres({ connectionString: "postgres://ada:s3cr@/et@127.0.0.1:port/orders" }), (error: Error) => {
      assert.match(error.message, /cannot be reached/);
      assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /s3cr|et@/);
      return true;
    });
    await assert.rejects(migratePostgres({}), { code: "INVALID_ARGUMENT", message: /needs \{ connectionString/ });
  });
});
