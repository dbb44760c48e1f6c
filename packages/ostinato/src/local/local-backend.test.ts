import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../contract/actions.ts";
import type { WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { InstanceId } from "../contract/ids.ts";
import type { ActivityWorkItem, CancelNotice, ForgetNotice, OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import type { Store } from "../engine/store.ts";
import { createLogger, type LogRecord } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub, type MemoryHub } from "../stores/memory/memory-store.ts";
import { handClock, rest, type HandClock } from "../../test/hand-clock.ts";
import { createLocalBackend, type LocalBackendOptions } from "./local-backend.ts";

// ---- a clock that is moved by hand, a store that can be held or made to fail, a worker that answers what the test says

/** A store whose operations can be held at the door, or made to fail. */
interface Doors {
  readonly store: Store;
  /** Asked before each operation: what it throws or waits for happens to the operation. */
  before: Partial<Record<"commit" | "query" | "claim" | "history", (() => void | Promise<void>) | undefined>>;
  /** Waited for after the operation, before its answer is given. */
  after: Partial<Record<"commit" | "update" | "claim", (() => void | Promise<void>) | undefined>>;
  readonly calls: { claim: number; query: number };
}

function doorsOf(store: Store): Doors {
  const doors: Doors = {
    before: {},
    after: {},
    calls: { claim: 0, query: 0 },
    store: {
      ...store,
      async commit(batch) {
        await doors.before.commit?.();
        const results = await store.commit(batch);
        await doors.after.commit?.();
        return results;
      },
      async update(id, decide) {
        const answer = await store.update(id, decide);
        await doors.after.update?.();
        return answer;
      },
      async claim(want) {
        doors.calls.claim++;
        await doors.before.claim?.();
        const claims = await store.claim(want);
        await doors.after.claim?.();
        return claims;
      },
      async query(filter, page) {
        doors.calls.query++;
        await doors.before.query?.();
        return store.query(filter, page);
      },
      async *history(id, from) {
        await doors.before.history?.();
        yield* store.history(id, from);
      },
    },
  };
  return doors;
}

/** A promise and the way to end it. */
function gate(): { readonly opened: Promise<void>; readonly open: () => void } {
  let open = (): void => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** What a turn says beside its actions; a program that is kept counts 100 bytes unless told otherwise. */
interface TurnExtras {
  readonly keptBytes?: number | "none";
}

interface Scripted extends WorkerConnection {
  readonly turns: OrchestrationWorkItem[];
  readonly activities: ActivityWorkItem[];
  readonly notices: (ForgetNotice | CancelNotice)[];
  /** The one turn that is out, taken from the list. */
  turn(): OrchestrationWorkItem;
  activity(): ActivityWorkItem;
  /** Answers a turn and waits until all has come to rest. */
  answer(item: OrchestrationWorkItem, actions: readonly Action[], more?: TurnExtras): Promise<void>;
  complete(item: ActivityWorkItem, result?: string): Promise<void>;
}

interface World {
  readonly clock: HandClock;
  readonly hub: MemoryHub;
  readonly doors: Doors;
  readonly log: LogRecord[];
  readonly backend: Awaited<ReturnType<typeof createLocalBackend>>;
  worker(interest?: Partial<WorkerInterest>): Promise<Scripted>;
  start(id: InstanceId, name?: string): Promise<void>;
  kinds(id: InstanceId): Promise<string[]>;
  status(id: InstanceId): Promise<string | undefined>;
}

const INTEREST: WorkerInterest = {
  orchestrators: ["o"],
  activities: ["a"],
  entities: [],
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  maxConcurrentEntities: 10,
  warmBytes: 1_000_000,
  warmIdleMs: 10_000,
};

async function world(
  options: Partial<LocalBackendOptions> = {},
  from?: { readonly clock: HandClock; readonly hub: MemoryHub },
): Promise<World> {
  const clock = from?.clock ?? handClock();
  const hub = from?.hub ?? createMemoryHub({ clock });
  const doors = doorsOf(hub.connect());
  const log: LogRecord[] = [];
  const backend = await createLocalBackend({
    store: doors.store,
    clock,
    random: seededRandom(7),
    log: createLogger({ sink: (record) => log.push(record) }),
    ...options,
  });
  return {
    clock,
    hub,
    doors,
    log,
    backend,
    async worker(interest = {}) {
      const turns: OrchestrationWorkItem[] = [];
      const activities: ActivityWorkItem[] = [];
      const notices: (ForgetNotice | CancelNotice)[] = [];
      const connection = await backend.connectWorker({ ...INTEREST, ...interest }, (items: readonly WorkItem[]) => {
        for (const item of items) {
          if (item.kind === "orchestration") turns.push(item);
          else if (item.kind === "activity") activities.push(item);
          else if (item.kind !== "entity") notices.push(item);
        }
      });
      await rest();
      return {
        ...connection,
        turns,
        activities,
        notices,
        turn: () => only(turns),
        activity: () => only(activities),
        async answer(item, actions, more = {}) {
          const { keptBytes = actions.at(-1)?.kind === "completeOrchestration" ? "none" : 100 } = more;
          void connection.completeOrchestration({
            kind: "turn",
            token: item.token,
            actions,
            ...(keptBytes === "none" ? {} : { keptBytes }),
          });
          await rest();
        },
        async complete(item, result) {
          void connection.completeActivity({ kind: "completed", token: item.token, ...(result === undefined ? {} : { result }) });
          await rest();
        },
      };
    },
    async start(id, name = "o") {
      await backend.start({ instanceId: id, executionId: `x-${id}`, name });
      await rest();
    },
    async kinds(id) {
      const kinds: string[] = [];
      for await (const page of backend.history(id)) kinds.push(...page.map((event) => event.kind));
      return kinds;
    },
    status: async (id) => (await backend.get(id))?.record.status,
  };
}

function only<T>(items: T[]): T {
  assert.equal(items.length, 1, `one is out, not ${items.length}`);
  return items.pop() as T;
}

const call = (id: number, more: Partial<Extract<Action, { kind: "scheduleTask" }>> = {}): Action => ({
  kind: "scheduleTask",
  id,
  name: "a",
  attempt: 1,
  firstId: id,
  ...more,
});
const child = (id: number, instanceId: InstanceId, executionId = `x-${instanceId}`): Action => ({
  kind: "createSubOrchestration",
  id,
  name: "o",
  instanceId,
  executionId,
});
const end = (id: number, result?: string): Action => ({
  kind: "completeOrchestration",
  id,
  status: "COMPLETED",
  ...(result === undefined ? {} : { result }),
});
const anew = (id: number): Action => ({ kind: "completeOrchestration", id, status: "CONTINUED_AS_NEW" });
const news = (item: OrchestrationWorkItem): string[] => item.newEvents.map((event) => event.kind);
const raised = (events: readonly HistoryEvent[]): string[] => events.flatMap((event) => (event.kind === "EventRaised" ? [event.name] : []));

async function raise(w: World, instanceId: InstanceId, name: string): Promise<void> {
  await w.backend.raiseEvent({ instanceId, name, messageId: `m-${instanceId}-${name}` });
}

// ---- turns

test("a start, an activity folded into the next turn, and the end are three commits of one warm program", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const first = worker.turn();
  assert.deepEqual(news(first), ["OrchestratorStarted", "ExecutionStarted"]);
  assert.deepEqual(first.past, { events: [] });
  await worker.answer(first, [call(1)]);
  await worker.complete(worker.activity(), '"A"');
  const second = worker.turn();
  assert.deepEqual(second.past, { kept: 3 }, "the program was kept, and has seen three events");
  assert.deepEqual(news(second), ["OrchestratorStarted", "TaskCompleted"]);
  await worker.answer(second, [end(2, '"B"')], { keptBytes: "none" });
  const stored = await w.backend.get("i");
  assert.deepEqual([stored?.record.status, stored?.payloads.output, stored?.record.historyLength], ["COMPLETED", '"B"', 6]);
  assert.deepEqual(await w.kinds("i"), [
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
  assert.deepEqual(w.backend.counters(), { turnsCommitted: 2, completionsFolded: 1 });
});

test("user code begins only after the commit that made its row is acknowledged (B1)", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const held = gate();
  w.doors.before.commit = () => held.opened;
  await worker.answer(worker.turn(), [call(1)]);
  assert.equal(worker.activities.length, 0);
  held.open();
  await rest();
  assert.equal(worker.activities.length, 1);
});

test("a worker that has forgotten the program is given the same turn with its history", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1)]);
  await worker.complete(worker.activity());
  const warm = worker.turn();
  void worker.completeOrchestration({ kind: "needs-history", token: warm.token });
  await rest();
  const cold = worker.turn();
  assert.deepEqual(cold.newEvents, warm.newEvents);
  assert.deepEqual("events" in cold.past && cold.past.events.map((event) => event.kind), [
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
  ]);
  await worker.answer(cold, [end(2)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

test("T1 T3 a timer's turn is not before the timer, and it comes when the clock is moved there", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const fireAt = w.clock.now() + 86_400_000;
  await worker.answer(worker.turn(), [{ kind: "createTimer", id: 1, fireAt }]);
  await w.clock.advance(86_399_999);
  assert.equal(worker.turns.length, 0);
  await w.clock.advance(10);
  const turn = worker.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TimerFired"]);
  assert.ok((turn.newEvents[0]?.timestamp ?? 0) >= fireAt);
});

test("a replay that differs stalls visibly, is tried again later each time, and at once when another worker comes", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [{ kind: "createTimer", id: 1, fireAt: w.clock.now() + 1_000 }], { keptBytes: "none" });
  await w.clock.advance(1_002);
  const stall = { kind: "non-determinism" as const, reason: "expected 'createTimer', got 'callActivity'" };
  void worker.completeOrchestration({ kind: "stalled", token: worker.turn().token, stall });
  await rest();
  const stalled = await w.backend.get("i");
  assert.equal(stalled?.record.status, "RUNNING");
  assert.match(stalled?.waitingFor.join() ?? "", /fitting code: expected 'createTimer'/);
  await w.clock.advance(990);
  assert.equal(worker.turns.length, 0, "not before the delay is over");
  await w.clock.advance(20);
  void worker.completeOrchestration({ kind: "stalled", token: worker.turn().token, stall });
  await rest();
  assert.equal((await w.backend.get("i"))?.record.stall?.attempts, 2);
  await worker.close();
  const other = await w.worker();
  const turn = other.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TimerFired"], "nothing of the inbox was consumed");
  await other.answer(turn, [end(2)]);
  assert.equal(await w.status("i"), "COMPLETED");
  assert.equal((await w.backend.get("i"))?.record.stall, undefined);
});

