import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "../contract/actions.ts";
import type { Backend, SignalEntityRequest, WorkerConnection, WorkerInterest } from "../contract/backend.ts";
import type { EntityAction, EntityOperationResult, EntityWorkItem, OrchestrationWorkItem, WorkItem } from "../contract/work-items.ts";
import { EMPTY_COMMIT, type Commit } from "../engine/commit.ts";
import { operationMessage } from "../engine/entity-messages.ts";
import type { Message } from "../contract/messages.ts";
import type { Store } from "../engine/store.ts";
import { createLogger, type LogRecord } from "../platform/logger.ts";
import { seededRandom } from "../platform/random.ts";
import { createMemoryHub, type MemoryHub } from "../stores/memory/memory-store.ts";
import { handClock, rest, type HandClock } from "../../test/hand-clock.ts";
import { createLocalBackend, type LocalBackendOptions } from "./local-backend.ts";

const A = "@counter@a";
const B = "@counter@b";
const INTEREST: WorkerInterest = {
  orchestrators: ["o"],
  activities: [],
  entities: ["counter"],
  maxConcurrentOrchestrations: 10,
  maxConcurrentActivities: 10,
  maxConcurrentEntities: 10,
  warmBytes: 1_000_000,
  warmIdleMs: 10_000,
};

interface Counting extends WorkerConnection {
  readonly batches: EntityWorkItem[];
  readonly turns: OrchestrationWorkItem[];
  batch(): EntityWorkItem;
  turn(): OrchestrationWorkItem;
  /** Answers with as many results as there are operations, unless told otherwise, and with a state that has all operations in order. */
  done(
    item: EntityWorkItem,
    more?: { results?: readonly EntityOperationResult[]; actions?: readonly EntityAction[]; state?: string },
  ): Promise<void>;
  answer(item: OrchestrationWorkItem, actions: readonly Action[]): Promise<void>;
}

interface World {
  readonly clock: HandClock;
  readonly hub: MemoryHub;
  readonly backend: Backend;
  readonly log: LogRecord[];
  readonly committed: Commit[];
  /** What the store does instead of answering the next commit of an entity. */
  failing: "before" | "after" | undefined;
  reads: number;
  worker(interest?: Partial<WorkerInterest>): Promise<Counting>;
  signal(operation: string, more?: Partial<SignalEntityRequest>): Promise<void>;
  state(id?: string): Promise<string | undefined>;
  counters(...names: readonly string[]): (number | undefined)[];
}

let nextRequest = 0;

async function world(options: Partial<LocalBackendOptions> = {}, from?: { clock: HandClock; hub: MemoryHub }): Promise<World> {
  const clock = from?.clock ?? handClock();
  const hub = from?.hub ?? createMemoryHub({ clock });
  const inner = hub.connect();
  const log: LogRecord[] = [];
  const committed: Commit[] = [];
  const store: Store = {
    ...inner,
    async commit(batch) {
      const failing = w.failing;
      if (batch.some(({ record }) => record?.kind === "entity")) w.failing = undefined;
      else return inner.commit(batch);
      if (failing === "before") throw new Error("the disk is full");
      committed.push(...batch);
      const results = await inner.commit(batch);
      if (failing === "after") throw new Error("the line was cut");
      return results;
    },
    async read(id) {
      if (id.startsWith("@")) w.reads++;
      return inner.read(id);
    },
  };
  const w: World = {
    clock,
    hub,
    log,
    committed,
    failing: undefined,
    reads: 0,
    backend: undefined as unknown as Backend,
    async worker(interest = {}) {
      const batches: EntityWorkItem[] = [];
      const turns: OrchestrationWorkItem[] = [];
      const connection = await w.backend.connectWorker({ ...INTEREST, ...interest }, (items: readonly WorkItem[]) => {
        for (const item of items) {
          if (item.kind === "entity") batches.push(item);
          else if (item.kind === "orchestration") turns.push(item);
        }
      });
      await rest();
      return {
        ...connection,
        batches,
        turns,
        batch: () => only(batches),
        turn: () => only(turns),
        async done(item, more = {}) {
          const results = more.results ?? item.operations.map(() => ({ kind: "succeeded" }) as const);
          const state =
            more.state ??
            [item.state ?? "", ...item.operations.slice(0, results.length).map(({ operation }) => operation)].join(" ").trim();
          void connection.completeEntity({ kind: "batch", token: item.token, results, actions: more.actions ?? [], state });
          await rest();
        },
        async answer(item, actions) {
          void connection.completeOrchestration({ kind: "turn", token: item.token, actions, keptBytes: 100 });
          await rest();
        },
      };
    },
    async signal(operation, more = {}) {
      await w.backend.signalEntity({ entityId: A, operation, requestId: `r${nextRequest++}`, ...more });
      await rest();
    },
    state: async (id = A) => (await w.backend.getEntity(id, true))?.state,
    counters: (...names) => names.map((name) => w.backend.counters()[name]),
  };
  (w as { backend: Backend }).backend = await createLocalBackend({
    store,
    clock,
    random: seededRandom(7),
    log: createLogger({ sink: (record) => log.push(record) }),
    ...options,
  });
  return w;
}

