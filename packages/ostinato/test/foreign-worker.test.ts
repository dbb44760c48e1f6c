// A worker of another SDK, as the engine sees it: it takes any work, keeps no program, counts its actions as it likes, and answers with raw
// actions. Each story is told over both stores.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Action } from "../src/contract/actions.ts";
import type { Backend, WorkerConnection, WorkerInterest } from "../src/contract/backend.ts";
import type { HistoryEvent } from "../src/contract/events.ts";
import type { Failure } from "../src/contract/failure.ts";
import type { StoredInstance } from "../src/contract/instance.ts";
import { asRewindRequest } from "../src/contract/rewound-item.ts";
import type { ActivityWorkItem, OrchestrationOutcome, OrchestrationWorkItem } from "../src/contract/work-items.ts";
import type { Store } from "../src/engine/store.ts";
import { createLocalBackend } from "../src/local/local-backend.ts";
import { createLogger, type LogRecord } from "../src/platform/logger.ts";
import { seededRandom } from "../src/platform/random.ts";
import { createMemoryHub } from "../src/stores/memory/memory-store.ts";
import { openSqliteStore } from "../src/stores/sqlite/sqlite-store.ts";
import { handClock, rest, type HandClock } from "./hand-clock.ts";

// ---- the worker

/** What a foreign worker says beside its actions. */
type Extras = Partial<Pick<Extract<OrchestrationOutcome, { kind: "turn" }>, "eventsProcessed" | "customStatus">>;

interface Foreign {
  readonly turns: OrchestrationWorkItem[];
  readonly activities: ActivityWorkItem[];
  /** The one turn that is out. A rewind is shown as the family's workers expect it. */
  turn(): Promise<OrchestrationWorkItem>;
  activity(): Promise<ActivityWorkItem>;
  answer(item: OrchestrationWorkItem, actions: readonly Action[], more?: Extras): Promise<void>;
  complete(item: ActivityWorkItem, result?: string): Promise<void>;
  fail(item: ActivityWorkItem, failure: Failure): Promise<void>;
  abandon(item: OrchestrationWorkItem | ActivityWorkItem): Promise<void>;
  close(): Promise<void>;
}

interface World {
  readonly clock: HandClock;
  readonly backend: Backend;
  readonly log: readonly LogRecord[];
  /** Lets everything come to rest. */
  rest(): Promise<void>;
  worker(interest?: Partial<WorkerInterest>): Promise<Foreign>;
  start(instanceId: string, name?: string): Promise<void>;
  raise(instanceId: string, name: string): Promise<void>;
  stored(id: string): Promise<StoredInstance | undefined>;
  history(id: string): Promise<readonly HistoryEvent[]>;
}

const ANY: WorkerInterest = {
  orchestrators: "any",
  activities: "any",
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  warmBytes: 0,
  warmIdleMs: 0,
};

const STORES: { readonly [name: string]: (clock: HandClock, folder: string) => Store } = {
  memory: (clock) => createMemoryHub({ clock }).connect(),
  sqlite: (clock, folder) => openSqliteStore({ path: join(folder, "hub.db"), body: "inline", testing: { clock } }),
};

/** Tells a story over each store. */
function story(name: string, tell: (world: World) => Promise<void>): void {
  for (const [kind, open] of Object.entries(STORES)) {
    test(`${name} (${kind})`, async (t) => {
      const folder = mkdtempSync(join(tmpdir(), "ostinato-foreign-"));
      const clock = handClock();
      const log: LogRecord[] = [];
      const backend = await createLocalBackend({
        store: open(clock, folder),
        clock,
        random: seededRandom(7),
        log: createLogger({ sink: (record) => log.push(record) }),
      });
      t.after(async () => {
        await backend.close();
        rmSync(folder, { recursive: true, force: true });
      });
      await tell(worldOf(backend, clock, log));
      assert.deepEqual(
        log.filter(({ level }) => level === "error").map(({ message }) => message),
        [],
      );
    });
  }
}

