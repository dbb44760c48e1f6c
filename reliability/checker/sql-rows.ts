// sql-rows: rows of a task hub's tables, as the checker sees them.
//
// Owns:    which column means what, written down a second time. Of the product only the codec of events is used: how an event is written is
//          no rule about when it may be.
// Is told: rows by the names of their columns, whole numbers as numbers. The tables of a file and those of a server have the same names.
import { decodeEvents } from "../../packages/ostinato/src/stores/sql/history-codec.ts";
import type { Failure } from "../../packages/ostinato/src/contract/failure.ts";
import type { InstancePayloads, InstanceRecord, InstanceStatus } from "../../packages/ostinato/src/contract/instance.ts";
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { DumpedActivity, DumpedInstance, DumpedMessage } from "./stored.ts";

/** A row, by the names of its columns. */
export type Row = Readonly<Record<string, string | number | null>>;

const STATUSES: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];

/** Rows by the number of the instance that they belong to. */
export function group(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const number = row["number"] as number;
    const own = groups.get(number);
    if (own === undefined) groups.set(number, [row]);
    else own.push(row);
  }
  return groups;
}

/** An instance, with the rows that are its own. */
export function instanceOf(row: Row, payloads: readonly Row[], history: readonly Row[]): DumpedInstance {
  return {
    record: recordOf(row),
    payloads: payloadsOf((wanted) => payloads.find((each) => each["slot"] === wanted)?.["value"] as string | null | undefined),
    history: history.flatMap(eventsOf),
    rows: history.map((each) => ({ turn: each["turn"] as number, first: each["first"] as number, count: each["count"] as number })),
  };
}

/** What stands in the slots of `payloads`. */
export function payloadsOf(slot: (slot: number) => string | null | undefined): InstancePayloads {
  const failure = slot(3) ?? undefined;
  return kept({
    input: slot(0) ?? undefined,
    output: slot(1) ?? undefined,
    customStatus: slot(2) ?? undefined,
    failure: failure === undefined ? undefined : (JSON.parse(failure) as Failure),
    state: slot(4) ?? undefined,
  });
}

/** The events of a row of `history`. */
export function eventsOf(row: Row): HistoryEvent[] {
  return decodeEvents(row["body"] as string, row["format"] as number);
}

/** A row of `instances`. */
export function recordOf(row: Row): InstanceRecord {
  const text = (name: string): string | undefined => (row[name] as string | null) ?? undefined;
  const number = (name: string): number | undefined => (row[name] as number | null) ?? undefined;
  const data = (name: string): unknown => (row[name] === null || row[name] === undefined ? undefined : JSON.parse(row[name] as string));
  const parent =
    text("parent_id") === undefined
      ? undefined
      : kept({
          instanceId: text("parent_id"),
          executionId: text("parent_execution"),
          name: text("parent_name"),
          version: text("parent_version"),
          taskScheduledId: number("parent_task"),
        });
  return kept({
    number: number("number"),
    id: text("id"),
    kind: number("kind") === 1 ? "entity" : "orchestration",
    name: text("name"),
    version: text("version"),
    executionId: text("execution_id"),
    lineage: text("lineage"),
    status: STATUSES[number("status") ?? -1],
    createdAt: number("created_at"),
    scheduledAt: number("scheduled_at"),
    startedAt: number("started_at"),
    updatedAt: number("updated_at"),
    completedAt: number("completed_at"),
    parent,
    tags: data("tags"),
    traceContext: text("trace_context"),
    epoch: number("epoch"),
    turn: number("turn"),
    generation: number("generation"),
    historyLength: number("history_length"),
    lastTurnAt: number("last_turn_at"),
    attempts: number("attempts"),
    held: number("held") === 1,
    notBefore: number("not_before"),
    stall: data("stall"),
    awaitedEvents: data("awaited_events"),
    dropped: number("dropped"),
    retainUntil: number("retain_until"),
    sections: data("sections"),
    lockedBy: data("locked_by"),
  }) as unknown as InstanceRecord;
}

/** A row of `messages`. */
export function messageOf(row: Row): DumpedMessage {
  const event = eventsOf(row)[0];
  if (event === undefined) throw new Error(`The message ${String(row["id"])} has no event.`);
  return kept({
    number: row["number"],
    id: row["id"],
    execution: row["execution"] ?? undefined,
    wakes: (row["lane"] as number) < 2 ? "always" : "unless-held",
    visibleAt: row["visible_at"] ?? undefined,
    arrivedAt: row["arrived_at"],
    sequence: row["sequence"],
    event,
  }) as unknown as DumpedMessage;
}

/** A row of `activities`. */
export function activityOf(row: Row): DumpedActivity {
  return {
    number: row["number"] as number,
    generation: row["generation"] as number,
    taskId: row["task_id"] as number,
    executionId: row["execution_id"] as string,
    name: row["name"] as string,
    epoch: row["epoch"] as number,
    delivery: row["delivery"] as number,
    owned: row["owner"] !== null,
    visibleAt: row["visible_at"] as number,
  };
}

/** The fields that have a value. */
function kept(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
