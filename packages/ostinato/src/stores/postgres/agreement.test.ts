// Several processes over one hub, by chance: they claim, commit, give back, change what others hold, stand still until others take over, and lose answers.
// At rest nothing lies where nobody looks; in the end every message has been consumed exactly once.
// What happens is made from a seed; in which order the database does it is not.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import pg from "pg";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import type { MovableClock } from "../../conformance/store/movable-clock.ts";
import { activityOf, claimAll, commitOf, messageTo, recordOf, some, START, startOf, turnOf } from "../../conformance/store/stories.ts";
import type { InstanceRecord } from "../../contract/instance.ts";
import type { InboxMessage, Message } from "../../contract/messages.ts";
import { given } from "../../contract/recorded-as.ts";
import type { ActivityClaim, Claim, Commit, CommitResult } from "../../engine/commit.ts";
import type { Store } from "../../engine/store.ts";
import { systemClock } from "../../platform/clock.ts";
import { seededRandom } from "../../platform/random.ts";
import type { PostgresPool } from "./database.ts";
import { openPostgresStore } from "./postgres-store.ts";

const RUN_MS = process.env["STORE"] === "postgres" ? 20_000 : 3_000;
const ROUND_MS = 150;
const PROCESSES = 3;
const LEASE_MS = 1_000;
/** These are never dropped: each message to them is consumed. */
const KEPT = ["k0", "k1", "k2", "k3", "k4"];
/** These are dropped now and then, with what lies in their inboxes. */
const DROPPED = ["d0", "d1"];
const IDS = [...KEPT, ...DROPPED];
const REST_MS = 5_000;

/** The database's own time passes, in which answers overtake each other; the time of the story is moved. */
const pause = (ms: number): Promise<void> => new Promise((resolve) => void systemClock.setTimer(ms, resolve));

/** An instance as a process believes that it holds it. */
interface Mine {
  record: InstanceRecord;
  readonly epoch: number;
  readonly handed: Map<string, InboxMessage>;
  isBusy: boolean;
}

/** What was told of a message. */
interface Told {
  readonly to: string;
  /** Counts what is told: when its sending and its consumption were. */
  sent?: number;
  consumed?: number;
  /** A commit that was to consume it, or to send it, has not been answered. */
  isUnknown?: true;
}

class World {
  readonly clock: MovableClock = movableClock(START);
  readonly messages = new Map<string, Told>();
  readonly activitiesDone = new Set<string>();
  readonly pool: pg.Pool;
  readonly #random: { fraction(): number };
  readonly #stores: Store[] = [];
  losesAnswers = false;
  minted = 0;
  told = 0;

  constructor(connectionString: string, seed: number) {
    this.pool = new pg.Pool({ connectionString, max: 16 });
    this.pool.on("error", () => undefined);
    this.pool.setMaxListeners(0);
    this.#random = seededRandom(seed);
  }