function worldOf(backend: Backend, clock: HandClock, log: readonly LogRecord[]): World {
  let raises = 0;
  return {
    clock,
    backend,
    log,
    rest: settled,
    async worker(interest = {}) {
      const turns: OrchestrationWorkItem[] = [];
      const activities: ActivityWorkItem[] = [];
      const connection = await backend.connectWorker({ ...ANY, ...interest }, (items) => {
        for (const item of items) {
          if (item.kind === "orchestration") turns.push(asRewindRequest(item));
          else if (item.kind === "activity") activities.push(item);
        }
      });
      await settled();
      return foreign(connection, turns, activities);
    },
    async start(instanceId, name = "o") {
      await backend.start({ instanceId, executionId: `x-${instanceId}`, name, input: '"in"' });
      await settled();
    },
    async raise(instanceId, name) {
      await backend.raiseEvent({ instanceId, name, messageId: `raise-${++raises}` });
      await settled();
    },
    stored: (id) => backend.get(id),
    async history(id) {
      const events: HistoryEvent[] = [];
      for await (const page of backend.history(id)) events.push(...page);
      return events;
    },
  };
}

function foreign(connection: WorkerConnection, turns: OrchestrationWorkItem[], activities: ActivityWorkItem[]): Foreign {
  const only = async <T>(items: T[]): Promise<T> => {
    for (let i = 0; i < 100 && items.length === 0; i++) await settled();
    await settled();
    assert.equal(items.length, 1, `one is out, not ${items.length}`);
    return items.pop() as T;
  };
  return {
    turns,
    activities,
    turn: () => only(turns),
    activity: () => only(activities),
    async answer({ token }, actions, more = {}) {
      await connection.completeOrchestration({ kind: "turn", token, actions, ...more });
      await settled();
    },
    async complete({ token }, result = '"done"') {
      await connection.completeActivity({ kind: "completed", token, result });
      await settled();
    },
    async fail({ token }, failure) {
      await connection.completeActivity({ kind: "failed", token, failure });
      await settled();
    },
    async abandon(item) {
      const { token } = item;
      if (item.kind === "orchestration") await connection.completeOrchestration({ kind: "abandoned", token, reason: "not this version" });
      else await connection.completeActivity({ kind: "abandoned", token, undone: true });
      await settled();
    },
    close: () => connection.close(),
  };
}

/** A store in this thread waits for a turn of the event loop here and there, one in memory for none. Neither waits for time. */
async function settled(): Promise<void> {
  for (let i = 0; i < 6; i++) {
    await rest();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

// ---- what it says

const call = (id: number, name = "a"): Action => ({ kind: "scheduleTask", id, name, attempt: 1, firstId: id });
const timer = (id: number, fireAt: number): Action => ({ kind: "createTimer", id, fireAt });
const child = (id: number, instanceId: string, executionId = `x-${instanceId}`): Action => ({
  kind: "createSubOrchestration",
  id,
  name: "child",
  instanceId,
  executionId,
});
const send = (id: number, instanceId: string, name: string): Action => ({ kind: "sendEvent", id, instanceId, name });
const end = (id: number, result = '"out"'): Action => ({ kind: "completeOrchestration", id, status: "COMPLETED", result });
const failed = (id: number, failure: Failure): Action => ({ kind: "completeOrchestration", id, status: "FAILED", failure });
const BROKE: Failure = { errorType: "Broke", message: "it broke" };

const kinds = (events: readonly HistoryEvent[]): string[] => events.map((event) => event.kind);
const news = (item: OrchestrationWorkItem): string[] => kinds(item.newEvents);
const past = (item: OrchestrationWorkItem): readonly HistoryEvent[] => ("events" in item.past ? item.past.events : []);
const raised = ({ newEvents }: OrchestrationWorkItem): string[] =>
  newEvents.flatMap((event) => (event.kind === "EventRaised" ? [event.name] : []));
/** Events that ask or answer, with the number that they are about. */
const told = (events: readonly HistoryEvent[]): string[] =>
  events.flatMap((event) => {
    if ("taskScheduledId" in event) return [`${event.kind}#${event.taskScheduledId}`];
    if ("timerId" in event) return [`${event.kind}#${event.timerId}`];
    return event.kind === "TaskScheduled" || event.kind === "TimerCreated" || event.kind === "SubOrchestrationInstanceCreated"
      ? [`${event.kind}#${event.eventId}`]
      : [];
  });

// ---- whatever there is

story("a worker that takes any runs orchestrators and activities whose names nobody has told", async (w) => {
  const worker = await w.worker();
  await w.start("i", "unheardOf");
  const first = await worker.turn();
  assert.equal(first.name, "unheardOf");
  await worker.answer(first, [call(0, "unknownToo")]);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), [end(1)]);
  assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
  assert.deepEqual(
    w.log.filter(({ level }) => level === "warn"),
    [],
    "nobody is warned of names that somebody takes",
  );
});

