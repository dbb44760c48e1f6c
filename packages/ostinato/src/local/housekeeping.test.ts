// Retention, on both stores: exactly what the policy says goes, in small steps, and nobody is polled for it.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { movableClock } from "../conformance/store/movable-clock.ts";
import { commitOf, done, recordOf, START } from "../conformance/store/stories.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { retentionMs, retentionPolicy, type Retention } from "../contract/retention.ts";
import type { Commit } from "../engine/commit.ts";
import type { Store } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";
import { silentLogger } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub } from "../stores/memory/memory-store.ts";
import { openSqliteStore } from "../stores/sqlite/sqlite-store.ts";
import { Housekeeping, type HousekeepingWorld } from "./housekeeping.ts";

const DAY = 86_400_000;

/** A clock of timers that a test fires by moving it, and that a store reads. */
function testClock(start: number): Clock & { advance(ms: number): Promise<void>; readonly timers: number; readonly looks: number } {
  const store = movableClock(start);
  let timers: { readonly due: number; readonly run: () => void }[] = [];
  let looks = 0;
  const settle = async (): Promise<void> => {
    for (let i = 0; i < 50; i++) await new Promise<void>((resolve) => setImmediate(resolve)); // tidy: allow timers because the inline store answers in turns of the event loop
  };
  return {
    now: () => store.now(),
    monotonic: () => store.now(),
    setTimer(ms, run) {
      const timer = { due: store.now() + ms, run };
      timers.push(timer);
      return { cancel: () => void (timers = timers.filter((each) => each !== timer)) };
    },
    async advance(ms) {
      const end = store.now() + ms;
      await settle();
      for (;;) {
        const next = timers.filter((each) => each.due <= end).sort((a, b) => a.due - b.due)[0];
        if (next === undefined) break;
        timers = timers.filter((each) => each !== next);
        store.advance(Math.max(0, next.due - store.now()));
        looks++;
        next.run();
        await settle();
      }
      store.advance(end - store.now());
      await settle();
    },
    get timers() {
      return timers.length;
    },
    get looks() {
      return looks;
    },
  };
}

type TestClock = ReturnType<typeof testClock>;

const STORES: Readonly<Record<string, (t: TestContext, clock: TestClock) => Store>> = {
  memory: (_, clock) => createMemoryHub({ clock }).connect(),
  sqlite(t, clock) {
    const folder = mkdtempSync(join(tmpdir(), "ostinato-retention-"));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    return openSqliteStore({ path: join(folder, "hub.db"), body: "inline", testing: { clock } });
  },
};

interface House {
  readonly store: Store;
  readonly clock: TestClock;
  readonly housekeeping: Housekeeping;
  readonly batches: number[];
  readonly retired: string[];
  failures: number;
  /** What the next commit throws. */
  fault: Error | undefined;
}

async function house(t: TestContext, kind: string, retention: Retention, more: Partial<HousekeepingWorld> = {}): Promise<House> {
  const clock = testClock(START);
  const store = STORES[kind]!(t, clock);
  await store.open();
  t.after(() => store.close());
  const made: Omit<House, "housekeeping"> = { store, clock, batches: [], retired: [], failures: 0, fault: undefined };
  const housekeeping = new Housekeeping({
    policy: retentionPolicy(retention),
    clock,
    log: silentLogger,
    finished: (request) => store.finished(request),
    record: async (id) => (await store.read(id))?.record,
    unfinishedChild: async (id) =>
      (await store.query({ parent: id, status: ["PENDING", "RUNNING", "SUSPENDED"] }, { size: 1 })).items[0]?.record.id,
    async commit(batch: readonly Commit[]) {
      const { fault } = made;
      made.fault = undefined;
      if (fault !== undefined) throw fault;
      made.batches.push(batch.length);
      return store.commit(batch);
    },
    retired: (ids) => void made.retired.push(...ids),
    failed: () => void made.failures++,
    ...more,
  });
  const unwatch = store.watch((hint) => housekeeping.ended(hint.ended));
  t.after(async () => {
    unwatch();
    await housekeeping.stop();
  });
  return Object.assign(made, { housekeeping });
}

async function put(store: Store, id: string, more: Partial<InstanceRecord>): Promise<void> {
  await done(store, commitOf({ fences: [{ kind: "absent", id }], record: recordOf(id, more) }));
}

async function change(store: Store, id: string, more: Partial<InstanceRecord>): Promise<void> {
  await store.update(id, (current) => commitOf({ number: current!.record.number, record: { ...current!.record, ...more } }));
}

async function there(store: Store): Promise<string[]> {
  const ids: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.query({}, { size: 1_000, ...(cursor === undefined ? {} : { cursor }) });
    ids.push(...page.items.map((item) => item.record.id));
    cursor = page.next;
  } while (cursor !== undefined);
  return ids.sort();
}