test("a stall that could not be written does not lose the instance", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  w.doors.before.commit = () => {
    w.doors.before.commit = undefined;
    throw new Error("disk full");
  };
  void worker.completeOrchestration({ kind: "stalled", token: worker.turn().token, stall: { kind: "non-durable-wait", reason: "no" } });
  await w.clock.advance(5_000);
  await worker.answer(worker.turn(), [end(1)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

// ---- writes that fail or are refused

test("a commit that failed is tried again; nothing is lost, nothing runs twice", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1), call(2)]);
  const [one, two] = worker.activities.splice(0);
  await worker.complete(one!, "1");
  w.doors.before.commit = () => {
    w.doors.before.commit = undefined;
    throw new Error("disk full");
  };
  await worker.answer(worker.turn(), []);
  assert.deepEqual(worker.notices, [{ kind: "forget", instanceId: "i", executionId: "x-i" }], "B3 the program is ahead of what is written");
  await worker.complete(two!, "2");
  assert.equal(worker.turns.length, 0, "while the store cannot write, no turn is begun");
  await w.clock.advance(1_000);
  const again = worker.turn();
  assert.ok("events" in again.past);
  assert.deepEqual(news(again), ["OrchestratorStarted", "TaskCompleted", "TaskCompleted"]);
  await worker.answer(again, [end(3)]);
  assert.equal(await w.status("i"), "COMPLETED");
  assert.equal(worker.activities.length, 0);
  assert.deepEqual(w.backend.counters(), {
    turnsCommitted: 2,
    turnsFailedToWrite: 1,
    completionsFolded: 2,
    programsForgotten: 1,
    coldLoads: 1,
  });
});

