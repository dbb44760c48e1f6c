// integrity: reads a whole file and says what is wrong with it, in words.
//
// Owns:    what must hold of the rows of a hub, beyond what SQLite checks of its pages.
// Is told: a file. Reads it in one snapshot, on a connection of its own.
// Always:  D5 nothing that is found stops it: what cannot be read is a finding, and the next check goes on.
//          A sound file gives an empty list, also while others write to it.

import type { DatabaseSync } from "node:sqlite";
import type { IntegrityFinding } from "../../contract/maintenance.ts";
import { decodeEvents } from "../sql/history-codec.ts";
import { ColumnReader, readMessage, readRecord } from "../sql/read-rows.ts";
import { FIRST_TERMINAL, RECORD_COLUMNS } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import { messageOf, openForReading } from "./database-file.ts";

/** So many findings are enough to know what to do. */
const MOST = 1_000;
const RESTORE = "Restore the file from a backup.";
const DAMAGED = "It is not run. Restore the file from a backup.";

type Find = (kind: IntegrityFinding["kind"], message: string, instanceId?: string) => void;

/** Enough was found. */
class Enough extends Error {}

/** What is wrong with a file. */
export function checkFile(path: string): readonly IntegrityFinding[] {
  const findings: IntegrityFinding[] = [];
  const find: Find = (kind, message, instanceId) => {
    if (findings.length === MOST) {
      findings.push({ kind: "file", message: `There is more: the check stopped after ${MOST} findings.` });
      throw new Enough();
    }
    findings.push({ kind, message, ...(instanceId === undefined ? {} : { instanceId }) });
  };
  // A backup may be of any format that can be restored: nothing here asks for what later ones have.
  const db = openForReading(path, undefined, 1);
  try {
    db.exec("begin");
    for (const [what, check] of Object.entries(CHECKS)) {
      try {
        check(db, find);
      } catch (error) {
        if (error instanceof Enough) throw error;
        find("file", `The ${what} cannot be read to their end: ${messageOf(error)}. ${RESTORE}`);
      }
    }
  } catch (error) {
    if (!(error instanceof Enough)) throw error;
  } finally {
    db.close();
  }
  return findings;
}

const CHECKS: Readonly<Record<string, (db: DatabaseSync, find: Find) => void>> = {
  pages: checkPages,
  instances: checkRecords,
  payloads: checkPayloads,
  histories: checkHistories,
  messages: checkMessages,
  activities: checkActivities,
  "rows of what is ready": checkReady,
  "numbers of new instances": checkNumbers,
};

function checkPages(db: DatabaseSync, find: Find): void {
  for (const row of db.prepare("pragma integrity_check(100)").all()) {
    const said = String(row["integrity_check"]);
    if (said !== "ok") find("file", `SQLite finds: ${said}. ${RESTORE}`);
  }
}

function rows(db: DatabaseSync, text: string): Iterable<Column[]> {
  const statement = db.prepare(text);
  statement.setReturnArrays(true);
  return statement.iterate() as unknown as Iterable<Column[]>;
}

/** Rows as long as they can be read, one by one: a row that cannot be made a value of is a finding and not the end. */
function* eachNumber(db: DatabaseSync): Generator<number> {
  for (const [number] of rows(db, "select number from instances order by number")) yield number as number;
}

/** The columns of a record; those that the format of this file does not have yet are empty. */
function recordColumns(db: DatabaseSync): string {
  const there = new Set(
    db
      .prepare("pragma table_info(instances)")
      .all()
      .map((row) => row["name"]),
  );
  return RECORD_COLUMNS.map((column) => (there.has(column) ? column : "null")).join(", ");
}

function checkRecords(db: DatabaseSync, find: Find): void {
  const one = db.prepare(`select ${recordColumns(db)} from instances where number = ?`);
  one.setReturnArrays(true);
  const idOf = db.prepare("select cast(id as text) as id from instances where number = ?");
  const hubs = new Set(
    db
      .prepare("select hub from hubs")
      .all()
      .map((row) => row["hub"]),
  );
  const hubOf = db.prepare("select hub from instances where number = ?");
  for (const number of eachNumber(db)) {
    let id = `number ${number}`;
    try {
      id = String(idOf.get(number)?.["id"]);
      const record = readRecord(new ColumnReader(one.get(number) as unknown as Column[]));
      const ended = record.status === "COMPLETED" || record.status === "FAILED" || record.status === "TERMINATED";
      if (ended !== (record.completedAt !== undefined))
        find("reference", `The instance '${id}' is ${record.status}, and its time of completion says otherwise. ${RESTORE}`, id);
      const wrong = HOW_NUMBERS_ARE.find((name) => !Number.isSafeInteger(record[name]) || record[name] < 0);
      if (wrong !== undefined) find("row", `The record of instance '${id}' has ${String(record[wrong])} as its ${wrong}. ${RESTORE}`, id);
      if (record.lockedBy !== undefined && !record.held)
        find("reference", `The entity '${id}' is locked, and what comes for it is not held back. ${RESTORE}`, id);
      if (!hubs.has(hubOf.get(number)?.["hub"] ?? null))
        find("reference", `The instance '${id}' belongs to no task hub of this file. ${RESTORE}`, id);
    } catch (error) {
      if (error instanceof Enough) throw error;
      find("row", `The record of instance '${id}' cannot be read: ${messageOf(error)} ${DAMAGED}`, id);
    }
  }
}

