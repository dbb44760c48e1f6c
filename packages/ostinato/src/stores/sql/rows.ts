// rows: records, messages and activities as flat rows of columns.
//
// Owns:    the order of columns, and which column holds which field.
// Always:  R1 what is written here reads back equal by read-rows; absent fields are null.

import { StoreFormatError } from "../../contract/errors.ts";
import type { InstancePayloads, InstanceRecord, InstanceStatus } from "../../contract/instance.ts";
import type { InboxMessage, Message } from "../../contract/messages.ts";
import type { ActivityRow, PayloadChanges } from "../../engine/commit.ts";
import { encodeEvents } from "./history-codec.ts";

/** One value of a row. */
export type Column = string | number | null;

/** The number of the form in which a record's row is written. */
export const RECORD_FORMAT = 1;

/** Statuses by their number in rows: from 3 on they are terminal. */
export const STATUSES: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];
export const FIRST_TERMINAL = 3;

/** Columns of `instances` that never change, after `number` and `hub`. */
export const FIXED_COLUMNS = ["id", "kind", "name", "created_at", "parent_id"] as const;
/** Columns that every turn writes; none of them is in an index. */
export const HOT_COLUMNS = ["epoch", "turn", "history_length", "updated_at", "last_turn_at", "attempts"] as const;
/** Columns that the first turn changes, the last one, and one that begins or ends to wait for an event. */
export const TURNING_COLUMNS = ["status", "started_at", "completed_at", "awaited_events"] as const;
/** Columns that few turns change. */
export const COLD_COLUMNS = [
  ...TURNING_COLUMNS,
  "version",
  "execution_id",
  "lineage",
  "scheduled_at",
  "tags",
  "trace_context",
  "generation",
  "held",
  "not_before",
  "stall",
  "sections",
  "locked_by",
  "dropped",
  "parent_execution",
  "parent_name",
  "parent_version",
  "parent_task",
  "format",
] as const;

/** How many columns a record has, its number first. */
export const RECORD_WIDTH = 1 + FIXED_COLUMNS.length + HOT_COLUMNS.length + COLD_COLUMNS.length;
/** The columns of a record, in the order in which rows of it cross the connection. */
export const RECORD_COLUMNS: readonly string[] = ["number", ...FIXED_COLUMNS, ...HOT_COLUMNS, ...COLD_COLUMNS];

export function pushFixed(record: InstanceRecord, to: Column[]): void {
  to.push(record.id, record.kind === "entity" ? 1 : 0, record.name, record.createdAt, record.parent?.instanceId ?? null);
}

export function pushHot(record: InstanceRecord, to: Column[]): void {
  to.push(record.epoch, record.turn, record.historyLength, record.updatedAt, record.lastTurnAt, record.attempts);
}

export function pushTurning({ status, startedAt, completedAt, awaitedEvents }: InstanceRecord, to: Column[]): void {
  to.push(
    STATUSES.indexOf(status),
    startedAt ?? null,
    completedAt ?? null,
    awaitedEvents === undefined ? null : JSON.stringify(awaitedEvents),
  );
}

export function pushCold(record: InstanceRecord, to: Column[]): void {
  const { parent } = record;
  pushTurning(record, to);
  to.push(
    record.version ?? null,
    record.executionId,
    record.lineage,
    record.scheduledAt ?? null,
    record.tags === undefined ? null : JSON.stringify(record.tags),
    record.traceContext ?? null,
    record.generation,
    record.held ? 1 : 0,
    record.notBefore ?? null,
    record.stall === undefined ? null : JSON.stringify(record.stall),
    record.sections === undefined ? null : JSON.stringify(record.sections),
    record.lockedBy === undefined ? null : JSON.stringify(record.lockedBy),
    record.dropped,
    // A later attempt of a child, and one whose parent was rewound, is another call's: only its parent's id stays.
    parent?.executionId ?? null,
    parent?.name ?? null,
    parent?.version ?? null,
    parent?.taskScheduledId ?? null,
    RECORD_FORMAT,
  );
}

/** Whether two records of one instance differ in hot columns alone. */
export function coldEquals(a: InstanceRecord, b: InstanceRecord): boolean {
  return (
    a.status === b.status &&
    a.startedAt === b.startedAt &&
    a.completedAt === b.completedAt &&
    sameTexts(a.awaitedEvents, b.awaitedEvents) &&
    stillEquals(a, b)
  );
}

/** Whether two records of one instance differ in hot and turning columns alone. */
export function stillEquals(a: InstanceRecord, b: InstanceRecord): boolean {
  return (
    a.version === b.version &&
    a.executionId === b.executionId &&
    a.lineage === b.lineage &&
    a.scheduledAt === b.scheduledAt &&
    a.tags === b.tags &&
    a.traceContext === b.traceContext &&
    a.generation === b.generation &&
    a.held === b.held &&
    a.notBefore === b.notBefore &&
    a.stall === b.stall &&
    a.sections === b.sections &&
    a.lockedBy === b.lockedBy &&
    a.dropped === b.dropped &&
    a.parent?.executionId === b.parent?.executionId &&
    a.parent?.taskScheduledId === b.parent?.taskScheduledId
  );
}

function sameTexts(a: readonly string[] | undefined, b: readonly string[] | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** How many slots `payloads` has for an instance. */
export const PAYLOAD_SLOTS = 5;

/** Payloads by their slots; `undefined` stays what it means to whoever asks. */
export function slotsOf({ input, output, customStatus, failure, state }: InstancePayloads | PayloadChanges): (string | null | undefined)[] {
  return [input, output, customStatus, failure === undefined || failure === null ? failure : JSON.stringify(failure), state];
}

/** The lane that a message stands in: see schema. */
export function laneOf(message: Message): number {
  return (message.wakes === "always" ? 0 : 2) + (message.needs === "engine" ? 0 : 1);
}

/** A message as its sender gives it: lane, id, execution, visible_at, body. */
export function pushMessage(message: Message, to: Column[]): void {
  to.push(laneOf(message), message.id, message.execution ?? null, message.visibleAt ?? null, encodeEvents([message.event]));
}

/** How many columns an activity has as it is scheduled. */
export const ACTIVITY_WIDTH = 15;

/** An activity as it is scheduled. */
export function pushActivity(row: ActivityRow, to: Column[]): void {
  to.push(
    row.number,
    row.generation,
    row.taskId,
    row.name,
    row.executionId,
    row.version ?? null,
    row.input ?? null,
    row.tags === undefined ? null : JSON.stringify(row.tags),
    row.attempt,
    row.idempotencyKey,
    row.attemptTimeoutMs ?? null,
    row.expiresAt ?? null,
    row.traceContext ?? null,
    row.epoch,
    row.claimed ? 1 : 0,
  );
}

/** The parts of an inbox message that are not in its event. */
export type InboxFrame = Omit<InboxMessage, "event" | "creates">;

export function statusOf(number: number): InstanceStatus {
  const status = STATUSES[number];
  if (status === undefined) throw new StoreFormatError(`An instance has the unknown status ${number}.`);
  return status;
}