story("CW3 who names a thing is given it, also while only the other one has room", async (w) => {
  const any = await w.worker();
  const named = await w.worker({ orchestrators: ["o"], activities: ["a"], maxConcurrentOrchestrations: 1, maxConcurrentActivities: 1 });
  await w.start("i");
  await w.start("j");
  assert.equal(any.turns.length, 0);
  const first = await named.turn();
  await named.answer(first, [call(1, "a"), call(2, "b")]);
  assert.deepEqual(
    any.activities.map(({ name }) => name),
    ["b"],
  );
  assert.deepEqual(
    named.activities.map(({ name }) => name),
    ["a"],
  );
  assert.equal((await named.turn()).instanceId, "j", "it waited for room");
  assert.equal(any.turns.length, 0);
});

story("work that was waiting for a name goes to a worker that takes any, when one comes", async (w) => {
  const named = await w.worker({ orchestrators: ["o"], activities: [] });
  await w.start("i");
  await named.answer(await named.turn(), [call(1)]);
  await w.start("k", "other");
  const any = await w.worker();
  assert.equal((await any.activity()).name, "a");
  assert.equal((await any.turn()).instanceId, "k");
});

// ---- counting

story("a retry under the number of its first attempt runs, also when it is asked for as the failure is folded in", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  const attempt = await worker.activity();
  await worker.fail(attempt, BROKE);
  // At once: the row of the first attempt goes and that of the second comes in one commit.
  await worker.answer(await worker.turn(), [call(1)]);
  await worker.fail(await worker.activity(), BROKE);
  const fireAt = w.clock.now() + 1_000;
  await worker.answer(await worker.turn(), [timer(2, fireAt)]);
  await w.clock.advance(1_010);
  const due = await worker.turn();
  assert.deepEqual(due.newEvents.slice(1), [{ kind: "TimerFired", eventId: -1, timestamp: fireAt, timerId: 2, fireAt }]);
  assert.ok(due.newEvents[0]!.timestamp >= fireAt, "T1 never early");
  await worker.answer(due, [call(1)]);
  const last = await worker.activity();
  assert.equal(last.idempotencyKey, attempt.idempotencyKey);
  await worker.complete(last);
  await worker.answer(await worker.turn(), [end(3)]);
  assert.deepEqual(told(await w.history("i")), [
    "TaskScheduled#1",
    "TaskFailed#1",
    "TaskScheduled#1",
    "TaskFailed#1",
    "TimerCreated#2",
    "TimerFired#2",
    "TaskScheduled#1",
    "TaskCompleted#1",
  ]);
});

story("a call that is asked for again before its answer takes the place of the first one, whose result is late", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  const first = await worker.activity();
  await w.raise("i", "again");
  await worker.answer(await worker.turn(), [call(1)]);
  const second = await worker.activity();
  await worker.complete(first, '"late"');
  await worker.complete(second, '"good"');
  const turn = await worker.turn();
  assert.deepEqual(
    turn.newEvents.flatMap((event) => (event.kind === "TaskCompleted" ? [event.result] : [])),
    ['"good"'],
  );
});

story("a failed child is started again under the same number and the same id", async (w) => {
  const worker = await w.worker();
  await w.start("p");
  await worker.answer(await worker.turn(), [child(1, "p:c", "c1")]);
  const whole: Failure = {
    ...BROKE,
    stack: "at line 1",
    nonRetriable: false,
    inner: { errorType: "Inner", message: "why" },
    properties: { k: 1 },
  };
  await worker.answer(await worker.turn(), [failed(1, whole)]);
  const told1 = await worker.turn();
  const event = told1.newEvents[1];
  assert.deepEqual(event?.kind === "SubOrchestrationInstanceFailed" && event.failure, whole, "all of the failure reaches the parent");
  await worker.answer(told1, [child(1, "p:c", "c2")]);
  const again = await worker.turn();
  assert.deepEqual([again.instanceId, again.executionId], ["p:c", "c2"]);
  await worker.answer(again, [end(1, '"child"')]);
  await worker.answer(await worker.turn(), [end(2)]);
  assert.deepEqual(told(await w.history("p")), [
    "SubOrchestrationInstanceCreated#1",
    "SubOrchestrationInstanceFailed#1",
    "SubOrchestrationInstanceCreated#1",
    "SubOrchestrationInstanceCompleted#1",
  ]);
});

