// Processes over one PostgreSQL database, each a store of its own: how they hear each other, and how their leases hold. On a real server and in real time;
// every wait is for a word of the store, not for a time.

import assert from "node:assert/strict";
import { after, describe, test, type TestContext } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { claimAll, claimOne, commitOf, done, idsOf, messageTo, refused, startOf, turnOf } from "../../conformance/store/stories.ts";
import type { ChangeHint, Store } from "../../engine/store.ts";
import { importPg } from "./database.ts";
import type { PgClient, PostgresPool } from "./database.ts";
import { migratePostgres } from "./migrate.ts";
import { openPostgresStore, type PostgresStoreOptions } from "./postgres-store.ts";

/** What does not come within this does not come. */
const PATIENCE_MS = 20_000;

/** A store that says what it hears. */
interface Process {
  readonly store: Store;
  readonly log: readonly string[];
  /** The next hint that is one of these; those before it are gone. */
  hears(isOne: (hint: ChangeHint) => boolean): Promise<ChangeHint>;
}

let database: Promise<string> | undefined;
let admin: Promise<PgClient> | undefined;
let hubs = 0;

async function connectionString(): Promise<string> {
  database ??= databaseForTests().then(async (url) => {
    await migratePostgres({ connectionString: url });
    return url;
  });
  return database;
}

/** Asks the server as an administrator. */
async function ask(text: string, ...values: unknown[]): Promise<readonly Readonly<Record<string, unknown>>[]> {
  admin ??= (async () => {
    const { Client } = await importPg();
    const client = new Client({ connectionString: await connectionString() });
    await client.connect();
    return client;
  })();
  return (await (await admin).query({ text, values })).rows;
}

async function open(t: TestContext, label: string, hub: string, more: Partial<PostgresStoreOptions> = {}): Promise<Process> {
  const log: string[] = [];
  const say = (message: string): void => void log.push(message);
  const from = more.pool === undefined ? { connectionString: await connectionString() } : {};
  const store = openPostgresStore({ ...from, hub, label, connections: 2, log: { info: say, warn: say, error: say }, ...more });
  const heard: ChangeHint[] = [];
  let onHint = (): void => undefined;
  store.watch((hint) => {
    heard.push(hint);
    onHint();
  });
  await store.open();
  t.after(() => store.close());
  return {
    store,
    log,
    hears: (isOne) =>
      new Promise((resolve) => {
        onHint = () => {
          while (heard.length > 0) {
            const hint = heard.shift()!;
            if (!isOne(hint)) continue;
            onHint = () => undefined;
            return resolve(hint);
          }
        };
        onHint();
      }),
  };
}

const isUp = (hint: ChangeHint): boolean => hint.endedMore === true;
const nextHub = (): string => `hub ${++hubs}`;

