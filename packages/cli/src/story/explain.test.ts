import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryEvent, OutstandingStatus } from "ostinato";
import { explain } from "./explain.ts";
import type { Facts } from "./explain.ts";
import { wordsOf } from "./words.ts";

const NOW = Date.UTC(2026, 10, 22, 12);
const HOUR = 3_600_000;

function factsOf(more: Partial<Facts> = {}): Facts {
  return {
    now: NOW,
    id: "order-17",
    name: "process",
    version: undefined,
    status: "RUNNING",
    createdAt: NOW - HOUR,
    scheduledAt: undefined,
    startedAt: NOW - HOUR,
    updatedAt: NOW - HOUR,
    completedAt: undefined,
    failure: undefined,
    stall: undefined,
    notBefore: undefined,
    awaitedEvents: [],
    history: begun,
    outstanding: undefined,
    holder: { pid: 4711 },
    children: new Map(),
    ...more,
  };
}

const begun: readonly HistoryEvent[] = [
  { kind: "OrchestratorStarted", eventId: -1, timestamp: NOW - HOUR },
  { kind: "ExecutionStarted", eventId: -1, timestamp: NOW - HOUR, instanceId: "order-17", executionId: "e", name: "process" },
];
const charge: HistoryEvent = { kind: "TaskScheduled", eventId: 1, timestamp: NOW - HOUR, name: "charge" };

function outstanding(more: Partial<OutstandingStatus> = {}): OutstandingStatus {
  return { activities: [], activityCount: 0, dueMessages: 0, oldestDueAt: undefined, laterMessages: 0, isClaimed: false, ...more };
}

function row(more: Partial<OutstandingStatus["activities"][number]> = {}): OutstandingStatus {
  const activity = {
    taskId: 1,
    name: "charge",
    attempt: 1,
    deliveries: 0,
    isOut: false,
    since: new Date(NOW - HOUR),
    expiresAt: undefined,
    ...more,
  };
  return outstanding({ activities: [activity], activityCount: 1 });
}

/** The reasons and what comes next, as text. */
function told(facts: Facts): string {
  return wordsOf(explain(facts), NOW, { heading: (text) => text, remedy: (text) => text }).join("\n");
}

test("O1 a finished instance waits for nothing; a failed one says why, and what would help", () => {
  assert.match(told(factsOf({ status: "COMPLETED", completedAt: NOW - 1_000 })), /COMPLETED, since .*; it waits for nothing/);
  const failed = told(
    factsOf({
      status: "FAILED",
      completedAt: NOW,
      failure: { errorType: "TypeError", message: "boom", inner: { errorType: "E", message: "deep" } },
    }),
  );
  assert.match(failed, /TypeError: boom \(caused by E: deep\)/);
  assert.match(failed, /ostinato rewind order-17/);
});

