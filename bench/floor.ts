// floor: the rows that a step has to write, written by nothing but the database and a bare loop.
//
// K orchestrations of ten steps are in flight; all that finish in one moment share one transaction, WAL, synchronous=FULL. No engine, no
// replay, no checks: what is lost against this figure is our own cost. `keyed` gives the same rows the keys that an engine cannot do
// without: history by instance and turn, activities by instance and by name and due time.
import { DatabaseSync } from "node:sqlite";
import { join } from "node:path";

/** A program of ten steps, as bare as it can be: it waits for one result at a time. */
export class BareInstance {
  readonly id: string;
  sequence = 0;
  isNew = true;
  finished = false;
  events: unknown[] = [];
  output = "";
  input = "";
  result = "";
  task = 0;
  resolve: (value: unknown) => void = () => undefined;

  constructor(number: number) {
    this.id = `instance-${number.toString(16).padStart(24, "0")}`;
  }

  call(input: unknown): Promise<unknown> {
    this.input = JSON.stringify(input);
    return new Promise((resolve) => {
      this.resolve = resolve;
    });
  }
}

/** What a bare instance runs. */
export async function program(instance: BareInstance): Promise<unknown[]> {
  const results: unknown[] = [];
  for (let i = 0; i < 10; i++) results.push(await instance.call({ city: "Tokyo", i }));
  return results;
}

/** What each of its steps does. */
export async function activity({ city, i }: { city: string; i: number }): Promise<string> {
  return `Hello ${city} ${i}!`;
}

/** Steps per second of the bare loop. */
export async function sqliteFloor(folder: string, inFlight: number, seconds: number, keyed: boolean): Promise<number> {
  const db = new DatabaseSync(join(folder, "floor.db"));
  db.exec(`pragma journal_mode=wal; pragma synchronous=full; pragma wal_autocheckpoint=10000;
    create table instances(id text primary key, status int, updated int, seq int, name text, input text, output text) without rowid;
    create table tasks(n integer primary key, instance text, name text, input text, due int, epoch int);`);
  if (keyed) {
    db.exec(`create table history(instance text, seq int, events text, primary key(instance, seq)) without rowid;
      create index tasks_of_instance on tasks(instance, epoch); create index tasks_due on tasks(name, due);`);
  } else db.exec("create table history(n integer primary key, instance text, seq int, events text);");
  const insertInstance = db.prepare("insert into instances values(?,?,?,?,?,?,?)");
  const updateInstance = db.prepare("update instances set status=?, updated=?, seq=? where id=? and seq=?");
  const insertHistory = db.prepare("insert into history(instance,seq,events) values(?,?,?)");
  const insertTask = db.prepare("insert into tasks values(?,?,?,?,?,?)");
  const deleteTask = db.prepare("delete from tasks where n=?");

  let nextInstance = 0;
  let nextTask = 1;
  let steps = 0;
  let turn = Array.from({ length: inFlight }, () => new BareInstance(nextInstance++));
  const started = performance.now();
  while (performance.now() - started < seconds * 1_000) {
    for (const it of turn) {
      if (it.isNew) {
        it.events.push({ kind: "ExecutionStarted", name: "chain", at: Date.now() });
        void program(it).then((output) => {
          it.finished = true;
          it.output = JSON.stringify(output);
        });
      } else {
        it.events.push({ kind: "TaskCompleted", id: it.sequence, result: it.result, at: Date.now() });
        it.resolve(JSON.parse(it.result));
      }
    }
    await new Promise(setImmediate);
    db.exec("begin immediate");
    for (const it of turn) {
      const at = Date.now();
      if (it.finished) it.events.push({ kind: "ExecutionCompleted", result: it.output });
      else it.events.push({ kind: "TaskScheduled", id: it.sequence + 1, name: "hello", input: it.input });
      if (it.isNew) insertInstance.run(it.id, 1, at, it.sequence, "chain", null, null);
      else {
        updateInstance.run(it.finished ? 2 : 1, at, it.sequence + 1, it.id, it.sequence);
        it.sequence++;
        deleteTask.run(it.task);
      }
      insertHistory.run(it.id, it.sequence, JSON.stringify(it.events));
      it.events.length = 0;
      it.isNew = false;
      if (!it.finished) insertTask.run((it.task = nextTask++), it.id, "hello", it.input, at, 1);
    }
    db.exec("commit");
    turn = await Promise.all(
      turn.map(async (it) => {
        if (it.finished) return new BareInstance(nextInstance++);
        it.result = JSON.stringify(await activity(JSON.parse(it.input) as { city: string; i: number }));
        steps++;
        return it;
      }),
    );
  }
  const elapsed = (performance.now() - started) / 1_000;
  db.close();
  return steps / elapsed;
}
