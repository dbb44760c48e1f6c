// sizes: how large a schema is and what is in it, without reading what is large.
//
// Always:  one snapshot, on one connection. At most so many rows of a table are counted one by one; what has more is estimated, and said to be.

import type { InstanceStatus } from "../../contract/instance.ts";
import type { EstimatedSize, HubSizes, TableSizes } from "../../contract/maintenance.ts";
import { FIRST_TERMINAL, STATUSES } from "../sql/rows.ts";
import type { PostgresRow } from "./database.ts";
import { inSchema } from "./functions.ts";
import type { Connection } from "./place.ts";

/** So many rows are counted. */
const COUNTED = 100_000;
/** So many rows, about, stand for all of them. */
const SAMPLE = 50_000;
const LONGEST = 10;

/** Asks a statement whose `{schema}` is filled in. */
type Ask = (text: string, values?: unknown[]) => Promise<readonly PostgresRow[]>;

/** A number of rows, and whether it was counted. */
interface Count {
  readonly rows: number;
  readonly isExact: boolean;
}

/** The sizes of a schema, and of one hub in it. */
export async function sizesOf(connection: Connection, schema: string, hub: number, counted: number = COUNTED): Promise<HubSizes> {
  const ask: Ask = async (text, values) =>
    (await connection.query({ text: inSchema(text, schema), ...(values === undefined ? {} : { values }) })).rows;
  // By the indexes, whatever the statistics say: they are small where the tables are not.
  await ask("begin isolation level repeatable read read only; set local enable_seqscan = off");
  try {
    return await measured(ask, schema, hub, counted);
  } finally {
    await ask("rollback");
  }
}

async function measured(ask: Ask, schema: string, hub: number, counted: number): Promise<HubSizes> {
  const tables = await tablesOf(ask, schema);
  const { instances, entities, isWhole, estimated } = await byStatus(ask, hub, counted);
  const [messages, activities, historyRows] = [
    await countOf(ask, "messages", counted),
    await countOf(ask, "activities", counted),
    await countOf(ask, "history", counted),
  ];
  const guessed = [...estimated];
  for (const [name, count] of Object.entries({ messages, activities, historyRows }))
    if (!count.isExact) guessed.push(name as EstimatedSize);
  return {
    fileBytes: tables.reduce((sum, { bytes, indexBytes }) => sum + bytes + indexBytes, 0),
    walBytes: 0,
    freeBytes: 0,
    shrinks: false,
    instances,
    entities,
    messages: messages.rows,
    activities: activities.rows,
    historyRows: historyRows.rows,
    historyBytes: tables.find(({ name }) => name === "history")?.bytes ?? 0,
    longestHistories: await longestOf(ask, hub, isWhole ? undefined : counted),
    tables,
    estimated: isWhole ? guessed : [...guessed, "longestHistories"],
  };
}

async function tablesOf(ask: Ask, schema: string): Promise<readonly TableSizes[]> {
  const rows = await ask(
    `select c.relname::text as name, pg_table_size(c.oid) as bytes, pg_indexes_size(c.oid) as index_bytes,
      coalesce(s.n_live_tup, 0) as rows, coalesce(s.n_dead_tup, 0) as dead_rows
    from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
    where n.nspname = $1 and c.relkind = 'r' order by pg_total_relation_size(c.oid) desc, c.relname`,
    [schema],
  );
  return rows.map((row) => ({
    name: String(row["name"]),
    bytes: Number(row["bytes"]),
    indexBytes: Number(row["index_bytes"]),
    rows: Number(row["rows"]),
    deadRows: Number(row["dead_rows"]),
  }));
}

async function countOf(ask: Ask, table: string, counted: number): Promise<Count> {
  const [row] = await ask(`select count(*)::int as rows from (select 1 from {schema}.${table} limit ${counted + 1}) t`);
  const rows = Number(row?.["rows"]);
  return rows <= counted ? { rows, isExact: true } : { rows: await plannedRows(ask, table), isExact: false };
}

