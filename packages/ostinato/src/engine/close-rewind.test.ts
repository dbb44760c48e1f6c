import assert from "node:assert/strict";
import { test } from "node:test";
import {
  accepted,
  asks,
  done,
  finished,
  held,
  inbox,
  kinds,
  NUMBER,
  raised,
  room,
  RULES,
  running,
  runs,
  start,
  stored,
} from "../../test/engine-story.ts";
import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { closeTurn } from "./close-turn.ts";
import type { Commit } from "./commit.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn, type OpenedTurn } from "./open-turn.ts";
import { decideRewind } from "./rewind.ts";

const began: HistoryEvent = { kind: "OrchestratorStarted", eventId: -1, timestamp: 100 };
const rewound: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: 300, reason: "mended" };
const scheduled = (eventId: number, name = "a"): HistoryEvent => ({
  kind: "TaskScheduled",
  eventId,
  timestamp: 100,
  name,
  input: `${eventId}`,
});
const created = (eventId: number): HistoryEvent => ({
  kind: "SubOrchestrationInstanceCreated",
  eventId,
  timestamp: 100,
  instanceId: `c${eventId}`,
  name: "child",
});
const WRITTEN: readonly HistoryEvent[] = [began, start({ executionId: "y" }), scheduled(1), done(1), { ...began, timestamp: 300 }, rewound];

/** An instance that was rewound, with these messages beside the one that wakes it. */
function turnAfterRewind(more: readonly HistoryEvent[] = [], from: Partial<InstanceRecord> = {}): OpenedTurn {
  const commit = accepted(decideRewind({ executionId: "x2", reason: "mended" }, stored(finished("FAILED", from)), 300));
  const [wake] = commit.messages;
  return runs(openTurn(held({ ...commit.record!, attempts: 1 }, inbox({ ...wake!, event: wake!.event }, ...more)), 400, RULES));
}

function closed(newHistory: readonly HistoryEvent[], turn = turnAfterRewind()): Commit {
  const action: Action = { kind: "rewindOrchestration", id: -1, newHistory };
  return closeTurn({ number: NUMBER, epoch: turn.record.epoch }, turn, asks([action]), room(), "minted-here");
}

test("CR1 the new history stands in place of the old one, under the id that the worker minted; the line stays (LI1)", () => {
  const commit = closed(WRITTEN);
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(commit.history, {
    mode: "replace",
    events: WRITTEN.map((event) => (event.kind === "ExecutionStarted" ? { ...event, lineage: "x" } : event)),
  });
  const { status, executionId, lineage, generation, historyLength, attempts, lastTurnAt } = commit.record!;
  assert.deepEqual([status, executionId, lineage, generation, historyLength, attempts, lastTurnAt], ["RUNNING", "y", "x", 3, 6, 0, 400]);
  assert.deepEqual(commit.drop, { execution: "x2", generation: 2 });
  assert.deepEqual(
    commit.messages.map(({ to, execution, event }) => [to, execution, event.kind]),
    [["i", "y", "ExecutionRewound"]],
    "it is woken for its next turn",
  );
  assert.equal(commit.keep, false);
});

test("CR1 what is left open is asked for again: an activity, a timer that may be over, a child that is rewound", () => {
  const open: readonly HistoryEvent[] = [
    began,
    start({ executionId: "y" }),
    scheduled(1),
    done(1),
    scheduled(1, "again"),
    scheduled(2),
    { kind: "TaskFailed", eventId: -1, timestamp: 100, taskScheduledId: 2, failure: { errorType: "E", message: "" } },
    { kind: "TimerCreated", eventId: 3, timestamp: 100, fireAt: 200 },
    { kind: "TimerCreated", eventId: 4, timestamp: 100, fireAt: 150 },
    { kind: "TimerFired", eventId: -1, timestamp: 150, timerId: 4, fireAt: 150 },
    created(5),
    created(6),
    { kind: "SubOrchestrationInstanceCompleted", eventId: -1, timestamp: 100, taskScheduledId: 6 },
    { ...began, timestamp: 300 },
    rewound,
  ];
  const commit = closed(open);
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(
    commit.activities.map(({ taskId, name, executionId, generation, idempotencyKey }) => [
      taskId,
      name,
      executionId,
      generation,
      idempotencyKey,
    ]),
    [[1, "again", "y", 3, "x:0001"]],
  );
  assert.deepEqual(
    commit.messages.map(({ id, to, visibleAt, event }) => [id, to, visibleAt, event.kind]),
    [
      ["y:t3", "i", 200, "TimerFired"],
      ["y:0005:start", "c5", undefined, "ExecutionRewound"],
      ["y:rewound", "i", undefined, "ExecutionRewound"],
    ],
  );
});

test("CR2 what came beside the rewind is left where it is", () => {
  const turn = turnAfterRewind([raised("a"), raised("b")]);
  assert.deepEqual(kinds(turn.newEvents), ["OrchestratorStarted", "EventRaised", "EventRaised"]);
  assert.equal(turn.consumed.length, 3);
  assert.equal(closed(WRITTEN, turn).consumed.length, 1);
});

test("an id is minted where the worker has given none, or the one that there was", () => {
  for (const executionId of ["", "x2"]) {
    const commit = closed([began, start({ executionId }), { ...began, timestamp: 300 }, rewound]);
    assert.equal(checkCommit(commit), undefined);
    assert.equal(commit.record?.executionId, "minted-here");
    const second = commit.history?.events[1];
    assert.equal(second?.kind === "ExecutionStarted" && second.executionId, "minted-here");
  }
});

test("a rewind that nobody has asked for, and a history that is none, are not written", () => {
  const plain = runs(openTurn(held(running(), inbox(raised("e"))), 400, RULES));
  assert.throws(() => closed(WRITTEN, plain), /a rewind that nobody had asked for/);
  const broken: readonly (readonly [RegExp, readonly HistoryEvent[]])[] = [
    [/begins with undefined/, []],
    [/begins with ExecutionStarted and OrchestratorStarted/, [WRITTEN[1]!, WRITTEN[0]!]],
    [/has an end/, [...WRITTEN, { kind: "ExecutionCompleted", eventId: -1, timestamp: 300, status: "FAILED" }]],
    [/starts y, and it goes on as y/, [...WRITTEN, start({ executionId: "y" })]],
    [/T3 .* has a turn at 500/, [...WRITTEN, { ...began, timestamp: 500 }]],
  ];
  for (const [rule, events] of broken) assert.match(checkCommit(closed(events)) ?? "", rule);
});
