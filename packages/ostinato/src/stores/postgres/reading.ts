// reading: instances, pages of history and of queries.
//
// Always:  each statement has parameters only, and gives a bounded page.
//          H9 a page of history is of the generation that the first page was of, or says that it is gone.

import { InvalidStateError } from "../../contract/errors.ts";
import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceId } from "../../contract/ids.ts";
import type { TerminalStatus } from "../../contract/instance.ts";
import { LATEST_INSTANT } from "../../contract/instant.ts";
import { OUTSTANDING_ACTIVITIES } from "../../contract/outstanding.ts";
import type { Outstanding } from "../../contract/outstanding.ts";
import type { InstanceFilter } from "../../contract/queries.ts";
import { given } from "../../contract/recorded-as.ts";
import type { FinishedInstance, FinishedPage, FinishedRequest } from "../../engine/store.ts";
import { decodeRow } from "../sql/history-row.ts";
import { FIRST_TERMINAL, STATUSES, statusOf } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";
import type { Row } from "./answers.ts";
import { STORED_COLUMNS } from "./functions.ts";

/** Asks a statement whose `{schema}` is filled in; rows come as arrays in one column, `r`. */
export type Ask = (text: string, values: unknown[]) => Promise<readonly Row[]>;

/** The slot of an entity's state. */
const STATE = 4;
/** How much of a history one page has: at most this many rows, and not many more characters. */
const PAGE_ROWS = 500;
const PAGE_CHARACTERS = 262_144;

const HISTORY_PAGE = `
  select json_build_array(i.number, i.generation, h.turn, h.first, h.format, h.body, i.history_length) as r from {schema}.instances i left join lateral (
    select p.* from (
      select h.*, sum(length(h.body)) over (order by h.turn) - length(h.body) as before from {schema}.history h
      where h.number = i.number and h.turn > $3 and h.first + h.count > $4 order by h.turn limit ${PAGE_ROWS}) p where p.before <= ${PAGE_CHARACTERS}) h on true
  where i.hub = $1 and i.id = $2 order by h.turn`;

/** Pages of the history of the current execution, from event number `from` on. */
export async function* readHistory(ask: Ask, hub: number, id: InstanceId, from = 0): AsyncGenerator<readonly HistoryEvent[]> {
  let head: readonly [Column, Column] | undefined;
  let after = -1;
  for (;;) {
    const rows = await ask(HISTORY_PAGE, [hub, id, after, from]);
    const [first] = rows;
    if (head !== undefined && (first === undefined || first[0] !== head[0] || first[1] !== head[1]))
      throw new InvalidStateError(`The history of instance ${id} was replaced while it was being read. Read it again.`);
    if (first === undefined || first[2] === null) return;
    head = [first[0] ?? null, first[1] ?? null];
    const events: HistoryEvent[] = [];
    let isLast = false;
    for (const row of rows) {
      const [, , turn, begins, format, body, length] = row as readonly [number, number, number, number, number, string, number];
      const decoded = decodeRow(id, { turn, format, body });
      for (let i = Math.max(0, from - begins); i < decoded.length; i++) events.push(decoded[i]!);
      after = turn;
      isLast = begins + decoded.length >= length;
    }
    if (events.length > 0) yield events;
    // Whoever asked again would learn nothing, or that the history was replaced since.
    if (isLast) return;
  }
}

/** A page of a query: records and payloads, behind a number. */
export function askForPage(ask: Ask, hub: number, filter: InstanceFilter, after: number, size: number): Promise<readonly Row[]> {
  const { conditions, values } = conditionsOf(filter, hub, after);
  return ask(
    `select json_build_array(${STORED_COLUMNS}) as r from {schema}.instances i where ${conditions.join(" and ")} order by i.number limit ${size}`,
    values,
  );
}

function conditionsOf(
  filter: InstanceFilter,
  hub: number,
  after: number,
): { readonly conditions: readonly string[]; readonly values: unknown[] } {
  const values: unknown[] = [hub, after];
  const conditions = ["i.hub = $1", "i.number > $2"];
  const where = (condition: (mark: string) => string, value: unknown): void => {
    values.push(value);
    conditions.push(condition(`$${values.length}`));
  };
  const from = (column: string, value: unknown): void => {
    if (value !== undefined) where((mark) => `i.${column} >= ${mark}`, value);
  };
  const before = (column: string, value: unknown): void => {
    if (value !== undefined) where((mark) => `i.${column} < ${mark}`, value);
  };
  const { kind, name, status, idPrefix, parent, stalled, tags, hasState, locked } = filter;
  if (parent !== undefined) where((mark) => `i.parent_id = ${mark}`, parent);
  if (kind !== undefined) conditions.push(kind === "entity" ? "i.kind = 1" : "i.kind = 0");
  if (name !== undefined) where((mark) => `i.name = ${mark}`, name);
  if (status !== undefined) {
    const wanted = status.map((one) => STATUSES.indexOf(one));
    where((mark) => `i.status = any(${mark}::int[])`, wanted);
    // As a literal, so that the index over those that have not ended answers.
    if (wanted.every((one) => one < FIRST_TERMINAL)) conditions.push(`i.status < ${FIRST_TERMINAL}`);
  }
  if (stalled !== undefined) conditions.push(stalled ? "i.stall is not null" : "i.stall is null");
  if (idPrefix !== undefined && idPrefix !== "") where((mark) => `starts_with(i.id, ${mark})`, idPrefix);
  from("created_at", filter.createdFrom);
  before("created_at", filter.createdTo);
  from("completed_at", filter.completedFrom);
  before("completed_at", filter.completedTo);
  from("updated_at", filter.updatedFrom);
  before("updated_at", filter.updatedTo);
  if (hasState !== undefined)
    conditions.push(`${hasState ? "" : "not "}exists (select 1 from {schema}.payloads p where p.number = i.number and p.slot = ${STATE})`);
  if (locked !== undefined) conditions.push(locked ? "i.locked_by is not null" : "i.locked_by is null");
  for (const [key, value] of Object.entries(tags ?? {}))
    where((mark) => `i.tags::jsonb @> ${mark}::jsonb`, JSON.stringify({ [key]: value }));
  return { conditions, values };
}