story("I5 events that are sent under -1, or under one number again and again, all arrive", async (w) => {
  const worker = await w.worker();
  await w.start("to", "receiver");
  await worker.answer(await worker.turn(), []);
  await w.backend.suspend("to");
  await w.start("i");
  await worker.answer(await worker.turn(), [send(-1, "to", "a"), send(-1, "to", "b"), send(3, "to", "c"), send(3, "to", "d"), call(4)]);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), [send(-1, "to", "e"), send(3, "to", "f"), send(0, "to", "g"), end(5)]);
  await w.backend.resume("to");
  const turn = await worker.turn();
  assert.deepEqual(
    turn.newEvents.flatMap((event) => (event.kind === "EventRaised" ? [event.name] : [])),
    ["a", "b", "c", "d", "e", "f", "g"],
  );
});

story("timers count from 0, and one that is set again under its number fires again", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  const fireAt = w.clock.now() + 10;
  await worker.answer(await worker.turn(), [timer(0, fireAt), timer(0, fireAt + 5)]);
  await w.clock.advance(11);
  const first = await worker.turn();
  assert.deepEqual(told(first.newEvents), ["TimerFired#0"]);
  await worker.answer(first, [timer(0, fireAt + 100)]);
  await w.clock.advance(5);
  const second = await worker.turn();
  await worker.answer(second, []);
  await w.clock.advance(100);
  const third = await worker.turn();
  assert.deepEqual(
    [first, second, third].flatMap((turn) =>
      turn.newEvents.flatMap((event) => (event.kind === "TimerFired" ? [event.fireAt - fireAt] : [])),
    ),
    [0, 5, 100],
  );
});

// ---- turned down

story(
  "an instance that a worker turns down is offered again after a second, doubling to thirty, and ends where it can be run",
  async (w) => {
    const worker = await w.worker();
    await w.start("i");
    const offers: number[] = [];
    for (let i = 0; i < 12; i++) {
      await worker.abandon(await worker.turn());
      const waitMs = ((await w.stored("i"))?.record.notBefore ?? 0) - w.clock.now();
      await w.clock.advance(waitMs - 10);
      assert.equal(worker.turns.length, 0, "not before");
      offers.push(Math.round(waitMs / 1_000));
      await w.clock.advance(20);
    }
    assert.deepEqual(offers, [1, 2, 4, 8, 16, 30, 30, 30, 30, 30, 30, 30]);
    await worker.abandon(await worker.turn());
    assert.equal((await w.stored("i"))?.record.status, "PENDING", "nobody has set it aside");
    const compatible = await w.worker();
    const turn = await compatible.turn();
    assert.deepEqual(news(turn), ["OrchestratorStarted", "ExecutionStarted"], "as it was");
    await compatible.answer(turn, [end(1)]);
    assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
  },
);

story("CW3 what a worker has turned down goes to another one that takes it, and stays there", async (w) => {
  const one = await w.worker();
  const other = await w.worker();
  await w.start("i");
  await w.raise("i", "e");
  await one.abandon(await one.turn());
  await w.clock.advance(1_010);
  const turn = await other.turn();
  assert.deepEqual(news(turn), ["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
  await other.answer(turn, [call(1, "heavy")]);
  await other.abandon(await other.activity());
  assert.equal(one.activities.length, 0);
  await w.clock.advance(1_010);
  const item = await one.activity();
  assert.equal(item.delivery, 1, "what was not begun is no delivery");
  await one.complete(item);
  await other.answer(await other.turn(), [end(2)]);
  assert.equal(one.turns.length, 0);
});

story("an activity that is turned down again and again waits for who can run it", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  for (let i = 0; i < 14; i++) {
    await worker.abandon(await worker.activity());
    await w.clock.advance(30_010);
  }
  assert.equal((await w.stored("i"))?.record.stall, undefined, "nobody has set it aside");
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), [end(2)]);
  assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
});

