// schema: the tables of a task hub in PostgreSQL, as migrations in order.
//
// Owns:    the format number of a schema and what each format added. The functions that work on the tables stand in functions.ts and belong to a format too.
// Always:  a released migration never changes; a new one is added at the end.
//          V2 connecting migrates nothing but an empty schema; a format only adds what the one before it does not read, so that both work side by side.
//          `{schema}` stands for the quoted name of the schema.

import { FUNCTIONS_1 } from "./functions.ts";

/** One step from a format to the next. */
export interface PostgresMigration {
  /** The format that the schema has afterwards. */
  readonly format: number;
  /** The oldest version's format that can still work beside it. */
  readonly readableBy: number;
  readonly statements: string;
}

/**
 * The tables.
 *
 * `instances` is narrow and updated in place: payloads stand in `payloads`, and what each turn writes (epoch, turn, lengths, times) is in no index, so a turn
 * is a heap-only update. `owner` is whoever holds the lease: a row of `owners`, one for each process. An instance that nobody holds has none.
 * `payloads` have slots: 0 input, 1 output, 2 custom status, 3 failure, 4 an entity's state.
 * `messages` stand in the order in which they are handed out: by lane, due time and arrival. Lanes: 0 wakes always and the engine answers it,
 * 1 wakes always, 2 waits while held and the engine answers it, 3 waits while held.
 * `ready` has a row for each instance that nobody holds and that has something due now or later: under its program's name, and under "" when
 * the engine of any process can go on with it. Names that begin with "@" are entities'. Claims read nothing else, so that they cost the same beside any number of messages.
 * `news` has a row for each instance that is held and for which somebody else has written a message since: whoever holds it looks there.
 * `activities` that somebody has claimed stand in no index but their key.
 * A hub that is `closed` is worked on by nobody: the text says why, and `move` where it goes or has gone, or where its rows come from.
 * Keys are compared byte by byte, whatever the language of the database: names that begin with "@" stand together, a claim walks from name to name, and
 * an index stays good when the system's rules of sorting change beneath it.
 * There are no foreign keys: whoever writes holds the lock on the instance's row, and a message to nobody is counted, not refused.
 */
export const POSTGRES_MIGRATIONS: readonly PostgresMigration[] = [
  {
    format: 1,
    readableBy: 1,
    statements: `
create table {schema}.meta(key text primary key, value bigint not null);
create table {schema}.hubs(hub int generated always as identity primary key, name text collate "C" not null unique, closed text, move text);
create table {schema}.owners(owner bigint generated always as identity primary key, hub int not null, alive_until bigint not null, gone boolean not null default false,
  label text not null, since bigint not null, timeline int not null) with (fillfactor = 50, autovacuum_vacuum_threshold = 200);
create sequence {schema}.sequences as bigint;
create table {schema}.instances(
  number bigint generated always as identity primary key, hub int not null, id text collate "C" not null, kind smallint not null, name text collate "C" not null, created_at bigint not null,
  parent_id text collate "C", epoch bigint not null, turn bigint not null, history_length bigint not null, updated_at bigint not null, last_turn_at bigint not null,
  attempts int not null, status smallint not null, version text, execution_id text not null, lineage text not null, scheduled_at bigint, started_at bigint,
  completed_at bigint, tags text, trace_context text, generation bigint not null, held smallint not null, not_before bigint, stall text, awaited_events text,
  sections text, locked_by text, dropped bigint not null, parent_execution text, parent_name text, parent_version text, parent_task bigint, format smallint not null,
  owner bigint) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);
create unique index instances_by_id on {schema}.instances(hub, id);
create index instances_by_parent on {schema}.instances(hub, parent_id) where parent_id is not null;
create index instances_stalled on {schema}.instances(hub, number) where stall is not null;
create index instances_unfinished on {schema}.instances(hub, number) where status < 3;
create index instances_entities on {schema}.instances(hub, number) where kind = 1;
create index instances_by_completion on {schema}.instances(hub, completed_at, id) where completed_at is not null;
create index instances_owned on {schema}.instances(owner) where owner is not null;
create table {schema}.payloads(number bigint not null, slot smallint not null, value text not null, primary key(number, slot));
create table {schema}.history(number bigint not null, turn bigint not null, first bigint not null, count int not null, format smallint not null, body text not null,
  primary key(number, turn));
create table {schema}.messages(number bigint not null, lane smallint not null, due_at bigint not null, sequence bigint not null, id text collate "C" not null, execution text collate "C",
  visible_at bigint, arrived_at bigint not null, format smallint not null, body text not null, primary key(number, lane, due_at, sequence))
  with (autovacuum_vacuum_scale_factor = 0.05);
create unique index messages_by_id on {schema}.messages(number, id);
create table {schema}.ready(number bigint not null, name text collate "C" not null, hub int not null, at bigint not null, primary key(number, name))
  with (autovacuum_vacuum_scale_factor = 0.02);
create index ready_by_name on {schema}.ready(hub, name, at);
create table {schema}.news(number bigint primary key, owner bigint not null, from_sequence bigint not null, at bigint not null)
  with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02);
create index news_by_owner on {schema}.news(owner);
create table {schema}.activities(number bigint not null, generation bigint not null, task_id bigint not null, hub int not null, name text collate "C" not null,
  execution_id text not null, version text, input text, tags text, attempt int not null, idempotency_key text not null, attempt_timeout_ms bigint,
  expires_at bigint, trace_context text, epoch bigint not null, born smallint not null, delivery int not null, owner bigint, visible_at bigint not null,
  primary key(number, generation, task_id)) with (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02);
create index activities_unclaimed on {schema}.activities(hub, name, visible_at) where owner is null;
${FUNCTIONS_1}`,
  },
];

/** The format that this version writes. */
export const POSTGRES_FORMAT = POSTGRES_MIGRATIONS.at(-1)?.format ?? 0;
