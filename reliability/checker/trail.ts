// trail: everything that is ever written to a task hub in PostgreSQL, as triggers saw it: the journal of a witness that stands in the database.
//
// Owns:    triggers on the tables, which copy each row that a statement writes; how the copies become states of instances, one after the other.
// Always:  TR1 a transaction stands where its last copy stands. Who writes to an instance holds its lock until the end, so whoever comes after has
//              copies that come after: this order explains everything.
//          TR2 copies are part of the transaction: what was rolled back has left none.
import { eventsOf, activityOf, messageOf, payloadsOf, recordOf, type Row } from "./sql-rows.ts";
import { connectTo } from "./from-postgres.ts";
import type { HistoryEvent } from "../../packages/ostinato/src/contract/events.ts";
import type { InstanceRecord } from "../../packages/ostinato/src/contract/instance.ts";
import type { Sight } from "./journal.ts";
import type { DumpedActivity, DumpedInstance, DumpedMessage, Standing } from "./stored.ts";

/** A sight of the trail, with the microsecond of the server's clock at which it was written. */
export type TrailEntry = { readonly us: number; readonly by: string } & Sight;

/** The tables that are watched. */
const WATCHED = ["instances", "payloads", "history", "messages", "activities", "owners"] as const;
type Watched = (typeof WATCHED)[number];

/** Statements that put the triggers on the tables of a schema. They are put there before anything is written. */
export function watching(schema = "ostinato"): string {
  const triggers = WATCHED.flatMap((table) =>
    [
      ["insert", "new"],
      ["update", "new"],
      ["delete", "old"],
    ].map(
      ([operation, image]) =>
        `create trigger trail_${operation} after ${operation} on "${schema}".${table} referencing ${image} table as image
         for each statement execute function trail.note('${table}', '${operation}');`,
    ),
  );
  return `
    create schema trail;
    create sequence trail.place;
    create table trail.rows(place bigint not null, xid bigint not null, us bigint not null, by text not null, tab text not null, op text not null, image jsonb not null);
    create function trail.note() returns trigger language plpgsql as $$
    begin
      insert into trail.rows
        select nextval('trail.place'), pg_current_xact_id()::text::bigint, floor(extract(epoch from clock_timestamp()) * 1000000)::bigint,
          current_setting('application_name'), tg_argv[0], tg_argv[1], to_jsonb(image) from image;
      return null;
    end $$;
    ${triggers.join("\n")}
    grant usage on schema trail to public;
    grant usage on sequence trail.place to public;
    grant insert on trail.rows to public;`;
}

interface Copy {
  readonly xid: string;
  readonly us: number;
  readonly by: string;
  readonly tab: Watched;
  readonly op: "insert" | "update" | "delete";
  readonly image: Row;
}

/** An instance while the trail is read. */
interface Shape {
  id: string;
  record: InstanceRecord | undefined;
  readonly payloads: Map<number, string>;
  readonly history: Map<number, { readonly first: number; readonly count: number; readonly events: readonly HistoryEvent[] }>;
  readonly messages: Map<string, DumpedMessage>;
  readonly activities: Map<string, DumpedActivity>;
  /** The parts that a moment shares with the one before when they have not changed. */
  made: { -readonly [K in "payloads" | "history" | "rows"]?: DumpedInstance[K] };
}

const PAGE = 5_000;

/** The trail of a database, in order. */
export async function* trailOf(url: string): AsyncGenerator<TrailEntry> {
  const client = await connectTo(url);
  try {
    await client.query("begin transaction isolation level repeatable read read only");
    await client.query(
      `declare trail no scroll cursor for
       select xid::text, us, by, tab, op, image from (select *, max(place) over (partition by xid) as last from trail.rows) t order by last, place`,
    );
    const shapes = new Map<number, Shape>();
    let group: Copy[] = [];
    for (;;) {
      const { rows } = await client.query<Copy>(`fetch ${PAGE} from trail`);
      for (const copy of rows) {
        if (group.length > 0 && group[0]!.xid !== copy.xid) {
          yield* sightsOf(group, shapes);
          group = [];
        }
        group.push(copy);
      }
      if (rows.length < PAGE) break;
    }
    yield* sightsOf(group, shapes);
  } finally {
    await client.end();
  }
}

