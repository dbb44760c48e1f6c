import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryEvent } from "../contract/events.ts";
import { callSpanId, executionSpanId, parseTraceparent, placeOf, traceOf, traceparent } from "./trace-of.ts";

const execution = { instanceId: "order-1", executionId: "e1", name: "order", version: "2.0.0" };

const events: readonly HistoryEvent[] = [
  { kind: "OrchestratorStarted", eventId: -1, timestamp: 1_000 },
  { kind: "ExecutionStarted", eventId: -1, timestamp: 1_000, ...execution, input: '"a secret"' },
  { kind: "TaskScheduled", eventId: 1, timestamp: 1_000, name: "charge", input: '"a secret"' },
  { kind: "TimerCreated", eventId: 2, timestamp: 1_000, fireAt: 61_000 },
  { kind: "TimerCreated", eventId: 3, timestamp: 1_000, fireAt: 99_000 },
  { kind: "SubOrchestrationInstanceCreated", eventId: 4, timestamp: 1_000, instanceId: "child-1", name: "ship" },
  { kind: "EventSent", eventId: 5, timestamp: 1_000, instanceId: "other", name: "hello", input: '"a secret"' },
  { kind: "OrchestratorStarted", eventId: -1, timestamp: 2_000 },
  { kind: "TaskCompleted", eventId: -1, timestamp: 2_000, taskScheduledId: 1, result: '"a secret"' },
  { kind: "EventRaised", eventId: -1, timestamp: 3_000, name: "approval", input: '"a secret"' },
  { kind: "TimerFired", eventId: -1, timestamp: 61_000, timerId: 2, fireAt: 61_000 },
  {
    kind: "SubOrchestrationInstanceFailed",
    eventId: -1,
    timestamp: 62_000,
    taskScheduledId: 4,
    failure: { errorType: "Error", message: "no ship" },
  },
  { kind: "TimerCancelled", eventId: -1, timestamp: 62_000, timerId: 3 },
  { kind: "ExecutionCompleted", eventId: 6, timestamp: 62_000, status: "FAILED", failure: { errorType: "Error", message: "no ship" } },
];

test("the log of an execution becomes one span for itself and one for each call, with their times and ends", () => {
  const spans = traceOf({ ...execution, events });
  assert.deepEqual(
    spans.map(({ name, kind, start, end, error }) => ({ name, kind, start, end, error })),
    [
      { name: "orchestration:order@(2.0.0)", kind: "server", start: 1_000, end: 62_000, error: "no ship" },
      { name: "activity:charge", kind: "client", start: 1_000, end: 2_000, error: undefined },
      { name: "orchestration:order:timer", kind: "internal", start: 1_000, end: 61_000, error: undefined },
      { name: "orchestration:ship", kind: "client", start: 1_000, end: 62_000, error: "no ship" },
      { name: "orchestration_event:hello", kind: "producer", start: 1_000, end: 1_000, error: undefined },
    ],
  );
  const [own, charge] = spans;
  assert.equal(own?.spanId, executionSpanId("e1"));
  assert.equal(charge?.spanId, callSpanId("e1", 1));
  assert.equal(charge?.parentId, own?.spanId);
  assert.deepEqual(own?.received, [{ name: "approval", at: 3_000 }]);
  assert.equal(own?.attributes["durabletask.task.status"], "Failed");
});

test("no payload is in a span", () => {
  assert.ok(!JSON.stringify(traceOf({ ...execution, events })).includes("secret"));
});

test("an execution that continues as new is linked to the next one", () => {
  const [own] = traceOf({ ...execution, events: events.slice(0, 3), next: "e2" });
  assert.equal(own?.link, executionSpanId("e2"));
  assert.equal(own?.attributes["durabletask.task.status"], "ContinuedAsNew");
});

test("a call that never came back is told as abandoned when the execution ends", () => {
  const ended: readonly HistoryEvent[] = [
    ...events.slice(0, 3),
    { kind: "ExecutionCompleted", eventId: -1, timestamp: 9_000, status: "TERMINATED" },
  ];
  const charge = traceOf({ ...execution, events: ended })[1];
  assert.equal(charge?.attributes["durabletask.task.status"], "Abandoned");
  assert.equal(charge?.end, 9_000);
});

test("what is asked of entities is a span for each operation, with its answer where one is waited for, and no payload", () => {
  const at = { eventId: -1, timestamp: 2_000 };
  const asked: readonly HistoryEvent[] = [
    ...events.slice(0, 2),
    {
      kind: "EntityOperationCalled",
      eventId: 1,
      timestamp: 1_000,
      entityId: "@account@a@b",
      requestId: "r1",
      operation: "get",
      input: '"a secret"',
    },
    { kind: "EntityOperationCalled", eventId: 2, timestamp: 1_000, entityId: "@account@b", requestId: "r2", operation: "take" },
    {
      kind: "EntityOperationSignaled",
      eventId: 3,
      timestamp: 1_000,
      entityId: "@log@l",
      requestId: "r3",
      operation: "note",
      scheduledAt: 60_000,
    },
    { ...at, kind: "EntityOperationCompleted", requestId: "r1", result: '"a secret"' },
    { ...at, timestamp: 3_000, kind: "EntityOperationFailed", requestId: "r2", failure: { errorType: "Error", message: "no money" } },
    { ...at, kind: "EntityOperationCompleted", requestId: "nobody's" },
    { ...at, timestamp: 9_000, kind: "ExecutionCompleted", status: "COMPLETED" },
  ];
  const [own, ...spans] = traceOf({ ...execution, events: asked });
  assert.deepEqual(
    spans.map(({ name, kind, end, error, attributes }) => [name, kind, end, error, attributes["durabletask.task.status"]]),
    [
      ["entity:account:get", "client", 2_000, undefined, "Completed"],
      ["entity:account:take", "client", 3_000, "no money", "Failed"],
      ["entity:log:note", "producer", 1_000, undefined, undefined],
    ],
  );
  assert.deepEqual(spans[2]?.attributes, {
    "durabletask.type": "entity",
    "durabletask.task.operation": "signal_entity",
    "durabletask.event.target_instance_id": "@log@l",
    "durabletask.task.scheduled_time": "1970-01-01T00:01:00.000Z",
    "durabletask.task.instance_id": "order-1",
    "durabletask.task.execution_id": "e1",
    "durabletask.task.task_id": 3,
  });
  assert.equal(spans[0]?.parentId, own?.spanId);
  assert.equal(spans[0]?.spanId, callSpanId("e1", 1));
  assert.ok(!JSON.stringify(spans).includes("secret"));
});

test("ids are made from execution and call: the same everywhere, and different from one another", () => {
  const ids = new Set<string>();
  for (let execution = 0; execution < 200; execution++) for (let call = 0; call < 50; call++) ids.add(callSpanId(`9f0c${execution}`, call));
  assert.equal(ids.size, 200 * 50);
  for (const id of ids) assert.match(id, /^[0-9a-f]{16}$/);
});

test("a place in a trace is read from a traceparent and written as one; anything else gives a trace of the execution's own", () => {
  const text = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  assert.equal(traceparent(parseTraceparent(text)!), text);
  assert.equal(parseTraceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00")?.sampled, false);
  for (const bad of [undefined, "", "nonsense", `00-${"0".repeat(32)}-b7ad6b7169203331-01`]) assert.equal(parseTraceparent(bad), undefined);
  const place = placeOf({ instanceId: "a", executionId: "e1", traceContext: "nonsense" });
  assert.deepEqual(place, placeOf({ instanceId: "a", executionId: "e1" }));
  assert.match(place.traceId, /^[0-9a-f]{32}$/);
});