/** What the planner takes a table to have: its size now, by the density that was last found. */
async function plannedRows(ask: Ask, table: string): Promise<number> {
  const [row] = await ask(`explain (format json) select 1 from {schema}.${table}`);
  const [plan] = row?.["QUERY PLAN"] as readonly [{ readonly Plan: { readonly "Plan Rows": number } }];
  return plan.Plan["Plan Rows"];
}

interface ByStatus {
  readonly instances: Readonly<Record<InstanceStatus, number>>;
  readonly entities: number;
  /** All were counted. */
  readonly isWhole: boolean;
  readonly estimated: readonly EstimatedSize[];
}

/** A group of instances: of one kind, in one status. */
interface Group {
  readonly isEntity: boolean;
  readonly status: number;
  readonly count: number;
}

async function byStatus(ask: Ask, hub: number, counted: number): Promise<ByStatus> {
  const all = await countOf(ask, "instances", counted);
  const grouped = "t.kind, t.status, count(*)::int as count";
  if (all.isExact) {
    const groups = groupsOf(await ask(`select ${grouped} from {schema}.instances t where t.hub = $1 group by t.kind, t.status`, [hub]));
    return { ...totals(groups), isWhole: true, estimated: [] };
  }
  // What is open has an index, and is what people ask for; what has ended is sampled.
  const open = groupsOf(
    await ask(
      `select ${grouped} from (select i.kind, i.status from {schema}.instances i where i.hub = $1 and i.status < ${FIRST_TERMINAL} limit ${counted + 1}) t group by t.kind, t.status`,
      [hub],
    ),
  );
  const share = Math.min(1, SAMPLE / all.rows);
  const sample = groupsOf(
    await ask(`select ${grouped} from {schema}.instances t tablesample system ($2) where t.hub = $1 group by t.kind, t.status`, [
      hub,
      share * 100,
    ]),
  ).map((group) => ({ ...group, count: Math.round(group.count / share) }));
  const isOpenCounted = open.reduce((sum, { count }) => sum + count, 0) <= counted;
  const ended = sample.filter(({ status }) => status >= FIRST_TERMINAL);
  const { instances, entities } = totals(isOpenCounted ? [...open, ...ended] : sample);
  return { instances, entities, isWhole: false, estimated: isOpenCounted ? ["instances"] : ["instances", "entities"] };
}

function groupsOf(rows: readonly PostgresRow[]): readonly Group[] {
  return rows.map(({ kind, status, count }) => ({ isEntity: Number(kind) === 1, status: Number(status), count: Number(count) }));
}

function totals(groups: readonly Group[]): Pick<ByStatus, "instances" | "entities"> {
  const instances = Object.fromEntries(STATUSES.map((status) => [status, 0])) as Record<InstanceStatus, number>;
  let entities = 0;
  for (const { isEntity, status, count } of groups) {
    const name = STATUSES[status];
    if (isEntity) entities += count;
    else if (name !== undefined) instances[name] += count;
  }
  return { instances, entities };
}

/** The longest histories: of all, or of what is open and what ended last, so many of each. */
async function longestOf(ask: Ask, hub: number, counted: number | undefined): Promise<HubSizes["longestHistories"]> {
  const columns = "i.id, i.history_length from {schema}.instances i where i.hub = $1";
  const among =
    counted === undefined
      ? `select ${columns}`
      : `(select ${columns} and i.status < ${FIRST_TERMINAL} limit ${counted}) union all
         (select ${columns} and i.completed_at is not null order by i.completed_at desc, i.id desc limit ${counted})`;
  const rows = await ask(
    `select t.id, t.history_length from (${among}) t where t.history_length > 0 order by t.history_length desc, t.id limit ${LONGEST}`,
    [hub],
  );
  return rows.map((row) => ({ instanceId: String(row["id"]), events: Number(row["history_length"]) }));
}
