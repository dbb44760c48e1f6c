// Sizes of a hub in PostgreSQL: exact while there is little, bounded when there is much.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { dropDatabase } from "../../../../../scripts/throw-away-postgres.ts";
import type { HubSizes } from "../../contract/maintenance.ts";
import { migratePostgres } from "./migrate.ts";
import { withConnection } from "./place.ts";
import { openPostgresStore } from "./postgres-store.ts";
import { sizesOf } from "./sizes.ts";

const INSTANCES = `insert into ostinato.instances(hub, id, kind, name, created_at, epoch, turn, history_length, updated_at, last_turn_at, attempts, status,
    execution_id, lineage, completed_at, generation, held, dropped, format)
  select $1, $2 || n, $3, 'x', 0, 1, 1, n, 0, 0, 0, $4::int, 'e', '', case when $4::int >= 3 then n end, 0, 0, 0, 1 from generate_series(1, $5) n`;

describe("sizes of a hub in PostgreSQL", { skip: withoutPostgres() }, () => {
  /** 300 that have completed, 4 that have failed, 3 that run, 2 entities; another hub with 50. */
  async function filled(t: TestContext): Promise<(counted?: number) => Promise<HubSizes>> {
    const connectionString = await databaseForTests();
    t.after(() => dropDatabase(connectionString));
    await migratePostgres({ connectionString });
    await withConnection({ connectionString }, async (one) => {
      for (const values of [
        [1, "done-", 0, 3, 300],
        [1, "broken-", 0, 4, 4],
        [1, "open-", 0, 1, 3],
        [1, "@e@", 1, 1, 2],
        [2, "other-", 0, 1, 50],
      ])
        await one.query({ text: INSTANCES, values });
      await one.query({
        text: `insert into ostinato.history select number, t, t * 3, 3, 1, repeat('x', 1000) from ostinato.instances, generate_series(1, 4) t where hub = 1`,
      });
      await one.query({
        text: `insert into ostinato.messages select number, 3, t, t, 'm' || t, null, null, 0, 1, '{}' from ostinato.instances, generate_series(1, 2) t where id like 'open-%'`,
      });
      await one.query({ text: "vacuum analyze" });
    });
    return (counted) => withConnection({ connectionString }, (one) => sizesOf(one, "ostinato", 1, counted));
  }

  it("are counted while there is little", async (t) => {
    const sizes = await (await filled(t))();
    const { instances, entities, messages, activities, historyRows, longestHistories, estimated } = sizes;
    assert.deepEqual(instances, { PENDING: 0, RUNNING: 3, SUSPENDED: 0, COMPLETED: 300, FAILED: 4, TERMINATED: 0 });
    assert.deepEqual([entities, messages, activities, historyRows, estimated], [2, 6, 0, 1236, []]);
    assert.deepEqual(longestHistories.slice(0, 2), [
      { instanceId: "done-300", events: 300 },
      { instanceId: "done-299", events: 299 },
    ]);
    assert.equal(longestHistories.length, 10);
    const table = (name: string) => sizes.tables?.find((one) => one.name === name);
    assert.ok(sizes.historyBytes > 1_236_000 / 4 && sizes.historyBytes === table("history")?.bytes);
    assert.ok((table("instances")?.indexBytes ?? 0) > 0);
    assert.equal(
      sizes.fileBytes,
      sizes.tables?.reduce((sum, { bytes, indexBytes }) => sum + bytes + indexBytes, 0),
    );
  });

  it("are estimated where counting would read much; what is open is counted all the same", async (t) => {
    const { instances, entities, messages, historyRows, longestHistories, estimated } = await (await filled(t))(20);
    assert.deepEqual(estimated, ["instances", "historyRows", "longestHistories"]);
    assert.equal(instances.RUNNING, 3);
    assert.deepEqual([entities, messages], [2, 6]);
    // So few are all in the sample.
    assert.deepEqual([instances.COMPLETED, instances.FAILED], [300, 4]);
    assert.equal(historyRows, 1236);
    assert.deepEqual(longestHistories[0], { instanceId: "done-300", events: 300 });
  });

  it("more that is open than is counted is estimated with the rest", async (t) => {
    const { instances, estimated } = await (await filled(t))(4);
    assert.deepEqual(estimated, ["instances", "entities", "messages", "historyRows", "longestHistories"]);
    assert.equal(instances.RUNNING, 3);
  });

  it("are a store's to tell, also when it only looks", async (t) => {
    const connectionString = await databaseForTests();
    t.after(() => dropDatabase(connectionString));
    const store = openPostgresStore({ connectionString });
    await store.open();
    const looking = openPostgresStore({ connectionString, readOnly: true });
    await looking.open();
    for (const each of [store, looking]) assert.equal((await each.sizes?.())?.instances.RUNNING, 0);
    await store.close();
    await looking.close();
  });
});
