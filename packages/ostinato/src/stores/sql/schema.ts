// schema: the tables, as migrations in order.
//
// Owns:    the format number of a database and what each format added.
// Always:  a released migration never changes; a new one is added at the end.
//          G1 nothing is migrated by the way of connecting to a database that others share: only the one process that holds a file does it.

/** One step from a format to the next. */
export interface Migration {
  /** The format that the database has afterwards. */
  readonly format: number;
  readonly statements: string;
}

/** What marks a database file as a task hub of ours ("osti"). */
export const APPLICATION_ID = 0x6f737469;

/**
 * The tables.
 *
 * `instances` is narrow: payloads stand in `payloads`, and what each turn writes (epoch, turn, lengths, times) is in no index.
 * `payloads` have slots: 0 input, 1 output, 2 custom status, 3 failure, 4 an entity's state.
 * `history` is written at its end, whosever turn it is: rows of many instances fill a page together, where by instance each would touch its own.
 * `messages` stand in the order in which they are handed out: by lane, due time and arrival. Lanes: 0 wakes always and the engine answers it,
 * 1 wakes always, 2 waits while held and the engine answers it, 3 waits while held.
 * `ready` has a row for each instance that nobody holds and that has something due now or later: under its program's name, and under "" when
 * the engine of any process can go on with it. Names that begin with "@" are entities'. Claims read nothing else, so that they cost the same beside any number of messages.
 * `activities` that somebody has claimed stand in no index but their key.
 * A hub that is `closed` is opened by nobody: the text says why, and `move` where it goes or has gone, or where its rows come from.
 */
export const MIGRATIONS: readonly Migration[] = [
  {
    format: 1,
    statements: `
      create table meta(key text primary key, value int not null) without rowid;
      create table hubs(hub integer primary key, name text not null unique);
      create table instances(
        number integer primary key, hub int not null, id text not null, kind int not null, name text not null, created_at int not null,
        parent_id text, parent_execution text, parent_name text, parent_version text, parent_task int,
        epoch int not null, turn int not null, history_length int not null, updated_at int not null, last_turn_at int not null, attempts int not null,
        status int not null, version text, execution_id text not null, lineage text not null, scheduled_at int, started_at int, completed_at int,
        tags text, trace_context text, generation int not null, held int not null, not_before int, stall text, awaited_events text,
        dropped int not null, retain_until int, format int not null);
      create unique index instances_by_id on instances(hub, id);
      create index instances_by_parent on instances(hub, parent_id) where parent_id is not null;
      create index instances_stalled on instances(hub, number) where stall is not null;
      create index instances_unfinished on instances(hub, number) where status < 3;
      create table payloads(number int not null, slot int not null, value text not null, primary key(number, slot)) without rowid;
      create table history(row integer primary key, number int not null, turn int not null, first int not null, count int not null,
        format int not null, body text not null);
      create unique index history_by_turn on history(number, turn);
      create table messages(number int not null, lane int not null, due_at int not null, sequence int not null, id text not null,
        execution text, visible_at int, arrived_at int not null, format int not null, body text not null,
        primary key(number, lane, due_at, sequence)) without rowid;
      create unique index messages_by_id on messages(number, id);
      create table ready(number int not null, name text not null, hub int not null, at int not null, primary key(number, name)) without rowid;
      create index ready_by_name on ready(hub, name, at);
      create table activities(number int not null, generation int not null, task_id int not null, hub int not null, name text not null,
        execution_id text not null, version text, input text, tags text, attempt int not null, idempotency_key text not null,
        attempt_timeout_ms int, expires_at int, trace_context text, epoch int not null, delivery int not null, born int not null,
        owner int, visible_at int not null,
        primary key(number, generation, task_id)) without rowid;
      create index activities_unclaimed on activities(hub, name, visible_at) where owner is null;
      insert into meta values('next_number', 1), ('next_sequence', 1);`,
  },
  {
    format: 2,
    statements: `
      alter table instances drop column retain_until;
      create index instances_by_completion on instances(hub, completed_at, id) where completed_at is not null;`,
  },
  {
    format: 3,
    statements: `
      alter table instances add column sections text;
      alter table instances add column locked_by text;
      create index instances_entities on instances(hub, number) where kind = 1;`,
  },
  {
    format: 4,
    statements: `
      alter table hubs add column closed text;
      alter table hubs add column move text;`,
  },
];

/** The format that this version writes. */
export const FORMAT = MIGRATIONS.at(-1)?.format ?? 0;
