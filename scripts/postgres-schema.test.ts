import { fail, notEqual } from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe, it } from "node:test";
import { migratePostgres } from "ostinato/postgres";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "./postgres-for-tests.ts";
import { freshSchemaPage, SCHEMA_PAGE, schemaPage } from "./postgres-schema.ts";

describe("the page of the schema in PostgreSQL", { skip: withoutPostgres() }, () => {
  it("is what migrations come to: whoever changes one writes the page again", async () => {
    const [is, written] = [await freshSchemaPage(), await readFile(SCHEMA_PAGE, "utf8")].map((page) => page.split("\n")) as [
      string[],
      string[],
    ];
    const at = is.findIndex((line, index) => line !== written[index]);
    if (at < 0 && is.length === written.length) return;
    fail(
      `The schema has changed (line ${at + 1} is ${JSON.stringify(is[at])}, and was ${JSON.stringify(written[at])}): ` +
        "node scripts/enter.mjs scripts/postgres-schema.ts writes its page, whose diff is to be read.",
    );
  });

  it("notices columns, indexes, settings and functions", async () => {
    const connectionString = await databaseForTests();
    await migratePostgres({ connectionString });
    const client = new pg.Client({ connectionString });
    await client.connect();
    let before = await schemaPage(connectionString);
    for (const change of [
      "alter table ostinato.instances add column x int not null default 0",
      "create index x on ostinato.messages(execution)",
      "alter table ostinato.ready set (fillfactor = 70)",
      "create or replace function ostinato.now_1() returns bigint language sql as 'select 1::bigint'",
      "alter table ostinato.history add constraint positive check (count >= 0)",
    ]) {
      await client.query(change);
      const after = await schemaPage(connectionString);
      notEqual(after, before, change);
      before = after;
    }
    await client.end();
  });
});
