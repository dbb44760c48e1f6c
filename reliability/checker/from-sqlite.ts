// from-sqlite: a dump of a task hub's file, read from its tables.
//
// Owns:    which column means what, written down a second time. Of the product only the codec of events is used: how an event is written is
//          no rule about when it may be.
// Always:  the file is opened to read. Whoever wants it as it was left by a crash works on a copy (the recovery of a WAL writes).
import { DatabaseSync } from "node:sqlite";
import { decodeEvents } from "../../packages/ostinato/src/stores/sql/history-codec.ts";
import type { Failure } from "../../packages/ostinato/src/contract/failure.ts";
import type { InstanceRecord, InstanceStatus } from "../../packages/ostinato/src/contract/instance.ts";
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { Dump, DumpedActivity, DumpedInstance, DumpedMessage } from "./stored.ts";

type Row = Readonly<Record<string, string | number | null>>;

const STATUSES: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];

/** Everything that a file holds, of all its hubs. `at`: the clock by which what is due is told; the machine's by default. */
export function dumpOfFile(path: string, at: number = Date.now()): Dump {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const all = (sql: string): Row[] => database.prepare(sql).all() as Row[];
    const payloads = group(all("select number, slot, value from payloads"));
    const histories = group(all("select number, turn, first, count, format, body from history order by number, turn"));
    const instances = all("select * from instances order by number").map((row) =>
      instanceOf(row, payloads.get(row["number"] as number) ?? [], histories.get(row["number"] as number) ?? []),
    );
    const numbers = new Set(instances.map(({ record }) => record.number));
    const ofNobody = (rows: ReadonlyMap<number, unknown>): number => [...rows.keys()].filter((number) => !numbers.has(number)).length;
    const ready = all("select number from ready");
    return {
      at,
      instances,
      messages: all("select * from messages order by number, sequence").map(messageOf),
      activities: all("select * from activities").map(activityOf),
      others: {
        "payloads of nobody": ofNobody(payloads),
        "histories of nobody": ofNobody(histories),
        "ready marks of nobody": ready.filter((row) => !numbers.has(row["number"] as number)).length,
      },
    };
  } finally {
    database.close();
  }
}

function group(rows: readonly Row[]): Map<number, Row[]> {
  const groups = new Map<number, Row[]>();
  for (const row of rows) {
    const number = row["number"] as number;
    const own = groups.get(number);
    if (own === undefined) groups.set(number, [row]);
    else own.push(row);
  }
  return groups;
}

function instanceOf(row: Row, payloads: readonly Row[], history: readonly Row[]): DumpedInstance {
  const slot = (wanted: number): string | undefined =>
    (payloads.find((each) => each["slot"] === wanted)?.["value"] as string | null) ?? undefined;
  const failure = slot(3);
  return {
    record: recordOf(row),
    payloads: kept({
      input: slot(0),
      output: slot(1),
      customStatus: slot(2),
      failure: failure === undefined ? undefined : (JSON.parse(failure) as Failure),
      state: slot(4),
    }),
    history: history.flatMap((each): HistoryEvent[] => decodeEvents(each["body"] as string, each["format"] as number)),
    rows: history.map((each) => ({ turn: each["turn"] as number, first: each["first"] as number, count: each["count"] as number })),
  };
}

function recordOf(row: Row): InstanceRecord {
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

function messageOf(row: Row): DumpedMessage {
  const event = decodeEvents(row["body"] as string, row["format"] as number)[0];
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

function activityOf(row: Row): DumpedActivity {
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
