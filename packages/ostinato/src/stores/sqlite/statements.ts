// statements: every word of SQL that a running hub needs, prepared once per connection.
//
// Always:  rows come back as arrays, in the order of the columns named here.

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { LATEST_INSTANT } from "../../contract/instant.ts";
import { COLD_COLUMNS, FIXED_COLUMNS, HOT_COLUMNS, RECORD_COLUMNS } from "../sql/rows.ts";

const RECORD = RECORD_COLUMNS.join(", ");
/** The slot of an entity's state. */
export const STATE = 4;
const slotOf = (slot: number): string => `(select value from payloads p where p.number = i.number and slot = ${slot})`;
// Only entities have a state: nobody else pays for the look.
const PAYLOADS = [...[0, 1, 2, 3].map(slotOf), `case when i.kind = 1 then ${slotOf(STATE)} end`].join(", ");
/** Selects what readStored reads. */
export const STORED = `select ${RECORD.replaceAll(/\b(\w+)/g, "i.$1")}, ${PAYLOADS} from instances i`;
const MESSAGE = "due_at, lane, sequence, id, execution, visible_at, arrived_at, format, body";
const ACTIVITY_KEY = "number = ? and generation = ? and task_id = ?";
const dueInLane = (lane: number): string =>
  `(select due_at from messages m where m.number = i.number and lane = ${lane} order by due_at limit 1)`;

/** The statements of one connection. */
export interface Statements {
  readonly begin: StatementSync;
  readonly commit: StatementSync;
  readonly rollback: StatementSync;
  readonly setMeta: StatementSync;
  readonly hubOfName: StatementSync;
  readonly insertHub: StatementSync;
  readonly insertInstance: StatementSync;
  readonly updateHot: StatementSync;
  readonly updateFull: StatementSync;
  readonly epochOf: StatementSync;
  readonly turnOf: StatementSync;
  readonly numberOf: StatementSync;
  readonly recordOf: StatementSync;
  readonly idOf: StatementSync;
  readonly standing: StatementSync;
  readonly storedById: StatementSync;
  readonly claimInstance: StatementSync;
  readonly raiseEpoch: StatementSync;
  readonly delay: StatementSync;
  readonly setPayload: StatementSync;
  readonly dropPayload: StatementSync;
  readonly appendHistory: StatementSync;
  readonly dropHistory: StatementSync;
  readonly historyHead: StatementSync;
  readonly historyPage: StatementSync;
  readonly insertMessage: StatementSync;
  readonly dueOf: StatementSync;
  readonly consume: StatementSync;
  readonly cancel: StatementSync;
  readonly inLane: StatementSync;
  readonly dropMessagesOf: StatementSync;
  readonly readiness: StatementSync;
  readonly insertReady: StatementSync;
  readonly dropReady: StatementSync;
  readonly readyOf: StatementSync;
  readonly nextReadyOf: StatementSync;
  readonly nextReadyName: StatementSync;
  readonly nextReadyNameFrom: StatementSync;
  readonly nextReadyEntity: StatementSync;
  readonly insertActivity: StatementSync;
  readonly activityEpoch: StatementSync;
  readonly finishFenced: StatementSync;
  readonly finish: StatementSync;
  readonly dropActivitiesOf: StatementSync;
  readonly unclaimedOf: StatementSync;
  readonly nextUnclaimedOf: StatementSync;
  readonly nextUnclaimedName: StatementSync;
  readonly claimActivity: StatementSync;
  readonly releaseActivity: StatementSync;
  readonly putAside: StatementSync;
  readonly offerAside: StatementSync;
  readonly releaseActivitiesOf: StatementSync;
  readonly releaseActivities: StatementSync;
  readonly stranded: StatementSync;
  readonly startWaiting: StatementSync;
  readonly anyMessage: StatementSync;
  readonly dropRows: readonly StatementSync[];
  readonly lastNumber: StatementSync;
  readonly entityBehind: StatementSync;
  readonly finishedAfter: StatementSync;
  readonly activitiesOf: StatementSync;
  readonly inboxOf: StatementSync;
}