test("a commit that was written although the store said it failed is not written twice, and the instance goes on", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  w.doors.after.commit = () => {
    w.doors.after.commit = undefined;
    throw new Error("connection lost");
  };
  await worker.answer(worker.turn(), [{ kind: "createTimer", id: 1, fireAt: w.clock.now() + 5_000 }]);
  // The store is asked whether it was written: the next turn is the one after it.
  await w.clock.advance(20_000);
  const turn = worker.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TimerFired"]);
  await worker.answer(turn, [end(2)]);
  assert.deepEqual(await w.kinds("i"), [
    "OrchestratorStarted",
    "ExecutionStarted",
    "TimerCreated",
    "OrchestratorStarted",
    "TimerFired",
    "ExecutionCompleted",
  ]);
});

test("what a commit with a lost answer handed to this process is run all the same, once", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  w.doors.after.commit = () => {
    w.doors.after.commit = undefined;
    throw new Error("connection lost");
  };
  await worker.answer(worker.turn(), [call(1), child(2, "kid")]);
  await w.clock.advance(1_000);
  assert.equal(worker.turn().instanceId, "kid");
  await worker.complete(worker.activity(), "1");
  await worker.answer(worker.turn(), [end(3)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

test("I4 a start whose answer was lost is there, and runs", async () => {
  const w = await world();
  const worker = await w.worker();
  w.doors.after.update = () => {
    w.doors.after.update = undefined;
    throw new Error("connection lost");
  };
  await assert.rejects(w.start("i"), /connection lost/);
  await w.clock.advance(1_000);
  await worker.answer(worker.turn(), [end(1)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

test("C1 suspend fences the turn in flight; what it had folded becomes a message; nothing runs twice", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1)]);
  await worker.complete(worker.activity(), '"A"');
  const inFlight = worker.turn();
  await w.backend.suspend("i", "lunch");
  await worker.answer(inFlight, [end(2, '"never"')]);
  assert.equal(await w.status("i"), "SUSPENDED");
  await w.clock.advance(60_000);
  assert.deepEqual([worker.turns.length, worker.activities.length], [0, 0]);
  assert.deepEqual(w.backend.counters()["completionsAsMessages"], 1);
  await w.backend.resume("i");
  await rest();
  const turn = worker.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TaskCompleted"]);
  await worker.answer(turn, [end(2, '"once"')]);
  assert.deepEqual(await w.kinds("i"), [
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "ExecutionSuspended",
    "ExecutionResumed",
    "OrchestratorStarted",
    "TaskCompleted",
    "ExecutionCompleted",
  ]);
});

test("B3 a first turn that was fenced has its kept program forgotten by the worker", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const inFlight = worker.turn();
  await w.backend.suspend("i");
  await worker.answer(inFlight, [call(1)], { keptBytes: 500 });
  assert.deepEqual(worker.notices, [{ kind: "forget", instanceId: "i", executionId: "x-i" }]);
});

test("B3 a first turn whose commit is refused while it is written is forgotten too", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const held = gate();
  w.doors.before.commit = () => held.opened;
  await worker.answer(worker.turn(), [call(1)], { keptBytes: 500 });
  const suspending = w.backend.suspend("i");
  await rest();
  held.open();
  await suspending;
  await rest();
  assert.deepEqual(worker.notices, [{ kind: "forget", instanceId: "i", executionId: "x-i" }]);
  assert.equal(worker.activities.length, 0);
});

test("B2 a completion that comes while a turn is written that keeps no program is not lost", async () => {
  const w = await world();
  const worker = await w.worker({ warmBytes: 0 });
  await w.start("i");
  await worker.answer(worker.turn(), [call(1), call(2)], { keptBytes: "none" });
  const [one, two] = worker.activities.splice(0);
  await worker.complete(one!, "1");
  const held = gate();
  w.doors.before.commit = () => held.opened;
  await worker.answer(worker.turn(), [], { keptBytes: "none" });
  await worker.complete(two!, "2");
  w.doors.before.commit = undefined;
  held.open();
  await rest();
  await worker.answer(worker.turn(), [end(3)], { keptBytes: "none" });
  assert.equal((await w.kinds("i")).filter((kind) => kind === "TaskCompleted").length, 2);
});

test("B2 a completion that comes while the engine drops a stray message is not lost", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [child(1, "c")]);
  const kid = worker.turn();
  await raise(w, "i", "again");
  await rest();
  await worker.answer(worker.turn(), [anew(2)]);
  await worker.answer(worker.turn(), [call(1)]);
  const activity = worker.activity();
  // The child of the generation before ends: nobody waits for that any more.
  await worker.answer(kid, [end(1)], { keptBytes: "none" });
  const held = gate();
  w.doors.before.commit = () => held.opened;
  await rest();
  await raise(w, "i", "x").catch(() => undefined);
  await worker.complete(activity, "1");
  w.doors.before.commit = undefined;
  held.open();
  await rest();
  for (let turn = worker.turns.pop(); turn !== undefined; turn = worker.turns.pop()) await worker.answer(turn, []);
  assert.ok((await w.kinds("i")).includes("TaskCompleted"));
});

