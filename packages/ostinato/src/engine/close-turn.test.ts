import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accepted,
  asks,
  call,
  done,
  end,
  EPOCH,
  finished,
  fold,
  held,
  inbox,
  kinds,
  NUMBER,
  PARENT,
  pending,
  raised,
  room,
  RULES,
  running,
  runs,
  start,
} from "../../test/engine-story.ts";
import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import type { InboxMessage } from "../contract/messages.ts";
import type { Room } from "./action-appliers.ts";
import { closeTurn, type TurnOutcome } from "./close-turn.ts";
import type { Commit } from "./commit.ts";
import { decideResume, decideSuspend } from "./control.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn, type Fold } from "./open-turn.ts";

interface Story {
  readonly record?: InstanceRecord;
  readonly messages?: readonly InboxMessage[];
  readonly folds?: readonly Fold[];
  readonly outcome?: Partial<TurnOutcome>;
  readonly room?: Room;
}

/** A turn at 300 that asks for this, closed; what every commit must be is looked at each time. */
function closed(actions: readonly Action[], story: Story = {}): Commit {
  const record = story.record ?? running();
  const instance = held(record, story.messages ?? inbox(record.historyLength === 0 ? start() : raised("e")), story.folds);
  const turn = runs(openTurn(instance, 300, RULES));
  const commit = closeTurn(instance, turn, asks(actions, story.outcome), story.room ?? room(), "x2");
  assert.equal(checkCommit(commit), undefined);
  const again = closeTurn(instance, turn, asks(actions, story.outcome), story.room ?? room(), "x2");
  if (story.room === undefined) assert.deepEqual(again, commit, "C3 the same arguments give the same commit");
  return commit;
}

const timer = (id: number, fireAt: number): Action => ({ kind: "createTimer", id, fireAt });
const child = (id: number): Action => ({
  kind: "createSubOrchestration",
  id,
  instanceId: `c${id}`,
  executionId: `cx${id}`,
  name: "o",
  input: "7",
  tags: { t: "1" },
});
const send = (id: number): Action => ({ kind: "sendEvent", id, instanceId: "other", name: "ping", input: "1" });

test("the history is what came, then what was asked for in its order", () => {
  const commit = closed([call(1), timer(2, 900), child(3), send(4)]);
  assert.deepEqual(kinds(commit.history?.events), [
    "OrchestratorStarted",
    "EventRaised",
    "TaskScheduled",
    "TimerCreated",
    "SubOrchestrationInstanceCreated",
    "EventSent",
  ]);
  assert.deepEqual(
    commit.history?.events.slice(2).map((event) => [event.eventId, event.timestamp]),
    [1, 2, 3, 4].map((id) => [id, 300]),
  );
  assert.deepEqual([commit.history?.mode, commit.record?.historyLength, commit.record?.turn], ["append", 11, 3]);
});

test("C1 it consumes exactly what its turn was handed, and finishes exactly what was folded in, each under its own fence", () => {
  const commit = closed([], { messages: inbox(raised("a"), raised("b")), folds: [fold(1), fold(2, { epoch: 8_195 })] });
  assert.deepEqual(commit.consumed, ["m1", "m2"]);
  assert.deepEqual(
    commit.finished.map((key) => key.taskId),
    [1, 2],
  );
  assert.deepEqual(
    commit.fences.map((fence) => [fence.kind, fence.kind === "absent" ? undefined : fence.epoch]),
    [
      ["instance", EPOCH],
      ["activity", 8_192],
      ["activity", 8_195],
    ],
  );
});

test("H2 what is folded in takes its expiry along, beside what the program takes back", () => {
  assert.deepEqual(closed([{ kind: "cancelTimer", id: 7 }], { folds: [fold(1, { expiresAt: 900 })] }).cancelled, ["x:x1", "x:t7"]);
});

test("H4 the record goes on: running, at the turn's time, with no claims counted and no stall", () => {
  const stalled = running({
    attempts: 4,
    stall: { kind: "version", reason: "", since: 1, attempts: 2 },
    notBefore: 250,
    awaitedEvents: ["old"],
  });
  const { record } = closed([], { record: stalled, outcome: { awaitedEvents: ["go"], keptBytes: 10 } });
  assert.deepEqual(record, running({ updatedAt: 300, lastTurnAt: 300, attempts: 0, turn: 3, historyLength: 7, awaitedEvents: ["go"] }));
  const first = closed([], { record: pending() }).record;
  assert.deepEqual([first?.status, first?.startedAt, first?.historyLength], ["RUNNING", 300, 2]);
});