function only<T>(items: T[]): T {
  assert.equal(items.length, 1, `one is out, not ${items.length}`);
  return items.pop() as T;
}

const operations = (item: EntityWorkItem): string[] => item.operations.map(({ operation }) => operation);
const lock = (id: number, lockSet: readonly string[] = [A, B], criticalSectionId = "s"): Action => ({
  kind: "lockEntities",
  id,
  criticalSectionId,
  lockSet,
});
const unlock = (id: number, entityId: string): Action => ({ kind: "unlockEntity", id, criticalSectionId: "s", entityId });
const callOf = (id: number, operation: string, entityId = A): Action => ({
  kind: "callEntity",
  id,
  entityId,
  requestId: `call-${id}`,
  operation,
});
const end = (id: number): Action => ({ kind: "completeOrchestration", id, status: "COMPLETED" });
const start = async (w: World, id: string): Promise<void> => {
  await w.backend.start({ instanceId: id, executionId: `x-${id}`, name: "o" });
  await rest();
};
function waitingSignal(operation: string, timestamp: number): Message {
  const event = { kind: "EntityOperationSignaled", eventId: -1, timestamp, entityId: A, requestId: operation, operation } as const;
  return operationMessage(`s${operation}`, event, timestamp, { fromOwner: false, needs: "program" });
}

/** Of what lies in the inbox of an entity, what its holder has in memory: it stands in no queue. */
function handedOutOf(w: World, id: string): number {
  for (const { record, inbox } of w.hub.contents().instances)
    if (record.id === id) return [...inbox.values()].filter((slot) => (slot as unknown as { readonly place: number }).place < 0).length;
  return 0;
}

const news = (item: OrchestrationWorkItem): string[] => item.newEvents.map(({ kind }) => kind);

// ---- batches

test("E2 a signal becomes a batch, and the batch a state", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  await worker.done(worker.batch());
  assert.equal(await w.state(), "one");
  assert.deepEqual(w.counters("entityBatchesCommitted", "entityOperationsDone"), [1, 1]);
  assert.equal(w.reads, 1, "an entity that has done nothing has no state to be read; the test itself read it once");
});

test("E2 what comes during a batch is the next one, with the state that was kept: one commit each, and nothing is read", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  const first = worker.batch();
  await w.signal("two");
  await w.signal("three");
  assert.equal(worker.batches.length, 0, "one batch at a time");
  await worker.done(first);
  const second = worker.batch();
  assert.deepEqual([operations(second), second.state], [["two", "three"], "one"]);
  await worker.done(second);
  await w.signal("four");
  const third = worker.batch();
  assert.equal(third.state, "one two three");
  await worker.done(third);
  assert.deepEqual([w.committed.length, w.reads], [3, 0]);
});

test("E2 the same request again, while the first waits, is one signal", async () => {
  const w = await world();
  await w.signal("one", { requestId: "r" });
  await w.signal("one", { requestId: "r" });
  const worker = await w.worker();
  assert.deepEqual(operations(worker.batch()), ["one"]);
});

test("E2 operations that were not done are first in the next batch", async () => {
  const w = await world();
  for (const operation of ["one", "two", "three"]) await w.signal(operation);
  const worker = await w.worker();
  const first = worker.batch();
  await w.signal("four");
  await worker.done(first, { results: [{ kind: "succeeded" }] });
  assert.deepEqual(operations(worker.batch()), ["two", "three", "four"]);
});

test("an entity that was given back is read once when it is claimed again", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  await worker.done(worker.batch());
  await w.clock.advance(20_000);
  await w.signal("two");
  const item = worker.batch();
  assert.deepEqual([item.state, w.reads], ["one", 1]);
  await worker.done(item);
  assert.equal(await w.state(), "one two");
});