test("a completion written as a message while its expiry is in a turn: one of them counts, and the instance goes on", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1, { expiresAt: w.clock.now() + 1_000 })]);
  const activity = worker.activity();
  await w.clock.advance(1_001);
  const expired = worker.turn();
  assert.deepEqual(news(expired), ["OrchestratorStarted", "TaskFailed"]);
  const held = gate();
  w.doors.before.commit = () => held.opened;
  worker.stopTaking();
  await worker.complete(activity, "1");
  await worker.answer(expired, []);
  held.open();
  await rest();
  await worker.close();
  const other = await w.worker();
  await w.clock.advance(20_000);
  for (let turn = other.turns.pop(); turn !== undefined; turn = other.turns.pop()) await other.answer(turn, [end(2)]);
  assert.equal(await w.status("i"), "COMPLETED");
  const ends = (await w.kinds("i")).filter((kind) => kind === "TaskCompleted" || kind === "TaskFailed");
  assert.equal(ends.length, 1, "H2");
});

test("a turn that breaks an invariant is not written: its instance is set aside, with the rule in its status", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await w.start("j");
  const [broken, fine] = worker.turns.splice(0);
  // Two calls under one number: an executor that does this has a bug.
  await worker.answer(broken!, [call(1), call(1)]);
  await worker.answer(fine!, [end(1)]);
  const stored = await w.backend.get("i");
  assert.equal(stored?.record.stall?.kind, "set-aside");
  assert.match(stored?.record.stall?.reason ?? "", /activity 1 twice/);
  assert.equal(worker.activities.length, 0);
  assert.equal(await w.status("j"), "COMPLETED", "the others go on");
  assert.equal(w.backend.counters()["invariantsBroken"], 1);
  await w.clock.advance(3_600_000);
  assert.equal(worker.turns.length, 0);
  await w.backend.suspend("i");
  await w.backend.resume("i");
  await rest();
  await worker.answer(worker.turn(), [end(1)]);
  assert.equal(await w.status("i"), "COMPLETED", "an operator can let it be tried again");
});

// ---- events

test("an event for a finished instance is accepted, dropped and counted; for an unknown one it is refused", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [end(1)]);
  await raise(w, "i", "late");
  assert.equal(w.backend.counters()["eventsDropped"], 1);
  await assert.rejects(raise(w, "nobody", "x"), { code: "INSTANCE_NOT_FOUND" });
});

test("I5 an event that arrives beside the end is dropped and counted, never silently", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const turn = worker.turn();
  await raise(w, "i", "beside");
  await rest();
  await worker.answer(turn, [end(1)]);
  await w.clock.advance(100);
  assert.equal((await w.backend.get("i"))?.record.dropped, 1);
  assert.equal(w.backend.counters()["eventsDropped"], 1);
});

test("I5 a burst of 2,500 events is received once each and in order across continue-as-new", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const first = worker.turn();
  const names = Array.from({ length: 2_500 }, (_, i) => `e${i}`);
  for (const name of names) await raise(w, "i", name);
  await worker.answer(first, [anew(1)]);
  const received: string[] = [];
  for (let round = 0; round < 20; round++) {
    await w.clock.advance(100);
    const turn = worker.turns.pop();
    if (turn === undefined || received.length === names.length) break;
    received.push(...raised(turn.newEvents));
    await worker.answer(turn, [anew(1)]);
  }
  assert.deepEqual(received, names);
});

test("I1 a scheduled instance starts although a thousand events and more came before its time", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.backend.start({ instanceId: "i", executionId: "x", name: "o", startAt: w.clock.now() + 60_000 });
  for (let i = 0; i < 1_200; i++) await raise(w, "i", `e${i}`);
  await w.clock.advance(59_000);
  assert.equal(worker.turns.length, 0);
  await w.clock.advance(5_000);
  const turn = worker.turn();
  assert.deepEqual(news(turn).slice(0, 2), ["OrchestratorStarted", "ExecutionStarted"]);
  assert.equal(raised(turn.newEvents).length, 1_200);
});

test("an instance that needs to be given back in the middle keeps the order of its events", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), []);
  // A look is under way, and has been handed the second event, when the instance is given back with the first.
  worker.stopTaking();
  const looked = gate();
  await raise(w, "i", "first");
  w.doors.after.claim = () => looked.opened;
  await raise(w, "i", "second");
  await rest();
  w.doors.after.claim = undefined;
  looked.open();
  await rest();
  const other = await w.worker();
  await w.clock.advance(20_000);
  const got: string[] = [];
  for (let turn = other.turns.pop(); turn !== undefined; turn = other.turns.pop()) {
    got.push(...raised(turn.newEvents));
    await other.answer(turn, []);
  }
  assert.deepEqual(got, ["first", "second"]);
});