const HOW_NUMBERS_ARE = ["createdAt", "updatedAt", "epoch", "turn", "generation", "historyLength", "attempts", "dropped"] as const;

function checkPayloads(db: DatabaseSync, find: Find): void {
  goneIn(db, "payloads", "payloads", find);
  for (const [id, value] of rows(db, "select i.id, p.value from payloads p join instances i using(number) where p.slot = 3")) {
    if (!isJson(value)) find("row", `The failure of instance '${id}' cannot be read. ${RESTORE}`, String(id));
  }
}

function checkHistories(db: DatabaseSync, find: Find): void {
  goneIn(db, "history", "turns of history", find);
  let at = { number: -1, id: "", next: 0, length: 0, told: false };
  const tell = (message: string): void => {
    if (!at.told) find("row", message, at.id);
    at.told = true;
  };
  const end = (): void => {
    if (at.number >= 0 && at.next !== at.length)
      tell(`The history of instance '${at.id}' has ${at.next} events where its record counts ${at.length}. ${DAMAGED}`);
  };
  const all = `select i.number, i.id, i.history_length, h.turn, h.first, h.count, h.format, h.body
    from instances i left join history h using(number) order by i.number, h.turn`;
  for (const [number, id, length, turn, first, count, format, body] of rows(db, all)) {
    if (number !== at.number) {
      end();
      at = { number: number as number, id: String(id), next: 0, length: length as number, told: false };
    }
    if (turn === null) continue;
    if (first !== at.next)
      tell(`The history of instance '${at.id}' has a gap before turn ${turn}: event ${at.next} is missing. ${DAMAGED}`);
    at.next = (first as number) + (count as number);
    try {
      const events = decodeEvents(String(body), format as number);
      if (events.length !== count) tell(`Turn ${turn} of instance '${at.id}' has ${events.length} events in place of ${count}. ${DAMAGED}`);
    } catch (error) {
      tell(`The history of instance '${at.id}' cannot be read at turn ${turn}: ${messageOf(error)} ${DAMAGED}`);
    }
  }
  end();
}

function checkMessages(db: DatabaseSync, find: Find): void {
  goneIn(db, "messages", "messages", find);
  const all = `select i.id, i.number, m.lane, m.sequence, m.id, m.execution, m.visible_at, m.arrived_at, m.format, m.body
    from messages m join instances i using(number)`;
  for (const [to, number, ...columns] of rows(db, all)) {
    try {
      readMessage(new ColumnReader(columns), number as number, String(to));
    } catch (error) {
      find("row", `The message '${columns[2]}' to instance '${to}' cannot be read: ${messageOf(error)} ${DAMAGED}`, String(to));
    }
  }
}

function checkActivities(db: DatabaseSync, find: Find): void {
  goneIn(db, "activities", "activities", find);
  const all = `select i.id, i.generation, a.generation, a.name, a.task_id, a.tags from activities a join instances i using(number)`;
  for (const [id, generation, of, name, task, tags] of rows(db, all)) {
    if (tags !== null && !isJson(tags))
      find("row", `The activity '${name}' (#${task}) of instance '${id}' cannot be read. ${DAMAGED}`, String(id));
    if ((of as number) > (generation as number))
      find(
        "reference",
        `The activity '${name}' (#${task}) of instance '${id}' is of an execution that has not been. ${RESTORE}`,
        String(id),
      );
  }
}

/**
 * What is ready is told by rows of its own. That an instance nobody holds has none cannot be told from here, where nobody knows who is held;
 * it is made up for whenever the file is opened.
 */
function checkReady(db: DatabaseSync, find: Find): void {
  goneIn(db, "ready", "rows of what is ready", find);
  const all = `select i.id, i.name, i.hub, r.name, r.hub, i.status, exists(select 1 from messages m where m.number = i.number)
    from ready r join instances i using(number)`;
  for (const [id, name, hub, readyName, readyHub, status, hasMessages] of rows(db, all)) {
    const wrong =
      readyHub !== hub
        ? "of another task hub"
        : readyName !== "" && readyName !== name
          ? `under the name '${readyName}'`
          : readyName !== "" && (status as number) >= FIRST_TERMINAL
            ? "for a program, and it has ended"
            : hasMessages === 0
              ? "and has nothing to do"
              : undefined;
    if (wrong !== undefined) find("reference", `The instance '${id}' is marked as ready ${wrong}. ${RESTORE}`, String(id));
  }
}

function checkNumbers(db: DatabaseSync, find: Find): void {
  const [next, last] =
    [...rows(db, "select (select value from meta where key = 'next_number'), coalesce(max(number), 0) from instances")][0] ?? [];
  if (typeof next !== "number" || typeof last !== "number" || next <= last)
    find("reference", `The next new instance would have the number ${next}, which is not beyond the last one, ${last}. ${RESTORE}`);
}

/** Rows whose instance is gone: nobody will ever read or remove them. */
function goneIn(db: DatabaseSync, table: string, what: string, find: Find): void {
  for (const [number, count] of rows(
    db,
    `select number, count(*) from ${table} where number not in (select number from instances) group by number`,
  )) {
    find("reference", `There are ${count} ${what} of the instance number ${number}, which is gone. ${RESTORE}`);
  }
}

function isJson(value: Column | undefined): boolean {
  try {
    JSON.parse(String(value));
    return true;
  } catch {
    return false;
  }
}