// ---- rewind

/** What the family's workers make of a rewind: what failed goes, with what asked for it, and so does the end. */
function rewritten(item: OrchestrationWorkItem, executionId: string): readonly HistoryEvent[] {
  const all = [...past(item), ...item.newEvents];
  const failedTasks = new Set(all.flatMap((event) => (event.kind === "TaskFailed" ? [event.taskScheduledId] : [])));
  return all.flatMap((event): HistoryEvent[] => {
    if (event.kind === "TaskFailed" || event.kind === "SubOrchestrationInstanceFailed" || event.kind === "ExecutionCompleted") return [];
    if (event.kind === "TaskScheduled" && failedTasks.has(event.eventId)) return [];
    return [event.kind === "ExecutionStarted" ? { ...event, executionId } : event];
  });
}
const rewind = (item: OrchestrationWorkItem, executionId: string): Action => ({
  kind: "rewindOrchestration",
  id: -1,
  newHistory: rewritten(item, executionId),
});

/** An instance of two activities, of which the second has failed. */
async function failedInstance(w: World, worker: Foreign): Promise<void> {
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), [call(2)]);
  await worker.fail(await worker.activity(), BROKE);
  await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  assert.equal((await w.stored("i"))?.record.status, "FAILED");
}

story("C6 a worker that rewrites histories is shown the whole of one with its end, and goes on under what it wrote", async (w) => {
  const worker = await w.worker();
  await failedInstance(w, worker);
  const before = await w.history("i");
  await w.backend.rewind({ instanceId: "i", reason: "try again", executionId: "minted-by-client" });
  await w.raise("i", "meanwhile");
  const item = await worker.turn();
  assert.deepEqual(past(item), before);
  assert.equal(before.at(-1)?.kind, "ExecutionCompleted");
  assert.deepEqual(news(item), ["OrchestratorStarted", "ExecutionRewound"]);
  assert.equal(item.newEvents[1]?.kind === "ExecutionRewound" && item.newEvents[1].reason, "try again");
  await worker.answer(item, [rewind(item, "minted-by-worker")]);

  const next = await worker.turn();
  assert.equal(next.executionId, "minted-by-worker");
  assert.deepEqual(news(next), ["OrchestratorStarted", "EventRaised"], "I5 what came meanwhile is there");
  assert.deepEqual(told(past(next)), ["TaskScheduled#1", "TaskCompleted#1"]);
  const { record, payloads } = (await w.stored("i"))!;
  assert.deepEqual(
    [record.status, record.executionId, record.generation, record.completedAt],
    ["RUNNING", "minted-by-worker", 3, undefined],
  );
  assert.equal(payloads.failure, undefined);
  await worker.answer(next, [call(2)]);
  const again = await worker.activity();
  assert.deepEqual([again.taskId, again.executionId, again.idempotencyKey], [2, "minted-by-worker", "x-i:0002"], "LI1 the key stays");
  await worker.complete(again);
  await worker.answer(await worker.turn(), [end(3)]);
  assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
});

story("C6 it can be rewound a second time, and by an operator who suspends it in between", async (w) => {
  const worker = await w.worker();
  await failedInstance(w, worker);
  await w.backend.rewind({ instanceId: "i", executionId: "r1" });
  const first = await worker.turn();
  await worker.answer(first, [rewind(first, "e1")]);
  await worker.answer(await worker.turn(), [call(2)]);
  await worker.fail(await worker.activity(), BROKE);
  await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  const before = await w.history("i");
  await worker.close();
  await w.backend.rewind({ instanceId: "i", executionId: "r2" });
  await w.backend.suspend("i");
  await w.backend.resume("i");
  const other = await w.worker();
  const second = await other.turn();
  assert.deepEqual(past(second), before);
  assert.deepEqual(news(second), ["OrchestratorStarted", "ExecutionRewound"]);
  await other.answer(second, [rewind(second, "e2")]);
  await other.answer(await other.turn(), [call(2)]);
  await other.complete(await other.activity());
  await other.answer(await other.turn(), [end(3)]);
  assert.deepEqual([(await w.stored("i"))?.record.status, (await w.stored("i"))?.record.executionId], ["COMPLETED", "e2"]);
});

