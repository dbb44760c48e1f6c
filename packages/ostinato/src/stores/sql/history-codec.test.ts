import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { HistoryEvent } from "../../contract/events.ts";
import { decodeEvents, encodeEvents, EVENT_FORMAT } from "./history-codec.ts";

const at = 1_700_000_000_000;
const failure = {
  errorType: "TypeError",
  message: 'x;"y"',
  stack: "at z",
  inner: { errorType: "E", message: "" },
  nonRetriable: true,
  properties: { a: [1, "ü"] },
};
const parent = { instanceId: "p;1", executionId: "e", name: "n", taskScheduledId: 7 };
const EVERY_KIND: readonly HistoryEvent[] = [
  { kind: "OrchestratorStarted", eventId: -1, timestamp: at },
  { kind: "ExecutionStarted", eventId: -1, timestamp: at, instanceId: "i", executionId: "e", name: "n" },
  {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: at + 1,
    instanceId: "i",
    executionId: "e",
    name: "n",
    version: "1.2",
    input: "",
    parent: { ...parent, version: "2" },
    tags: { a: "b;", "": "" },
    scheduledAt: at + 5,
    lineage: "l",
    validated: true,
    traceContext: "t",
    carriedEvents: [
      { kind: "EventRaised", eventId: -1, timestamp: at, name: "n" },
      { kind: "EventRaised", eventId: -1, timestamp: at, name: "n;", input: '{"a":";"}' },
    ],
  },
  { kind: "ExecutionStarted", eventId: -1, timestamp: at, instanceId: "i", executionId: "e", name: "n", parent, validated: false },
  { kind: "ExecutionCompleted", eventId: 3, timestamp: at, status: "COMPLETED", result: '"r"' },
  { kind: "ExecutionCompleted", eventId: 3, timestamp: at, status: "FAILED", failure },
  { kind: "ExecutionCompleted", eventId: 3, timestamp: at, status: "TERMINATED" },
  { kind: "ExecutionSuspended", eventId: -1, timestamp: at },
  { kind: "ExecutionSuspended", eventId: -1, timestamp: at, reason: "because" },
  { kind: "ExecutionResumed", eventId: -1, timestamp: at, reason: "" },
  { kind: "ExecutionTerminated", eventId: -1, timestamp: at, recursive: true, output: "null", after: "z" },
  { kind: "ExecutionTerminated", eventId: -1, timestamp: at, recursive: false },
  { kind: "TaskScheduled", eventId: 1, timestamp: at, name: "a", version: "1", input: "😀", tags: {}, traceContext: "00-1" },
  { kind: "TaskScheduled", eventId: 2, timestamp: at, name: "a" },
  { kind: "TaskCompleted", eventId: -1, timestamp: at - 7, taskScheduledId: 1, result: "{}" },
  { kind: "TaskCompleted", eventId: -1, timestamp: at, taskScheduledId: 2 },
  { kind: "TaskFailed", eventId: -1, timestamp: at, taskScheduledId: 2, failure },
  { kind: "TimerCreated", eventId: 4, timestamp: at, fireAt: 253_402_300_799_999 },
  { kind: "TimerCancelled", eventId: -1, timestamp: at, timerId: 4 },
  { kind: "TimerFired", eventId: -1, timestamp: at, timerId: 4, fireAt: 0 },
  {
    kind: "SubOrchestrationInstanceCreated",
    eventId: 5,
    timestamp: at,
    instanceId: "c",
    name: "n",
    version: "1",
    input: "1",
    tags: { a: "b" },
    traceContext: "x",
  },
  { kind: "SubOrchestrationInstanceCompleted", eventId: -1, timestamp: at, taskScheduledId: 5, result: "2" },
  { kind: "SubOrchestrationInstanceFailed", eventId: -1, timestamp: at, taskScheduledId: 5, failure },
  { kind: "EventSent", eventId: 6, timestamp: at, instanceId: "o", name: "e", input: "1" },
  { kind: "EventRaised", eventId: -1, timestamp: at, name: "e" },
  { kind: "EventRaised", eventId: -1, timestamp: at, name: "e", input: "null" },
];

describe("history codec", () => {
  it("F1 gives back every kind as it was, one by one and all at once", () => {
    for (const event of EVERY_KIND) assert.deepEqual(decodeEvents(encodeEvents([event]), EVENT_FORMAT), [event]);
    assert.deepEqual(decodeEvents(encodeEvents(EVERY_KIND), EVENT_FORMAT), EVERY_KIND);
    assert.deepEqual(decodeEvents(encodeEvents([]), EVENT_FORMAT), []);
  });

  it("F2 keeps the written form of format 1", () => {
    const events: HistoryEvent[] = [
      { kind: "OrchestratorStarted", eventId: -1, timestamp: 1_000 },
      { kind: "TaskCompleted", eventId: -1, timestamp: 1_000, taskScheduledId: 1, result: '"a;b"' },
      { kind: "TaskScheduled", eventId: 2, timestamp: 1_000, name: "hello", input: "{}" },
    ];
    assert.equal(encodeEvents(events), ',1,-1,1000,8,-1,0,1,5,7,2,0,5,-1,2,-1,-1;"a;b"hello{}');
  });

  it("D5 refuses what is damaged or of a later format, with a reason", () => {
    const body = encodeEvents(EVERY_KIND);
    for (const damaged of [
      "",
      ";",
      "x",
      body.slice(0, 40),
      body.slice(0, -1),
      `${body}x`,
      body.replace(",1,", ",99,"),
      body.replace(",7,", ",,"),
    ]) {
      if (damaged === ";") continue;
      assert.throws(() => decodeEvents(damaged, EVENT_FORMAT), { code: "STORE_FORMAT" });
    }
    assert.throws(() => decodeEvents(body, EVENT_FORMAT + 1), { code: "STORE_FORMAT" });
  });
});
