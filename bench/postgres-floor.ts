// postgres-floor: the rows that a step has to write, written by nothing but PostgreSQL and a bare loop, as in floor.ts.
//
// All that finish in one moment share one statement, one round trip and one commit, on one connection; synchronous_commit=on. `keyed` has the keys that
// an engine over many processes cannot do without: history by instance and turn, activities by instance and by name and due time where nobody has
// claimed them, and a list of the addresses that have something to do.
import pg from "pg";
import { activity, BareInstance, program } from "./floor.ts";

const TABLES = `create table instances(id text primary key, status int, updated bigint, seq int, name text, input text, output text) with (fillfactor = 50);`;
const BARE = `${TABLES}
  create table history(n bigint generated always as identity primary key, instance text, seq int, events text);
  create table tasks(n bigint primary key, instance text, name text, input text, due bigint, epoch int);`;
const KEYED = `${TABLES}
  create table history(instance text, seq int, events text, primary key(instance, seq));
  create table tasks(n bigint primary key, instance text, name text, input text, due bigint, epoch int, owner int);
  create unique index tasks_of_instance on tasks(instance, epoch);
  create index tasks_due on tasks(name, due) where owner is null;
  create table ready(instance text primary key, name text, at bigint);
  create index ready_by_name on ready(name, at);`;

/** A start makes its address ready, and the turn that follows removes it: the keyed floor writes both once for each instance. */
const COMMIT = (keyed: boolean): string => `with
  created as (insert into instances(id, status, updated, seq, name)
    select id, status, updated, seq, 'chain' from unnest($1::text[], $2::int[], $3::bigint[], $4::int[]) as u(id, status, updated, seq)),
  moved as (update instances i set status = u.status, updated = u.updated, seq = u.seq + 1
    from unnest($5::text[], $6::int[], $7::bigint[], $8::int[]) as u(id, status, updated, seq) where i.id = u.id and i.seq = u.seq),
  done as (delete from tasks where n = any($9::bigint[])),
  ${keyed ? "awake as (insert into ready select id, 'chain', updated from unnest($1::text[], $3::bigint[]) as u(id, updated)), asleep as (delete from ready where instance = any($19::text[]))," : ""}
  told as (insert into history(instance, seq, events) select * from unnest($10::text[], $11::int[], $12::text[]))
  insert into tasks(n, instance, name, input, due, epoch${keyed ? ", owner" : ""})
    select u.*${keyed ? ", 1" : ""} from unnest($13::bigint[], $14::text[], $15::text[], $16::text[], $17::bigint[], $18::int[]) as u`;

/** Steps per second of the bare loop. */
export async function postgresFloor(url: string, inFlight: number, seconds: number, keyed: boolean): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(keyed ? KEYED : BARE);
  let nextInstance = 0;
  let nextTask = 1;
  let steps = 0;
  let turn = Array.from({ length: inFlight }, () => new BareInstance(nextInstance++));

  const round = async (): Promise<void> => {
    for (const it of turn) take(it);
    await new Promise(setImmediate);
    const columns: unknown[][] = Array.from({ length: keyed ? 19 : 18 }, () => []);
    for (const it of turn) {
      if (keyed && !it.isNew && it.sequence === 0) columns[18]!.push(it.id);
      fill(columns, it, () => nextTask++);
    }
    await client.query({ name: "commit", text: COMMIT(keyed), values: columns });
    turn = await Promise.all(
      turn.map(async (it) => {
        if (it.finished) return new BareInstance(nextInstance++);
        it.result = JSON.stringify(await activity(JSON.parse(it.input) as { city: string; i: number }));
        steps++;
        return it;
      }),
    );
  };

  const warm = performance.now() + (seconds * 1_000) / 2;
  while (performance.now() < warm) await round();
  steps = 0;
  const begun = performance.now();
  while (performance.now() - begun < seconds * 1_000) await round();
  const elapsed = (performance.now() - begun) / 1_000;
  await client.end();
  return steps / elapsed;
}

/** Gives a program what it waits for. */
function take(it: BareInstance): void {
  if (!it.isNew) {
    it.events.push({ kind: "TaskCompleted", id: it.sequence, result: it.result, at: Date.now() });
    it.resolve(JSON.parse(it.result));
    return;
  }
  it.events.push({ kind: "ExecutionStarted", name: "chain", at: Date.now() });
  void program(it).then((output) => {
    it.finished = true;
    it.output = JSON.stringify(output);
  });
}

/** Adds what an instance's turn writes. */
function fill(columns: unknown[][], it: BareInstance, nextTask: () => number): void {
  const put = (from: number, ...values: unknown[]): void => values.forEach((value, i) => columns[from + i]!.push(value));
  const at = Date.now();
  if (it.finished) it.events.push({ kind: "ExecutionCompleted", result: it.output });
  else it.events.push({ kind: "TaskScheduled", id: it.sequence + 1, name: "hello", input: it.input });
  if (it.isNew) put(0, it.id, 1, at, it.sequence);
  else {
    put(4, it.id, it.finished ? 2 : 1, at, it.sequence, it.task);
    it.sequence++;
  }
  put(9, it.id, it.sequence, JSON.stringify(it.events));
  it.events.length = 0;
  it.isNew = false;
  if (!it.finished) put(12, (it.task = nextTask()), it.id, "hello", it.input, at, it.sequence + 1);
}