test("a worker that keeps nothing warm is given each batch with its state all the same", async () => {
  const w = await world();
  const worker = await w.worker({ warmBytes: 0 });
  await w.signal("one");
  const first = worker.batch();
  await w.signal("two");
  await worker.done(first);
  await worker.done(worker.batch());
  await w.signal("three");
  await worker.done(worker.batch());
  assert.equal(await w.state(), "one two three");
});

test("never more batches are out than the worker asked for; who waited is next, and nothing is set aside for waiting", async () => {
  const w = await world();
  const worker = await w.worker({ maxConcurrentEntities: 1 });
  await w.signal("one");
  await worker.done(worker.batch());
  await w.signal("b", { entityId: B });
  const b = worker.batch();
  await w.signal("two");
  await w.signal("c", { entityId: "@counter@c" });
  assert.equal(worker.batches.length, 0, "B's batch is out, and A, which is warm, waits");
  await w.clock.advance(120_000);
  await worker.done(b);
  const second = worker.batch();
  assert.deepEqual(operations(second), ["two"]);
  await worker.done(second);
  assert.deepEqual(operations(worker.batch()), ["c"]);
});

test("E7 a delayed signal waits for its time", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("late", { scheduledAt: w.clock.now() + 60_000 });
  assert.equal((await w.backend.getEntity(A, true))?.backlogQueueSize, 0);
  await w.clock.advance(59_000);
  assert.equal(worker.batches.length, 0);
  await w.clock.advance(1_001);
  assert.deepEqual(operations(worker.batch()), ["late"]);
});

test("E3 what operations send goes out with the commit of their batch: signals make entities, starts instances, and a taken id stays as it is", async () => {
  const w = await world();
  const worker = await w.worker();
  await start(w, "taken");
  await worker.answer(worker.turn(), [end(1)]);
  await w.signal("one");
  const startOf = (instanceId: string): EntityAction => ({
    kind: "startOrchestration",
    instanceId,
    executionId: `by-${instanceId}`,
    name: "o",
    input: "7",
  });
  const actions: EntityAction[] = [{ kind: "signalEntity", entityId: B, operation: "told" }, startOf("fresh"), startOf("taken")];
  await worker.done(worker.batch(), { actions });
  assert.deepEqual([worker.batch().entityId, worker.turn().instanceId], [B, "fresh"]);
  const taken = await w.backend.get("taken");
  assert.deepEqual([taken?.record.executionId, taken?.record.dropped], ["x-taken", 1]);
});

test("a call is answered to the execution that waits for it; a failure is told and leaves nothing", async () => {
  const w = await world();
  const worker = await w.worker();
  await start(w, "i");
  await worker.answer(worker.turn(), [callOf(1, "add"), callOf(2, "boom")]);
  await worker.done(worker.batch(), {
    results: [
      { kind: "succeeded", result: "1" },
      { kind: "failed", failure: { errorType: "Error", message: "no" } },
    ],
    state: "1",
  });
  assert.deepEqual(news(worker.turn()), ["OrchestratorStarted", "EntityOperationCompleted", "EntityOperationFailed"]);
  assert.deepEqual(w.counters("entityOperationsDone", "entityOperationsFailed"), [1, 1]);
});

// ---- what goes wrong

test("a batch of which nothing counts is offered again later, as it was", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  const failure = { errorType: "Error", message: "no code for it" };
  void worker.completeEntity({ kind: "failed", token: worker.batch().token, failure });
  await rest();
  assert.equal(worker.batches.length, 0);
  assert.match((await w.backend.getEntity(A, false))?.stall?.reason ?? "", /no code for it/);
  await w.clock.advance(1_001);
  const again = worker.batch();
  void worker.completeEntity({ kind: "batch", token: again.token, results: [], actions: [] });
  await w.clock.advance(1_500);
  assert.equal(worker.batches.length, 0, "no results and no failure spin no more than a failure does");
  await w.clock.advance(600);
  await worker.done(worker.batch());
  assert.deepEqual([await w.state(), (await w.backend.getEntity(A, false))?.stall], ["one", undefined]);
});

test("a worker that comes with other code is given at once what was put off", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  void worker.completeEntity({ kind: "abandoned", token: worker.batch().token });
  await rest();
  const other = await w.worker();
  assert.deepEqual(operations(other.batch()), ["one"]);
});