test("O1 an activity that a worker runs: with whom, since when, and for which time", () => {
  const text = told(
    factsOf({ history: [...begun, charge], outstanding: row({ isOut: true, deliveries: 3, since: new Date(NOW - 60_000) }) }),
  );
  assert.match(
    text,
    /activity 'charge' \(#1\) is being run by process 4711, for the 3rd time\n\s+since 2026-11-22T11:59:00.000Z \(1 min ago\)/,
  );
  assert.match(text, /Should its process die first, the activity runs again/);
});

test("O1 an activity whose process is gone is not said to run", () => {
  const text = told(factsOf({ history: [...begun, charge], outstanding: row({ isOut: true, deliveries: 1 }), holder: "nobody" }));
  assert.match(text, /was with a worker whose process is gone/);
  assert.match(text, /Nothing, until a process opens the task hub/);
});

test("O1 an activity that nobody takes names what is missing", () => {
  const text = told(factsOf({ history: [...begun, charge], outstanding: row() }));
  assert.match(text, /waits for a worker; process 4711 has the task hub's file open, so its workers do not serve it/);
  assert.match(text, /start a worker that registers the activity 'charge'/);
  assert.match(
    told(factsOf({ history: [...begun, charge], outstanding: row({ since: new Date(NOW + 5_000), deliveries: 1 }) })),
    /offered again then/,
  );
});

test("O1 a retry says what failed, and when it is tried again", () => {
  const history: HistoryEvent[] = [
    ...begun,
    charge,
    { kind: "OrchestratorStarted", eventId: -1, timestamp: NOW - 60_000 },
    { kind: "TaskFailed", eventId: -1, timestamp: NOW - 60_000, taskScheduledId: 1, failure: { errorType: "Timeout", message: "slow" } },
    { kind: "TimerCreated", eventId: 2, timestamp: NOW - 60_000, fireAt: NOW + HOUR },
  ];
  const text = told(factsOf({ history }));
  assert.match(text, /timer #2, set when activity 'charge' \(#1\) had failed \(Timeout: slow\)/);
  assert.match(text, /The first timer is due at 2026-11-22T13:00:00.000Z \(in 1 h\)/);
});

test("O1 an event it waits for comes with the command that raises it", () => {
  const text = told(factsOf({ awaitedEvents: ["approval received"] }));
  assert.match(text, /ostinato raise order-17 'approval received' --data/);
  assert.match(text, /Nothing, until the event is raised/);
});

test("O1 suspended, scheduled and unbegun instances say so, with since when and until when", () => {
  const suspended: HistoryEvent = { kind: "ExecutionSuspended", eventId: -1, timestamp: NOW - 5_000, reason: "the bank is closed" };
  assert.match(
    told(factsOf({ status: "SUSPENDED", history: [...begun, suspended] })),
    /suspended: the bank is closed; .*\n\s+since 2026-11-22T11:59:55/,
  );
  const aside = told(factsOf({ history: [...begun, charge], outstanding: row({ deliveries: 9, since: new Date(253_402_300_799_999) }) }));
  assert.match(aside, /is set aside until its instance is suspended and resumed/);
  assert.doesNotMatch(aside, /offered again|9999/);
  const later = { status: "PENDING", history: [], startedAt: undefined } as const;
  assert.match(told(factsOf({ ...later, scheduledAt: NOW + HOUR })), /It is to start in 1 h\./);
  assert.match(told(factsOf({ ...later, holder: "nobody" })), /nobody has begun to run it; no process has the task hub's file open/);
});

test("O1 each kind of stall has its remedy; one that is tried again says when", () => {
  const stall = { reason: "it asks for another activity", since: NOW - HOUR, attempts: 4 };
  const text = told(factsOf({ stall: { ...stall, kind: "non-determinism" }, notBefore: NOW + 60_000 }));
  assert.match(text, /It is RUNNING and stalls/);
  assert.match(text, /stalls \(non-determinism, tried 4 times\): it asks for another activity/);
  assert.match(text, /It is tried again at .* and when a worker starts/);
  for (const kind of ["non-determinism", "non-durable-wait", "not-registered", "version", "set-aside"])
    assert.match(told(factsOf({ stall: { ...stall, kind } })), /what helps: /, kind);
  const aside = { ...stall, kind: "set-aside" };
  assert.match(told(factsOf({ stall: aside, notBefore: 253_402_300_799_999 })), /ostinato suspend order-17 and ostinato resume order-17/);
  assert.match(told(factsOf({ stall: aside })), /runs the activity; then ostinato suspend order-17 and ostinato resume order-17/);
});

test("O1 a full inbox is told by who could take it", () => {
  const full = outstanding({ dueMessages: 2, oldestDueAt: new Date(NOW - 1_000) });
  assert.match(told(factsOf({ outstanding: full, holder: "nobody" })), /2 messages .* and nobody takes them; no process/);
  assert.match(told(factsOf({ outstanding: { ...full, isClaimed: true } })), /its turn is with process 4711/);
  assert.match(told(factsOf({ outstanding: full, notBefore: NOW + 1_000 })), /a worker gave the last turn back/);
});

test("O1 a parent is explained by its child, however deep; one that is gone is said to be", () => {
  const call: HistoryEvent = { kind: "SubOrchestrationInstanceCreated", eventId: 1, timestamp: NOW, instanceId: "child", name: "approve" };
  const child = factsOf({ id: "child", name: "approve", awaitedEvents: ["yes"] });
  const text = told(factsOf({ history: [...begun, call], children: new Map([["child", child]]) }));
  assert.match(text, /- sub-orchestration 'approve' \(#1\), instance 'child'\n.*\n\s+child {2}approve {2}RUNNING\n/);
  assert.match(text, /\n {6}- it waits for the external event 'yes'/);
  assert.match(told(factsOf({ history: [...begun, call], children: new Map([["child", null]]) })), /which does not exist/);
  assert.match(told(factsOf({ history: [...begun, call] })), /ostinato explain child/);
});

test("SEC12 ids and names from the store cannot reach the terminal as they are", () => {
  const text = told(factsOf({ id: "a\u001b[2J", name: "x\u202ey", awaitedEvents: ["e\nvil"], holder: "unknown" }));
  assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u202e]/);
  assert.match(text, /e\\nvil/);
});

test("O1 a wide fan-out is told by its first twenty", () => {
  const calls = Array.from({ length: 1_000 }, (_, index): HistoryEvent => ({ ...charge, eventId: index + 1 }));
  const facts = factsOf({ history: [...begun, ...calls] });
  assert.match(told(facts), /It is RUNNING and waits for 1000 things\.[^]*\(#20\)[^]*- and 980 more/);
  assert.doesNotMatch(told(facts), /\(#21\)/);
  assert.equal(explain(facts).reasons.length, 1_000);
});

test("O1 an instance with nothing open says where its turn is", () => {
  assert.match(told(factsOf()), /nothing that it asked for is open: its turn is with process 4711/);
  assert.match(told(factsOf({ holder: "nobody" })), /its last turn is repeated when a worker starts/);
});