for (const kind of Object.keys(STORES)) {
  describe(`housekeeping: ${kind}`, () => {
    it("C8 a finished instance goes 30 days after its completion, not before; what runs stays", async (t) => {
      const { store, clock, housekeeping, retired } = await house(t, kind, "30d");
      await put(store, "old", { status: "COMPLETED", completedAt: START });
      await put(store, "later", { status: "FAILED", completedAt: START + DAY });
      await put(store, "running", { status: "RUNNING" });
      housekeeping.start();
      await clock.advance(30 * DAY - 1);
      assert.deepEqual(await there(store), ["later", "old", "running"]);
      await clock.advance(1);
      assert.deepEqual(await there(store), ["later", "running"]);
      await clock.advance(DAY + 60_000);
      assert.deepEqual(await there(store), ["running"]);
      assert.deepEqual(retired, ["old", "later"]);
    });

    it("an idle hub is not polled: it sleeps until something is due, and for good when nothing has ended", async (t) => {
      const { store, clock, housekeeping } = await house(t, kind, "30d");
      await put(store, "running", { status: "RUNNING" });
      housekeeping.start();
      await clock.advance(1);
      assert.equal(clock.timers, 0);
      await change(store, "running", { status: "COMPLETED", completedAt: START + 1 });
      await clock.advance(29 * DAY);
      assert.equal(clock.timers, 1);
      assert.equal(clock.looks, 0);
      await clock.advance(400 * DAY);
      assert.deepEqual(await there(store), []);
      assert.ok(clock.looks <= 4, `looked ${clock.looks} times`);
      assert.equal(clock.timers, 0);
    });

    it("a child stays while the execution that called it runs, and a parent while children of it run", async (t) => {
      const { store, clock, housekeeping } = await house(t, kind, "1d");
      const parent = (instanceId: string, executionId = `${instanceId}-1`) => ({
        parent: { instanceId, executionId, name: "p", taskScheduledId: 1 },
      });
      await put(store, "live", { status: "RUNNING" });
      await put(store, "child of live", { status: "COMPLETED", completedAt: START, ...parent("live") });
      await put(store, "child of an execution before", { status: "COMPLETED", completedAt: START, ...parent("live", "other") });
      await put(store, "ended", { status: "TERMINATED", completedAt: START });
      await put(store, "child that runs", { status: "SUSPENDED", ...parent("ended") });
      await put(store, "orphan", { status: "COMPLETED", completedAt: START, ...parent("nobody") });
      housekeeping.start();
      await clock.advance(2 * DAY);
      assert.deepEqual(await there(store), ["child of live", "child that runs", "ended", "live"]);
      await change(store, "live", { status: "COMPLETED", completedAt: clock.now() });
      await change(store, "child that runs", { status: "TERMINATED", completedAt: clock.now() });
      await clock.advance(2 * 60_000);
      assert.deepEqual(await there(store), ["child that runs", "live"], "whom they waited for has ended, so they go at once");
      await clock.advance(2 * DAY);
      assert.deepEqual(await there(store), []);
    });

    it("R5 many go in small transactions, one after the other; a stop in between loses nothing", async (t) => {
      const { store, clock, housekeeping, batches } = await house(t, kind, "1d");
      const count = 1_250;
      for (let i = 0; i < count; i++) await put(store, `i${i}`, { status: "COMPLETED", completedAt: START + (i % 50) });
      housekeeping.start();
      await clock.advance(DAY + 60_000);
      assert.deepEqual(await there(store), []);
      assert.ok(Math.max(...batches) <= 100, `the largest transaction removed ${Math.max(...batches)}`);
      await put(store, "again", { status: "COMPLETED", completedAt: clock.now() });
      await housekeeping.stop();
      await clock.advance(2 * DAY);
      assert.deepEqual(await there(store), ["again"], "nothing goes where no worker runs");
      housekeeping.start();
      await clock.advance(1);
      assert.deepEqual(await there(store), []);
    });

    it("room is given back after a look, step by step, until there is no more", async (t) => {
      const steps = [300, 200, 100];
      const given: number[] = [];
      const { store, clock, housekeeping } = await house(t, kind, "1d", {
        giveBack: async () => {
          const bytes = steps.shift() ?? 0;
          given.push(bytes);
          return { bytes, more: bytes > 100 };
        },
      });
      await put(store, "a", { status: "COMPLETED", completedAt: START });
      housekeeping.start();
      await clock.advance(1);
      assert.deepEqual(given, [300, 200, 100]);
      await clock.advance(DAY);
      assert.deepEqual(given, [300, 200, 100, 0]);
    });

    it("O2 a store that cannot write is tried again, later each time; what it could not remove goes then", async (t) => {
      const home = await house(t, kind, "1d");
      await put(home.store, "a", { status: "COMPLETED", completedAt: START });
      home.housekeeping.start();
      await home.clock.advance(DAY - 1);
      home.fault = new Error("no room");
      await home.clock.advance(1);
      assert.equal(home.failures, 1);
      assert.deepEqual(await there(home.store), ["a"]);
      await home.clock.advance(1_000);
      assert.deepEqual(await there(home.store), []);
    });

    it("an instance that changed between the list and its removal is looked up, and goes or stays as it stands then", async (t) => {
      const { store, clock, housekeeping } = await house(t, kind, "1d", {
        unfinishedChild: async (id) => {
          if (id === "touched") await change(store, id, { epoch: 9 });
          if (id === "reborn") {
            await store.update(id, ({ record } = { record: recordOf(id), payloads: {} }) => {
              const { completedAt: _completedAt, ...rest } = record;
              return commitOf({ number: record.number, record: { ...rest, status: "RUNNING", epoch: 9 } });
            });
          }
          return undefined;
        },
      });
      await put(store, "touched", { status: "COMPLETED", completedAt: START });
      await put(store, "reborn", { status: "FAILED", completedAt: START });
      housekeeping.start();
      await clock.advance(DAY);
      assert.deepEqual(await there(store), ["reborn", "touched"]);
      await clock.advance(2 * 3_600_000);
      assert.deepEqual(await there(store), ["reborn"]);
      assert.equal((await store.read("reborn"))?.record.status, "RUNNING");
    });

    it("C8 whatever the policy and the instances: what goes is exactly what a model says (seeded)", async (t) => {
      for (let seed = 1; seed <= 8; seed++) {
        const chance = seededRandom(seed);
        const random = () => chance.fraction();
        const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
        const lengths = ["1h", "5h", "1d", "3d", 0] as const;
        const outcomes = () => ({ completed: pick(lengths), failed: pick(lengths) });
        const retention: Retention = { ...outcomes(), terminated: pick(lengths), orchestrators: { b: pick(lengths), c: outcomes() } };
        const policy = retentionPolicy(retention);
        const { store, clock, housekeeping } = await house(t, kind, retention);
        const model = new Map<string, { readonly goesAt: number }>();
        housekeeping.start();
        for (let step = 0; step < 60; step++) {
          const id = `s${step}`;
          const name = pick(["a", "b", "c"]);
          const status = pick(["COMPLETED", "FAILED", "TERMINATED", "RUNNING"] as const);
          await put(store, id, { name, status, ...(status === "RUNNING" ? {} : { completedAt: clock.now() }) });
          const ms = status === "RUNNING" ? 0 : retentionMs(policy, name, status);
          model.set(id, { goesAt: ms === 0 ? Number.POSITIVE_INFINITY : clock.now() + ms });
          await clock.advance(Math.floor(random() * 4 * 3_600_000));
          const now = clock.now();
          const must = [...model].filter(([, { goesAt }]) => goesAt > now).map(([each]) => each);
          const may = [...model].filter(([, { goesAt }]) => goesAt > now - 60_000).map(([each]) => each);
          const found = await there(store);
          const where = `seed ${seed}, step ${step}`;
          for (const each of must) assert.ok(found.includes(each), `${each} went before its time (${where})`);
          for (const each of found) assert.ok(may.includes(each), `${each} is still there (${where})`);
        }
        await housekeeping.stop();
      }
    });
  });
}