/** Finished instances in order of completion. */
export async function readFinished(ask: Ask, hub: number, request: FinishedRequest, now: number | null): Promise<FinishedPage> {
  const { statuses, from = 0, to = LATEST_INSTANT, after, size } = request;
  const wanted = statuses?.map((one) => STATUSES.indexOf(one)) ?? [FIRST_TERMINAL, FIRST_TERMINAL + 1, FIRST_TERMINAL + 2];
  const rows = await ask(
    `select json_build_array(coalesce($8::bigint, {schema}.now_1()), f.number, f.id, f.name, f.status, f.epoch, f.completed_at, f.parent_id, f.parent_execution) as r from (select 1) one
      left join (select i.* from {schema}.instances i where i.hub = $1 and i.completed_at is not null and i.completed_at >= $2 and (i.completed_at, i.id) > ($3, $4)
        and i.completed_at < $5 and i.status = any($6::int[]) order by i.completed_at, i.id limit $7) f on true order by f.completed_at, f.id`,
    [hub, Math.max(from, after?.completedAt ?? 0), after?.completedAt ?? -1, after?.id ?? "", to, wanted, size, now],
  );
  const instances: FinishedInstance[] = [];
  for (const [, number, id, name, status, epoch, completedAt, parentId, parentExecution] of rows) {
    if (typeof number !== "number") continue;
    const parent =
      parentId === null || parentExecution === null ? undefined : { instanceId: String(parentId), executionId: String(parentExecution) };
    instances.push({
      number,
      id: String(id),
      name: String(name),
      status: statusOf(Number(status)) as TerminalStatus,
      epoch: Number(epoch),
      completedAt: Number(completedAt),
      ...given({ parent }),
    });
  }
  return { at: Number(rows[0]?.[0]), instances };
}

/** What stands in an instance's name beside its history. */
export async function readOutstanding(ask: Ask, hub: number, id: InstanceId, now: number | null): Promise<Outstanding | undefined> {
  const [row] = await ask(
    `select json_build_array(c.at, i.owner is not null, m.due, m.first, m.later, a.total, a.list) as r
      from {schema}.instances i cross join (select coalesce($3::bigint, {schema}.now_1()) as at) c
      cross join lateral (select count(*) filter (where m.due_at <= c.at) as due, min(m.due_at) filter (where m.due_at <= c.at) as first,
        count(*) filter (where m.due_at > c.at) as later from {schema}.messages m where m.number = i.number) m
      cross join lateral (select max(t.total) as total, json_agg(json_build_array(t.task_id, t.name, t.attempt, t.delivery, t.owner is not null, t.visible_at, t.expires_at)
        order by t.generation, t.task_id) as list from (select a.*, count(*) over () as total from {schema}.activities a where a.number = i.number
        order by a.generation, a.task_id limit ${OUTSTANDING_ACTIVITIES}) t) a
      where i.hub = $1 and i.id = $2`,
    [hub, id, now],
  );
  if (row === undefined) return undefined;
  const [at, isClaimed, dueMessages, oldestDueAt, laterMessages, activityCount, list] = row as unknown as readonly [
    at: number,
    isClaimed: boolean,
    due: number,
    first: number | null,
    later: number,
    total: number | null,
    list: readonly (readonly [number, string, number, number, boolean, number, number | null])[] | null,
  ];
  const activities = (list ?? []).map(([taskId, name, attempt, deliveries, isOut, since, expiresAt]) => ({
    taskId,
    name,
    attempt,
    deliveries,
    isOut,
    since,
    ...given({ expiresAt: expiresAt ?? undefined }),
  }));
  return {
    at,
    activities,
    activityCount: activityCount ?? 0,
    dueMessages,
    laterMessages,
    isClaimed,
    ...given({ oldestDueAt: oldestDueAt ?? undefined }),
  };
}
