// hand-made: a clean world in small pieces, to be put together and to be broken, for the tests of the checker.
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { InstancePayloads, InstanceRecord } from "../../packages/ostinato/src/contract/instance.ts";
import type { Entry, Sight } from "./journal.ts";
import type { Dump, DumpedActivity, DumpedInstance, DumpedMessage, Standing } from "./stored.ts";

export const turnAt = (timestamp: number): HistoryEvent => ({ kind: "OrchestratorStarted", eventId: -1, timestamp });
export const started = {
  kind: "ExecutionStarted",
  eventId: -1,
  timestamp: 100,
  instanceId: "a",
  executionId: "e1",
  name: "flow",
  input: "1",
} satisfies HistoryEvent;
export const scheduled = { kind: "TaskScheduled", eventId: 1, timestamp: 100, name: "work", input: "1" } satisfies HistoryEvent;
export const timer = { kind: "TimerCreated", eventId: 2, timestamp: 100, fireAt: 500 } satisfies HistoryEvent;
export const completed = { kind: "TaskCompleted", eventId: -1, timestamp: 200, taskScheduledId: 1, result: "7" } satisfies HistoryEvent;
export const fired = { kind: "TimerFired", eventId: -1, timestamp: 500, timerId: 2, fireAt: 500 } satisfies HistoryEvent;
export const raised = (input: string): HistoryEvent => ({ kind: "EventRaised", eventId: -1, timestamp: 200, name: "go", input });
export const suspended = { kind: "ExecutionSuspended", eventId: -1, timestamp: 200 } satisfies HistoryEvent;
export const terminated = { kind: "ExecutionTerminated", eventId: -1, timestamp: 500, recursive: false } satisfies HistoryEvent;
export const end = { kind: "ExecutionCompleted", eventId: -1, timestamp: 500, status: "COMPLETED", result: "8" } satisfies HistoryEvent;

export const first = [turnAt(100), started, scheduled, timer];
export const whole = [...first, turnAt(200), completed, turnAt(500), fired, end];

export function instance(
  history: readonly HistoryEvent[],
  change: Partial<InstanceRecord> = {},
  payloads: InstancePayloads = {},
): DumpedInstance {
  const last = history.at(-1);
  const ended = last?.kind === "ExecutionCompleted" ? last : undefined;
  const turns = history.filter((event) => event.kind === "OrchestratorStarted");
  return {
    record: {
      number: 1,
      id: "a",
      kind: "orchestration",
      name: "flow",
      executionId: "e1",
      lineage: "e1",
      status: ended?.status ?? (history.length === 0 ? "PENDING" : "RUNNING"),
      createdAt: 100,
      updatedAt: 500,
      epoch: 1,
      turn: turns.length,
      generation: 1,
      historyLength: history.length,
      lastTurnAt: turns.at(-1)?.timestamp ?? 0,
      attempts: 0,
      held: false,
      dropped: 0,
      ...(ended === undefined ? {} : { completedAt: ended.timestamp }),
      ...change,
    },
    payloads: { input: "1", ...(ended?.result === undefined ? {} : { output: ended.result }), ...payloads },
    history,
  };
}

export const timerMessage: DumpedMessage = {
  number: 1,
  id: "t2",
  execution: "e1",
  wakes: "unless-held",
  visibleAt: 500,
  arrivedAt: 100,
  sequence: 1,
  event: fired,
};
export const startMessage: DumpedMessage = { number: 1, id: "s", wakes: "unless-held", arrivedAt: 100, sequence: 0, event: started };
export const eventMessage = (input: string, sequence: number): DumpedMessage => ({
  number: 1,
  id: `m-${input}`,
  wakes: "unless-held",
  arrivedAt: 150,
  sequence,
  event: raised(input),
});
export const row: DumpedActivity = {
  number: 1,
  generation: 1,
  taskId: 1,
  executionId: "e1",
  name: "work",
  epoch: 5,
  delivery: 1,
  owned: true,
  visibleAt: 100,
};

export function dump(
  instances: readonly DumpedInstance[],
  messages: readonly DumpedMessage[] = [],
  activities: readonly DumpedActivity[] = [],
): Dump {
  return { at: 1_000, instances, messages, activities, others: {} };
}

export const ended = (): DumpedInstance => instance(whole);
export const running = (): Dump => dump([instance(first)], [timerMessage], [row]);

let clock = 0;
export const see = (sight: Sight, by = "p"): Entry => ({ at: ++clock * 10, by, ...sight });
export const invoke = (call: string, op: string, what: object = {}, instanceId = "a"): Entry =>
  see({ kind: "invoke", call, op, instanceId, what });
export const ok = (call: string, value?: unknown): Entry => see({ kind: "ok", call, ...(value === undefined ? {} : { value }) });
export const fail = (call: string, code: string): Entry => see({ kind: "fail", call, code, message: code });
export const body = (kind: "body-began" | "body-ended", change: object = {}, by = "p"): Entry =>
  see({ kind, instanceId: "a", executionId: "e1", taskId: 1, name: "work", attempt: 1, delivery: 1, key: "e1:0001", ...change }, by);
export const stands = (standing: Standing | undefined, change: { number?: number; id?: string; storeAt?: number } = {}): Entry =>
  see({ kind: "stands", number: 1, id: "a", storeAt: 1_000, ...change, ...(standing === undefined ? {} : { standing }) });
export const standing = (
  of: DumpedInstance,
  messages: readonly DumpedMessage[] = [],
  activities: readonly DumpedActivity[] = [],
): Standing => ({
  instance: of,
  messages,
  activities,
});
export const begins = (): Entry => stands(standing(instance(first), [timerMessage], [row]), { storeAt: 100 });
export const goesOn = (history: readonly HistoryEvent[], change: Partial<InstanceRecord> = {}): Standing =>
  standing(instance(history, change), [timerMessage], []);

export const child = (id: string, number: number): DumpedInstance => {
  const parent = { instanceId: "a", executionId: "e1", name: "flow", taskScheduledId: 3 };
  const begun: HistoryEvent = { ...started, instanceId: id, executionId: `${id}-e`, parent };
  return instance([turnAt(100), begun], { id, number, executionId: `${id}-e`, lineage: `${id}-e`, parent });
};
export const childCall = {
  kind: "SubOrchestrationInstanceCreated",
  eventId: 3,
  timestamp: 100,
  instanceId: "kid",
  name: "flow",
} satisfies HistoryEvent;
