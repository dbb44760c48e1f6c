// Answers that overtake each other, and answers that are lost: no message of a held instance is forgotten, and nobody writes into what another one holds.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import type { MovableClock } from "../../conformance/store/movable-clock.ts";
import {
  activityOf,
  claimAll,
  claimOne,
  commitOf,
  done,
  idsOf,
  messageTo,
  recordOf,
  refused,
  some,
  START,
  startAndClaim,
  startOf,
  turnOf,
} from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import type { PostgresPool } from "./database.ts";
import { openPostgresStore } from "./postgres-store.ts";

/** A line to the database on which answers can be kept back, or lost. */
interface Line {
  readonly store: Store;
  /** The next answer of a function arrives when what is returned is called. Resolves when the database has given it. */
  keepBack(name: string): { readonly given: Promise<void>; readonly letGo: () => void };
  loseNext(name: string): void;
  /** Says whether it has been told since that there is something to claim. */
  hears(): () => boolean;
}

interface World {
  readonly clock: MovableClock;
  readonly ask: (text: string, values?: unknown[]) => Promise<Record<string, unknown>[]>;
  readonly connect: () => Promise<Line>;
  /** Somebody holds rows for a while: those of all instances, unless a statement says which. */
  readonly hold: (statement?: string) => Promise<{ readonly isWaitedFor: () => Promise<void>; readonly letGo: () => Promise<void> }>;
}