story("C6 what was open when it failed is asked for again: activities, timers, children", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  const fireAt = w.clock.now() + 60_000;
  await worker.answer(await worker.turn(), [call(1), call(2, "slow"), timer(3, fireAt), child(4, "c")]);
  const running = worker.turns.pop()!;
  const [one, slow] = worker.activities.splice(0);
  await worker.answer(running, [call(1, "inTheChild")]);
  const childs = await worker.activity();
  await worker.fail(one!, BROKE);
  await worker.answer(await worker.turn(), [failed(5, BROKE)]);
  await worker.complete(slow!);
  await w.backend.rewind({ instanceId: "i", executionId: "r1" });
  const item = await worker.turn();
  await worker.answer(item, [rewind(item, "e1")]);
  const asked = worker.activities.splice(0);
  assert.deepEqual(
    asked.map(({ taskId, name }) => [taskId, name]),
    [[2, "slow"]],
    "its result was dropped with the execution that had failed",
  );
  await worker.answer(await worker.turn(), [call(1)]);
  // The child ran on; now its end is for the execution that goes on.
  await worker.complete(childs);
  await worker.answer(await worker.turn(), [end(2, '"child"')]);
  await worker.answer(await worker.turn(), []);
  await worker.complete(asked[0]!);
  await worker.answer(await worker.turn(), []);
  await worker.complete(await worker.activity());
  await worker.answer(await worker.turn(), []);
  await w.clock.advance(60_010);
  await worker.answer(await worker.turn(), [end(5)]);
  assert.deepEqual(told(await w.history("i")), [
    "TaskScheduled#2",
    "TimerCreated#3",
    "SubOrchestrationInstanceCreated#4",
    "TaskScheduled#1",
    "SubOrchestrationInstanceCompleted#4",
    "TaskCompleted#2",
    "TaskCompleted#1",
    "TimerFired#3",
  ]);
});

story("C6 a failed child is rewound with its parent, and a child that is gone is started again", async (w) => {
  const worker = await w.worker();
  await w.start("p");
  await worker.answer(await worker.turn(), [child(1, "c1"), child(2, "c2")]);
  for (const turn of worker.turns.splice(0)) await worker.answer(turn, turn.instanceId === "c1" ? [call(1)] : [failed(1, BROKE)]);
  await worker.fail(await worker.activity(), BROKE);
  for (let i = 0; i < 2; i++)
    for (const turn of worker.turns.splice(0)) await worker.answer(turn, turn.instanceId === "p" ? [] : [failed(2, BROKE)]);
  for (const turn of worker.turns.splice(0)) await worker.answer(turn, [failed(3, BROKE)]);
  if ((await w.stored("p"))?.record.status !== "FAILED") {
    await w.raise("p", "enough");
    await worker.answer(await worker.turn(), [failed(3, BROKE)]);
  }
  assert.equal((await w.stored("c1"))?.record.status, "FAILED");
  await w.backend.purge({ instanceId: "c2", recursive: false });
  await w.backend.rewind({ instanceId: "p", reason: "again", executionId: "r1" });
  const item = await worker.turn();
  await worker.answer(item, [rewind(item, "p2")]);
  const turns = new Map(worker.turns.splice(0).map((turn) => [turn.instanceId, turn]));
  assert.deepEqual([...turns.keys()].sort(), ["c1", "c2", "p"]);
  const [c1, c2, p] = [turns.get("c1")!, turns.get("c2")!, turns.get("p")!];
  assert.deepEqual(news(c1), ["OrchestratorStarted", "ExecutionRewound"]);
  assert.deepEqual(news(c2), ["OrchestratorStarted", "ExecutionStarted"]);
  const start = c2.newEvents[1];
  assert.deepEqual(start?.kind === "ExecutionStarted" && start.parent?.executionId, "p2");
  assert.deepEqual(news(p), ["OrchestratorStarted"]);
  await worker.answer(p, []);
  await worker.answer(c1, [rewind(c1, "c1-2")]);
  await worker.answer(c2, [end(1)]);
  await worker.answer(
    worker.turns.splice(
      worker.turns.findIndex(({ instanceId }) => instanceId === "p"),
      1,
    )[0]!,
    [],
  );
  const goesOn = await worker.turn();
  const began = past(goesOn)[1];
  assert.equal(began?.kind === "ExecutionStarted" && began.parent?.executionId, "p2", "its history says who waits for it now");
  await worker.answer(goesOn, [end(2)]);
  await worker.answer(await worker.turn(), [end(4)]);
  assert.deepEqual(
    told(await w.history("p"))
      .filter((each) => each.includes("Completed"))
      .sort(),
    ["SubOrchestrationInstanceCompleted#1", "SubOrchestrationInstanceCompleted#2"],
  );
});

