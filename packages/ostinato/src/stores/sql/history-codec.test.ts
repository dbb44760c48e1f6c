import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { EVENT_PAYLOADS } from "../../contract/events.ts";
import type { HistoryEvent } from "../../contract/events.ts";
import { LATEST_INSTANT } from "../../contract/instant.ts";
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
const caller = { instanceId: "i;", executionId: "e" };
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
  { kind: "ExecutionRewound", eventId: -1, timestamp: at },
  {
    kind: "ExecutionRewound",
    eventId: -1,
    timestamp: at,
    reason: "r",
    start: { kind: "ExecutionStarted", eventId: -1, timestamp: at, instanceId: "i", executionId: "e", name: "n" },
  },
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
  { kind: "EntityOperationSignaled", eventId: 7, timestamp: at, entityId: "@e@k;1", requestId: "r", operation: "add" },
  {
    kind: "EntityOperationSignaled",
    eventId: -1,
    timestamp: at,
    entityId: "@e@",
    requestId: "r",
    operation: "",
    input: "",
    scheduledAt: 0,
    traceContext: "t",
  },
  { kind: "EntityOperationCalled", eventId: 8, timestamp: at, entityId: "@e@k", requestId: "r", operation: "get" },
  {
    kind: "EntityOperationCalled",
    eventId: -1,
    timestamp: at,
    entityId: "@e@k",
    requestId: "r",
    operation: "😀",
    input: "{}",
    scheduledAt: at,
    caller: { instanceId: "i", executionId: "" },
    traceContext: "",
  },
  { kind: "EntityOperationCompleted", eventId: -1, timestamp: at, requestId: "r" },
  { kind: "EntityOperationCompleted", eventId: -1, timestamp: at, requestId: "r", result: '";"' },
  { kind: "EntityOperationFailed", eventId: -1, timestamp: at, requestId: "r", failure },
  { kind: "EntityLockRequested", eventId: 9, timestamp: at, criticalSectionId: "s", lockSet: ["@a@1", "@b@2,;"], position: 0 },
  { kind: "EntityLockRequested", eventId: 9, timestamp: at, criticalSectionId: "s", lockSet: [], position: 0 },
  { kind: "EntityLockRequested", eventId: -1, timestamp: at, criticalSectionId: "s", lockSet: ["@a@1"], position: 1, caller },
  { kind: "EntityLockGranted", eventId: -1, timestamp: at, criticalSectionId: "s" },
  { kind: "EntityUnlockSent", eventId: 10, timestamp: at, criticalSectionId: "s", entityId: "@a@1" },
  { kind: "EntityUnlockSent", eventId: -1, timestamp: at, criticalSectionId: "s", entityId: "@a@1", caller },
  {
    kind: "EntityUnlockSent",
    eventId: -1,
    timestamp: at,
    criticalSectionId: "s",
    entityId: "@a@1",
    caller,
    withdraws: { lockSet: ["@a@1", "@b@2"], position: 0 },
  },
];

/** An event with other texts and other numbers in all the places where it has some. */
function retold(event: HistoryEvent, texts: Iterator<string, unknown>, numbers: Iterator<number, unknown>): HistoryEvent {
  const next = <T>(from: Iterator<T, unknown>): T => from.next().value as T;
  const tell = (value: unknown, field: string): unknown => {
    if (field === "kind" || field === "status") return value;
    if (typeof value === "string") return next(texts);
    if (typeof value === "number") return next(numbers);
    if (Array.isArray(value)) return value.map((one) => tell(one, ""));
    if (typeof value !== "object" || value === null) return value;
    const other: Record<string, unknown> = {};
    for (const [name, one] of Object.entries(value)) other[name] = tell(one, name);
    return other;
  };
  return tell(event, "") as HistoryEvent;
}