// ---- control

test("C3 a recursive terminate reaches 1,200 children and their children, in bounded pages", async () => {
  const w = await world();
  const worker = await w.worker({ maxConcurrentOrchestrations: 5_000 });
  await w.start("root");
  const count = 1_200;
  await worker.answer(
    worker.turn(),
    Array.from({ length: count }, (_, i) => child(i + 1, `c${i}`)),
  );
  assert.equal(worker.turns.length, count);
  for (const turn of worker.turns.splice(0))
    await worker.answer(turn, turn.instanceId === "c5" || turn.instanceId === "c1150" ? [child(1, `g-${turn.instanceId}`)] : []);
  assert.equal(worker.turns.length, 2, "two grandchildren began");
  await w.backend.suspend("c7");
  const queries = w.doors.calls.query;
  await w.backend.terminate({ instanceId: "root", recursive: true, output: '"enough"' });
  await w.clock.advance(10_000);
  assert.ok(w.doors.calls.query - queries <= count + 10, "children are read by pages");
  for (const turn of worker.turns.splice(0)) await worker.answer(turn, []);
  await w.clock.advance(10_000);
  const alive = await w.backend.query({ status: ["PENDING", "RUNNING", "SUSPENDED"] }, {});
  assert.deepEqual(
    alive.items.map((each) => each.record.id),
    [],
  );
  assert.equal((await w.backend.get("g-c1150"))?.payloads.output, '"enough"');
});

test("C3 a recursive terminate is not lost behind one that is not", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("root");
  await worker.answer(worker.turn(), [child(1, "c")]);
  const kid = worker.turn();
  await raise(w, "root", "busy");
  await rest();
  const busy = worker.turn();
  await w.backend.terminate({ instanceId: "root", recursive: false });
  await w.backend.terminate({ instanceId: "root", recursive: true });
  await rest();
  await worker.answer(busy, []);
  await w.clock.advance(100);
  await worker.answer(kid, []);
  await w.clock.advance(100);
  assert.deepEqual([await w.status("root"), await w.status("c")], ["TERMINATED", "TERMINATED"]);
});

test("C3 the recursion goes on after the store has failed to read the children", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("root");
  await worker.answer(worker.turn(), [child(1, "c")]);
  await worker.answer(worker.turn(), []);
  w.doors.before.query = () => {
    w.doors.before.query = undefined;
    throw new Error("I/O error");
  };
  await w.backend.terminate({ instanceId: "root", recursive: true });
  await w.clock.advance(30_000);
  assert.deepEqual([await w.status("root"), await w.status("c")], ["TERMINATED", "TERMINATED"]);
});

test("terminate needs no worker: pending, scheduled, suspended and running instances all end", async () => {
  const w = await world();
  await w.start("pending", "nobody serves this");
  await w.backend.start({ instanceId: "scheduled", executionId: "xs", name: "o", startAt: w.clock.now() + 1e9 });
  await w.start("suspended");
  await w.backend.suspend("suspended");
  for (const instanceId of ["pending", "scheduled", "suspended"])
    await w.backend.terminate({ instanceId, output: '"x"', recursive: false });
  await w.clock.advance(10);
  for (const id of ["pending", "scheduled", "suspended"]) {
    const stored = await w.backend.get(id);
    assert.deepEqual([id, stored?.record.status, stored?.payloads.output, stored?.record.held], [id, "TERMINATED", '"x"', false]);
    assert.equal((await w.kinds(id)).at(-1), "ExecutionCompleted");
  }
  const worker = await w.worker();
  await w.clock.advance(2e9);
  assert.equal(worker.turns.length, 0, "no start is left over");
});

test("A6 terminate tells the worker to give up the running activity; its late result is counted and changes nothing", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1)]);
  const activity = worker.activity();
  await w.backend.terminate({ instanceId: "i", recursive: false });
  await rest();
  assert.deepEqual(
    worker.notices.filter((notice) => notice.kind === "cancel"),
    [{ kind: "cancel", token: activity.token, reason: "terminated" }],
  );
  await worker.complete(activity, "late");
  assert.equal(w.backend.counters()["completionsLate"], 1);
  assert.deepEqual(await w.kinds("i"), [
    "OrchestratorStarted",
    "ExecutionStarted",
    "TaskScheduled",
    "OrchestratorStarted",
    "ExecutionTerminated",
    "ExecutionCompleted",
  ]);
});

test("A6 it is told also when the instance's program had been idle too long to be kept", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1)]);
  const activity = worker.activity();
  await w.clock.advance(60_000);
  assert.equal(worker.notices.filter((notice) => notice.kind === "forget").length, 1);
  await w.backend.terminate({ instanceId: "i", recursive: false });
  await rest();
  assert.deepEqual(worker.notices.at(-1), { kind: "cancel", token: activity.token, reason: "terminated" });
});

test("a call whose time is up fails, and its running activity is told", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1, { expiresAt: w.clock.now() + 30_000 })]);
  const activity = worker.activity();
  await w.clock.advance(30_002);
  const turn = worker.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TaskFailed"]);
  await worker.answer(turn, [end(2)]);
  assert.equal(worker.notices.filter((notice) => notice.kind === "cancel" && notice.token === activity.token).length, 1);
  await worker.complete(activity, "late");
  assert.equal(w.backend.counters()["completionsLate"], 1);
});