async function worldFor(t: TestContext): Promise<World> {
  const connectionString = await databaseForTests();
  const clock = movableClock(START);
  const pool = new pg.Pool({ connectionString, max: 8 });
  pool.on("error", () => undefined);
  t.after(() => pool.end());
  const ask: World["ask"] = async (text, values = []) => (await pool.query(text, values)).rows as Record<string, unknown>[];
  return {
    clock,
    ask,
    async hold(statement = "select 1 from ostinato.instances for no key update") {
      const client = await pool.connect();
      await client.query("begin");
      await client.query(statement);
      const waits = "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
      return {
        async isWaitedFor() {
          while ((await ask(waits)).length === 0);
        },
        async letGo() {
          await client.query("commit");
          client.release();
        },
      };
    },
    async connect() {
      const kept = new Map<string, { given: () => void; gone: Promise<void> }>();
      const lost = new Set<string>();
      const lossy: PostgresPool = {
        connect: () => pool.connect(),
        on: (event, listener) => pool.on(event, listener),
        removeListener: (event, listener) => pool.removeListener(event, listener),
        end: async () => undefined,
        async query(query) {
          const name = /[.](\w+_1)\(/.exec(query.text)?.[1] ?? "";
          const answer = await pool.query(query as pg.QueryConfig);
          const keeping = kept.get(name);
          kept.delete(name);
          keeping?.given();
          await keeping?.gone;
          if (lost.delete(name)) throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
          return answer as never;
        },
      };
      const store = openPostgresStore({ pool: lossy, testing: { clock } });
      await store.open();
      t.after(() => store.close());
      return {
        store,
        keepBack(name) {
          let given = (): void => undefined;
          let letGo = (): void => undefined;
          const isGiven = new Promise<void>((resolve) => (given = resolve));
          kept.set(name, { given, gone: new Promise((resolve) => (letGo = resolve)) });
          return { given: isGiven, letGo };
        },
        loseNext: (name) => void lost.add(name),
        hears() {
          let isToldToLook = false;
          store.watch(({ ready }) => void (isToldToLook ||= ready));
          return () => isToldToLook;
        },
      };
    },
  };
}

describe("answers that overtake each other", { skip: withoutPostgres(), timeout: 60_000 }, () => {
  it("G2 a commit that is refused leaves the news of whoever holds the instance now", async (t) => {
    const { clock, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const stale = await startAndClaim(one.store, "a");
    await one.store.release([stale], 0);
    const claim = await claimOne(other.store);
    await done(other.store, turnOf(claim.record, claim.messages));
    await done(one.store, commitOf({ messages: [messageTo("a", "m1")] }));
    assert.equal(await refused(one.store, turnOf(stale.record, [])), "fenced");
    clock.advance(1);
    assert.deepEqual(idsOf(some((await claimAll(other.store)).instances[0]).messages), ["m1"]);
  });

  it("L3 news that a lost claim has taken along is looked for again", async (t) => {
    const { connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const claim = await startAndClaim(one.store, "a");
    await done(one.store, turnOf(claim.record, claim.messages));
    await done(other.store, commitOf({ messages: [messageTo("a", "m1")] }));
    one.loseNext("claim_1");
    await assert.rejects(claimAll(one.store), { code: "STORE_UNAVAILABLE" });
    assert.deepEqual(idsOf(some((await claimAll(one.store)).instances[0]).messages), ["m1"]);
  });

  it("L6 an instance that somebody else has taken away is not looked for over and over", async (t) => {
    const { clock, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const claim = await startAndClaim(one.store, "a");
    await done(one.store, turnOf(claim.record, claim.messages, { messages: [messageTo("a", "timer", { visibleAt: START + 1_000 })] }));
    const suspend = await other.store.update("a", (current) => {
      const { record } = some(current);
      return commitOf({ number: record.number, record: { ...record, epoch: record.epoch + 1, held: true, status: "SUSPENDED" } });
    });
    assert.ok("ok" in suspend && suspend.ok);
    clock.advance(2_000);
    const claims = await claimAll(one.store);
    assert.deepEqual([claims.instances.length, claims.nextDueAt], [0, undefined]);
  });

  it("L6 a claim that is answered before the commit that took the lease loses no message", async (t) => {
    const { connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const commit = one.keepBack("step_1");
    const starting = done(one.store, startOf("a", { keep: true }));
    await commit.given;
    await done(other.store, commitOf({ messages: [messageTo("a", "m1")] }));
    const early = await claimAll(one.store);
    const isToldToLook = one.hears();
    commit.letGo();
    const { arrived } = await starting;
    assert.equal(isToldToLook(), true, "whoever claims is told to look again");
    const later = await claimAll(one.store);
    const handed = [...early.instances, ...later.instances].flatMap(({ messages }) => messages);
    assert.deepEqual(idsOf([...arrived, ...handed]).sort(), ["m1", "start:a-1"]);
  });

  it("L6 a claim that is answered before the commit that made and took a child loses no message to it", async (t) => {
    const { connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const creates = { record: recordOf("child", { attempts: 1 }), payloads: {}, claimed: true };
    const commit = one.keepBack("commit_1");
    const making = done(one.store, commitOf({ messages: [messageTo("child", "m1", { creates })] }));
    await commit.given;
    await done(other.store, commitOf({ messages: [messageTo("child", "m2")] }));
    const early = await claimAll(one.store);
    const isToldToLook = one.hears();
    commit.letGo();
    const { claims } = await making;
    assert.equal(isToldToLook(), true, "whoever claims is told to look again");
    const later = await claimAll(one.store);
    const handed = [...early.instances, ...claims, ...later.instances].flatMap(({ messages }) => messages);
    assert.deepEqual(idsOf(handed), ["m1", "m2"]);
  });

  it("L6 a timer that a commit has set is not forgotten when an older claim is answered after it", async (t) => {
    const { clock, connect } = await worldFor(t);
    const one = await connect();
    const claim = await startAndClaim(one.store, "a");
    const { record = claim.record } = turnOf(claim.record, []);
    await done(one.store, turnOf(claim.record, claim.messages, { messages: [messageTo("a", "timer", { visibleAt: START + 10 })] }));
    clock.advance(10);
    const late = one.keepBack("claim_1");
    const claiming = claimAll(one.store);
    await late.given;
    const again = turnOf(record, [], { messages: [messageTo("a", "second", { visibleAt: START + 1_000 })] });
    await done(one.store, again);
    late.letGo();
    const claims = await claiming;
    assert.deepEqual(idsOf(claims.instances.flatMap(({ messages }) => messages)), []);
    clock.advance(1_000);
    assert.deepEqual(idsOf(some((await claimAll(one.store)).instances[0]).messages), ["second"]);
  });

  it("L6 what a claim has heard of is not forgotten when an older commit is answered after it", async (t) => {
    const { clock, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const claim = await startAndClaim(one.store, "a");
    const { record = claim.record } = turnOf(claim.record, []);
    await done(one.store, turnOf(claim.record, claim.messages));
    const late = one.keepBack("commit_1");
    const writing = done(one.store, turnOf(record, [], { messages: [messageTo("a", "own")] }));
    await late.given;
    await done(other.store, commitOf({ messages: [messageTo("a", "m1"), messageTo("a", "timer", { visibleAt: START + 500 })] }));
    const first = await claimAll(one.store);
    late.letGo();
    const { arrived } = await writing;
    assert.deepEqual(idsOf([...first.instances.flatMap(({ messages }) => messages), ...arrived]).sort(), ["m1", "own"]);
    clock.advance(500);
    assert.deepEqual(idsOf(some((await claimAll(one.store)).instances[0]).messages), ["timer"]);
  });

  it("L2 an answer that comes after the same process has claimed the instance anew changes nothing of the new lease", async (t) => {
    const { connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const claim = await startAndClaim(one.store, "a");
    const late = one.keepBack("commit_1");
    const writing = done(one.store, turnOf(claim.record, [], { messages: [messageTo("a", "own")] }));
    await late.given;
    await one.store.release([claim], 0);
    const anew = await claimOne(one.store);
    assert.equal(anew.epoch, claim.epoch + 1);
    late.letGo();
    await writing;
    await done(other.store, commitOf({ messages: [messageTo("a", "m1")] }));
    assert.deepEqual(idsOf(some((await claimAll(one.store)).instances[0]).messages), ["m1"]);
  });

  it("L2 an answer that comes after the same process has claimed anew the child that was made changes nothing of the new lease", async (t) => {
    const { connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const creates = { record: recordOf("child", { attempts: 1 }), payloads: {}, claimed: true };
    const commit = one.keepBack("commit_1");
    const making = done(one.store, commitOf({ messages: [messageTo("child", "m1", { creates })] }));
    await commit.given;
    await other.store.update("child", (current) => {
      const { record } = some(current);
      return commitOf({ number: record.number, record: { ...record, epoch: record.epoch + 1 } });
    });
    const anew = await claimOne(one.store);
    assert.deepEqual([anew.epoch, idsOf(anew.messages)], [3, ["m1"]]);
    commit.letGo();
    assert.deepEqual((await making).claims, []);
    await done(other.store, commitOf({ messages: [messageTo("child", "m2")] }));
    const [next] = (await claimAll(one.store)).instances;
    assert.deepEqual([next?.epoch, idsOf(next?.messages ?? [])], [3, ["m2"]]);
  });

  it("S1 a child that two commits of one group make is given to one of them", async (t) => {
    const { connect } = await worldFor(t);
    const { store } = await connect();
    const make = (id: string) =>
      commitOf({
        messages: [messageTo("child", id, { creates: { record: recordOf("child", { attempts: 1 }), payloads: {}, claimed: true } })],
      });
    const results = await store.commit([make("m1"), make("m2")]);
    const claims = results.flatMap((result) => (result.ok ? result.claims : []));
    assert.deepEqual(
      claims.map(({ messages }) => idsOf(messages)),
      [["m1", "m2"]],
    );
  });

  it("S1 steps of instances that were given back meanwhile take them again, or are refused", async (t) => {
    const { ask, connect } = await worldFor(t);
    const { store } = await connect();
    for (const id of ["a", "b"]) await done(store, startOf(id));
    const { instances } = await claimAll(store);
    const records = [];
    for (const claim of instances) {
      const commit = turnOf(claim.record, claim.messages);
      await done(store, commit);
      records.push(some(commit.record));
    }
    const [first, second] = [some(records[0]), some(records[1])];
    // Given back in the database alone, as by a call whose answer is on its way.
    await ask("update ostinato.instances set owner = null where id = 'a'");
    const results = await store.commit([turnOf(first, []), turnOf(second, [])]);
    assert.ok(results.every((result) => result.ok));
    assert.deepEqual(await ask("select count(*)::int as free from ostinato.instances where owner is null"), [{ free: 0 }]);
  });

  it("A1 an activity that was claimed anew while a step waited for its instance is not done by the old claim", async (t) => {
    const { hold, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    const claim = await startAndClaim(one.store, "a");
    const scheduling = turnOf(claim.record, claim.messages, { activities: [activityOf(claim.record, 1)] });
    await done(one.store, scheduling);
    const [mine] = (await claimAll(one.store)).activities;
    const { row, epoch } = some(mine);
    const blocker = await hold();
    const stepping = one.store.commit([
      turnOf(some(scheduling.record), [], {
        fences: [
          { kind: "instance", number: claim.number, epoch: claim.epoch },
          { kind: "activity", key: row, epoch },
        ],
        finished: [row],
      }),
    ]);
    await blocker.isWaitedFor();
    await one.store.release([{ key: row, epoch }], 0);
    assert.equal((await claimAll(other.store)).activities.length, 1);
    await blocker.letGo();
    const [result] = await stepping;
    assert.deepEqual(result, { ok: false, why: "fenced" });
  });

  it("L2 whoever takes over passes over an owner that renews at this moment", async (t) => {
    const { clock, hold, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    await one.store.renew(1_000);
    await other.store.renew(1_000);
    const claim = await startAndClaim(other.store, "a");
    clock.advance(2_000);
    const renewing = await hold("select 1 from ostinato.owners where owner = 2 for no key update");
    await one.store.renew(1_000);
    await renewing.letGo();
    assert.equal((await other.store.renew(1_000)).alive, true);
    await done(other.store, turnOf(claim.record, claim.messages));
  });

  it("L2 a process whose owner is gone gets one other, whichever of its calls is told first", async (t) => {
    const { ask, clock, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    await one.store.renew(1_000);
    await done(one.store, startOf("a"));
    clock.advance(2_000);
    await other.store.renew(1_000);
    const late = one.keepBack("renew_1");
    const renewing = one.store.renew(1_000);
    await late.given;
    const claim = await claimOne(one.store);
    late.letGo();
    assert.equal((await renewing).alive, false);
    assert.deepEqual(await ask("select count(*)::int as owners from ostinato.owners"), [{ owners: 2 }]);
    await one.store.release([claim], 0);
    assert.equal((await claimAll(other.store)).instances.length, 1);
  });

  it("L2 what one step of a takeover leaves is taken over by the next one, soon", async (t) => {
    const { ask, clock, connect } = await worldFor(t);
    const [one, other] = [await connect(), await connect()];
    await one.store.renew(1_000);
    await other.store.renew(1_000);
    await ask(`insert into ostinato.instances(hub, id, kind, name, created_at, epoch, turn, history_length, updated_at, last_turn_at, attempts, status,
      execution_id, lineage, generation, held, dropped, format, owner) select 1, 'i' || n, 0, 'chain', 0, 1, 1, 0, 0, 0, 0, 1, 'e', 'e', 1, 0, 0, 1, 2
      from generate_series(1, 1500) n`);
    clock.advance(900);
    await one.store.renew(60_000);
    clock.advance(200);
    const { againInMs } = await one.store.renew(60_000);
    assert.ok(some(againInMs) < 1_000, `only ${againInMs} ms later`);
    await one.store.renew(60_000);
    assert.deepEqual(await ask("select count(*)::int as held from ostinato.instances where owner is not null"), [{ held: 0 }]);
  });

  it("L2 a claim that meets a store that has left makes no new owner", async (t) => {
    const { ask, connect } = await worldFor(t);
    const { store } = await connect();
    await done(store, startOf("a"));
    await Promise.all([store.close(), claimAll(store).catch(() => undefined), claimAll(store).catch(() => undefined)]);
    assert.deepEqual(await ask("select count(*)::int as owners from ostinato.owners"), [{ owners: 0 }]);
  });
});
