// from-sqlite: a dump of a task hub's file, read from its tables.
//
// Is told: rows; what their columns mean says sql-rows.
// Always:  the file is opened to read. Whoever wants it as it was left by a crash works on a copy (the recovery of a WAL writes).
import { DatabaseSync } from "node:sqlite";
import { activityOf, group, instanceOf, messageOf, type Row } from "./sql-rows.ts";
import type { Dump } from "./stored.ts";

/** Everything that a file holds, of all its hubs. `at`: the clock by which what is due is told; the machine's by default. */
export function dumpOfFile(path: string, at: number = Date.now()): Dump {
  const database = new DatabaseSync(path, { readOnly: true });
  try {
    const all = (sql: string): Row[] => database.prepare(sql).all() as Row[];
    const payloads = group(all("select number, slot, value from payloads"));
    const histories = group(all("select number, turn, first, count, format, body from history order by number, turn"));
    const instances = all("select * from instances order by number").map((row) =>
      instanceOf(row, payloads.get(row["number"] as number) ?? [], histories.get(row["number"] as number) ?? []),
    );
    const numbers = new Set(instances.map(({ record }) => record.number));
    const ofNobody = (rows: ReadonlyMap<number, unknown>): number => [...rows.keys()].filter((number) => !numbers.has(number)).length;
    const ready = all("select number from ready");
    return {
      at,
      instances,
      messages: all("select * from messages order by number, sequence").map(messageOf),
      activities: all("select * from activities").map(activityOf),
      others: {
        "payloads of nobody": ofNobody(payloads),
        "histories of nobody": ofNobody(histories),
        "ready marks of nobody": ready.filter((row) => !numbers.has(row["number"] as number)).length,
      },
    };
  } finally {
    database.close();
  }
}