test("a batch whose worker goes is another's, whole", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one");
  const item = worker.batch();
  await worker.close();
  const other = await w.worker();
  await other.done(other.batch());
  void worker.completeEntity({ kind: "batch", token: item.token, results: [{ kind: "succeeded" }], actions: [], state: "late" });
  await rest();
  assert.deepEqual([await w.state(), w.counters("completionsUnknown")], ["one", [1]]);
});

test("D6 a commit that the store refuses to write is tried again; one whose answer was lost is not done twice", async () => {
  for (const failing of ["before", "after"] as const) {
    const w = await world();
    const worker = await w.worker();
    await w.signal("one");
    w.failing = failing;
    await worker.done(worker.batch());
    await w.clock.advance(1_100);
    if (failing === "before") await worker.done(worker.batch());
    assert.equal(worker.batches.length, 0);
    await w.signal("two");
    await worker.done(worker.batch());
    assert.equal(await w.state(), "one two", failing);
  }
});

test("an entity is set aside when its batches end one process after the other, and taken up again by its id", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const first = await world({}, { clock, hub });
  await first.signal("one");
  for (let crash = 0; crash < 10; crash++) {
    const store = hub.connect();
    await store.open();
    await store.claim({ instances: 0, orchestrators: [], entityCount: 1, entities: ["@counter"], activityCount: 0, activities: [] });
    await store.close();
  }
  const worker = await first.worker();
  assert.equal(worker.batches.length, 0);
  assert.equal((await first.backend.getEntity(A, false))?.stall?.kind, "set-aside");
  await first.backend.resume(A);
  await rest();
  await worker.done(worker.batch());
  assert.equal(await first.state(), "one");
});

test("where names that nobody serves fail, a call is answered, and who locks gets the lock", async () => {
  const w = await world({ unregistered: "fail" });
  const worker = await w.worker({ entities: [] });
  await w.signal("lost");
  await start(w, "i");
  await worker.answer(worker.turn(), [callOf(1, "add"), lock(2)]);
  const told = worker.turn();
  await worker.answer(told, []);
  const all = [...news(told), ...worker.turns.flatMap(news)];
  assert.ok(all.includes("EntityOperationFailed") && all.includes("EntityLockGranted"), all.join());
  assert.equal(await w.state(), undefined);
});

test("an entity with a hundred times more waiting than one batch takes has no more of it in memory than a few batches", async () => {
  const w = await world();
  const line = w.hub.connect();
  for (let n = 0; n < 20_000; n += 1_000) {
    const messages = Array.from({ length: 1_000 }, (_, i) => waitingSignal(`${n + i}`, w.clock.now()));
    await line.commit([{ ...EMPTY_COMMIT, messages }]);
  }
  const worker = await w.worker();
  let handedOut = 0;
  let done = 0;
  while (done < 20_000) {
    const item = worker.batch();
    handedOut = Math.max(handedOut, handedOutOf(w, A));
    assert.deepEqual(
      operations(item),
      Array.from(item.operations, (_, i) => `${done + i}`),
      "in their order",
    );
    done += item.operations.length;
    await worker.done(item, { state: `${done}` });
  }
  assert.equal(await w.state(), "20000");
  assert.ok(handedOut <= 6_000, `${handedOut} were handed out at once`);
});

test("an entity that waits for room is given back when its worker takes no more, and not only when that is done", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const w = await world({}, { clock, hub });
  const worker = await w.worker({ maxConcurrentEntities: 1 });
  await w.signal("one");
  await worker.done(worker.batch());
  await w.signal("long", { entityId: B });
  const long = worker.batch();
  await w.signal("two");
  const isClaimed = async (): Promise<boolean | undefined> => (await hub.connect().outstanding(A))?.isClaimed;
  assert.equal(await isClaimed(), true, "the process has A, where it waits for B's batch");
  worker.stopTaking();
  await rest();
  assert.equal(await isClaimed(), false);
  const other = await (await world({}, { clock, hub })).worker({ orchestrators: [] });
  assert.deepEqual(operations(other.batch()), ["two"]);
  await worker.done(long);
});

test("entities that never rest leave room for one that waits", async () => {
  const w = await world();
  const worker = await w.worker({ maxConcurrentEntities: 1 });
  await w.signal("go");
  await w.signal("cold", { entityId: B });
  let batches = 0;
  for (let item = worker.batch(); item.entityId === A; item = worker.batch()) {
    assert.ok(++batches <= 100, "its batches are done for ever, and the other one waits");
    await w.clock.advance(1);
    await w.signal("go");
    await worker.done(item, { state: `${batches}` });
  }
  assert.equal(await w.state(), `${batches}`);
});