test("the lease is kept exactly when the worker keeps the program, and never with an end", () => {
  assert.equal(closed([]).keep, false);
  assert.equal(closed([], { outcome: { keptBytes: 1 } }).keep, true);
  assert.equal(closed([end("COMPLETED")], { outcome: { keptBytes: 1 } }).keep, false);
});

test("activities go to this process while it has slots and serves their name; the rest stays for everybody", () => {
  const slots = room({ activitySlots: 2 });
  const commit = closed([call(1), call(2, { name: "b" }), call(3), call(4)], { room: slots });
  assert.deepEqual(
    commit.activities.map((row) => [row.taskId, row.claimed]),
    [
      [1, true],
      [2, false],
      [3, true],
      [4, false],
    ],
  );
  assert.equal(slots.activitySlots, 0);
});

test("an activity's row says all that its worker needs; its epochs and its key repeat no other's", () => {
  const [row] = closed([
    call(10, { attempt: 2, firstId: 9, input: "1", version: "1.0", tags: { t: "1" }, attemptTimeoutMs: 5, traceContext: "tc" }),
  ]).activities;
  assert.deepEqual(row, {
    number: NUMBER,
    generation: 1,
    taskId: 10,
    instanceId: "i",
    executionId: "x",
    name: "a",
    attempt: 2,
    idempotencyKey: "x:0009",
    epoch: 3 * 4_096,
    claimed: true,
    input: "1",
    version: "1.0",
    tags: { t: "1" },
    attemptTimeoutMs: 5,
    traceContext: "tc",
  });
  assert.equal(
    closed([call(1)], { record: running({ lineage: "first" }) }).activities[0]?.idempotencyKey,
    "first:0001",
    "the key goes by the line",
  );
});

test("a call with a time-out of its own leaves the message that ends it", () => {
  const commit = closed([call(1, { expiresAt: 800 })]);
  const [expiry] = commit.messages;
  assert.deepEqual([expiry?.id, expiry?.to, expiry?.execution, expiry?.visibleAt, expiry?.wakes], ["x:x1", "i", "x", 800, "unless-held"]);
  assert.ok(
    expiry?.event.kind === "TaskFailed" && expiry.event.failure.errorType === "ActivityTimeoutError" && expiry.event.taskScheduledId === 1,
  );
});

test("T1 a timer is a message to itself, visible when it is due; a cancelled one is taken back by its name", () => {
  const commit = closed([timer(1, 900), { kind: "cancelTimer", id: 7 }]);
  assert.deepEqual(commit.messages, [
    {
      id: "x:t1",
      to: "i",
      execution: "x",
      wakes: "unless-held",
      needs: "program",
      visibleAt: 900,
      event: { kind: "TimerFired", eventId: -1, timestamp: 900, timerId: 1, fireAt: 900 },
    },
  ]);
  assert.deepEqual(commit.cancelled, ["x:t7"]);
});

test("a child is started by one message, which makes its address and knows its parent; it is claimed while there is room", () => {
  const commit = closed([child(1), child(2), child(3)], { record: running({ version: "2" }) });
  assert.deepEqual(
    commit.messages.map((message) => [message.to, message.id, message.wakes, message.creates?.claimed, message.creates?.record.epoch]),
    [
      ["c1", "cx1:start", "always", true, 1],
      ["c2", "cx2:start", "always", true, 1],
      ["c3", "cx3:start", "always", false, 0],
    ],
  );
  const [message] = commit.messages;
  const parent = { instanceId: "i", executionId: "x", name: "o", taskScheduledId: 1, version: "2" };
  assert.deepEqual(message?.event, {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: 300,
    instanceId: "c1",
    executionId: "cx1",
    name: "o",
    parent,
    input: "7",
    tags: { t: "1" },
  });
  assert.deepEqual([message?.creates?.record.parent, message?.creates?.payloads], [parent, { input: "7" }]);
});