describe("history codec", () => {
  it("F1 gives back every kind as it was, one by one and all at once", () => {
    for (const event of EVERY_KIND) assert.deepEqual(decodeEvents(encodeEvents([event]), EVENT_FORMAT), [event]);
    assert.deepEqual(decodeEvents(encodeEvents(EVERY_KIND), EVENT_FORMAT), EVERY_KIND);
    assert.deepEqual(decodeEvents(encodeEvents([]), EVENT_FORMAT), []);
    const kinds: ReadonlySet<string> = new Set(EVERY_KIND.map((event) => event.kind));
    const untold = Object.keys(EVENT_PAYLOADS).filter((kind) => !kinds.has(kind));
    assert.deepEqual(untold, [], "kinds that this test does not know");
  });

  it("F1 gives back events in any order, whatever their texts and numbers are", () => {
    const text = fc.oneof(fc.string({ unit: "binary" }), fc.constantFrom("", ";", ",", "-1", '"', "null", "\ud83d"));
    const turn = fc.array(
      fc.tuple(
        fc.constantFrom(...EVERY_KIND),
        fc.infiniteStream(text),
        fc.infiniteStream(fc.integer({ min: -LATEST_INSTANT, max: LATEST_INSTANT })),
      ),
      {
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(turn, (told) => {
        const events = told.map(([event, texts, numbers]) => retold(event, texts, numbers));
        assert.deepEqual(decodeEvents(encodeEvents(events), EVENT_FORMAT), events);
      }),
      { numRuns: 500 },
    );
  });

  it("F2 keeps the written form of format 1", () => {
    const events: HistoryEvent[] = [
      { kind: "OrchestratorStarted", eventId: -1, timestamp: 1_000 },
      { kind: "TaskCompleted", eventId: -1, timestamp: 1_000, taskScheduledId: 1, result: '"a;b"' },
      { kind: "TaskScheduled", eventId: 2, timestamp: 1_000, name: "hello", input: "{}" },
    ];
    assert.equal(encodeEvents(events), ',1,-1,1000,8,-1,0,1,5,7,2,0,5,-1,2,-1,-1;"a;b"hello{}');
    const entities: HistoryEvent[] = [
      { kind: "EntityOperationSignaled", eventId: 1, timestamp: 1_000, entityId: "@e@k", requestId: "r1", operation: "add", input: "5" },
      { kind: "EntityOperationCalled", eventId: 2, timestamp: 1_000, entityId: "@e@k", requestId: "r2", operation: "get", caller },
      { kind: "EntityOperationCompleted", eventId: -1, timestamp: 1_000, requestId: "r2", result: "5" },
      { kind: "EntityOperationFailed", eventId: -1, timestamp: 1_000, requestId: "r3", failure: { errorType: "E", message: "" } },
      { kind: "EntityLockRequested", eventId: 3, timestamp: 1_000, criticalSectionId: "s", lockSet: ["@e@1", "@e@2"], position: 1, caller },
      { kind: "EntityLockGranted", eventId: -1, timestamp: 1_000, criticalSectionId: "s" },
      { kind: "EntityUnlockSent", eventId: 4, timestamp: 1_000, criticalSectionId: "s", entityId: "@e@1" },
    ];
    assert.equal(
      encodeEvents(entities),
      ",19,1,1000,4,2,3,1,null,-1,20,2,0,4,2,3,-1,null,-1,2,1,21,-1,0,2,1,22,-1,0,2,30,23,3,0,1,2,4,4,1,2,1,24,-1,0,1,25,4,0,1,4,-1,null;" +
        '@e@kr1add5@e@kr2geti;er25r3{"errorType":"E","message":""}s@e@1@e@2i;ess@e@1',
    );
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
      // A list that says it is longer than everything there is.
      encodeEvents([{ kind: "EntityLockRequested", eventId: 1, timestamp: 1, criticalSectionId: "", lockSet: [], position: 0 }]).replace(
        ",23,1,1,0,0",
        ",23,1,1,0,1e9",
      ),
    ]) {
      if (damaged === ";") continue;
      assert.throws(() => decodeEvents(damaged, EVENT_FORMAT), { code: "STORE_FORMAT" });
    }
    assert.throws(() => decodeEvents(body, EVENT_FORMAT + 1), { code: "STORE_FORMAT" });
  });
});