// ---- terminate, ends, and parts of a turn

story("C4 a program terminates another instance, and its children with it", async (w) => {
  const worker = await w.worker();
  await w.start("victim");
  await worker.answer(await worker.turn(), [child(1, "victims")]);
  await worker.answer(await worker.turn(), [call(1)]);
  await w.start("i");
  await worker.answer(await worker.turn(), [
    { kind: "terminateOrchestration", id: -1, instanceId: "victim", reason: '"enough"', recursive: true },
    { kind: "terminateOrchestration", id: -1, instanceId: "nobody", recursive: false },
    end(1),
  ]);
  const victim = await w.stored("victim");
  assert.deepEqual([victim?.record.status, victim?.payloads.output], ["TERMINATED", '"enough"']);
  assert.equal((await w.stored("victims"))?.record.status, "TERMINATED");
  assert.equal((await w.stored("i"))?.record.status, "COMPLETED");
});

story(
  "C2 a program that ends as TERMINATED leaves no activity, no timer and no child; its parent is told a failure with words",
  async (w) => {
    const worker = await w.worker();
    await w.start("to", "receiver");
    await worker.answer(await worker.turn(), []);
    await w.start("p");
    await worker.answer(await worker.turn(), [child(1, "c")]);
    await worker.answer(await worker.turn(), [
      call(1),
      timer(2, w.clock.now() + 10),
      child(3, "never"),
      send(4, "to", "bye"),
      { kind: "completeOrchestration", id: 5, status: "TERMINATED", result: '"stop"' },
    ]);
    const c = await w.stored("c");
    assert.deepEqual([c?.record.status, c?.payloads.output], ["TERMINATED", '"stop"']);
    assert.equal(await w.stored("never"), undefined);
    assert.equal(worker.activities.length, 0);
    const turns = new Map(worker.turns.splice(0).map((turn) => [turn.instanceId, turn]));
    assert.deepEqual(news(turns.get("to")!), ["OrchestratorStarted", "EventRaised"]);
    const event = turns.get("p")!.newEvents[1];
    assert.ok(event?.kind === "SubOrchestrationInstanceFailed");
    assert.match(event.failure.errorType, /OrchestrationTerminated/);
    assert.match(event.failure.message, /"stop"/);
  },
);

