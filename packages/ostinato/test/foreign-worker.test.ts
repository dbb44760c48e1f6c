// What the engine does for workers of other SDKs (foreign-world.ts).

import assert from "node:assert/strict";
import type { Action } from "../src/contract/actions.ts";
import type { HistoryEvent } from "../src/contract/events.ts";
import type { Failure } from "../src/contract/failure.ts";
import { BROKE, call, child, end, failed, kinds, news, past, raised, send, story, timer, told } from "./foreign-world.ts";

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

story("a child that fails without a word is a failure all the same, and is not called terminated", async (w) => {
  const worker = await w.worker();
  await w.start("p");
  await worker.answer(await worker.turn(), [child(1, "c")]);
  await worker.answer(await worker.turn(), [{ kind: "completeOrchestration", id: 0, status: "FAILED" }]);
  const event = (await worker.turn()).newEvents[1];
  assert.deepEqual(event?.kind === "SubOrchestrationInstanceFailed" && event.failure, {
    errorType: "OrchestrationFailed",
    message: "The sub-orchestration 'child' (c) failed; its worker did not say why.",
  });
});

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

story("continue-as-new keeps version, tags, custom status and the time of creation, unless it is told others", async (w) => {
  const worker = await w.worker();
  await w.backend.start({ instanceId: "i", executionId: "x", name: "o", version: "1", tags: { a: "1" } });
  const createdAt = (await w.stored("i"))?.record.createdAt;
  const anew = (more: Partial<Extract<Action, { kind: "completeOrchestration" }>> = {}): Action => ({
    kind: "completeOrchestration",
    id: 1,
    status: "CONTINUED_AS_NEW",
    ...more,
  });
  const stands = async (): Promise<unknown> => {
    const { record, payloads } = (await w.stored("i"))!;
    return [record.version, record.tags, payloads.customStatus, record.createdAt === createdAt];
  };
  await worker.answer(await worker.turn(), [anew({ tags: {} })], { customStatus: '"first"' });
  assert.deepEqual(await stands(), ["1", { a: "1" }, '"first"', true]);
  await worker.answer(await worker.turn(), [anew({ newVersion: "2", tags: { b: "2" } })]);
  assert.deepEqual(await stands(), ["2", { b: "2" }, '"first"', true]);
  const start = (await worker.turn()).newEvents[1];
  assert.deepEqual(start?.kind === "ExecutionStarted" && [start.version, start.tags], ["2", { b: "2" }]);
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
