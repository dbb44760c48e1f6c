// reading: instances, pages of history and of queries.
//
// Always:  each operation is bounded, so that no reader holds up those who write: a query looks at a window of numbers at a time.
//          H9 a page of history is of the generation that the first page was of, or says that it is gone.

import type { StatementSync } from "node:sqlite";
import { OUTSTANDING_ACTIVITIES } from "../../contract/outstanding.ts";
import type { InstanceKind } from "../../contract/ids.ts";
import type { InstanceFilter } from "../../contract/queries.ts";
import { FIRST_TERMINAL, STATUSES } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";
import type { Session } from "./session.ts";
import { STATE, STORED } from "./statements.ts";
import { DONE, HISTORY_NONE, HISTORY_PAGE, HISTORY_REPLACED } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** How much of a history one page has: at most this many rows, and not many more UTF-16 units. */
const PAGE_ROWS = 500;
const PAGE_UNITS = 262_144;
/** How many numbers a query looks at in one go. */
const WINDOW = 20_000;

/** One instance, or none. */
export function applyRead(session: Session, hub: number, from: ColumnReader, reply: Wire): void {
  const row = session.sql.storedById.get(hub, from.text()) as unknown as Column[] | undefined;
  if (row === undefined) reply.push(DONE, 0);
  else reply.push(DONE, 1, ...row);
}

/** A page of history: what kind of answer, number, generation, whether there is more, rows of (turn, first, format, body). */
export function applyHistory(session: Session, hub: number, from: ColumnReader, reply: Wire): void {
  const id = from.text();
  const expected = [from.number(), from.number()] as const;
  const after = from.number();
  const start = from.number();
  const head = session.sql.historyHead.get(hub, id) as unknown as [number, number] | undefined;
  if (expected[0] !== 0 && (head === undefined || head[0] !== expected[0] || head[1] !== expected[1]))
    return void reply.push(DONE, HISTORY_REPLACED);
  if (head === undefined) return void reply.push(DONE, HISTORY_NONE);
  reply.push(DONE, HISTORY_PAGE, ...head, 0, 0);
  const moreAt = reply.length - 2;
  let rows = 0;
  let units = 0;
  for (const row of session.sql.historyPage.iterate(head[0], after, start) as unknown as Iterable<Column[]>) {
    if (rows === PAGE_ROWS || units > PAGE_UNITS) {
      reply[moreAt] = 1;
      break;
    }
    reply.push(...row);
    rows++;
    units += (row[3] as string).length;
  }
  reply[moreAt + 1] = rows;
}

/** Finished instances in order of completion: how many, and for each number, id, name, status, epoch, completed_at, parent's id and execution. */
export function applyFinished(session: Session, hub: number, from: ColumnReader, reply: Wire): void {
  const rows = session.sql.finishedAfter.all(
    hub,
    from.number(),
    from.number(),
    from.text(),
    from.number(),
    from.number(),
    from.number(),
    from.number(),
    from.number(),
  );
  reply.push(DONE, rows.length);
  for (const row of rows as unknown as Column[][]) reply.push(...row);
}

/** What stands in an instance's name: whether it is there, due and later messages, since when, whether it is held; then its activities. */
export function applyOutstanding(session: Session, hub: number, from: ColumnReader, reply: Wire): void {
  const { sql, at, leases } = session;
  const [number] = (sql.numberOf.get(hub, from.text()) as unknown as [number] | undefined) ?? [];
  if (number === undefined) return void reply.push(DONE, 0);
  const [due, first, later, handed] = sql.inboxOf.get(at, at, number, number, number) as unknown as [number, number | null, number, number];
  // Leases are in the memory of the process that has the file. Another one sees that an inbox is full and not on offer.
  reply.push(DONE, 1, due, due > 0 ? first : null, later, leases.of(number) !== undefined || handed === 1 ? 1 : 0);
  const rows = sql.activitiesOf.all(number, OUTSTANDING_ACTIVITIES) as unknown as Column[][];
  reply.push(rows[0]?.[0] ?? 0, rows.length);
  for (const [, ...row] of rows) reply.push(...row);
}