test("C2 resume applies what gathered while suspended, once and in order of arrival", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [{ kind: "createTimer", id: 1, fireAt: w.clock.now() + 1_000 }]);
  await w.backend.suspend("i");
  await raise(w, "i", "one");
  await w.clock.advance(2_000);
  await raise(w, "i", "two");
  await w.clock.advance(2_000);
  assert.equal(worker.turns.length, 0);
  await w.backend.resume("i");
  await rest();
  const turn = worker.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "EventRaised", "TimerFired", "EventRaised"]);
  assert.deepEqual(raised(turn.newEvents), ["one", "two"]);
});

test("a suspended parent waits with the answer that its child's id is taken, and is not tried for it", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("taken");
  await worker.answer(worker.turn(), []);
  await w.start("parent");
  const held = gate();
  w.doors.after.commit = () => held.opened;
  await worker.answer(worker.turn(), [child(1, "taken", "x-other")]);
  await w.backend.suspend("parent");
  w.doors.after.commit = undefined;
  held.open();
  await w.clock.advance(60_000);
  assert.equal((await w.backend.get("parent"))?.record.stall, undefined);
  await w.backend.resume("parent");
  await rest();
  const turn = worker.turn();
  assert.equal(turn.instanceId, "parent");
  assert.deepEqual(news(turn), ["OrchestratorStarted", "SubOrchestrationInstanceFailed"]);
});

test("R4 an instance that ends its process again and again is set aside, and an operator can let it go on", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const first = await world({}, { clock, hub });
  await first.start("i");
  await first.backend.close();
  for (let crash = 0; crash < 10; crash++) {
    // Each process claims the instance and is never heard of again: its line to the store alone is cut.
    const store = hub.connect();
    await store.open();
    const claims = await store.claim({
      instances: 1,
      orchestrators: ["o"],
      entityCount: 0,
      entities: [],
      activityCount: 0,
      activities: [],
    });
    assert.equal(claims.instances.length, 1);
    await store.close();
  }
  const w = await world({}, { clock, hub });
  const worker = await w.worker();
  await w.clock.advance(60_000);
  assert.equal(worker.turns.length, 0);
  assert.match((await w.backend.get("i"))?.record.stall?.reason ?? "", /claimed 10 times/);
  assert.equal(w.backend.counters()["instancesSetAside"], 1);
  await w.backend.suspend("i");
  await w.backend.resume("i");
  await w.clock.advance(100);
  await worker.answer(worker.turn(), [end(1)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

test("C5 purge counts what it removes, and with recursion the tree; what still runs is left and refused", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("root");
  await worker.answer(worker.turn(), [child(1, "a"), child(2, "b"), child(3, "runs")]);
  const turns = new Map(worker.turns.splice(0).map((turn) => [turn.instanceId, turn]));
  await worker.answer(turns.get("a")!, [child(1, "a1"), end(2)]);
  await worker.answer(
    worker.turns.find((turn) => turn.instanceId === "a1")!,
    [end(1)],
  );
  await worker.answer(turns.get("b")!, [end(1)]);
  await worker.answer(turns.get("runs")!, []);
  await assert.rejects(w.backend.purge({ instanceId: "root", recursive: true }), { code: "INVALID_STATE" });
  assert.equal(await w.status("a"), "COMPLETED", "a refused purge removes nothing");
  for (let turn = worker.turns.pop(); turn !== undefined; turn = worker.turns.pop())
    if (turn.instanceId === "root") await worker.answer(turn, [end(9)]);
  assert.equal(await w.backend.purge({ instanceId: "root", recursive: true }), 4);
  assert.deepEqual(
    (await w.backend.query({}, {})).items.map((each) => each.record.id),
    ["runs"],
  );
  assert.equal(await w.backend.purge({ instanceId: "root", recursive: true }), 0);
});

test("C5 a recursive purge that was cut off is finished by asking again", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("root");
  await worker.answer(worker.turn(), [child(1, "a"), end(2)]);
  await worker.answer(worker.turn(), [end(1)]);
  w.doors.before.query = () => {
    w.doors.before.query = undefined;
    throw new Error("I/O error");
  };
  await assert.rejects(w.backend.purge({ instanceId: "root", recursive: true }));
  await w.backend.purge({ instanceId: "root", recursive: true });
  assert.deepEqual((await w.backend.query({}, {})).items, []);
});

test("an id that is used again after a purge starts clean; what was meant for the old one is gone", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1), end(2, '"old"')]);
  assert.equal(await w.backend.purge({ instanceId: "i", recursive: false }), 1);
  await w.backend.start({ instanceId: "i", executionId: "x-again", name: "o" });
  await rest();
  const turn = worker.turn();
  assert.deepEqual([turn.executionId, news(turn)], ["x-again", ["OrchestratorStarted", "ExecutionStarted"]]);
  assert.equal((await w.backend.get("i"))?.payloads.output, undefined);
});

test("I2 the same start again is answered the same; another one under its id is refused", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await w.start("i");
  assert.equal(worker.turns.length, 1);
  await assert.rejects(w.backend.start({ instanceId: "i", executionId: "other", name: "o" }), { code: "INSTANCE_EXISTS" });
});

