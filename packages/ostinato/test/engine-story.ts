// engine-story: an instance in the middle of its life, for tests that ask the engine what comes next.
//
// Always:  times are small numbers, ids are words, and what a story does not name is as dull as can be.
import type { Action, CompleteOrchestration, ScheduleTask } from "../src/contract/actions.ts";
import type { ExecutionStarted, HistoryEvent } from "../src/contract/events.ts";
import type { InstanceRecord, ParentLink, StoredInstance } from "../src/contract/instance.ts";
import type { InboxMessage } from "../src/contract/messages.ts";
import type { Room } from "../src/engine/action-appliers.ts";
import type { ActivityClaim, ActivityRow, Commit, Refusal } from "../src/engine/commit.ts";
import type { TurnOutcome } from "../src/engine/close-turn.ts";
import type { Fold, HeldInstance, OpenedTurn, Opening, OpeningRules } from "../src/engine/open-turn.ts";

export const NUMBER = 7;
export const EPOCH = 3;

/** A child of an instance that is called `p`, when a story needs one. */
export const PARENT: ParentLink = { instanceId: "p", executionId: "px", name: "parent", taskScheduledId: 5 };

/** An instance that runs, and has had two turns of together five events. */
export function running(more: Partial<InstanceRecord> = {}): InstanceRecord {
  return {
    number: NUMBER,
    id: "i",
    kind: "orchestration",
    name: "o",
    executionId: "x",
    lineage: "x",
    status: "RUNNING",
    createdAt: 100,
    startedAt: 110,
    updatedAt: 200,
    epoch: EPOCH,
    turn: 2,
    generation: 1,
    historyLength: 5,
    lastTurnAt: 200,
    attempts: 1,
    held: false,
    dropped: 0,
    ...more,
  };
}

/** One that waits for its first turn. */
export function pending(more: Partial<InstanceRecord> = {}): InstanceRecord {
  const { startedAt: _startedAt, ...record } = running({ status: "PENDING", turn: 0, historyLength: 0, lastTurnAt: 0, updatedAt: 100 });
  return { ...record, ...more };
}

export function finished(status: "COMPLETED" | "FAILED" | "TERMINATED", more: Partial<InstanceRecord> = {}): InstanceRecord {
  return running({ status, completedAt: 200, attempts: 1, ...more });
}

export const stored = (record: InstanceRecord, payloads: StoredInstance["payloads"] = {}): StoredInstance => ({ record, payloads });

// ---- what arrives

export const start = (more: Partial<ExecutionStarted> = {}): ExecutionStarted => ({
  kind: "ExecutionStarted",
  eventId: -1,
  timestamp: 100,
  instanceId: "i",
  executionId: "x",
  name: "o",
  ...more,
});
export const raised = (name: string): HistoryEvent => ({ kind: "EventRaised", eventId: -1, timestamp: 150, name });
export const fired = (timerId: number, fireAt: number): HistoryEvent => ({
  kind: "TimerFired",
  eventId: -1,
  timestamp: fireAt,
  timerId,
  fireAt,
});
export const done = (taskScheduledId: number, result = '"r"'): Extract<HistoryEvent, { kind: "TaskCompleted" }> => ({
  kind: "TaskCompleted",
  eventId: -1,
  timestamp: 150,
  taskScheduledId,
  result,
});
export const terminate = (more: Partial<Extract<HistoryEvent, { kind: "ExecutionTerminated" }>> = {}): HistoryEvent => ({
  kind: "ExecutionTerminated",
  eventId: -1,
  timestamp: 150,
  recursive: false,
  ...more,
});

/** Messages in the order given, one after the other, unless a story says otherwise of one. */
export function inbox(...arrivals: readonly (HistoryEvent | (Partial<InboxMessage> & { readonly event: HistoryEvent }))[]): InboxMessage[] {
  return arrivals.map((arrival, i) => {
    const given = "event" in arrival ? arrival : { event: arrival };
    const bound = ["TimerFired", "TaskCompleted", "TaskFailed"].includes(given.event.kind) ? { execution: "x" } : {};
    return {
      id: `m${i + 1}`,
      to: "i",
      wakes: "unless-held",
      needs: "program",
      number: NUMBER,
      sequence: i + 1,
      arrivedAt: 150 + i,
      ...bound,
      ...given,
    };
  });
}

export function row(taskId: number, more: Partial<ActivityRow> = {}): ActivityRow {
  return {
    number: NUMBER,
    generation: 1,
    taskId,
    instanceId: "i",
    executionId: "x",
    name: "a",
    attempt: 1,
    idempotencyKey: `x:${taskId}`,
    epoch: 8_192,
    claimed: true,
    ...more,
  };
}

export const claimOf = (of: ActivityRow): ActivityClaim => ({ row: of, epoch: of.epoch, delivery: 1, at: 140 });
export const fold = (taskId: number, more: Partial<ActivityRow> = {}): Fold => ({ claim: claimOf(row(taskId, more)), event: done(taskId) });

export function held(record: InstanceRecord, messages: readonly InboxMessage[], folds: readonly Fold[] = []): HeldInstance {
  return { number: record.number, epoch: record.epoch, record, messages, folds };
}

export const RULES: OpeningRules = { canRun: true, maxClaims: 10 };

// ---- what comes of it

export function runs(opening: Opening): OpenedTurn {
  if (opening.kind !== "run") throw new Error(`the inbox was to become a turn, and became: ${opening.kind}`);
  return opening.turn;
}

export function commits(opening: Opening): Commit {
  if (opening.kind !== "commit") throw new Error(`the inbox was to become a commit, and became: ${opening.kind}`);
  return opening.commit;
}

export function accepted(decided: Commit | Refusal): Commit {
  if ("refused" in decided) throw new Error(`it was to be accepted, and was refused: ${decided.message}`);
  return decided;
}

export const kinds = (events: readonly HistoryEvent[] | undefined): string[] => (events ?? []).map((event) => event.kind);

// ---- what a program asks for

export const call = (id: number, more: Partial<ScheduleTask> = {}): ScheduleTask => ({
  kind: "scheduleTask",
  id,
  name: "a",
  attempt: 1,
  firstId: id,
  ...more,
});
export const end = (status: CompleteOrchestration["status"], more: Partial<CompleteOrchestration> = {}): CompleteOrchestration => ({
  kind: "completeOrchestration",
  id: 99,
  status,
  ...more,
});
export const asks = (actions: readonly Action[], more: Partial<TurnOutcome> = {}): TurnOutcome => ({
  kind: "turn",
  token: "1",
  actions,
  ...more,
});

/** A process that serves everything and has room for two of each. */
export const room = (more: Partial<Room> = {}): Room => ({
  activities: new Set(["a"]),
  activitySlots: 2,
  orchestrators: new Set(["o"]),
  orchestrationSlots: 2,
  entities: new Set(["@counter"]),
  failUnregistered: false,
  ...more,
});