const marks = (count: number): string => Array.from({ length: count }, () => "?").join(", ");
const sets = (columns: readonly string[]): string => columns.map((column) => `${column} = ?`).join(", ");

/** Prepares them all. */
export function prepare(db: DatabaseSync): Statements {
  const sql = (text: string): StatementSync => {
    const statement = db.prepare(text);
    statement.setReturnArrays(true);
    return statement;
  };
  const insertColumns = ["number", "hub", ...FIXED_COLUMNS, ...HOT_COLUMNS, ...COLD_COLUMNS];
  return {
    begin: sql("begin immediate"),
    commit: sql("commit"),
    rollback: sql("rollback"),
    setMeta: sql("update meta set value = ? where key = ?"),
    hubOfName: sql("select hub, closed from hubs where name = ?"),
    insertHub: sql("insert into hubs(name) values(?) returning hub"),
    insertInstance: sql(
      `insert into instances(${insertColumns.join(", ")}) values(${marks(insertColumns.length)}) on conflict(hub, id) do nothing`,
    ),
    updateHot: sql(`update instances set ${sets(HOT_COLUMNS)} where number = ?`),
    updateFull: sql(`update instances set ${sets([...HOT_COLUMNS, ...COLD_COLUMNS])} where number = ?`),
    turnOf: sql("select turn from instances where number = ?"),
    epochOf: sql("select epoch from instances where number = ?"),
    numberOf: sql("select number from instances where hub = ? and id = ?"),
    recordOf: sql(`select ${RECORD} from instances where number = ?`),
    standing: sql("select epoch, held from instances where number = ?"),
    idOf: sql("select id from instances where number = ?"),
    storedById: sql(`${STORED} where hub = ? and id = ?`),
    claimInstance: sql(`update instances set epoch = epoch + 1, attempts = attempts + 1 where number = ? returning ${RECORD}`),
    raiseEpoch: sql("update instances set epoch = epoch + 1 where number = ?"),
    delay: sql("update instances set not_before = max(coalesce(not_before, 0), ?) where number = ?"),
    setPayload: sql("insert into payloads values(?, ?, ?) on conflict do update set value = excluded.value"),
    dropPayload: sql("delete from payloads where number = ? and slot = ?"),
    appendHistory: sql("insert into history(number, turn, first, count, format, body) values(?, ?, ?, ?, ?, ?)"),
    dropHistory: sql("delete from history where number = ?"),
    historyHead: sql("select number, generation from instances where hub = ? and id = ?"),
    historyPage: sql("select turn, first, format, body from history where number = ? and turn > ? and first + count > ? order by turn"),
    insertMessage: sql(`insert or ignore into messages(number, ${MESSAGE}) values(${marks(10)})`),
    dueOf: sql("select due_at from messages where number = ? and id = ?"),
    consume: sql("delete from messages where number = ? and id = ? and due_at <= ?"),
    cancel: sql("delete from messages where number = ? and id = ?"),
    inLane: sql(`select ${MESSAGE} from messages where number = ? and lane = ? order by due_at, sequence`),
    dropMessagesOf: sql("delete from messages where number = ? and execution = ?"),
    readiness: sql(
      `select hub, name, status, held, not_before, ${dueInLane(0)}, ${dueInLane(1)}, ${dueInLane(2)}, ${dueInLane(3)} from instances i where number = ?`,
    ),
    insertReady: sql("insert into ready(number, name, hub, at) values(?, ?, ?, ?)"),
    dropReady: sql("delete from ready where number = ?"),
    readyOf: sql("select at, number from ready where hub = ? and name = ? and at <= ? order by at limit ?"),
    nextReadyOf: sql("select at from ready where hub = ? and name = ? and at > ? order by at limit 1"),
    nextReadyName: sql("select min(name) from ready where hub = ? and name > ?"),
    nextReadyNameFrom: sql("select min(name) from ready where hub = ? and name >= ?"),
    nextReadyEntity: sql("select min(name) from ready where hub = ? and name > ? and name < 'A'"), // "A" comes next to "@"
    insertActivity: sql(
      `insert or replace into activities(number, generation, task_id, name, execution_id, version, input, tags, attempt, idempotency_key, attempt_timeout_ms,
        expires_at, trace_context, epoch, born, delivery, owner, hub, visible_at) values(${marks(19)})`,
    ),
    activityEpoch: sql(`select epoch from activities where ${ACTIVITY_KEY}`),
    finishFenced: sql(`delete from activities where ${ACTIVITY_KEY} and epoch = ?`),
    finish: sql(`delete from activities where ${ACTIVITY_KEY}`),
    dropActivitiesOf: sql("delete from activities where number = ? and generation = ?"),
    unclaimedOf: sql(
      "select visible_at, number, generation, task_id from activities where hub = ? and name = ? and owner is null and visible_at <= ? order by visible_at limit ?",
    ),
    nextUnclaimedOf: sql(
      `select visible_at from activities where hub = ? and name = ? and owner is null and visible_at > ? and visible_at < ${LATEST_INSTANT}
        order by visible_at limit 1`,
    ),
    nextUnclaimedName: sql("select min(name) from activities where hub = ? and name > ? and owner is null"),
    claimActivity: sql(
      `update activities set owner = ?, visible_at = ?, epoch = epoch + 1, delivery = delivery + 1 where ${ACTIVITY_KEY}
        returning (select id from instances i where i.number = activities.number), number, generation, task_id, name, execution_id, version, input, tags,
        attempt, idempotency_key, attempt_timeout_ms, expires_at, trace_context, epoch, delivery, born`,
    ),
    releaseActivity: sql(
      `update activities set owner = null, visible_at = ?, delivery = delivery - ? where ${ACTIVITY_KEY} and epoch = ? and owner = ?`,
    ),
    // What was put aside is to be had at the end of time.
    putAside: sql(`update activities set owner = null, visible_at = ${LATEST_INSTANT}, delivery = ? where ${ACTIVITY_KEY}`),
    offerAside: sql(`update activities set visible_at = ? where number = ? and owner is null and visible_at = ${LATEST_INSTANT}`),
    releaseActivitiesOf: sql("update activities set owner = null, visible_at = ? where owner = ?"),
    releaseActivities: sql("update activities set owner = null, visible_at = ? where owner is not null"),
    stranded: sql("select distinct number from messages where number not in (select number from ready)"),
    startWaiting: sql("select 1 from messages where number = ? and lane = 1 limit 1"),
    anyMessage: sql("select 1 from messages where number = ? limit 1"),
    dropRows: ["instances", "payloads", "history", "messages", "ready", "activities"].map((table) =>
      sql(`delete from ${table} where number = ?`),
    ),
    entityBehind: sql(
      "select number from instances indexed by instances_entities where hub = ? and number > ? and kind = 1 order by number limit 1 offset ?",
    ),
    lastNumber: sql("select coalesce(max(number), 0) from instances"),
    finishedAfter: sql(
      `select number, id, name, status, epoch, completed_at, parent_id, parent_execution from instances indexed by instances_by_completion
        where hub = ? and completed_at >= ? and (completed_at, id) > (?, ?) and completed_at < ? and status >= 3 and status in (?, ?, ?)
        order by completed_at, id limit ?`,
    ),
    activitiesOf: sql(
      `select count(*) over (), task_id, name, attempt, delivery, owner is not null, visible_at, expires_at from activities where number = ?
        order by generation, task_id limit ?`,
    ),
    inboxOf: sql(
      `select coalesce(sum(due_at <= ?), 0), min(due_at), coalesce(sum(due_at > ?), 0),
        count(*) > 0 and not exists(select 1 from ready where number = ?) and (select held from instances where number = ?) = 0
        from messages where number = ?`,
    ),
  };
}