/** A part of a page: up to which number it looked (null: to the end), and rows of record and payloads. */
export function applyQuery(session: Session, hub: number, from: ColumnReader, queries: Map<string, StatementSync>, reply: Wire): void {
  const after = from.number();
  const size = from.number();
  const filter = JSON.parse(from.text()) as InstanceFilter;
  const last = (session.sql.lastNumber.get() as unknown as [number])[0];
  const until = filter.parent !== undefined || filter.stalled === true ? last : windowOf(session, hub, filter.kind, after);
  const { selection, values } = selectionOf(filter, hub, after, until < last ? until : undefined);

  const text = `${STORED} ${selection} order by number limit ?`;
  let statement = queries.get(text);
  if (statement === undefined) {
    if (queries.size > 100) queries.clear();
    statement = session.db.prepare(text);
    statement.setReturnArrays(true);
    queries.set(text, statement);
  }
  const damaged: Column[] = [];
  let rows: Column[][];
  try {
    rows = statement.all(...values, size) as unknown as Column[][];
  } catch {
    const numbers = session.db.prepare(`select number from instances i ${selection} order by number limit ?`);
    numbers.setReturnArrays(true);
    rows = readOneByOne(session, numbers.all(...values, size) as unknown as [number][], damaged);
  }
  reply.push(DONE, until < last ? until : null, rows.length);
  for (const row of rows) reply.push(...row);
  reply.push(damaged.length / 2, ...damaged);
}

/** What a part of a query asks of `instances i`, and the values for its marks: numbers behind `after`, up to `until`. */
export function selectionOf(
  filter: InstanceFilter,
  hub: number,
  after: number,
  until?: number,
): { readonly selection: string; readonly values: readonly Column[] } {
  const conditions = ["hub = ?", "number > ?"];
  const values: Column[] = [hub, after];
  const where = (condition: string, ...given: Column[]): void => void (conditions.push(condition), values.push(...given));
  const { kind, name, status, idPrefix, createdFrom, createdTo, completedFrom, completedTo, parent, stalled, tags } = filter;
  const { updatedFrom, updatedTo, hasState, locked } = filter;
  const isUnfinished = status?.every((one) => STATUSES.indexOf(one) < FIRST_TERMINAL) === true;
  if (parent !== undefined) where("parent_id = ?", parent);
  // As a literal, so that the index over entities answers where there are few of them.
  if (kind !== undefined) where(kind === "entity" ? "kind = 1" : "kind = 0");
  if (name !== undefined) where("name = ?", name);
  if (status !== undefined) where(`status in (${status.map(() => "?").join(", ")})`, ...status.map((one) => STATUSES.indexOf(one)));
  if (isUnfinished) where(`status < ${FIRST_TERMINAL}`);
  // The index over stalled instances answers at once where nothing is stalled, however many instances there are.
  if (stalled === true) where("stall is not null");
  else if (stalled === false) where("stall is null");
  if (idPrefix !== undefined && idPrefix !== "") where("substr(id, 1, length(?)) = ?", idPrefix, idPrefix);
  if (createdFrom !== undefined) where("created_at >= ?", createdFrom);
  if (createdTo !== undefined) where("created_at < ?", createdTo);
  if (completedFrom !== undefined) where("completed_at >= ?", completedFrom);
  if (completedTo !== undefined) where("completed_at < ?", completedTo);
  if (updatedFrom !== undefined) where("updated_at >= ?", updatedFrom);
  if (updatedTo !== undefined) where("updated_at < ?", updatedTo);
  if (hasState !== undefined)
    where(`${hasState ? "" : "not "}exists (select 1 from payloads p where p.number = i.number and p.slot = ${STATE})`);
  if (locked !== undefined) where(locked ? "locked_by is not null" : "locked_by is null");
  for (const [key, value] of Object.entries(tags ?? {}))
    where("exists (select 1 from json_each(tags) t where t.key = ? and t.value = ?)", key, value);
  if (until !== undefined) where("number <= ?", until);
  // Where no index is about these instances alone, their numbers are gone along: every other index has all instances of the hub.
  const hasIndex = parent !== undefined || stalled === true || isUnfinished || kind === "entity";
  return { selection: `${hasIndex ? "" : "not indexed "}where ${conditions.join(" and ")}`, values };
}

/** Up to which number a part of a query looks. Entities stand in an index of their own, so numbers of others do not count. */
function windowOf(session: Session, hub: number, kind: InstanceKind | undefined, after: number): number {
  if (kind !== "entity") return after + WINDOW;
  return (session.sql.entityBehind.get(hub, after, WINDOW) as unknown as [number] | undefined)?.[0] ?? Number.POSITIVE_INFINITY;
}

/** After a row that cannot be read: every other one is found (D5). */
function readOneByOne(session: Session, numbers: readonly [number][], damaged: Column[]): Column[][] {
  const one = session.db.prepare(`${STORED} where number = ?`);
  one.setReturnArrays(true);
  const rows: Column[][] = [];
  for (const [number] of numbers) {
    try {
      rows.push(one.get(number) as unknown as Column[]);
    } catch (error) {
      damaged.push(`number ${number}`, error instanceof Error ? error.message : String(error));
    }
  }
  return rows;
}
