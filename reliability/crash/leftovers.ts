// leftovers: what may not be there when everything has ended (R3), read from the tables themselves.
import { copyFileSync, existsSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";

/** Tables in which nothing is left when nothing runs. */
const EMPTY_AT_REST = ["messages", "ready", "activities"] as const;
/** Tables whose rows belong to an instance. */
const OWNED = ["payloads", "history", "messages", "ready", "activities"] as const;
/** The first status that has ended, as the tables have it. */
const FIRST_TERMINAL = 3;

/** Copies a database with its log, as a kill at this moment would leave it. Where there is none yet, there is none to copy. */
export function copyDatabase(from: string, to: string): void {
  if (!existsSync(from)) return;
  copyFileSync(from, to);
  if (existsSync(`${from}-wal`)) copyFileSync(`${from}-wal`, `${to}-wal`);
}

/** What is wrong with a database as such, at any moment. */
export function damageOf(db: DatabaseSync): string[] {
  const wrong: string[] = [];
  const integrity = db.prepare("pragma integrity_check").all();
  if (integrity.length !== 1 || integrity[0]?.["integrity_check"] !== "ok") wrong.push(`D1 integrity_check: ${JSON.stringify(integrity)}`);
  for (const table of OWNED) {
    const strays = Number(db.prepare(`select count(*) as n from ${table} where number not in (select number from instances)`).get()?.["n"]);
    if (strays > 0) wrong.push(`R3 ${strays} rows of ${table} belong to no instance`);
  }
  return wrong;
}

/** What is left of work in a database in which everything has ended. */
export function leftoversOf(db: DatabaseSync): string[] {
  const wrong: string[] = [];
  for (const table of EMPTY_AT_REST) {
    const rows = db.prepare(`select * from ${table} limit 3`).all();
    if (rows.length > 0) wrong.push(`R3 ${table} is not empty: ${JSON.stringify(rows)}`);
  }
  const locked = db.prepare("select id, locked_by from instances where locked_by is not null limit 5").all();
  if (locked.length > 0) wrong.push(`E4 entities are locked: ${JSON.stringify(locked)}`);
  // An entity is never over.
  const open = db.prepare(`select id, name, status, stall from instances where status < ${FIRST_TERMINAL} and kind = 0 limit 5`).all();
  if (open.length > 0) wrong.push(`R3 instances have not ended: ${JSON.stringify(open)}`);
  return wrong;
}