story("I5 a turn that took a part of its events leaves the others for the next one", async (w) => {
  const worker = await w.worker();
  await w.start("i");
  await worker.answer(await worker.turn(), [call(1)]);
  await w.raise("i", "a");
  const busy = await worker.turn();
  for (const name of ["b", "c", "d"]) await w.raise("i", name);
  await worker.answer(busy, []);
  const item = await worker.turn();
  assert.deepEqual(raised(item), ["b", "c", "d"]);
  await worker.answer(item, [], { eventsProcessed: 2 });
  const others = await worker.turn();
  assert.deepEqual(raised(others), ["c", "d"]);
  const anew: Action = { kind: "completeOrchestration", id: 9, status: "CONTINUED_AS_NEW", result: "1" };
  await worker.answer(others, [anew], { eventsProcessed: 2 });
  const next = await worker.turn();
  assert.deepEqual(news(next), ["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
  assert.deepEqual(raised(next), ["d"]);
  await worker.answer(next, [], { eventsProcessed: 0 });
  const again = await worker.turn();
  assert.deepEqual(raised(again), ["d"], "the start is taken whatever the worker says, what follows is not");
  assert.deepEqual(kinds(past(again)), ["OrchestratorStarted", "ExecutionStarted"]);
});

// ---- the order and the times that workers rely on

story("H3 the start comes before all that came earlier, and continue-as-new puts carried events before those that arrived", async (w) => {
  const worker = await w.worker();
  const startAt = w.clock.now() + 1_000;
  await w.backend.start({ instanceId: "i", executionId: "x", name: "o", startAt });
  await w.raise("i", "early");
  await w.clock.advance(1_010);
  const first = await worker.turn();
  assert.deepEqual(news(first), ["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
  assert.deepEqual(past(first), []);
  await w.raise("i", "late");
  const carried: HistoryEvent = { kind: "EventRaised", eventId: -1, timestamp: 0, name: "carried", input: "1" };
  await worker.answer(first, [
    call(1),
    { kind: "completeOrchestration", id: 2, status: "CONTINUED_AS_NEW", result: '"next"', carriedEvents: [carried] },
  ]);
  assert.equal((await w.stored("i"))?.record.status, "RUNNING", "and never PENDING again");
  const next = await worker.turn();
  assert.notEqual(next.executionId, first.executionId);
  assert.deepEqual(
    next.newEvents.map((event) => (event.kind === "EventRaised" ? event.name : event.kind)),
    ["OrchestratorStarted", "ExecutionStarted", "carried", "late"],
  );
  assert.ok((await w.backend.waitForStart("i")) !== undefined, "who waits for its start does not wait");
});

story("C4 an instance that no worker has ever taken is terminated all the same", async (w) => {
  await w.start("i");
  await w.backend.start({ instanceId: "later", executionId: "y", name: "o", startAt: w.clock.now() + 60_000 });
  for (const instanceId of ["i", "later"]) await w.backend.terminate({ instanceId, output: '"no"', recursive: false });
  await w.rest();
  for (const id of ["i", "later"]) {
    const stored = await w.stored(id);
    assert.deepEqual([stored?.record.status, stored?.payloads.output], ["TERMINATED", '"no"']);
    assert.deepEqual(kinds(await w.history(id)), ["OrchestratorStarted", "ExecutionStarted", "ExecutionTerminated", "ExecutionCompleted"]);
  }
});

story("C4 a recursive terminate reaches the children of children, and a plain one leaves them", async (w) => {
  const worker = await w.worker();
  for (const root of ["p", "q"]) {
    await w.start(root);
    await worker.answer(await worker.turn(), [child(0, `${root}:c`)]);
    await worker.answer(await worker.turn(), [child(0, `${root}:c:g`)]);
    await worker.answer(await worker.turn(), [call(0)]);
    worker.activities.length = 0;
  }
  await w.backend.terminate({ instanceId: "p", recursive: true });
  await w.backend.terminate({ instanceId: "q", recursive: false });
  await w.rest();
  const statuses = await Promise.all(["p", "p:c", "p:c:g", "q", "q:c", "q:c:g"].map(async (id) => (await w.stored(id))?.record.status));
  assert.deepEqual(statuses, ["TERMINATED", "TERMINATED", "TERMINATED", "TERMINATED", "RUNNING", "RUNNING"]);
});

story("A1 a child's id that somebody else has is told to the parent; nobody's finished instance is wiped", async (w) => {
  const worker = await w.worker();
  await w.start("taken", "child");
  await worker.answer(await worker.turn(), [end(1, '"mine"')]);
  await w.start("busy", "child");
  await worker.answer(await worker.turn(), [call(1)]);
  await w.start("p");
  await worker.answer(await worker.turn(), [child(0, "taken", "n1"), child(1, "busy", "n2")]);
  const answered: HistoryEvent[] = [];
  while (answered.length < 2) {
    const turn = await worker.turn();
    answered.push(...turn.newEvents.slice(1));
    await worker.answer(turn, []);
  }
  for (const event of answered) {
    assert.ok(event.kind === "SubOrchestrationInstanceFailed");
    assert.match(event.failure.errorType, /OrchestrationAlreadyExists/);
  }
  assert.equal((await w.stored("taken"))?.payloads.output, '"mine"');
  assert.equal((await w.stored("busy"))?.record.status, "RUNNING");
});