describe("housekeeping in several processes", () => {
  async function two(
    t: TestContext,
  ): Promise<{ clock: TestClock; store: Store; houses: Housekeeping[]; gone: string[][]; batches: number[]; refused: number[] }> {
    const clock = testClock(START);
    const hub = createMemoryHub({ clock });
    const found = { gone: [[], []] as string[][], batches: [0, 0], refused: [0, 0] };
    const stores = [hub.connect(), hub.connect()];
    for (const store of stores) await store.open();
    const houses = stores.map((store, which) => {
      const housekeeping = new Housekeeping({
        policy: retentionPolicy("1d"),
        clock,
        log: silentLogger,
        shared: true,
        finished: (request) => store.finished(request),
        record: async (id) => (await store.read(id))?.record,
        unfinishedChild: async () => undefined,
        async commit(batch) {
          const results = await store.commit(batch);
          found.batches[which]!++;
          found.refused[which]! += results.filter(({ ok }) => !ok).length;
          return results;
        },
        retired: (ids) => void found.gone[which]!.push(...ids),
        failed: () => assert.fail("nothing fails here"),
      });
      t.after(() => housekeeping.stop());
      return housekeeping;
    });
    return { clock, store: stores[0]!, houses, ...found };
  }

  it("HK5 who is overtaken leaves the rest to the other; each goes once, and all go", async (t) => {
    const { clock, store, houses, gone, batches, refused } = await two(t);
    for (let i = 0; i < 1_000; i++) await put(store, `i${i}`, { status: "COMPLETED", completedAt: START + i });
    for (const each of houses) each.start();
    await clock.advance(2 * DAY);
    assert.deepEqual(await there(store), []);
    assert.equal(gone[0]!.length + gone[1]!.length, 1_000);
    assert.equal(new Set(gone.flat()).size, 1_000);
    assert.ok(batches[0]! + batches[1]! >= 10);
    assert.ok(refused[0]! + refused[1]! <= 300, `${refused.join(" and ")} were decided twice: a batch or two, not all`);
  });

  it("G12 what ended while nobody told goes all the same, within an hour of its time", async (t) => {
    const { clock, store, houses } = await two(t);
    houses[0]!.start();
    await clock.advance(0);
    await put(store, "quiet", { status: "COMPLETED", completedAt: START });
    await clock.advance(DAY - 1);
    assert.deepEqual(await there(store), ["quiet"]);
    await clock.advance(3_600_000);
    assert.deepEqual(await there(store), []);
  });
});
