// A claim waits for nobody, and what it passes over for that is not forgotten.
import assert from "node:assert/strict";
import { it } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { claimAll, done, idsOf, START, startOf } from "../../conformance/store/stories.ts";
import { openPostgresStore } from "./postgres-store.ts";

it("a claim does not wait for a row that somebody has locked, and says when to look again", { skip: withoutPostgres() }, async () => {
  const connectionString = await databaseForTests();
  const clock = movableClock(START);
  const store = openPostgresStore({ connectionString, testing: { clock } });
  await store.open();
  const other = new pg.Client({ connectionString });
  await other.connect();
  try {
    await done(store, startOf("a"));
    await done(store, startOf("b"));
    // Somebody who changes nothing in the end (a commit that is refused, say), and therefore tells nobody.
    await other.query("begin");
    await other.query("select 1 from ostinato.instances where id = 'a' for no key update");
    const first = await claimAll(store);
    assert.deepEqual(idsOf(first.instances), ["b"]);
    assert.equal(first.nextDueAt, START + 10);
    await other.query("rollback");
    const second = await claimAll(store);
    assert.deepEqual(idsOf(second.instances), ["a"]);
    assert.equal(second.nextDueAt, undefined);
  } finally {
    await other.end();
    await store.close();
  }
});
