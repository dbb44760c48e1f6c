// autopsy: how a hub that stands still looks from inside: what is printed when a wait has lasted too long.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { copyDatabase } from "./leftovers.ts";

const INSTANCES = 8;
const ROWS = 12;

/** In words: what the tables say of the instances that have not ended, those that were asked for first. The file may be in use: it is copied. */
export function autopsy(file: string, ids: readonly string[] = []): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-autopsy-"));
  const copy = join(folder, "hub.db");
  const lines: string[] = [];
  try {
    copyDatabase(file, copy);
    const db = new DatabaseSync(copy);
    const all = (sql: string, ...values: (string | number)[]): unknown[] => db.prepare(sql).all(...values);
    lines.push(
      `  of all: ${JSON.stringify(all("select status, count(*) as n, sum(stall is not null) as stalled from instances group by status"))}`,
    );
    lines.push(
      `  activities: ${JSON.stringify(all("select name, owner is not null as claimed, max(delivery) as deliveries, count(*) as n from activities group by 1, 2"))}`,
    );
    lines.push(`  ready: ${JSON.stringify(all("select name, count(*) as n, min(at) as first from ready group by 1"))}, now ${Date.now()}`);
    const open = all(
      "select number, id, status, epoch, turn, generation, held, attempts, not_before, stall from instances where status < 3 order by number limit 500",
    ) as {
      number: number;
      id: string;
    }[];
    const chosen = [...open.filter(({ id }) => ids.includes(id)), ...open.filter(({ id }) => !ids.includes(id))].slice(0, INSTANCES);
    for (const instance of chosen) {
      lines.push(`  ${JSON.stringify(instance)}`);
      for (const row of all("select turn, first, count, body from history where number = ? order by turn desc limit 4", instance.number))
        lines.push(`    history ${JSON.stringify(row).slice(0, 400)}`);
      for (const row of all("select lane, due_at, sequence, id, visible_at from messages where number = ? limit ?", instance.number, ROWS))
        lines.push(`    message ${JSON.stringify(row)}`);
      for (const row of all(
        "select task_id, name, epoch, delivery, owner, visible_at from activities where number = ? limit ?",
        instance.number,
        ROWS,
      ))
        lines.push(`    activity ${JSON.stringify(row)}`);
      for (const row of all("select name, at from ready where number = ?", instance.number)) lines.push(`    ready ${JSON.stringify(row)}`);
    }
    db.close();
  } catch (error) {
    lines.push(`  (the file could not be read: ${error instanceof Error ? error.message : String(error)})`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return lines.join("\n");
}