// ---- sections

test("E5 E1 a section is its owner's alone: who came later waits, in order, and goes on when it is let go", async () => {
  const w = await world();
  const worker = await w.worker();
  await start(w, "i");
  await worker.answer(worker.turn(), [lock(1)]);
  const grant = worker.turn();
  assert.deepEqual(news(grant), ["OrchestratorStarted", "EntityLockGranted"]);
  assert.deepEqual((await w.backend.getEntity(B, false))?.lockedBy, "i");
  await w.signal("outside");
  assert.equal(worker.batches.length, 0);
  await worker.answer(grant, [callOf(2, "inside")]);
  const inside = worker.batch();
  assert.deepEqual(operations(inside), ["inside"]);
  await worker.done(inside);
  await worker.answer(worker.turn(), [unlock(3, A), unlock(4, B)]);
  assert.deepEqual(operations(worker.batch()), ["outside"]);
  assert.deepEqual(w.counters("locksGranted", "locksReleased"), [1, 2]);
});

test("E4 an owner that ends lets go, whoever waits is granted next", async () => {
  const w = await world();
  const worker = await w.worker();
  await start(w, "i");
  await worker.answer(worker.turn(), [lock(1)]);
  const owner = worker.turn();
  assert.deepEqual(news(owner), ["OrchestratorStarted", "EntityLockGranted"]);
  await start(w, "j");
  await worker.answer(worker.turn(), [lock(1)]);
  assert.equal(worker.turns.length, 0, "the second one waits");
  await worker.answer(owner, [end(2)]);
  const next = worker.turn();
  assert.deepEqual([next.instanceId, news(next)], ["j", ["OrchestratorStarted", "EntityLockGranted"]]);
  await worker.answer(next, []);
  await w.backend.terminate({ instanceId: "j", recursive: false });
  await rest();
  const { items } = await w.backend.queryEntities({ includeState: false, includeTransient: true }, {});
  assert.deepEqual(
    items.map(({ entityId, lockedBy }) => [entityId, lockedBy]),
    [
      [A, undefined],
      [B, undefined],
    ],
  );
});

test("E4 a request that waits behind another owner is withdrawn by the end of its own, also when that is purged at once", async () => {
  const w = await world();
  const worker = await w.worker();
  await start(w, "i");
  await worker.answer(worker.turn(), [lock(1)]);
  const owner = worker.turn();
  await start(w, "j");
  await worker.answer(worker.turn(), [lock(1)]);
  await w.backend.terminate({ instanceId: "j", recursive: false });
  await rest();
  await w.backend.purge({ instanceId: "j", recursive: false });
  assert.deepEqual(w.counters("locksWithdrawn"), [1]);
  await worker.answer(owner, [end(2)]);
  for (const id of [A, B]) assert.equal((await w.backend.getEntity(id, false))?.lockedBy, undefined, id);
  await w.signal("free");
  assert.deepEqual(operations(worker.batch()), ["free"]);
});

test("E4 a section is let go by a process that serves no entities, once the calls before it are done by one that does", async () => {
  const clock = handClock();
  const hub = createMemoryHub({ clock });
  const plain = await world({}, { clock, hub });
  const serving = await world({}, { clock, hub });
  const orchestrator = await plain.worker({ entities: [] });
  const counters = await serving.worker({ orchestrators: [], warmBytes: 0 });
  await start(plain, "i");
  await orchestrator.answer(orchestrator.turn(), [lock(1)]);
  await rest();
  await counters.close();
  const grant = orchestrator.turn();
  await orchestrator.answer(grant, [callOf(2, "inside"), unlock(3, A), unlock(4, B)]);
  await plain.signal("outside");
  assert.equal((await plain.backend.getEntity(A, false))?.lockedBy, "i", "the call has not been done yet");
  assert.equal((await plain.backend.getEntity(B, false))?.lockedBy, undefined);
  const later = await serving.worker({ orchestrators: [], warmBytes: 0 });
  await later.done(later.batch());
  await later.done(later.batch());
  assert.deepEqual([await plain.state(), (await plain.backend.getEntity(A, false))?.lockedBy], ["inside outside", undefined]);
});

