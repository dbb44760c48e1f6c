import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryEvent } from "ostinato";
import { callsOf, openCalls } from "./calls.ts";
import { timelineOf } from "./timeline.ts";

const START = Date.UTC(2026, 10, 22, 12);
const boom = { errorType: "TypeError", message: "boom\u001b[2J" };

const turn = (at: number): HistoryEvent => ({ kind: "OrchestratorStarted", eventId: -1, timestamp: START + at });
const started = (at = 0): HistoryEvent => ({
  kind: "ExecutionStarted",
  eventId: -1,
  timestamp: START + at,
  instanceId: "order",
  executionId: "e1",
  name: "process",
  version: "1.0.0",
  input: '"secret"',
});
const scheduled = (id: number, at: number, name = "charge"): HistoryEvent => ({
  kind: "TaskScheduled",
  eventId: id,
  timestamp: START + at,
  name,
  input: "1",
});
const completed = (id: number, at: number): HistoryEvent => ({
  kind: "TaskCompleted",
  eventId: -1,
  timestamp: START + at,
  taskScheduledId: id,
  result: '"secret"',
});
const failed = (id: number, at: number): HistoryEvent => ({
  kind: "TaskFailed",
  eventId: -1,
  timestamp: START + at,
  taskScheduledId: id,
  failure: boom,
});
const timer = (id: number, at: number, fireAt: number): HistoryEvent => ({
  kind: "TimerCreated",
  eventId: id,
  timestamp: START + at,
  fireAt: START + fireAt,
});
const fired = (id: number, at: number, fireAt: number): HistoryEvent => ({
  kind: "TimerFired",
  eventId: -1,
  timestamp: START + at,
  timerId: id,
  fireAt: START + fireAt,
});
const ended = (at: number): HistoryEvent => ({
  kind: "ExecutionCompleted",
  eventId: -1,
  timestamp: START + at,
  status: "COMPLETED",
  result: '"secret"',
});

const texts = (events: readonly HistoryEvent[], now = 60_000): string[] =>
  timelineOf(events, { now: START + now }).map(({ indent, text }) => `${"  ".repeat(indent)}${text}`);

test("a call says what became of it, and its completion what it completes", () => {
  assert.deepEqual(texts([turn(0), started(), scheduled(1, 0), turn(35), completed(1, 35), ended(36)]), [
    "turn 1",
    "  starts as process 1.0.0",
    "  calls activity 'charge' (#1) -> completed after 35 ms, turn 2",
    "turn 2",
    "  activity 'charge' (#1) completed after 35 ms",
    "COMPLETED after 36 ms",
  ]);
});

test("a retry is told as an attempt of the call that failed, and its timer as what it is for", () => {
  const history = [
    turn(0),
    started(),
    scheduled(1, 0),
    turn(10),
    failed(1, 10),
    timer(2, 10, 1_010),
    turn(1_020),
    fired(2, 1_020, 1_010),
    scheduled(3, 1_020),
  ];
  assert.deepEqual(texts(history).slice(2), [
    "  calls activity 'charge' (#1) -> failed after 10 ms, turn 2",
    "turn 2",
    "  activity 'charge' (#1) failed after 10 ms: TypeError: boom\\u{1b}[2J",
    "  sets timer #2 for 1 s, until 2026-11-22T12:00:01.010Z -> fired after 1 s, turn 3",
    "turn 3",
    "  timer #2 fires, 10 ms after it was due",
    "  calls activity 'charge' (#3), attempt 2 of call #1 -> open for 58 s",
  ]);
  assert.deepEqual(
    openCalls(history).map(({ id, attempt, firstId }) => [id, attempt, firstId]),
    [[3, 2, 1]],
  );
});

test("attempts of several calls that fail together are not mixed up; another call is no attempt", () => {
  const calls = callsOf([
    turn(0),
    started(),
    scheduled(1, 0, "a"),
    scheduled(2, 0, "b"),
    turn(10),
    failed(1, 10),
    failed(2, 10),
    scheduled(3, 10, "b"),
    scheduled(4, 10, "c"),
    scheduled(5, 10, "a"),
  ]);
  assert.deepEqual(
    [3, 4, 5].map((id) => [calls.get(id)?.attempt, calls.get(id)?.firstId]),
    [
      [2, 2],
      [1, 4],
      [2, 1],
    ],
  );
});

