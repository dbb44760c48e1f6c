// The dumper and the trail, on a real server: what they read of a real run is clean, and what is broken by hand behind the product's back is found.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { activity, entity, openTaskHub, orchestrator } from "ostinato";
import { databaseForTests, withoutPostgres } from "../../scripts/postgres-for-tests.ts";
import { migratePostgres } from "../../packages/ostinato/src/stores/postgres/migrate.ts";
import { check } from "./check.ts";
import { connectTo, dumpOfPostgres } from "./from-postgres.ts";
import type { Entry } from "./journal.ts";
import { trailOf, watching } from "./trail.ts";
import { violationText } from "./violation.ts";

const add = activity("add", async (ctx, n: number) => n + 1);
const kid = orchestrator("kid", async (ctx, n: number) => await ctx.callActivity(add, n));
const tally = entity("tally", { initial: () => ({ sum: 0 }) }).operations({ add: (state, n: number) => (state.value.sum += n) });
const flow = orchestrator("flow", async (ctx, round: number) => {
  const [a, b] = await ctx.whenAll([ctx.callActivity(add, 1), ctx.callSubOrchestrator(kid, 2)]);
  await ctx.createTimer("5ms");
  const got = await ctx.waitForExternalEvent<number>("go");
  if (round > 0) {
    ctx.continueAsNew(round - 1);
    return 0;
  }
  return await ctx.lockEntities([ctx.entity(tally, "all")], async () => await ctx.entity(tally, "all").add(a + b + got));
});
const idle = orchestrator("idle", async (ctx) => {
  ctx.createTimer("30d");
  await ctx.waitForExternalEvent("never");
});

const expectations = [
  { instanceId: "one", output: 25 },
  { instanceId: "still", mayGoOn: true },
];

/** A database in which something has happened, with a witness at its tables. */
async function lived(): Promise<{ url: string; meddle: (sql: string) => Promise<unknown>; trail: () => Promise<Entry[]> }> {
  const url = await databaseForTests();
  await migratePostgres({ connectionString: url });
  const meddle = async (sql: string): Promise<unknown> => {
    const client = await connectTo(url);
    return await client.query(sql).finally(() => client.end());
  };
  await meddle(watching());
  await using hub = await openTaskHub(url);
  const worker = await hub.startWorker({ orchestrators: [flow, kid, idle], activities: [add], entities: [tally] });
  const one = await hub.start(flow, 1, { instanceId: "one" });
  await one.raiseEvent("go", 10);
  await one.raiseEvent("go", 20);
  assert.equal(await one.result({ timeout: "20s" }), 25);
  await (await hub.start(idle, undefined, { instanceId: "still" })).waitForStart();
  await worker.stop();
  return {
    url,
    meddle,
    async trail() {
      const entries: Entry[] = [];
      for await (const { us, ...sight } of trailOf(url)) entries.push({ at: Math.floor(us / 1_000), ...sight });
      return entries;
    },
  };
}

describe("a task hub in PostgreSQL, as the checker reads it", { skip: withoutPostgres() }, () => {
  test("H4 T2 tables that the product wrote are clean, and meddled with they are not", async () => {
    const { url, meddle } = await lived();
    const dump = await dumpOfPostgres(url);
    assert.deepEqual(check({ dump, expectations, atRest: true }).map(violationText), []);
    assert.ok(dump.instances.length >= 4 && dump.messages.length > 0);
    assert.deepEqual(new Set(Object.values(dump.others)), new Set([0]));
    assert.deepEqual((await dumpOfPostgres(url, { hub: "another" })).instances, []);

    await meddle(
      "update ostinato.instances set status = 4 where id = 'one'; delete from ostinato.messages; delete from ostinato.history where turn = 2",
    );
    const found = new Set(check({ dump: await dumpOfPostgres(url), expectations, atRest: true }).map(({ invariant }) => invariant));
    assert.ok(found.has("H4") && found.has("T2"), [...found].join(", "));
  });

  test("H1 L1 C4 the trail shows every state that was ever written, and what nobody may write", async () => {
    const { url, meddle, trail } = await lived();
    const judge = async (): Promise<string[]> => {
      const evidence = { dump: await dumpOfPostgres(url), journal: await trail(), expectations, complete: true, atRest: true };
      return check(evidence).map(violationText);
    };
    const journal = await trail();
    assert.deepEqual(await judge(), []);
    assert.ok(journal.some(({ kind }) => kind === "lease"));
    assert.ok(journal.filter(({ kind }) => kind === "committed").length >= 6, "turns are seen");
    const generations = journal.flatMap((entry) => (entry.kind === "stands" ? [entry.standing?.instance.record.generation] : []));
    assert.ok(generations.includes(1) && generations.includes(2), "what a continue-as-new has replaced is still seen");

    // Changed, and changed back: the tables alone would not tell.
    const last = "h.number = s.number and h.turn = s.turn and s.turn = (select max(turn) from spare)";
    await meddle("create table spare as select h.* from ostinato.history h join ostinato.instances i using (number) where i.id = 'one'");
    await meddle(`update ostinato.history h set body = (select body from spare order by turn limit 1) from spare s where ${last}`);
    await meddle(`update ostinato.history h set body = s.body from spare s where ${last}`);
    assert.match((await judge()).join("\n"), /^H1 one/m);
    await meddle("update ostinato.instances set epoch = epoch - 1 where id = 'still'");
    await meddle("update ostinato.instances set epoch = epoch + 1 where id = 'still'");
    assert.match((await judge()).join("\n"), /^L1 still: The epoch went back/m);
    await meddle("update ostinato.instances set status = 1 where id = 'one'");
    await meddle("update ostinato.instances set status = 3 where id = 'one'");
    assert.match((await judge()).join("\n"), /^C4 one: It was COMPLETED, and is RUNNING/m);
  });
});