test("S1 a child that failed makes way for the next attempt under its id; somebody else's instance does not", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("parent");
  await worker.answer(worker.turn(), [child(1, "kid", "x-1")]);
  await worker.answer(
    worker.turn(),
    [{ kind: "completeOrchestration", id: 1, status: "FAILED", failure: { errorType: "E", message: "no" } }],
    { keptBytes: "none" },
  );
  await worker.answer(worker.turn(), [child(2, "kid", "x-2")]);
  const second = worker.turn();
  assert.deepEqual([second.executionId, second.past, news(second)], ["x-2", { events: [] }, ["OrchestratorStarted", "ExecutionStarted"]]);
  await worker.answer(second, [end(1, '"ok"')], { keptBytes: "none" });
  assert.deepEqual(await w.kinds("kid"), ["OrchestratorStarted", "ExecutionStarted", "ExecutionCompleted"]);
  assert.deepEqual((await w.backend.get("kid"))?.payloads, { output: '"ok"' });
  await worker.answer(worker.turn(), [end(3)]);
  await w.start("other");
  await worker.answer(worker.turn(), [child(1, "kid", "x-3")]);
  const refused = worker.turn();
  assert.deepEqual(news(refused), ["OrchestratorStarted", "SubOrchestrationInstanceFailed"]);
  assert.deepEqual((await w.backend.get("kid"))?.payloads, { output: '"ok"' });
});

// ---- waiting

test("waits for the start and for the end are told by the commits", async () => {
  const w = await world();
  await w.start("i");
  const started = w.backend.waitForStart("i");
  const ended = w.backend.waitForCompletion("i");
  const worker = await w.worker();
  await worker.answer(worker.turn(), []);
  assert.equal((await started)?.record.status, "RUNNING");
  await raise(w, "i", "go");
  await rest();
  await worker.answer(worker.turn(), [end(1, '"out"')]);
  assert.equal((await ended)?.payloads.output, '"out"');
  assert.equal((await w.backend.waitForCompletion("i"))?.record.status, "COMPLETED", "a wait that comes late is answered at once");
  assert.equal(await w.backend.waitForCompletion("nobody"), undefined);
});

test("a wait for the start is over when its instance is suspended and resumed before a worker comes", async () => {
  const w = await world();
  await w.start("i");
  const started = w.backend.waitForStart("i");
  await rest();
  await w.backend.suspend("i");
  await w.backend.resume("i");
  const worker = await w.worker();
  await worker.answer(worker.turn(), []);
  assert.notEqual((await started)?.record.status, "PENDING");
});

test("a wait ends when it is aborted, when its instance is purged, and when the backend closes", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  const abort = new AbortController();
  const aborted = w.backend.waitForCompletion("i", abort.signal);
  await rest();
  abort.abort();
  assert.equal(await aborted, undefined);
  await w.start("parent");
  const [i, parent] = worker.turns.splice(0);
  await worker.answer(i!, [end(1)]);
  await worker.answer(parent!, [child(1, "kid"), end(2)]);
  const kid = worker.turn();
  const closing = w.backend.waitForCompletion("kid");
  await rest();
  await worker.close();
  await w.backend.close();
  assert.equal(await closing, undefined);
  assert.equal(kid.instanceId, "kid");
  await assert.rejects(async () => w.backend.waitForCompletion("kid"), { code: "HUB_CLOSED" });
});

// ---- workers that come and go

test("close gives everything back, and another backend over the same store goes on where it stopped", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1), call(2)]);
  const [one] = worker.activities.splice(0);
  await worker.complete(one!, '"1"');
  assert.equal(worker.turns.length, 1, "a turn is out when it closes");
  await w.backend.close();
  const next = await world({}, w);
  const other = await next.worker();
  await next.clock.advance(100);
  const turn = other.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "TaskCompleted"], "the completion that was folded is there as a message");
  await other.answer(turn, []);
  const again = other.activity();
  assert.deepEqual([again.taskId, again.delivery], [2, 2], "the one that had not ended is delivered again; the other is not");
  await other.complete(again, '"2"');
  await other.answer(other.turn(), [end(3)]);
  assert.equal(await next.status("i"), "COMPLETED");
});

test("L8 it closes without waiting for a store that cannot write", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [call(1)]);
  worker.stopTaking();
  w.doors.before.commit = () => {
    throw new Error("disk full");
  };
  await worker.complete(worker.activity(), "1");
  let closed = false;
  void w.backend.close().then(() => (closed = true));
  await rest();
  assert.equal(closed, true);
});

test("a worker that leaves while its turn's history is read leaves the turn to another one", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), [], { keptBytes: "none" });
  const reading = gate();
  w.doors.before.history = () => reading.opened;
  await raise(w, "i", "go");
  await rest();
  const closed = worker.close();
  await rest();
  w.doors.before.history = undefined;
  reading.open();
  await closed;
  const other = await w.worker();
  await w.clock.advance(5_000);
  await other.answer(other.turn(), [end(1)]);
  assert.equal(await w.status("i"), "COMPLETED");
});

test("a worker can leave while another one is never at rest", async () => {
  const w = await world();
  const busy = await w.worker({ orchestrators: ["busy"] });
  const leaving = await w.worker();
  await w.start("b", "busy");
  await busy.answer(busy.turn(), [call(1)]);
  const stuck = gate();
  w.doors.before.commit = () => stuck.opened;
  await busy.complete(busy.activities.pop() ?? leaving.activity());
  for (const turn of busy.turns.splice(0)) await busy.answer(turn, []);
  let left = false;
  void leaving.close().then(() => (left = true));
  await rest();
  assert.equal(left, true);
  stuck.open();
  await rest();
});