test("where names that nobody serves fail, a lock of one that is served and one that is not is granted", async () => {
  const w = await world({ unregistered: "fail" });
  const worker = await w.worker();
  await start(w, "i");
  await worker.answer(worker.turn(), [lock(1, [A, "@nobody@n"])]);
  const grant = worker.turn();
  assert.deepEqual(news(grant), ["OrchestratorStarted", "EntityLockGranted"]);
  await worker.answer(grant, [end(2)]);
  for (const id of [A, "@nobody@n"]) assert.equal((await w.backend.getEntity(id, false))?.lockedBy, undefined, id);
});

// ---- clients

test("entities are listed apart from orchestrations, with their backlog; what has no state only when asked for", async () => {
  const w = await world();
  await w.signal("one", { entityId: "@Counter@a" });
  await w.signal("two");
  assert.deepEqual((await w.backend.query({}, {})).items, []);
  assert.deepEqual((await w.backend.queryEntities({ includeState: true, includeTransient: false }, {})).items, []);
  const { items } = await w.backend.queryEntities({ includeState: true, includeTransient: true, idPrefix: "@counter@" }, {});
  assert.deepEqual(
    items.map(({ entityId, backlogQueueSize, hasState }) => [entityId, backlogQueueSize, hasState]),
    [[A, 2, false]],
  );
  assert.equal(await w.backend.getEntity("@counter@nobody", true), undefined);
});

test("what is asked of orchestrations is refused for an entity, with the reason", async () => {
  const w = await world();
  await w.signal("one");
  const refused = { code: "INVALID_STATE", message: /'@counter@a' is an entity/ };
  await assert.rejects(w.backend.suspend(A), refused);
  await assert.rejects(w.backend.terminate({ instanceId: A, recursive: false }), refused);
  await assert.rejects(w.backend.raiseEvent({ instanceId: A, name: "e", messageId: "m" }), refused);
  await assert.rejects(w.backend.purge({ instanceId: A, recursive: false }), refused);
  await assert.rejects(w.backend.rewind({ instanceId: A, executionId: "x" }), refused);
  await assert.rejects(w.backend.restart({ instanceId: A, executionId: "x" }), refused);
  await assert.rejects(w.backend.start({ instanceId: A, executionId: "x", name: "o" }), refused);
  assert.equal((await w.backend.getEntity(A, false))?.backlogQueueSize, 1, "its signal is still there");
});

test("E6 cleaning up takes what is empty, kept warm or not, and leaves what has a state, a lock, or something to do, due or not", async () => {
  const w = await world();
  const worker = await w.worker();
  await w.signal("one", { entityId: "@counter@empty" });
  void worker.completeEntity({ kind: "batch", token: worker.batch().token, results: [{ kind: "succeeded" }], actions: [] });
  await rest();
  await w.signal("x");
  await worker.done(worker.batch());
  await w.signal("late", { entityId: "@counter@later", scheduledAt: w.clock.now() + 60_000 });
  await start(w, "i");
  await worker.answer(worker.turn(), [lock(1, [B])]);
  const result = await w.backend.cleanEntityStorage({ removeEmptyEntities: true, releaseOrphanedLocks: true });
  await rest();
  assert.equal(result.orphanedLocksReleased, 0);
  const { items } = await w.backend.queryEntities({ includeState: false, includeTransient: true }, {});
  assert.deepEqual(items.map(({ entityId }) => entityId).sort(), [A, B, "@counter@later"]);
  assert.equal(result.emptyEntitiesRemoved, 1);
  await w.signal("again", { entityId: "@counter@empty" });
  assert.equal(worker.batch().state, undefined);
});

test("E4 a lock whose owner is not there is released when the storage is cleaned", async () => {
  const w = await world();
  await w.signal("one");
  const caller = { instanceId: "nobody", executionId: "x" };
  const event = {
    kind: "EntityLockRequested",
    eventId: -1,
    timestamp: 1,
    criticalSectionId: "s",
    lockSet: [A],
    position: 0,
    caller,
  } as const;
  const store = w.hub.connect();
  const message = { id: "forged", to: A, wakes: "unless-held", needs: "engine", event } as const;
  const worker = await w.worker();
  await worker.done(worker.batch());
  await store.commit([
    { fences: [], number: 0, consumed: [], finished: [], cancelled: [], messages: [message], activities: [], keep: false },
  ]);
  await rest();
  assert.equal((await w.backend.getEntity(A, false))?.lockedBy, "nobody");
  const result = await w.backend.cleanEntityStorage({ removeEmptyEntities: false, releaseOrphanedLocks: true });
  await rest();
  assert.deepEqual([result.orphanedLocksReleased, (await w.backend.getEntity(A, false))?.lockedBy], [1, undefined]);
});
