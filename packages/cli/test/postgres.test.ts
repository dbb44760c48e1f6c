// The commands over a task hub in PostgreSQL, one story for each.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EXIT } from "@ostinato/cli";
import { openTaskHub } from "ostinato";
import { postgresFormat } from "ostinato/postgres";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../scripts/postgres-for-tests.ts";
import { openHub, populate } from "./programs.ts";
import { inProcess, jsonLines, type Ended } from "./ostinato.ts";

async function ask(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}

describe("migrate", { skip: withoutPostgres() }, () => {
  it("makes a schema, shows beforehand what it would do, and does it once", async () => {
    const url = await databaseForTests();
    const before = await inProcess(["migrate", url, "--dry-run"]);
    assert.equal(before.exitCode, EXIT.no);
    assert.match(before.out, /^create schema if not exists "ostinato";\ncreate table "ostinato"\.meta/);
    assert.match(before.err, /would have format 1, made anew\. Nothing was changed\./);
    assert.equal(await postgresFormat({ connectionString: url }), undefined);

    const did = await inProcess(["migrate", url]);
    assert.deepEqual([did.exitCode, did.out, did.err], [EXIT.ok, "The schema has format 1, made anew.\n", ""]);
    const again = await inProcess(["migrate"], { env: { OSTINATO_URL: url } });
    assert.deepEqual([again.exitCode, again.out], [EXIT.ok, "The schema has format 1: there is nothing to migrate.\n"]);
    assert.deepEqual(jsonLines(await inProcess(["migrate", url, "--json"])), [{ from: 1, to: 1, applied: [], dryRun: false }]);
    assert.equal((await inProcess(["migrate", url, "--dry-run"])).exitCode, EXIT.ok);
  });

  it("goes to the schema that the URL or the option says, and gives a role what it needs", async () => {
    const url = await databaseForTests();
    assert.match((await inProcess(["migrate", url, "--schema", "jobs"])).out, /made anew/);
    assert.match((await inProcess(["migrate", `${url}?schema=jobs&hub=x`])).out, /nothing to migrate/);
    const other = await inProcess(["migrate", `${url}?schema=jobs`, "--schema", "orders"]);
    assert.equal(other.exitCode, EXIT.usage);
    assert.match(other.err, /says another schema than "orders"/);

    const role = `cli_${new URL(url).pathname.slice(-6)}`;
    await ask(url, `create role ${role} login`);
    const shown = await inProcess(["migrate", url, "--schema", "jobs", "--grant-to", role, "--dry-run"]);
    assert.match(shown.out, new RegExp(`grant usage on schema "jobs" to "${role}";`));
    const granted = await inProcess(["migrate", url, "--schema", "jobs", "--grant-to", role]);
    assert.match(granted.out, /nothing to migrate\. The role "?'?cli_.* has the rights to work with it\./);
    const hub = await openTaskHub(`${url.replace("postgres@", `${role}@`)}?schema=jobs`);
    await hub.close();
    await ask(url, `drop owned by ${role}; drop role ${role}`);
    const nobody = await inProcess(["migrate", url, "--grant-to", "nobody at all"]);
    assert.equal(nobody.exitCode, EXIT.usage);
    assert.match(nobody.err, /no role "nobody at all"/);
  });

  it("of what is no PostgreSQL, or not to be reached, says so without a password", async () => {
    const file = await inProcess(["migrate", "sqlite:orders.db"]);
    assert.equal(file.exitCode, EXIT.usage);
    assert.match(file.err, /Only a task hub in PostgreSQL/);
    for (const args of [["migrate"], ["list", "--url"]]) {
      const nowhere = await inProcess([...args, "postgres://ada:s3cret@127.0.0.1:1/orders"]);
      assert.equal(nowhere.exitCode, EXIT.unreachable);
      assert.match(nowhere.err, /PostgreSQL at 127\.0\.0\.1:1 \(database "orders"\) cannot be reached/);
      assert.doesNotMatch(nowhere.err, /s3cret/);
    }
  });
});

describe("commands over PostgreSQL", { skip: withoutPostgres() }, () => {
  it("look beside the process that runs the instances, and write beside it, too", async (t) => {
    const url = `${await databaseForTests()}?hub=orders`;
    const { hub, close } = await openHub(t, url);
    await populate(hub);
    const run = (...args: string[]): Promise<Ended> => inProcess([...args, "--url", url]);

    assert.equal(jsonLines(await run("list", "--json")).length, 10);
    assert.match((await run("show", "asking")).out, /waits for +external event 'approved'/);
    assert.match((await run("history", "done")).out, /add/);
    assert.match((await run("explain", "asking")).out, /approved/);
    assert.match((await run("entities")).err + (await run("entities")).out, /entit/i);

    const sizes = await run("sizes");
    assert.match(sizes.out, /^database +\d.* all hubs of the schema\n/);
    assert.match(sizes.out, /\n {2}instances +\d.*, indexes \d[^]*\ninstances   10: /);
    assert.equal(jsonLines(await run("sizes", "--json"))[0]?.["estimated"]?.toString(), "");

    assert.equal((await run("raise", "asking", "approved", "--data", '{"by":"Ada"}')).exitCode, EXIT.ok);
    assert.equal(await hub.instance("asking").result({ timeout: "20s" }), "approved by Ada");
    assert.equal((await run("terminate", "the-parent", "--recursive")).exitCode, EXIT.ok);
    await assert.rejects(hub.instance("the-child").result({ timeout: "20s" }), { code: "ORCHESTRATION_TERMINATED" });
    assert.equal((await run("purge", "asking")).exitCode, EXIT.ok);
    assert.equal((await run("show", "asking")).exitCode, EXIT.notFound);
    await close();
  });

  it("say what they cannot do there, and make nothing that is not there", async () => {
    const url = await databaseForTests();
    await (await openTaskHub(`${url}?hub=orders`)).close();
    for (const command of [["list"], ["raise", "x", "y"]]) {
      const mistyped = await inProcess([...command, "--url", `${url}?hub=oders`]);
      assert.equal(mistyped.exitCode, EXIT.unreachable);
      assert.match(mistyped.err, /no task hub "oders".*there are "orders"/);
    }
    assert.deepEqual(await ask(url, "select name from ostinato.hubs"), [{ name: "orders" }]);
    for (const command of [["backup", "x.db"], ["integrity"]]) {
      const refused = await inProcess([...command, "--url", `${url}?hub=orders`]);
      assert.equal(refused.exitCode, EXIT.unreachable);
      assert.match(refused.err, /no file.*pg_dump/);
    }
  });
});