test("A2 a worker is connected though the store cannot tell of stalls: it keeps what it was given, and the look comes later", async () => {
  const w = await world();
  await w.start("i");
  const unfit = await w.worker();
  const turn = unfit.turn();
  await unfit.completeOrchestration({ kind: "stalled", token: turn.token, stall: { kind: "non-determinism", reason: "other code" } });
  await unfit.close();
  w.doors.before.query = () => {
    w.doors.before.query = undefined;
    throw new Error("I/O error");
  };
  const worker = await w.worker();
  assert.equal(worker.turns.length, 0);
  await w.start("j");
  assert.equal(worker.turns.length, 1);
  await w.clock.advance(250);
  await rest();
  assert.deepEqual(
    worker.turns.map((each) => each.instanceId),
    ["j", "i"],
  );
});

test("A6 no worker is given more activities than it has slots, and two share them", async () => {
  const w = await world();
  const one = await w.worker({ maxConcurrentActivities: 2 });
  const two = await w.worker({ maxConcurrentActivities: 3, orchestrators: [] });
  await w.start("i");
  await one.answer(
    one.turn(),
    Array.from({ length: 9 }, (_, i) => call(i + 1)),
  );
  assert.deepEqual([one.activities.length, two.activities.length], [2, 3]);
  const seen = new Set([...one.activities, ...two.activities].map((each) => each.taskId));
  for (let round = 0; round < 4; round++) {
    const activity = one.activities.pop();
    if (activity === undefined) break;
    await one.complete(activity);
    for (const turn of one.turns.splice(0)) await one.answer(turn, []);
    for (const each of one.activities) seen.add(each.taskId);
    assert.ok(one.activities.length <= 2 && two.activities.length <= 3);
  }
  assert.ok(seen.size > 5, "freed slots are used");
});

test("CW1 starts that come all at once never put more turns out than there are slots", async () => {
  const w = await world();
  const worker = await w.worker({ maxConcurrentOrchestrations: 3 });
  await Promise.all(Array.from({ length: 10 }, (_, i) => w.backend.start({ instanceId: `i${i}`, executionId: `x${i}`, name: "o" })));
  await rest();
  assert.equal(worker.turns.length, 3);
  const done = new Set<string>();
  for (let turn = worker.turns.shift(); turn !== undefined; turn = worker.turns.shift()) {
    done.add(turn.instanceId);
    await worker.answer(turn, [end(1)], { keptBytes: "none" });
    assert.ok(worker.turns.length <= 3);
  }
  assert.equal(done.size, 10);
});

test("CW1 children that are written already claimed count before they are out", async () => {
  const w = await world();
  const worker = await w.worker({ maxConcurrentOrchestrations: 3 });
  await w.start("p");
  const held = gate();
  w.doors.after.commit = () => held.opened;
  await worker.answer(worker.turn(), [child(1, "c1"), child(2, "c2"), child(3, "c3")]);
  await w.start("other1");
  await w.start("other2");
  w.doors.after.commit = undefined;
  held.open();
  await rest();
  assert.ok(worker.turns.length <= 3, `${worker.turns.length} turns are out`);
});

test("L9 work that nobody serves waits without being looked for, is warned about once, and runs when a worker comes", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i", "elsewhere");
  await w.start("j", "elsewhere");
  await worker.answer((await w.start("k"), worker.turn()), [call(1, { name: "unknown" })]);
  const looks = w.doors.calls.claim;
  await w.clock.advance(3_600_000);
  assert.ok(w.doors.calls.claim - looks <= 3, `${w.doors.calls.claim - looks} looks in an hour`);
  assert.deepEqual(
    w.log.filter((record) => record.level === "warn").map((record) => /'(elsewhere|unknown)'.*Registered: '(o|a)'/.test(record.message)),
    [true, true],
  );
  assert.match((await w.backend.get("i"))?.waitingFor.join() ?? "", /a worker that has orchestrator 'elsewhere'/);
  const fitting = await w.worker({ orchestrators: ["elsewhere"], activities: ["unknown"] });
  assert.deepEqual([fitting.turns.length, fitting.activities.length], [2, 1]);
});

test("where unregistered work fails, a start that was accepted fails also when its worker has left, and nothing spins", async () => {
  const w = await world({ unregistered: "fail" });
  const worker = await w.worker();
  const looked = gate();
  w.doors.before.claim = () => looked.opened;
  await w.start("i", "elsewhere");
  await worker.close();
  w.doors.before.claim = undefined;
  looked.open();
  const looks = w.doors.calls.claim;
  await w.clock.advance(30_000);
  assert.ok(w.doors.calls.claim - looks < 10, `${w.doors.calls.claim - looks} looks`);
  assert.equal((await w.backend.get("i"))?.payloads.failure?.errorType, "NotRegisteredError");
});

test("a program that is idle too long is given back, and its next turn is a cold one", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(worker.turn(), []);
  await w.clock.advance(20_000);
  assert.deepEqual(worker.notices, [{ kind: "forget", instanceId: "i", executionId: "x-i" }]);
  await raise(w, "i", "go");
  await rest();
  assert.ok("events" in worker.turn().past);
});

test("kept programs are bounded in bytes: the oldest go first", async () => {
  const w = await world();
  const worker = await w.worker({ warmBytes: 250 });
  for (const id of ["a", "b", "c"]) {
    await w.start(id);
    await worker.answer(worker.turn(), [], { keptBytes: 100 });
  }
  assert.deepEqual(
    worker.notices.map((notice) => notice.kind === "forget" && notice.instanceId),
    ["a"],
  );
});

test("terminates come through although every worker is draining or busy", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.start("i", "elsewhere");
  worker.stopTaking();
  await w.backend.terminate({ instanceId: "i", recursive: false });
  await w.clock.advance(10);
  assert.equal(await w.status("i"), "TERMINATED");
});
