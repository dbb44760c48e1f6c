// rehearsal: a history in the making, for the tests of this room. It holds no test of its own.
//
// Every turn is run twice: by the program kept since the turn before, and by a fresh one that replays the history first. Both have to ask
// for the same (X2, H6), so that each story here tells of a replay, too.

import assert from "node:assert/strict";
import type { Action, CompleteOrchestration } from "../contract/actions.ts";
import type { ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import { type Failure, toFailure } from "../contract/failure.ts";
import { recordedAs } from "../contract/recorded-as.ts";
import type { OrchestratorDefinition } from "../authoring/define.ts";
import { defaultConverter } from "../authoring/payload.ts";
import type { Execution, ExecutionOptions, ProgramLogRecord, TurnResult } from "./execution.ts";
import { createExecution } from "./run-turn.ts";

export type Turned = Extract<TurnResult, { kind: "turn" }>;

export const noon = Date.parse("2024-01-02T12:00:00.000Z");

export const settle = (): Promise<void> =>
  new Promise((resolve) => {
    queueMicrotask(() => process.nextTick(resolve));
  });

/** An execution with the limits that are usual. */
export function executionOf(orchestrator: OrchestratorDefinition, options: Partial<ExecutionOptions> = {}): Execution {
  return createExecution({
    instanceId: "instance",
    executionId: "execution",
    orchestrator,
    converter: defaultConverter,
    limits: { payloadBytes: 4 * 1024 * 1024, customStatusBytes: 16 * 1024, actionsPerTurn: 100_000 },
    settle,
    enter: (run) => run(),
    log: () => undefined,
    ...options,
  });
}

// ---- events

export const turnAt = (timestamp: number): HistoryEvent => ({ kind: "OrchestratorStarted", eventId: -1, timestamp });
export const started = (orchestrator: OrchestratorDefinition, facts: Partial<ExecutionStarted> = {}): ExecutionStarted => ({
  kind: "ExecutionStarted",
  eventId: -1,
  timestamp: noon,
  instanceId: "instance",
  executionId: "execution",
  name: orchestrator.name,
  ...facts,
});
export const completed = (taskScheduledId: number, value?: unknown): HistoryEvent => ({
  kind: "TaskCompleted",
  eventId: -1,
  timestamp: noon,
  taskScheduledId,
  ...(value === undefined ? {} : { result: JSON.stringify(value) }),
});
export const failedWith = (taskScheduledId: number, failure: Failure): HistoryEvent => ({
  kind: "TaskFailed",
  eventId: -1,
  timestamp: noon,
  taskScheduledId,
  failure,
});
export const failed = (taskScheduledId: number, message: string, facts: Partial<Failure> = {}): HistoryEvent =>
  failedWith(taskScheduledId, { errorType: "Error", message, ...facts });
export const fired = (timerId: number): HistoryEvent => ({ kind: "TimerFired", eventId: -1, timestamp: noon, timerId, fireAt: noon });
export const raised = (name: string, value?: unknown): HistoryEvent => ({
  kind: "EventRaised",
  eventId: -1,
  timestamp: noon,
  name,
  ...(value === undefined ? {} : { input: JSON.stringify(value) }),
});
export const childCompleted = (taskScheduledId: number, value?: unknown): HistoryEvent => ({
  kind: "SubOrchestrationInstanceCompleted",
  eventId: -1,
  timestamp: noon,
  taskScheduledId,
  ...(value === undefined ? {} : { result: JSON.stringify(value) }),
});
export const childFailed = (taskScheduledId: number, thrown: unknown): HistoryEvent => ({
  kind: "SubOrchestrationInstanceFailed",
  eventId: -1,
  timestamp: noon,
  taskScheduledId,
  failure: toFailure(thrown),
});
export const answered = (request: { readonly requestId: string }, value?: unknown): HistoryEvent => ({
  kind: "EntityOperationCompleted",
  eventId: -1,
  timestamp: noon,
  requestId: request.requestId,
  ...(value === undefined ? {} : { result: JSON.stringify(value) }),
});
export const refused = (request: { readonly requestId: string }, message: string): HistoryEvent => ({
  kind: "EntityOperationFailed",
  eventId: -1,
  timestamp: noon,
  requestId: request.requestId,
  failure: { errorType: "Error", message },
});
export const granted = (section: { readonly criticalSectionId: string }): HistoryEvent => ({
  kind: "EntityLockGranted",
  eventId: -1,
  timestamp: noon,
  criticalSectionId: section.criticalSectionId,
});
export const suspended: HistoryEvent = { kind: "ExecutionSuspended", eventId: -1, timestamp: noon };
export const resumed: HistoryEvent = { kind: "ExecutionResumed", eventId: -1, timestamp: noon };
export const terminated = (output?: string): HistoryEvent => ({
  kind: "ExecutionTerminated",
  eventId: -1,
  timestamp: noon,
  recursive: false,
  ...(output === undefined ? {} : { output }),
});

// ---- the rehearsal

export interface Rehearsal {
  readonly history: HistoryEvent[];
  readonly logs: ProgramLogRecord[];
  /** The clock of the next turn; it moves by one second with each. */
  now: number;
  /** The first turn: the start, and what arrived with it. */
  start(input?: unknown, facts?: Partial<ExecutionStarted>, ...more: readonly HistoryEvent[]): Promise<Turned>;
  /** One turn. */
  turn(...events: readonly HistoryEvent[]): Promise<Turned>;
  /** The kept program. */
  readonly kept: Execution;
}

export function rehearse(orchestrator: OrchestratorDefinition, options: Partial<ExecutionOptions> = {}): Rehearsal {
  const logs: ProgramLogRecord[] = [];
  const log = (record: ProgramLogRecord): void => void logs.push(record);
  const kept = executionOf(orchestrator, { log, ...options });
  const rehearsal: Rehearsal = {
    history: [],
    logs,
    now: noon,
    kept,
    start: (input, facts, ...more) => {
      const text = input === undefined ? undefined : defaultConverter.encode(input, "input");
      return rehearsal.turn(started(orchestrator, { ...(text === undefined ? {} : { input: text }), ...facts }), ...more);
    },
    async turn(...events) {
      const fresh = [turnAt(rehearsal.now), ...events];
      const result = await kept.advance([], fresh);
      const replayer = executionOf(orchestrator, options);
      const replayed = await replayer.advance(rehearsal.history, fresh);
      assert.deepEqual(withoutStacks(replayed), withoutStacks(result), "the replay asks for the same (H6)");
      assert.equal(replayer.historyLength, kept.historyLength);
      replayer.close();
      assert.ok(result.kind === "turn", JSON.stringify(result));
      const { acceptedInput } = result;
      for (const event of fresh) {
        rehearsal.history.push(
          event.kind === "ExecutionStarted" && acceptedInput !== undefined ? { ...event, input: acceptedInput } : event,
        );
      }
      for (const action of result.actions) {
        const recorded = recordedAs(action, rehearsal.now);
        if (recorded !== undefined) rehearsal.history.push(recorded);
      }
      if (!result.ended) assert.equal(kept.historyLength, rehearsal.history.length);
      rehearsal.now += 1_000;
      return result;
    },
  };
  return rehearsal;
}

/** Goes on with a story that has failed: each turn is done by a kept program and by one that replays everything, which have to agree. */
export function rewind(program: OrchestratorDefinition, story: Rehearsal): { turn(...events: readonly HistoryEvent[]): Promise<Turned> } {
  const failure = { errorType: "Error", message: "as it was" };
  const end: HistoryEvent = { kind: "ExecutionCompleted", eventId: -1, timestamp: story.now, status: "FAILED", failure };
  const { history } = story;
  const told: HistoryEvent = { kind: "ExecutionRewound", eventId: -1, timestamp: story.now, reason: "mended" };
  history.push(end, turnAt(story.now), told);
  const kept = executionOf(program, { executionId: "another" });
  let first = true;
  return {
    async turn(...events) {
      story.now += 1_000;
      const fresh = [turnAt(story.now), ...events];
      const result = await kept.advance(first ? [...history] : [], fresh);
      first = false;
      const replayer = executionOf(program, { executionId: "another" });
      const replayed = await replayer.advance([...history], fresh);
      assert.deepEqual(withoutStacks(replayed), withoutStacks(result), "RW3 a replay asks for the same (H6)");
      assert.equal(replayer.historyLength, kept.historyLength);
      assert.ok(result.kind === "turn", JSON.stringify(result));
      history.push(...fresh);
      for (const action of result.actions) {
        const recorded = recordedAs(action, story.now);
        if (recorded !== undefined) history.push(recorded);
      }
      return result;
    },
  };
}

/** Stacks tell where code stands and may differ between two runs. */
function withoutStacks(result: TurnResult): unknown {
  return JSON.parse(JSON.stringify(result, (key, value: unknown) => (key === "stack" ? undefined : value)));
}

/** What was asked for, in short: "scheduleTask 1 hello", "createTimer 2", "callEntity 3 @counter@a add", "lockEntities 4 @a@1 @a@2". */
export function asked(result: Turned): string[] {
  return result.actions.map((action) => {
    const words: unknown[] = [action.kind, action.id];
    if ("name" in action) words.push(action.name);
    if ("entityId" in action) words.push(action.entityId);
    if ("operation" in action) words.push(action.operation);
    if ("lockSet" in action) words.push(...action.lockSet);
    return words.join(" ");
  });
}

/** The actions of one kind. */
export function ofKind<K extends Action["kind"]>(result: Turned, kind: K): Extract<Action, { kind: K }>[] {
  return result.actions.filter((action): action is Extract<Action, { kind: K }> => action.kind === kind);
}

/** The end that a turn came to. */
export function endOf(result: Turned): CompleteOrchestration {
  const last: Action | undefined = result.actions.at(-1);
  assert.ok(last?.kind === "completeOrchestration", `the program has not ended: ${asked(result).join(", ")}`);
  assert.ok(result.ended);
  return last;
}

/** The value that a program completed with. */
export function outputOf(result: Turned): unknown {
  const end = endOf(result);
  assert.equal(end.status, "COMPLETED", JSON.stringify(end));
  return defaultConverter.decode(end.result, "output");
}

/** The failure that a program failed with. */
export function failureOf(result: Turned): Failure {
  const end = endOf(result);
  assert.equal(end.status, "FAILED", JSON.stringify(end));
  assert.ok(end.failure);
  return end.failure;
}