test("where unregistered work fails, the call fails in the next turn and the child by the engine", () => {
  const commit = closed([call(1, { name: "nobody" }), { ...child(2), name: "nobody" } as Action], {
    room: room({ failUnregistered: true }),
  });
  assert.deepEqual(commit.activities, []);
  const [failed, started] = commit.messages;
  assert.ok(
    failed?.event.kind === "TaskFailed" && failed.event.failure.errorType === "NotRegisteredError" && failed.event.failure.nonRetriable,
  );
  assert.equal(failed?.visibleAt, undefined);
  assert.deepEqual([started?.needs, started?.creates?.claimed], ["engine", false]);
});

test("custom status: what was said is written, nothing said leaves it, null clears it", () => {
  assert.equal(closed([]).payloads, undefined);
  assert.deepEqual(closed([], { outcome: { customStatus: '"s"' } }).payloads, { customStatus: '"s"' });
  assert.deepEqual(closed([], { outcome: { customStatus: null } }).payloads, { customStatus: null });
});

test("the input as its schema returned it is what is recorded, in the history and beside the record", () => {
  const commit = closed([], { record: pending(), messages: inbox(start({ input: '"raw"' })), outcome: { acceptedInput: '"clean"' } });
  const [, started] = commit.history?.events ?? [];
  assert.ok(started?.kind === "ExecutionStarted" && started.input === '"clean"' && started.validated);
  assert.deepEqual(commit.payloads, { input: '"clean"' });
});

// ---- ends

test("C2 an end leaves no activity and no timer, sends what it sends, and tells the parent once", () => {
  const commit = closed([call(1, { expiresAt: 900 }), timer(2, 900), send(3), child(4), end("COMPLETED", { result: "1" })], {
    record: running({ parent: PARENT, awaitedEvents: ["x"] }),
  });
  assert.deepEqual(commit.activities, []);
  assert.deepEqual(
    commit.messages.map((message) => [message.to, message.event.kind]),
    [
      ["other", "EventRaised"],
      ["c4", "ExecutionStarted"],
      ["p", "SubOrchestrationInstanceCompleted"],
    ],
  );
  assert.deepEqual(commit.messages.at(-1), {
    id: "x:end",
    to: "p",
    execution: "px",
    wakes: "unless-held",
    needs: "program",
    event: { kind: "SubOrchestrationInstanceCompleted", eventId: -1, timestamp: 300, taskScheduledId: 5, result: "1" },
  });
  assert.deepEqual(
    [commit.record?.status, commit.record?.completedAt, commit.payloads, commit.drop],
    ["COMPLETED", 300, { output: "1" }, { execution: "x", generation: 1 }],
  );
  assert.deepEqual(commit.history?.events.at(-1), {
    kind: "ExecutionCompleted",
    eventId: -1,
    timestamp: 300,
    status: "COMPLETED",
    result: "1",
  });
});

test("S1 a failure reaches the parent whole; an end without a failure of its own never leaves it without one", () => {
  const failure = { errorType: "E", message: "m", inner: { errorType: "I", message: "" }, nonRetriable: true, properties: { a: 1 } };
  const failed = closed([end("FAILED", { failure })], { record: running({ parent: PARENT }) });
  const told = failed.messages[0]?.event;
  assert.ok(told?.kind === "SubOrchestrationInstanceFailed");
  assert.deepEqual(told.failure, failure);
  const silent = closed([end("TERMINATED", { result: '"why"' })], { record: running({ parent: PARENT }) }).messages[0]?.event;
  assert.ok(
    silent?.kind === "SubOrchestrationInstanceFailed" &&
      silent.failure.errorType === "OrchestrationTerminated" &&
      silent.failure.message.includes('"why"'),
  );
});

test("a terminated end starts no children and sends its events all the same", () => {
  assert.deepEqual(
    closed([send(1), child(2), end("TERMINATED")]).messages.map((message) => message.to),
    ["other"],
  );
});

// ---- continue-as-new

