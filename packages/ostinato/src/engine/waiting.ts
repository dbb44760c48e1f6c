// waiting: what an instance waits for, in words.
//
// Is told: the record, the history of its current execution, and which names are served here.
// Always:  pure; says no more than is committed (O1). No payload is shown.

import type { EntityOperationCalled, HistoryEvent } from "../contract/events.ts";
import { entityRecordName, partsOfEntityId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord } from "../contract/instance.ts";
import { servedText, takes, type Served } from "../contract/served.ts";
import { stillOpen, type OpenEvent } from "./still-open.ts";

/** The names that workers of this process serve. */
export interface ServedNames {
  readonly orchestrators: Served;
  readonly activities: Served;
  /** By the names of their records (`@name`). */
  readonly entities: Served;
}

const MOST_LINES = 20;

/** What the instance waits for; empty when it is finished. At most twenty lines, then how many more. */
export function waitingFor(record: InstanceRecord, history: readonly HistoryEvent[], served: ServedNames): readonly string[] {
  if (isTerminal(record.status)) return [];
  const lines: string[] = [];
  if (record.status === "SUSPENDED") lines.push("to be resumed (it is suspended)");
  if (record.stall !== undefined)
    lines.push(`${record.stall.kind === "set-aside" ? "an operator" : "fitting code"}: ${record.stall.reason}`);
  if (record.kind === "entity") return [...lines, ...entityWaits(record, served)];
  if (record.historyLength === 0) {
    if (record.scheduledAt !== undefined && record.startedAt === undefined)
      lines.push(`its scheduled start at ${isoTime(record.scheduledAt)}`);
    else lines.push(unserved(served.orchestrators, record.name, "orchestrator") ?? `a worker to run orchestrator '${record.name}'`);
    return lines;
  }
  for (const name of record.awaitedEvents ?? []) lines.push(`external event '${name}'`);
  lines.push(...openTasks(history, served));
  return lines.length <= MOST_LINES ? lines : [...lines.slice(0, MOST_LINES), `and ${lines.length - MOST_LINES} more`];
}

/** An entity waits for nothing of its own; what is sent to it may wait for these. */
function entityWaits({ name, lockedBy }: InstanceRecord, { entities }: ServedNames): readonly string[] {
  const lines = lockedBy === undefined ? [] : [`'${lockedBy.instanceId}' to let it go (critical section ${lockedBy.criticalSectionId})`];
  return takes(entities, name) ? lines : [...lines, `a worker that has entity '${name.slice(1)}'`];
}

/** What was open when it was rewound is asked for again, under other numbers. */
function openTasks(history: readonly HistoryEvent[], served: ServedNames): readonly string[] {
  const rewound = history.findLastIndex((event) => event.kind === "ExecutionRewound");
  return [...stillOpen(history.slice(rewound + 1))].map((event) => openLine(event, served));
}

function openLine(event: OpenEvent, served: ServedNames): string {
  switch (event.kind) {
    case "TaskScheduled":
      return unserved(served.activities, event.name, "activity", event.eventId) ?? `activity '${event.name}' (#${event.eventId})`;
    case "SubOrchestrationInstanceCreated":
      return `sub-orchestration '${event.name}' (#${event.eventId}, instance '${event.instanceId}')`;
    case "TimerCreated":
      return `timer (#${event.eventId}) until ${isoTime(event.fireAt)}`;
    case "EntityOperationCalled":
      return entityLine(event, served);
    case "EntityLockRequested":
      return `the lock of ${event.lockSet.join(", ")} (#${event.eventId})`;
  }
}

function entityLine({ entityId, operation, eventId }: EntityOperationCalled, { entities }: ServedNames): string {
  const name = partsOfEntityId(entityId)?.name ?? entityId;
  const line = `entity '${name}' operation '${operation}' (#${eventId}, ${entityId})`;
  if (takes(entities, entityRecordName(entityId)) || servedText(entities) === "none") return line;
  return `${line}, and a worker that has it`;
}

function unserved(names: Served, name: string, what: "orchestrator" | "activity", id?: number): string | undefined {
  if (takes(names, name) || servedText(names) === "none") return undefined;
  return `a worker that has ${what} '${name}'${id === undefined ? "" : ` (#${id})`}; registered here: ${servedText(names)}`;
}

function isoTime(instant: number): string {
  return new Date(instant).toISOString(); // tidy: allow Date because it formats a given instant and reads no clock
}