  upTo(count: number): number {
    return Math.floor(this.#random.fraction() * count);
  }

  oneIn(count: number): boolean {
    return this.upTo(count) === 0;
  }

  pick<T>(from: readonly T[]): T | undefined {
    return from[this.upTo(from.length)];
  }

  async ask(text: string): Promise<Record<string, unknown>[]> {
    return (await this.pool.query<Record<string, unknown>>(text)).rows;
  }

  /** A line to the database on which answers are late, or lost, as long as the world is so. */
  async connect(label: string): Promise<Store> {
    const { pool } = this;
    const lossy: PostgresPool = {
      connect: () => pool.connect(),
      on: (event, listener) => pool.on(event, listener),
      removeListener: (event, listener) => pool.removeListener(event, listener),
      end: async () => undefined,
      query: async (query) => {
        const isOfOwner = /[.](claim|commit|step|release)_1\(/.test(query.text);
        const answer = await pool.query(query as pg.QueryConfig);
        if (isOfOwner && this.losesAnswers && this.oneIn(query.text.includes("claim_1") ? 5 : 60))
          throw Object.assign(new Error("Connection terminated unexpectedly"), { code: "ECONNRESET" });
        // An answer may be overtaken by what was asked for later.
        if (isOfOwner && this.oneIn(6)) await pause(this.upTo(12));
        return answer as never;
      },
    };
    const store = openPostgresStore({ pool: lossy, label, testing: { clock: this.clock } });
    await store.open();
    this.#stores.push(store);
    return store;
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close();
    await this.pool.end();
  }
}

/** One process: what it believes to hold, and what it does by chance. */
class Process {
  readonly world: World;
  readonly store: Store;
  readonly label: string;
  readonly mine = new Map<number, Mine>();
  activities: ActivityClaim[] = [];
  standsStill = false;

  private constructor(world: World, store: Store, label: string) {
    this.world = world;
    this.store = store;
    this.label = label;
  }

  static async begin(world: World): Promise<Process> {
    const label = `process ${++world.minted}`;
    return new Process(world, await world.connect(label), label);
  }

  async claim(): Promise<void> {
    const { world } = this;
    const begins = world.told;
    const room = world.oneIn(3) ? 0 : 1 + world.upTo(4);
    await this.take(await claimAll(this.store, { instances: room, activityCount: world.upTo(3) }), begins);
  }

  async take(
    { instances, activities }: { readonly instances: readonly Claim[]; readonly activities: readonly ActivityClaim[] },
    begins: number,
  ): Promise<void> {
    this.activities.push(...activities);
    for (const claim of instances) {
      const known = this.mine.get(claim.number);
      if (!claim.held) {
        const mine = { record: claim.record, epoch: claim.epoch, handed: new Map<string, InboxMessage>(), isBusy: false };
        this.mine.set(claim.number, mine);
        this.handOut(mine, claim.messages, begins);
      } else if (known?.epoch === claim.epoch) this.handOut(known, claim.messages, begins);
      else await this.store.release([claim], 0).catch(() => undefined);
    }
  }

  handOut(mine: Mine, messages: readonly InboxMessage[], begins: number): void {
    for (const message of messages) {
      assert.ok(!mine.handed.has(message.id), `${message.id} was handed out twice under one lease`);
      const { consumed } = this.world.messages.get(message.id) ?? {};
      assert.ok(consumed === undefined || consumed > begins, `${message.id} was consumed, and handed out by what was asked for after that`);
      mine.handed.set(message.id, message);
    }
  }

  anyMessage(to: string): Message {
    const { world } = this;
    const id = `m${++world.minted}`;
    world.messages.set(id, { to });
    const executionId = `${to}-${world.minted}`;
    const creates = { record: recordOf(to, { executionId, lineage: executionId, attempts: 1 }), payloads: {}, claimed: world.oneIn(3) };
    return messageTo(to, id, {
      wakes: world.oneIn(3) ? "always" : "unless-held",
      needs: world.oneIn(4) ? "engine" : "program",
      ...given({
        visibleAt: world.oneIn(3) ? world.clock.now() + world.upTo(300) : undefined,
        creates: world.oneIn(2) ? creates : undefined,
      }),
    });
  }

  /** Commits; what is told of its messages is noted. Nothing: the answer was lost, or nothing was written. */
  async commit(commit: Commit): Promise<Extract<CommitResult, { ok: true }> | undefined> {
    const { world } = this;
    const begins = world.told;
    let result: CommitResult | undefined;
    try {
      [result] = await this.store.commit([commit]);
    } catch {
      for (const id of [...commit.consumed, ...commit.messages.map(({ id: one }) => one)]) some(world.messages.get(id)).isUnknown = true;
      return undefined;
    }
    if (result?.ok !== true) {
      assert.notEqual(result?.why, "failed", JSON.stringify(result));
      return undefined;
    }
    world.told++;
    for (const { id } of commit.messages) if (!result.undelivered.includes(id)) some(world.messages.get(id)).sent = world.told;
    for (const id of commit.consumed) {
      const told = some(world.messages.get(id));
      assert.equal(told.consumed, undefined, `${id} was consumed twice`);
      told.consumed = world.told;
    }
    await this.take({ instances: result.claims, activities: [] }, begins);
    return result;
  }

  async send(): Promise<void> {
    await this.commit(
      commitOf({ messages: Array.from({ length: 1 + this.world.upTo(3) }, () => this.anyMessage(some(this.world.pick(IDS)))) }),
    );
  }

  async start(): Promise<void> {
    const { world } = this;
    const id = some(world.pick(IDS));
    const number = ++world.minted;
    const begins = world.told;
    const commit = startOf(id, { keep: world.oneIn(2), record: { executionId: `${id}-${number}`, lineage: `${id}-${number}` } });
    world.messages.set(some(commit.messages[0]).id, { to: id });
    const result = await this.commit(commit);
    if (result === undefined || !commit.keep) return;
    const record = { ...some(commit.record), number: result.number };
    // An answer that was long on its way: it was taken away and claimed anew since.
    if ((this.mine.get(result.number)?.epoch ?? 0) > record.epoch) return;
    const mine = { record, epoch: record.epoch, handed: new Map<string, InboxMessage>(), isBusy: false };
    this.mine.set(result.number, mine);
    this.handOut(mine, result.arrived, begins);
  }

  idle(): Mine | undefined {
    return this.world.pick([...this.mine.values()].filter(({ isBusy }) => !isBusy));
  }

  async turn(): Promise<void> {
    const mine = this.idle();
    if (mine === undefined) return;
    mine.isBusy = true;
    const { world } = this;
    const { record } = mine;
    const isStep = world.oneIn(2);
    const consumed = isStep ? [] : [...mine.handed.values()].filter(() => !world.oneIn(3));
    const fold = world.pick(this.activities.filter(({ row }) => row.number === record.number));
    if (fold !== undefined) this.activities = this.activities.filter((each) => each !== fold);
    const scheduled = Array.from({ length: world.upTo(3) }, (_, i) =>
      activityOf(record, ++world.minted, { epoch: (record.turn + 1) * 4_096 + i, claimed: world.oneIn(2) }),
    );
    const messages = isStep ? [] : Array.from({ length: world.upTo(3) }, () => this.anyMessage(some(world.pick([record.id, ...IDS]))));
    const keep = isStep || !world.oneIn(8);
    const base = turnOf(record, consumed, { activities: scheduled, messages, keep });
    const commit: Commit =
      fold === undefined
        ? base
        : { ...base, fences: [...base.fences, { kind: "activity", key: fold.row, epoch: fold.epoch }], finished: [fold.row] };
    const begins = world.told;
    const result = await this.commit(commit);
    mine.isBusy = false;
    if (result === undefined) return void (await this.giveBack(mine, 0));
    if (fold !== undefined) this.noteDone(fold);
    for (const row of scheduled) if (row.claimed) this.activities.push({ row, epoch: row.epoch, delivery: 1, at: result.at });
    for (const { id } of consumed) mine.handed.delete(id);
    mine.record = some(commit.record);
    const isStillMine = this.mine.get(record.number) === mine;
    if (!keep && isStillMine) this.mine.delete(record.number);
    else if (keep && isStillMine) this.handOut(mine, result.arrived, begins);
    else if (keep) await this.store.release([{ number: record.number, epoch: mine.epoch }], 0).catch(() => undefined);
  }

  async giveBack(mine: Mine, afterMs: number): Promise<void> {
    const { number } = mine.record;
    if (this.mine.get(number) === mine) this.mine.delete(number);
    await this.store.release([{ number, epoch: mine.epoch }], afterMs).catch(() => undefined);
  }

  async release(): Promise<void> {
    const mine = this.idle();
    if (mine !== undefined) await this.giveBack(mine, this.world.oneIn(2) ? this.world.upTo(100) : 0);
  }

  noteDone({ row }: ActivityClaim): void {
    const key = `${row.number}/${row.generation}/${row.taskId}`;
    assert.ok(!this.world.activitiesDone.has(key), `the activity ${key} was done twice`);
    this.world.activitiesDone.add(key);
  }

  async activity(): Promise<void> {
    const claim = this.activities.shift();
    if (claim === undefined) return;
    const { row, epoch } = claim;
    if (this.world.oneIn(3))
      return void (await this.store.release([{ key: row, epoch, undone: this.world.oneIn(2) }], 0).catch(() => undefined));
    const done = commitOf({
      fences: [{ kind: "activity", key: row, epoch }],
      finished: [row],
      messages: [this.anyMessage(row.instanceId)],
    });
    if ((await this.commit(done)) !== undefined) this.noteDone(claim);
  }

  /** Suspends or resumes, whoever holds it. */
  async change(): Promise<void> {
    const id = some(this.world.pick(IDS));
    const answer = await this.store
      .update(id, (current) => {
        if (current === undefined) return { refused: "not-found", message: "" };
        const { record } = current;
        return commitOf({ number: record.number, record: { ...record, epoch: record.epoch + 1, held: !record.held } });
      })
      .catch(() => undefined);
    if (answer === undefined || "refused" in answer) return;
    assert.ok(answer.ok, JSON.stringify(answer));
  }

  async drop(): Promise<void> {
    const { world } = this;
    const id = some(world.pick(DROPPED));
    const isAnother = world.oneIn(2);
    const executionId = `${id}-${++world.minted}`;
    await this.store
      .update(id, (current) => {
        if (current === undefined) return { refused: "not-found", message: "" };
        const { number } = current.record;
        return commitOf({
          number,
          drop: isAnother || world.oneIn(2) ? "everything" : "if-idle",
          ...given({ record: isAnother ? recordOf(id, { executionId, lineage: executionId }) : undefined }),
        });
      })
      .catch(() => undefined);
  }

  /** Renews, and takes over; or stands still for longer than its lease, and comes back. */
  async renew(): Promise<void> {
    if (this.world.oneIn(8)) this.standsStill = !this.standsStill;
    if (this.standsStill) return;
    const { alive } = await this.store.renew(LEASE_MS).catch(() => ({ alive: true }));
    if (alive) return;
    for (const mine of [...this.mine.values()]) await this.giveBack(mine, 0);
    this.activities = [];
  }
}

const CLAIMING = ["claim", "claim", "claim", "renew"] as const;
const WORKING = ["turn", "turn", "turn", "turn", "turn", "turn", "turn", "turn", "turn", "activity", "activity", "release"] as const;
const CALLING = ["send", "send", "send", "start", "change", "drop", "activity"] as const;

/** The process in one of the places acts; now and then it ends without a word, and another one has its place. */
async function act(
  all: Process[],
  place: number,
  steps: readonly (typeof CLAIMING | typeof WORKING | typeof CALLING)[number][],
  until: number,
): Promise<void> {
  while (systemClock.monotonic() < until) {
    const one = some(all[place]);
    const { world } = one;
    try {
      await one[some(world.pick(steps))]();
    } catch (error) {
      if ((error as { code?: string }).code !== "STORE_UNAVAILABLE") throw error;
    }
    if (world.oneIn(150)) all[place] = await Process.begin(world);
    if (world.oneIn(4)) world.clock.advance(world.upTo(20));
    // Whoever has nothing to do lets the others go on.
    await pause(steps === CLAIMING ? world.upTo(25) : 1);
  }
}

/** What is wrong with the tables, whoever holds what. */
const FAULTS = `
  with lanes as (
    select i.number, i.name, i.status, i.not_before, min(m.due_at) as at, min(m.due_at) filter (where i.status >= 3 or m.lane in (0, 2)) as engine
    from ostinato.instances i join ostinato.messages m on m.number = i.number and (i.held = 0 or m.lane < 2) where i.owner is null group by i.number),
  wanted as (
    select l.number, '' as name, l.engine as at from lanes l where l.engine is not null
    union all select l.number, l.name, greatest(l.at, l.not_before) from lanes l where l.status < 3)
  select 'is not ready' as fault, w.number, w.name, w.at from wanted w where not exists (
    select 1 from ostinato.ready r where r.number = w.number and r.name = w.name and r.at = w.at)
  union all select 'is ready without reason', r.number, r.name, r.at from ostinato.ready r where not exists (
    select 1 from wanted w where w.number = r.number and w.name = r.name and w.at = r.at)
  union all select 'has news for nobody', n.number, '', n.at from ostinato.news n left join ostinato.instances i on i.number = n.number where i.owner is distinct from n.owner
  union all select 'is held by nobody', i.number, i.id, i.owner from ostinato.instances i where i.owner is not null and not exists (select 1 from ostinato.owners o where o.owner = i.owner)
  union all select 'has what hangs on nothing', m.number, m.id, 0 from ostinato.messages m where not exists (select 1 from ostinato.instances i where i.number = m.number)`;

/** Everybody looks until nobody is told anything new; then each due message of a held instance is known to whoever holds it. */
async function rest(world: World, all: readonly Process[]): Promise<void> {
  let faults: unknown[] = [];
  const until = systemClock.monotonic() + REST_MS;
  do {
    for (const one of all) {
      const begins = world.told;
      await one.take(await claimAll(one.store, { instances: 100, activityCount: 100 }), begins);
    }
    faults = await world.ask(FAULTS);
    const labels = all.map(({ label }) => `'${label}'`).join();
    const lying =
      await world.ask(`select i.number::text, i.epoch::text, m.id from ostinato.instances i join ostinato.messages m on m.number = i.number
      join ostinato.owners o on o.owner = i.owner and not o.gone and o.label in (${labels}) 
      where m.due_at <= ${world.clock.now()} and (i.held = 0 or m.lane < 2)`);
    for (const { number, epoch, id } of lying as Record<"number" | "epoch" | "id", string>[]) {
      const isKnown = all.some((one) => {
        const mine = one.mine.get(Number(number));
        return mine?.epoch === Number(epoch) && mine.handed.has(id);
      });
      if (!isKnown) faults.push(`${id} lies in the inbox of ${number} at ${epoch}, and nobody was told`);
    }
    // What was lost on its way is found by the store itself, a little later.
    if (faults.length > 0) await pause(50);
  } while (faults.length > 0 && systemClock.monotonic() < until);
  assert.deepEqual(faults, []);
}

/** One process takes over everything, and consumes what is there. */
async function drain(world: World): Promise<void> {
  const last = await Process.begin(world);
  world.clock.advance(LEASE_MS * 100);
  for (;;) {
    await last.store.renew(LEASE_MS * 10);
    const [{ others = 0 } = {}] = await world.ask("select count(*)::int - 1 as others from ostinato.owners");
    if (others === 0) break;
  }
  for (const id of IDS)
    await last.store.update(id, (current) => {
      const { record } = current ?? {};
      if (record?.held !== true) return { refused: "no-change", message: "" };
      return commitOf({ number: record.number, record: { ...record, epoch: record.epoch + 1, held: false } });
    });
  for (let round = 0; round < 200; round++) {
    const begins = world.told;
    await last.take(await claimAll(last.store), begins);
    for (const mine of last.mine.values()) {
      if (mine.handed.size === 0) continue;
      const commit = turnOf(mine.record, [...mine.handed.values()]);
      const result = await last.commit(commit);
      assert.ok(result !== undefined, "the last one left was refused");
      mine.record = some(commit.record);
      mine.handed.clear();
      last.handOut(mine, result.arrived, begins);
    }
    const [{ left = 0 } = {}] = await world.ask("select count(*)::int as left from ostinato.messages");
    if (left === 0) break;
    world.clock.advance(100);
  }
  assert.deepEqual(
    await world.ask("select i.id, m.id as message from ostinato.messages m left join ostinato.instances i on i.number = m.number"),
    [],
  );
  const lost = [...world.messages].filter(
    ([, told]) => KEPT.includes(told.to) && told.sent !== undefined && told.consumed === undefined && !told.isUnknown,
  );
  assert.deepEqual(lost, [], "messages that were sent and never consumed");
  await last.store.close();
}

async function tell(t: TestContext, seed: number): Promise<void> {
  const connectionString = await databaseForTests();
  const world = new World(connectionString, seed);
  t.after(() => world.close());
  const first = await Process.begin(world);
  const all = [first];
  while (all.length < PROCESSES) all.push(await Process.begin(world));
  const until = systemClock.monotonic() + RUN_MS;
  for (let round = 0; systemClock.monotonic() < until; round++) {
    world.losesAnswers = round % 2 === 1;
    const ends = Math.min(systemClock.monotonic() + ROUND_MS, until);
    await Promise.all(all.flatMap((_, place) => [CLAIMING, WORKING, WORKING, CALLING].map((steps) => act(all, place, steps, ends))));
    world.losesAnswers = false;
    await rest(world, all);
  }
  await drain(world);
  t.diagnostic(`seed ${seed}: ${world.messages.size} messages, ${world.activitiesDone.size} activities`);
}

describe("several processes on PostgreSQL", { skip: withoutPostgres(), timeout: 120_000 }, () => {
  it("L3 L6 I5 lose no message and do none twice, whatever they do to each other", async (t) => {
    const seed = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 32));
    try {
      await tell(t, seed);
    } catch (error) {
      (error as Error).message += `\n(SEED=${seed})`;
      throw error;
    }
  });
});