test("H9 continue-as-new: a fresh execution, the old one's messages and rows dropped, its own start in the inbox", () => {
  const carried = [{ kind: "EventRaised", eventId: -1, timestamp: 1, name: "left" }] as const;
  const before = running({ parent: PARENT, version: "1", tags: { t: "1" }, scheduledAt: 50, awaitedEvents: ["e"], dropped: 1 });
  const commit = closed(
    [
      call(1),
      timer(2, 900),
      send(3),
      child(4),
      end("CONTINUED_AS_NEW", { result: "8", newVersion: "2", carriedEvents: carried, droppedEvents: 2 }),
    ],
    { record: before },
  );
  assert.deepEqual(commit.history, { mode: "replace", events: [] });
  assert.deepEqual([commit.activities, commit.drop, commit.keep], [[], { execution: "x", generation: 1 }, true]);
  assert.deepEqual(
    commit.messages.map((message) => [message.to, message.execution]),
    [
      ["other", undefined],
      ["c4", undefined],
      ["i", undefined],
    ],
  );
  assert.deepEqual(commit.messages.at(-1)?.event, {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: 300,
    instanceId: "i",
    executionId: "x2",
    name: "o",
    lineage: "x~2",
    version: "2",
    input: "8",
    parent: PARENT,
    tags: { t: "1" },
    carriedEvents: carried,
  });
  const { executionId, lineage, generation, historyLength, status, createdAt, parent, version, dropped, awaitedEvents } = commit.record!;
  assert.deepEqual(
    [executionId, lineage, generation, historyLength, status, createdAt, parent, version, dropped, awaitedEvents],
    ["x2", "x~2", 2, 0, "RUNNING", 100, PARENT, "2", 3, undefined],
  );
  assert.deepEqual(commit.payloads, { input: "8" });
});

test("continue-as-new without an input empties it, keeps the version, and says nothing to the parent", () => {
  const commit = closed([end("CONTINUED_AS_NEW")], { record: running({ parent: PARENT, version: "1" }) });
  assert.deepEqual([commit.payloads, commit.record?.version, commit.messages.length], [{ input: null }, "1", 1]);
});

test("S1 the next attempt of a child replaces what was recorded of the one before", () => {
  const before = finished("FAILED", { parent: PARENT, historyLength: 40, turn: 6 });
  const commit = closed([], { record: before, messages: inbox(start({ executionId: "y", parent: PARENT })) });
  assert.deepEqual(
    [commit.history?.mode, commit.record?.historyLength, commit.record?.turn, commit.record?.executionId],
    ["replace", 2, 7, "y"],
  );
  assert.deepEqual(commit.payloads, { input: null, output: null, failure: null, customStatus: null });
});

// ---- the record is the fold of the history

test("H4 over a whole life the record equals what its history folds to, at each commit", () => {
  const history: HistoryEvent[] = [];
  let record = pending();
  let turns = 0;
  const write = (commit: Commit): void => {
    assert.equal(checkCommit(commit), undefined);
    if (commit.history !== undefined) {
      if (commit.history.mode === "replace") history.length = 0;
      history.push(...commit.history.events);
      turns++;
    }
    record = commit.record ?? record;
    const last = history.findLast(
      (event) => event.kind === "ExecutionSuspended" || event.kind === "ExecutionResumed" || event.kind === "ExecutionCompleted",
    );
    const status = last?.kind === "ExecutionCompleted" ? last.status : last?.kind === "ExecutionSuspended" ? "SUSPENDED" : "RUNNING";
    assert.deepEqual(
      [record.historyLength, record.turn, record.status, record.held],
      [history.length, turns, status, status === "SUSPENDED"],
    );
    assert.equal(record.lastTurnAt, history.findLast((event) => event.kind === "OrchestratorStarted")?.timestamp ?? record.lastTurnAt);
    assert.ok(history.length === 0 || history[1]?.kind === "ExecutionStarted", "H3");
    assert.equal(history.filter((event) => event.kind === "ExecutionStarted").length, history.length === 0 ? 0 : 1, "H3");
  };
  write(closed([call(1)], { record }));
  write(closed([timer(2, 900)], { record, messages: inbox(done(1)) }));
  const stored = () => ({ record, payloads: {} });
  write(accepted(decideSuspend(undefined, stored(), 310)));
  write(accepted(decideResume(undefined, stored(), 320)));
  write(closed([end("CONTINUED_AS_NEW")], { record }));
  write(closed([send(1)], { record, messages: inbox(start({ executionId: "x2" })) }));
  write(closed([end("FAILED", { failure: { errorType: "E", message: "" } })], { record, messages: inbox(raised("e")) }));
});