test("what was open when the execution ended is not said to be open", () => {
  const lines = texts([turn(0), started(), timer(1, 0, 86_400_000), turn(5), ended(5)]);
  assert.equal(lines[2], "  sets timer #1 for 1 d, until 2026-11-23T12:00:00.000Z -> open when the execution ended");
});

test("SEC12 no payload is told unless asked for, and then it cannot move the cursor", () => {
  const history = [
    turn(0),
    started(),
    { ...scheduled(1, 0), input: '"\u001b[2Jsecret"' } as HistoryEvent,
    turn(1),
    completed(1, 1),
    ended(2),
  ];
  assert.doesNotMatch(JSON.stringify(timelineOf(history, { now: START })), /secret/);
  const shown = timelineOf(history, { now: START, payloads: true });
  assert.deepEqual(
    shown.filter(({ indent }) => indent === 2).map(({ text }) => text),
    ['input "secret"', 'input "\\u{1b}[2Jsecret"', 'result "secret"', 'result "secret"'],
  );
});

test("a damaged history is told as far as it goes", () => {
  assert.deepEqual(texts([completed(7, 1)]), ["  an answer to #7, which nobody asked for"]);
  assert.deepEqual(texts([]), []);
});

test("calls of entities, locks and signals are told with what became of them", () => {
  const at = (seconds: number): number => Date.UTC(2025, 0, 1) + seconds * 1_000;
  const history: HistoryEvent[] = [
    { kind: "OrchestratorStarted", eventId: -1, timestamp: at(0) },
    { kind: "ExecutionStarted", eventId: -1, timestamp: at(0), instanceId: "i", executionId: "x", name: "o" },
    {
      kind: "EntityOperationSignaled",
      eventId: 1,
      timestamp: at(0),
      entityId: "@a@1",
      requestId: "s",
      operation: "note",
      scheduledAt: at(60),
    },
    { kind: "EntityOperationCalled", eventId: 2, timestamp: at(0), entityId: "@a@1", requestId: "r", operation: "take" },
    { kind: "EntityLockRequested", eventId: 3, timestamp: at(0), criticalSectionId: "c", lockSet: ["@a@1"], position: 0 },
    { kind: "EntityLockRequested", eventId: 4, timestamp: at(0), criticalSectionId: "d", lockSet: ["@a@2", "@a@3"], position: 0 },
    { kind: "OrchestratorStarted", eventId: -1, timestamp: at(5) },
    { kind: "EntityOperationFailed", eventId: -1, timestamp: at(5), requestId: "r", failure: { errorType: "Error", message: "empty" } },
    { kind: "EntityLockGranted", eventId: -1, timestamp: at(5), criticalSectionId: "d" },
    { kind: "EntityOperationCompleted", eventId: -1, timestamp: at(5), requestId: "nobody's" },
    { kind: "EntityUnlockSent", eventId: 5, timestamp: at(5), criticalSectionId: "c", entityId: "@a@1" },
    { kind: "EntityUnlockSent", eventId: 6, timestamp: at(5), criticalSectionId: "d", entityId: "@a@2" },
  ];
  const lines = timelineOf(history, { now: at(9) }).map(({ text }) => text);
  assert.deepEqual(lines.slice(2), [
    "signals 'note' to entity '@a@1', for 2025-01-01T00:01:00.000Z",
    "calls operation 'take' of entity '@a@1' (#2) -> failed after 5 s, turn 2",
    "asks for the lock of '@a@1' (#3) -> cancelled after 5 s, turn 2",
    "asks for the lock of '@a@2', '@a@3' (#4) -> granted after 5 s, turn 2",
    "turn 2",
    "operation 'take' of entity '@a@1' (#2) failed after 5 s: Error: empty",
    "lock of '@a@2', '@a@3' (#4) granted after 5 s",
    "an answer of an entity that nobody asked",
    "takes back the request for entity '@a@1'",
    "lets go of entity '@a@2'",
  ]);
});
