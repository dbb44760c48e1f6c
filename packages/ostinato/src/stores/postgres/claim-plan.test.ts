// What a claim costs beside a million rows that are dead: pages of the index until they are tidied up, and never a row; afterwards nothing.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { messageTo, startOf } from "../../conformance/store/stories.ts";
import { openDatabase } from "./database.ts";
import { inSchema } from "./functions.ts";
import { migratePostgres } from "./migrate.ts";
import { openPostgresStore } from "./postgres-store.ts";

/** A million, and where all tests are told together a tenth of that. */
const DEAD = process.env["STORE"] === "postgres" ? 1_000_000 : 100_000;
/** Blocks of 8 KiB that a claim of one instance and one activity may touch: its rows, their indexes, the plan's own catalog look-ups. */
const FEW_BLOCKS = 600;

describe("PostgreSQL", { skip: withoutPostgres() }, () => {
  test("S4 a claim beside many dead rows reads pages of an index, and none of the rows", async () => {
    const connectionString = await databaseForTests({});
    await migratePostgres({ connectionString });
    const store = openPostgresStore({ connectionString, listen: false, renewal: "main" });
    await store.open();
    const database = await openDatabase({ connectionString, connections: 1, label: "claim-plan.test" });
    after(async () => {
      await database.close();
      await store.close();
    });
    const ask = async (text: string): Promise<unknown> =>
      Object.values((await database.ask({ text: inSchema(text, "ostinato") }))[0] ?? {})[0];

    // Nobody tidies up meanwhile.
    for (const table of ["ready", "activities", "news"]) await ask(`alter table {schema}.${table} set (autovacuum_enabled = false)`);
    await ask(`insert into {schema}.ready select n, 'chain', 1, n from generate_series(1, ${DEAD}) n`);
    await ask(`insert into {schema}.activities(number, generation, task_id, hub, name, execution_id, attempt, idempotency_key, epoch, born, delivery, visible_at)
      select n, 1, 1, 1, 'hello', 'x', 1, 'k', 1, 0, 0, n from generate_series(1, ${DEAD}) n`);
    await ask("delete from {schema}.ready");
    await ask("delete from {schema}.activities");
    await store.commit([startOf("a"), { ...startOf("b"), messages: [...startOf("b").messages, messageTo("b", "m")] }]);

    const claim = `select {schema}.claim_1((select max(owner) from {schema}.owners), 1, null, null, null, null, 1, '{chain}', false, 0, '{}', false, 1, '{hello}', false)`;
    const blocks = async (): Promise<number> => {
      const [{ Plan }] = (await ask(`explain (analyze, buffers, format json) ${claim}`)) as [{ Plan: Record<string, number> }];
      return (Plan["Shared Hit Blocks"] ?? 0) + (Plan["Shared Read Blocks"] ?? 0);
    };
    // Who comes first after a deletion visits each row and marks it as dead in the index, once for everybody.
    const first = await blocks();
    const second = await blocks();
    await ask("vacuum {schema}.ready");
    await ask("vacuum {schema}.activities");
    const tidied = await blocks();
    assert.ok(first - second > DEAD / 100, `nothing was dead: the first claim touched ${first} blocks, the second ${second}`);
    assert.ok(second < DEAD / 30, `the second claim touched ${second} blocks`);
    assert.ok(tidied < FEW_BLOCKS, `after tidying up a claim touched ${tidied} blocks`);
  });
});
