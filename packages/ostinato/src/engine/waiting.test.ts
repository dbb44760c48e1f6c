import assert from "node:assert/strict";
import { test } from "node:test";
import { done, finished, fired, pending, running, start } from "../../test/engine-story.ts";
import type { HistoryEvent } from "../contract/events.ts";
import { waitingFor, type ServedNames } from "./waiting.ts";

const NOBODY: ServedNames = { orchestrators: new Set(), activities: new Set(), entities: new Set() };
const SERVED: ServedNames = { orchestrators: new Set(["o"]), activities: new Set(["a"]), entities: new Set(["@counter"]) };
const scheduled = (eventId: number, name = "a"): HistoryEvent => ({
  kind: "TaskScheduled",
  eventId,
  timestamp: 1,
  name,
  input: '"secret"',
});
const timer = (eventId: number, fireAt: number): HistoryEvent => ({ kind: "TimerCreated", eventId, timestamp: 1, fireAt });
const child = (eventId: number): HistoryEvent => ({
  kind: "SubOrchestrationInstanceCreated",
  eventId,
  timestamp: 1,
  instanceId: "c",
  name: "kid",
});

test("what has ended waits for nothing", () => {
  assert.deepEqual(waitingFor(finished("FAILED"), [start(), scheduled(1)], SERVED), []);
});

test("every open task is named once, what has completed is not, and no payload is shown", () => {
  const childFailed: HistoryEvent = {
    kind: "SubOrchestrationInstanceFailed",
    eventId: -1,
    timestamp: 1,
    taskScheduledId: 5,
    failure: { errorType: "E", message: "" },
  };
  const history = [
    start(),
    scheduled(1),
    scheduled(2),
    timer(3, 0),
    timer(4, 86_400_000),
    child(5),
    child(6),
    done(1),
    fired(3, 0),
    childFailed,
  ];
  assert.deepEqual(waitingFor(running({ awaitedEvents: ["go"] }), history, SERVED), [
    "external event 'go'",
    "activity 'a' (#2)",
    "timer (#4) until 1970-01-02T00:00:00.000Z",
    "sub-orchestration 'kid' (#6, instance 'c')",
  ]);
});

test("L9 what nobody here serves is said with the names that are served", () => {
  assert.deepEqual(waitingFor(running(), [scheduled(1, "b")], SERVED), ["a worker that has activity 'b' (#1); registered here: 'a'"]);
  assert.deepEqual(waitingFor(pending({ name: "other" }), [], SERVED), ["a worker that has orchestrator 'other'; registered here: 'o'"]);
  assert.deepEqual(waitingFor(pending(), [], NOBODY), ["a worker to run orchestrator 'o'"], "without any worker there are no names to say");
});

test("a scheduled start is said until it has begun, not in later generations", () => {
  assert.deepEqual(waitingFor(pending({ scheduledAt: 0 }), [], SERVED), ["its scheduled start at 1970-01-01T00:00:00.000Z"]);
  assert.deepEqual(waitingFor(running({ scheduledAt: 0, historyLength: 0 }), [], SERVED), ["a worker to run orchestrator 'o'"]);
});

test("why it is not run comes first", () => {
  const stall = { kind: "non-determinism", reason: "it differs", since: 1, attempts: 1 } as const;
  assert.deepEqual(waitingFor(running({ status: "SUSPENDED", held: true, stall }), [scheduled(1)], SERVED), [
    "to be resumed (it is suspended)",
    "fitting code: it differs",
    "activity 'a' (#1)",
  ]);
  assert.deepEqual(waitingFor(running({ stall: { ...stall, kind: "set-aside" } }), [], SERVED), ["an operator: it differs"]);
});

test("a long list is cut, and says how much", () => {
  const lines = waitingFor(
    running(),
    Array.from({ length: 25 }, (_, i) => scheduled(i + 1)),
    SERVED,
  );
  assert.deepEqual([lines.length, lines.at(-2), lines.at(-1)], [21, "activity 'a' (#20)", "and 5 more"]);
});

test("L9 a call of an entity and a lock are waited for by name, until they are answered", () => {
  const callOf = (eventId: number, entityId: string): HistoryEvent => ({
    kind: "EntityOperationCalled",
    eventId,
    timestamp: 1,
    entityId,
    requestId: `r${eventId}`,
    operation: "add",
  });
  const history: HistoryEvent[] = [
    callOf(2, "@counter@done"),
    { kind: "EntityOperationCompleted", eventId: -1, timestamp: 1, requestId: "r2" },
    callOf(3, "@counter@visits"),
    callOf(5, "@other@x"),
    { kind: "EntityLockRequested", eventId: 4, timestamp: 1, criticalSectionId: "s", lockSet: ["@a", "@b"], position: 0 },
  ];
  assert.deepEqual(waitingFor(running(), history, SERVED), [
    "entity 'counter' operation 'add' (#3, @counter@visits)",
    "entity 'other' operation 'add' (#5, @other@x), and a worker that has it",
    "the lock of @a, @b (#4)",
  ]);
  const granted: HistoryEvent = { kind: "EntityLockGranted", eventId: -1, timestamp: 1, criticalSectionId: "s" };
  assert.equal(waitingFor(running(), [...history, granted], SERVED).length, 2);
});

test("an entity tells who has it to itself, and that nobody serves it", () => {
  const lockedBy = { instanceId: "i", executionId: "x", criticalSectionId: "s" };
  const record = running({ id: "@other@x", kind: "entity", name: "@other", historyLength: 0, held: true, lockedBy });
  assert.deepEqual(waitingFor(record, [], SERVED), ["'i' to let it go (critical section s)", "a worker that has entity 'other'"]);
});

test("a lock that was taken back before it was granted is not waited for any longer", () => {
  const asks = (criticalSectionId: string, eventId: number): HistoryEvent => ({
    kind: "EntityLockRequested",
    eventId,
    timestamp: 1,
    criticalSectionId,
    lockSet: ["@counter@a"],
    position: 0,
  });
  const takenBack: HistoryEvent = { kind: "EntityUnlockSent", eventId: 3, timestamp: 1, criticalSectionId: "one", entityId: "@counter@a" };
  assert.deepEqual(waitingFor(running(), [start(), asks("one", 1), asks("two", 2), takenBack], SERVED), ["the lock of @counter@a (#2)"]);
});