/** What one transaction shows. */
function* sightsOf(group: readonly Copy[], shapes: Map<number, Shape>): Generator<TrailEntry> {
  if (group.length === 0) return;
  const { us, by } = group.at(-1)!;
  const touched = new Set<number>();
  for (const copy of group) {
    if (copy.tab === "owners") {
      const owner = String(copy.image["label"]);
      // A row that is gone says nothing of its owner, who may have registered anew.
      if (copy.op !== "delete" && String(copy.image["gone"]) !== "true")
        yield { us, by: owner, kind: "lease", until: Number(copy.image["alive_until"]) };
      continue;
    }
    const number = Number(copy.image["number"]);
    touched.add(number);
    let shape = shapes.get(number);
    if (shape === undefined) shapes.set(number, (shape = emptyShape()));
    const before = shape.record;
    apply(copy, shape);
    const { record } = shape;
    // A turn is written under the epoch that it was claimed with; whoever takes an instance away raises it.
    if (before !== undefined && record !== undefined && record.turn > before.turn && record.epoch === before.epoch)
      yield { us, by, kind: "committed", number, epoch: before.epoch };
  }
  for (const number of touched) {
    const shape = shapes.get(number)!;
    const standing = standingOf(shape);
    yield {
      us,
      by,
      kind: "stands",
      number,
      id: shape.id,
      storeAt: Math.floor(us / 1_000),
      ...(standing === undefined ? {} : { standing }),
    };
  }
}

function emptyShape(): Shape {
  return { id: "", record: undefined, payloads: new Map(), history: new Map(), messages: new Map(), activities: new Map(), made: {} };
}

/** What each table's rows are of a shape. */
const KEEP: { readonly [T in Exclude<Watched, "owners">]: (shape: Shape, row: Row, isThere: boolean) => void } = {
  instances(shape, row, isThere) {
    shape.record = isThere ? recordOf(row) : undefined;
    if (isThere) shape.id = row["id"] as string;
  },
  payloads(shape, row, isThere) {
    set(shape.payloads, row["slot"] as number, isThere ? (row["value"] as string) : undefined);
    delete shape.made.payloads;
  },
  history(shape, row, isThere) {
    const { turn, first, count } = row as Readonly<Record<"turn" | "first" | "count", number>>;
    set(shape.history, turn, isThere ? { first, count, events: eventsOf(row) } : undefined);
    delete shape.made.history;
  },
  messages: (shape, row, isThere) => set(shape.messages, row["id"] as string, isThere ? messageOf(row) : undefined),
  activities: (shape, row, isThere) =>
    set(shape.activities, `${row["generation"]} ${row["task_id"]}`, isThere ? activityOf(row) : undefined),
};

function apply({ tab, op, image }: Copy, shape: Shape): void {
  if (tab !== "owners") KEEP[tab](shape, image, op !== "delete");
}

function set<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}

function standingOf(shape: Shape): Standing | undefined {
  const { record, made } = shape;
  if (record === undefined) return undefined;
  made.payloads ??= payloadsOf((slot) => shape.payloads.get(slot));
  if (made.history === undefined) {
    const rows = [...shape.history].sort(([a], [b]) => a - b);
    made.rows = rows.map(([turn, { first, count }]) => ({ turn, first, count }));
    made.history = rows.flatMap(([, { events }]) => events);
  }
  const { payloads, history, rows = [] } = made;
  return {
    instance: { record, payloads, history, rows },
    messages: [...shape.messages.values()],
    activities: [...shape.activities.values()],
  };
}
