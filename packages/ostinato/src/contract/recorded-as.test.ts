import assert from "node:assert/strict";
import { test } from "node:test";
import type { Action } from "./actions.ts";
import { given, recordedAs } from "./recorded-as.ts";

const base = { eventId: 3, timestamp: 500 };

test("each action that is recorded has its id, the turn's time, and what it asked for, and nothing that it did not", () => {
  const call: Action = {
    kind: "scheduleTask",
    id: 3,
    name: "a",
    attempt: 2,
    firstId: 1,
    version: "1",
    input: "",
    tags: { t: "1" },
    attemptTimeoutMs: 5,
    expiresAt: 9,
    traceContext: "tc",
  };
  assert.deepEqual(recordedAs(call, 500), {
    kind: "TaskScheduled",
    ...base,
    name: "a",
    version: "1",
    input: "",
    tags: { t: "1" },
    traceContext: "tc",
  });
  assert.deepEqual(recordedAs({ kind: "scheduleTask", id: 3, name: "a", attempt: 1, firstId: 3 }, 500), {
    kind: "TaskScheduled",
    ...base,
    name: "a",
  });
  const child: Action = { kind: "createSubOrchestration", id: 3, instanceId: "c", executionId: "cx", name: "o", input: "1" };
  assert.deepEqual(recordedAs(child, 500), { kind: "SubOrchestrationInstanceCreated", ...base, instanceId: "c", name: "o", input: "1" });
  assert.deepEqual(recordedAs({ kind: "createTimer", id: 3, fireAt: 900 }, 500), { kind: "TimerCreated", ...base, fireAt: 900 });
  assert.deepEqual(recordedAs({ kind: "sendEvent", id: 3, instanceId: "o", name: "e" }, 500), {
    kind: "EventSent",
    ...base,
    instanceId: "o",
    name: "e",
  });
});

test("a timer taken back is recorded, under no id of its own", () => {
  assert.deepEqual(recordedAs({ kind: "cancelTimer", id: 3 }, 500), { kind: "TimerCancelled", eventId: -1, timestamp: 500, timerId: 3 });
});

test("an end is recorded by the engine, last", () => {
  assert.equal(recordedAs({ kind: "completeOrchestration", id: 4, status: "COMPLETED" }, 500), undefined);
});

test("given keeps what has a value, also one that counts as nothing", () => {
  assert.deepEqual(given({ a: undefined, b: "", c: 0, d: false }), { b: "", c: 0, d: false });
  assert.equal("a" in given({ a: undefined }), false);
});