/** The main loop stands still: nothing of this process runs but its other threads. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

describe("PostgreSQL: processes in touch", { skip: withoutPostgres(), timeout: 10 * PATIENCE_MS }, () => {
  after(async () => (await admin)?.end());

  test("what one process writes wakes another that wants it, and tells it what has ended", async (t) => {
    const hub = nextHub();
    const [one, two] = [await open(t, "one", hub), await open(t, "two", hub)];
    await two.hears(isUp);
    await done(one.store, startOf("a"));
    await two.hears((hint) => hint.ready);
    const claim = await claimOne(two.store);
    await one.hears(isUp);
    await done(two.store, turnOf(claim.record, claim.messages, { change: { status: "COMPLETED", completedAt: 5 }, keep: false }));
    await one.hears((hint) => hint.ended.includes("a"));
    assert.equal((await one.store.readAll(["a", "b"]))[0]?.record.status, "COMPLETED");
  });

  test("a message for an instance that another process holds wakes that one", async (t) => {
    const hub = nextHub();
    const [one, two] = [await open(t, "one", hub), await open(t, "two", hub)];
    await two.hears(isUp);
    await done(one.store, startOf("a"));
    await two.hears((hint) => hint.ready);
    const held = await claimOne(two.store);
    await done(two.store, turnOf(held.record, held.messages, { keep: true }));
    await done(one.store, commitOf({ messages: [messageTo("a", "m")] }));
    await two.hears((hint) => hint.ready);
    const [news] = (await claimAll(two.store)).instances;
    assert.deepEqual([news?.id, news?.held, idsOf(news?.messages ?? [])], ["a", true, ["m"]]);
  });

  test("that somebody has room is heard by the others, with what it would take", async (t) => {
    const hub = nextHub();
    const [one, two] = [await open(t, "one", hub), await open(t, "two", hub)];
    await one.hears(isUp);
    await two.store.claim({ instances: 4, orchestrators: ["chain"], entityCount: 0, entities: [], activityCount: 0, activities: [] });
    const { roomElsewhere } = await one.hears((hint) => hint.roomElsewhere !== undefined);
    assert.deepEqual(roomElsewhere, { instances: 4, orchestrators: ["chain"], entityCount: 0, entities: [] });
  });

  test("G6 a listener whose connection is ended hears again, after a look at everything", async (t) => {
    const hub = nextHub();
    const [one, two] = [await open(t, "one", hub), await open(t, "deaf for a moment", hub)];
    await two.hears(isUp);
    await done(one.store, startOf("a"));
    await two.hears((hint) => hint.ready);
    const ended = await ask(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
      "ostinato listens deaf for a moment",
    );
    assert.equal(ended.length, 1);
    await two.hears(isUp);
    const claim = await claimOne(two.store);
    await done(two.store, turnOf(claim.record, claim.messages, { change: { status: "COMPLETED", completedAt: 5 }, keep: false }));
    await done(one.store, startOf("b"));
    await two.hears((hint) => hint.ready);
    const [count] = await ask(
      "select count(*)::int as n from pg_stat_activity where application_name = $1",
      "ostinato listens deaf for a moment",
    );
    assert.equal(count?.["n"], 1);
  });

  test("G4 a main loop that stands still for several leases loses none of them: the thread renews", async (t) => {
    const hub = nextHub();
    const [one, two] = [await open(t, "stands still", hub), await open(t, "two", hub, { renewal: "main" })];
    await one.store.renew(900);
    await done(one.store, startOf("a"));
    const claim = await claimOne(one.store);
    standStill(3_000);
    assert.equal((await two.store.renew(30_000)).alive, true);
    assert.equal((await one.store.renew(900)).alive, true);
    await done(one.store, turnOf(claim.record, claim.messages));
  });

  test("G4 L2 a main loop that stands still for longer than it may loses its work to another process, is told so once, and goes on as another owner", async (t) => {
    const hub = nextHub();
    const one = await open(t, "stands still for long", hub, { maxBlockedMs: 600 });
    const two = await open(t, "two", hub, { renewal: "main" });
    await one.store.renew(900);
    await done(one.store, startOf("a"));
    const claim = await claimOne(one.store);
    one.store.entered?.("a");
    standStill(3_500);
    assert.equal((await two.store.renew(30_000)).alive, true);
    const taken = await claimOne(two.store);
    assert.deepEqual([taken.id, taken.epoch > claim.epoch], ["a", true]);
    assert.equal(await refused(one.store, turnOf(claim.record, claim.messages)), "fenced");
    assert.equal((await one.store.renew(900)).alive, false);
    assert.equal((await one.store.renew(900)).alive, true);
    await done(one.store, startOf("b"));
    assert.equal((await claimOne(one.store)).id, "b");
    assert.match(one.log.join("\n"), /main loop of this process stood still/);
  });

  test("G4 a connection of the thread that is ended is made anew, and no lease is lost", async (t) => {
    const one = await open(t, "renews", nextHub());
    await one.store.renew(900);
    const before = await ask(
      "select pid, pg_terminate_backend(pid) from pg_stat_activity where application_name = $1",
      "ostinato leases renews",
    );
    assert.equal(before.length, 1);
    let now = before;
    for (const late = Date.now() + PATIENCE_MS; now[0]?.["pid"] === before[0]?.["pid"] || now.length === 0;) {
      assert.ok(Date.now() < late, "it is made anew");
      now = await ask("select pid from pg_stat_activity where application_name = $1", "ostinato leases renews");
    }
    // Until it is, a renewal says what is wrong.
    let alive: boolean | undefined;
    for (const late = Date.now() + PATIENCE_MS; alive === undefined;) {
      assert.ok(Date.now() < late, "it renews again");
      alive = await one.store.renew(900).then(
        (renewal) => renewal.alive,
        () => undefined,
      );
    }
    assert.equal(alive, true);
  });

  test("with a pool handed in, one of its connections listens, leases are renewed on the main loop, and the log says so; the pool is left as it was", async (t) => {
    const { Pool } = await importPg();
    const pool: PostgresPool = new Pool({ connectionString: await connectionString(), max: 3, application_name: "the user's own" });
    const hub = nextHub();
    const one = await open(t, "one", hub);
    const two = await open(t, "two", hub, { pool });
    await two.hears(isUp);
    assert.equal((await two.store.renew(30_000)).alive, true);
    assert.match(two.log.join("\n"), /renewed on its main loop: a thread cannot use the pool/);
    await done(one.store, startOf("a"));
    await two.hears((hint) => hint.ready);
    await two.store.close();
    const { rows } = await pool.query({
      text: "select count(*)::int as n from pg_stat_activity where application_name = 'the user''s own' and query ilike 'listen%'",
    });
    assert.equal(rows[0]?.["n"], 0, "nothing of it listens any longer");
    await pool.end();
  });

  test("a store that is closed leaves no connection behind", async (t) => {
    const one = await open(t, "comes and goes", nextHub());
    await one.store.renew(30_000);
    await one.hears(isUp);
    await one.store.close();
    for (const late = Date.now() + PATIENCE_MS; ;) {
      const left = await ask("select application_name from pg_stat_activity where application_name like $1", "ostinato%comes and goes");
      if (left.length === 0) break;
      assert.ok(Date.now() < late, JSON.stringify(left));
    }
  });
});
