// give-back: room inside the file that nothing uses goes back to the disk, a little at a time.
//
// Always:  a step is bounded, since it runs between the groups of those who work.
//          Some free room stays: a hub that works uses it again, and taking it away would only make the file grow anew.

import type { DatabaseSync } from "node:sqlite";
import { INCREMENTAL } from "./copy-file.ts";
import { DONE } from "./wire.ts";
import type { Wire } from "./wire.ts";

/** How many pages one step gives back. */
const STEP_PAGES = 256;
/** So many free pages stay, and a tenth of the file. */
const SPARE_PAGES = 1_024;

/** One step, in the transaction at hand: appends how many bytes will go, and whether another step would give more. */
export function applyGiveBack(db: DatabaseSync, reply: Wire): void {
  const pragma = (name: string): number => Number(db.prepare(`pragma ${name}`).get()?.[name]);
  const free = pragma("freelist_count");
  const spare = Math.max(SPARE_PAGES, Math.ceil(pragma("page_count") / 10));
  const pages = Math.min(free - spare, STEP_PAGES);
  if (pages <= 0 || pragma("auto_vacuum") !== INCREMENTAL) return void reply.push(DONE, 0, 0);
  db.prepare(`pragma incremental_vacuum(${pages})`).all();
  const given = free - pragma("freelist_count");
  reply.push(DONE, given * pragma("page_size"), given > 0 && free - given > spare ? 1 : 0);
}

/** Carries the log over and cuts it off, unless somebody reads from it: then it is left for another time. */
export function applyCutLog(db: DatabaseSync, reply: Wire): void {
  reply.push(DONE);
  if (db.isTransaction) return;
  const { log, checkpointed } = db.prepare("pragma wal_checkpoint(passive)").get() ?? {};
  if (log !== checkpointed) return;
  db.exec("pragma busy_timeout = 0");
  try {
    db.prepare("pragma wal_checkpoint(truncate)").all();
  } finally {
    db.exec("pragma busy_timeout = 5000");
  }
}
