// database-file: opens the file of a hub, or refuses it untouched.
//
// Owns:    who may hold the file, how a new one is made, how an older one is brought up to date.
// Always:  D9 one process holds a file: it keeps a transaction open on a small database beside it, which ends with the process.
//          A file that is damaged, somebody else's or of a later version is not written to, not even by looking at it.
//          Files are readable by their owner alone.

import { chmodSync, closeSync, existsSync, fsyncSync, openSync, realpathSync, renameSync, rmSync, statSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { FileLockedError, InvalidArgumentError, OstinatoError, StoreFormatError, StoreUnavailableError } from "../../contract/errors.ts";
import { APPLICATION_ID, MIGRATIONS } from "../sql/schema.ts";
import type { Migration } from "../sql/schema.ts";

/** Returned by SQLite when somebody else has what is asked for. */
const BUSY = 5;
const NOT_A_DATABASE = 26;
const CORRUPT = 11;

/** One file has one name, whatever path leads to it. */
export function canonicalPath(path: string): string {
  if (path === "" || path.includes("\0"))
    throw new InvalidArgumentError("The path of an SQLite store must be a file name that is not empty.");
  const full = resolve(path);
  try {
    return existsSync(full) ? realpathSync(full) : join(realpathSync(dirname(full)), basename(full));
  } catch (cause) {
    throw new StoreUnavailableError(`The folder of ${full} cannot be reached: ${messageOf(cause)}. Create it first.`, { cause });
  }
}

/** The lock on a file: held until it is released or the process ends, however it ends. */
export interface FileLock {
  release(): void;
}

/**
 * Takes the lock of a file.
 *
 * @throws FileLockedError naming the process that has it.
 */
export function lockFile(path: string): FileLock {
  const beside = `${path}-lock`;
  createPrivately(beside);
  const db = new DatabaseSync(beside);
  try {
    // A moment's patience, for somebody who only looks whether it is held.
    db.exec("pragma journal_mode = delete; pragma synchronous = off; pragma busy_timeout = 100");
    for (;;) {
      db.exec("begin immediate; create table if not exists holder(pid int); delete from holder");
      db.prepare("insert into holder values(?)").run(process.pid);
      db.exec("commit; begin immediate");
      // Between the two somebody else may have written a pid of its own, and lost.
      if (pidIn(db) === process.pid) return { release: () => db.close() };
      db.exec("rollback");
    }
  } catch (error) {
    const pid = codeOf(error) === BUSY ? pidIn(db) : undefined;
    db.close();
    if (codeOf(error) !== BUSY) throw unavailable(path, error);
    const who = pid === undefined ? "another process" : `process ${pid}`;
    throw new FileLockedError(
      `${path} is held by ${who}. One process at a time can hold it; close it there, or open it here with { readOnly: true }.`,
      { cause: error },
    );
  }
}

/** Who holds a file: a process, with its pid where that is known; `undefined`: nobody. */
export function holderOf(path: string): { readonly pid: number | undefined } | undefined {
  const beside = `${path}-lock`;
  if (!existsSync(beside)) return undefined;
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(beside);
    // The lock itself is asked, for the time of a look: a pid may be somebody else's by now.
    db.exec("pragma busy_timeout = 0; begin immediate; rollback");
    return undefined;
  } catch (error) {
    if (db === undefined || codeOf(error) !== BUSY) throw unavailable(path, error);
    return { pid: pidIn(db) };
  } finally {
    db?.close();
  }
}

function pidIn(db: DatabaseSync): number | undefined {
  try {
    return db.prepare("select pid from holder").get()?.["pid"] as number | undefined;
  } catch {
    return undefined;
  }
}

/**
 * Opens a file for its holder: makes it when it is new, upgrades it when it is older.
 *
 * @throws StoreFormatError when it is not ours to write.
 */
export function openForWriting(path: string, migrations: readonly Migration[] = MIGRATIONS): DatabaseSync {
  if (!existsSync(path) || statSync(path).size === 0) make(path, migrations);
  else inspect(path, migrations);
  const db = new DatabaseSync(path);
  try {
    db.exec(
      "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = off; pragma journal_size_limit = 67108864; pragma cache_size = -32768; pragma busy_timeout = 5000",
    );
    upgrade(db, path, migrations);
    return db;
  } catch (error) {
    db.close();
    throw refused(path, error);
  }
}

/**
 * Makes a new file, which gets its name when it is whole. Whoever dies on the way would else leave one with a rollback journal, which nobody
 * can look at without writing to it.
 */
function make(path: string, migrations: readonly Migration[]): void {
  const unfinished = `${path}-new`;
  const clear = (): void => {
    for (const end of ["", "-journal", "-wal", "-shm"]) rmSync(`${unfinished}${end}`, { force: true });
  };
  try {
    clear();
    createPrivately(unfinished);
    const db = new DatabaseSync(unfinished);
    try {
      // Before anything else is written: afterwards a file keeps the mode it has.
      db.exec("pragma auto_vacuum = incremental; pragma journal_mode = wal; pragma synchronous = full");
      upgrade(db, path, migrations);
    } finally {
      db.close();
    }
    // What an earlier file has left under the name is no log of this one.
    for (const end of ["-journal", "-wal", "-shm"]) rmSync(`${path}${end}`, { force: true });
    renameSync(unfinished, path);
    syncFolder(dirname(path));
  } catch (error) {
    try {
      clear();
    } catch {
      // The next one that makes it clears it away.
    }
    throw refused(path, error);
  }
}

/** A name lasts when its folder was written. Where a folder cannot be opened (Windows), the system sees to it. */
function syncFolder(folder: string): void {
  let handle: number;
  try {
    handle = openSync(folder, "r");
  } catch {
    return;
  }
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Opens a file beside its holder, to read. */
export function openForReading(
  path: string,
  migrations: readonly Migration[] = MIGRATIONS,
  oldest = migrations.at(-1)?.format ?? 0,
): DatabaseSync {
  if (!existsSync(path))
    throw new StoreUnavailableError(
      `${path} does not exist, so there is nothing to read. Look at the path; a hub that is opened to write makes its file.`,
    );
  inspect(path, migrations);
  const db = new DatabaseSync(path, { readOnly: true });
  const format = pragma(db, "user_version");
  if (format < oldest) {
    db.close();
    throw new StoreFormatError(
      `${path} has the older format ${format}, and to read it brings nothing up to date. Open it once without { readOnly: true } (a copy is put aside first).`,
    );
  }
  db.exec("pragma busy_timeout = 5000");
  return db;
}

/** Looks at a file without writing to it. */
export function inspect(path: string, migrations: readonly Migration[] = MIGRATIONS): void {
  const newest = migrations.at(-1)?.format ?? 0;
  // SQLite takes a file that is too short for a header for an empty database, and would write over it.
  if (statSync(path).size < 512) throw new StoreFormatError(`${path} is no SQLite database. It was not touched; choose another path.`);
  let db: DatabaseSync | undefined;
  try {
    db = new DatabaseSync(path, { readOnly: true });
    const application = pragma(db, "application_id");
    const format = pragma(db, "user_version");
    const tables = Number(db.prepare("select count(*) as count from sqlite_schema").get()?.["count"]);
    if (application === 0 && format === 0 && tables === 0) return;
    if (application !== APPLICATION_ID)
      throw new StoreFormatError(`${path} is an SQLite database of some other program. It was not touched; choose another path.`);
    if (format > newest) {
      throw new StoreFormatError(
        `${path} has format ${format}; this version of ostinato knows formats up to ${newest}. It was not touched; update ostinato.`,
      );
    }
    db.prepare("select * from meta").all();
    db.prepare("select * from hubs").all();
    db.prepare("select max(number) from instances").all();
  } catch (error) {
    throw refused(path, error);
  } finally {
    db?.close();
  }
}

function upgrade(db: DatabaseSync, path: string, migrations: readonly Migration[]): void {
  const format = pragma(db, "user_version");
  const missing = migrations.filter((migration) => migration.format > format);
  if (missing.length === 0) return;
  if (format > 0) backUp(db, `${path}.format-${format}.backup`);
  db.exec("begin immediate");
  try {
    for (const migration of missing) db.exec(migration.statements);
    db.exec(`pragma application_id = ${APPLICATION_ID}; pragma user_version = ${missing.at(-1)?.format ?? format}`);
    db.exec("commit");
  } catch (error) {
    if (db.isTransaction) db.exec("rollback");
    throw error;
  }
}

function backUp(db: DatabaseSync, path: string): void {
  if (existsSync(path)) return;
  createPrivately(path);
  db.prepare("vacuum into ?").run(path);
}

/** A new empty file that only its owner may read, if there is none. */
export function createPrivately(path: string): void {
  try {
    closeSync(openSync(path, "wx", 0o600));
    // The mode given above is subject to the process's mask, which may take even more away.
    chmodSync(path, 0o600);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "EEXIST") throw unavailable(path, error);
  }
}

function pragma(db: DatabaseSync, name: string): number {
  return Number(db.prepare(`pragma ${name}`).get()?.[name]);
}

/** An error of opening, in words. */
export function refused(path: string, error: unknown): Error {
  if (error instanceof OstinatoError) return error;
  const code = codeOf(error);
  if (code === NOT_A_DATABASE || code === CORRUPT)
    return new StoreFormatError(`${path} is damaged or no SQLite database (${messageOf(error)}). It was not touched.`, { cause: error });
  if (code === 1)
    return new StoreFormatError(`${path} is no task hub that can be read (${messageOf(error)}). It was not touched.`, { cause: error });
  return unavailable(path, error);
}

function unavailable(path: string, cause: unknown): StoreUnavailableError {
  if (existsSync(path) && statSync(path).isDirectory())
    return new StoreUnavailableError(`${path} is a folder. Name a file in it, for example ${path}/orders.db.`, { cause });
  return new StoreUnavailableError(`${path} cannot be opened: ${messageOf(cause)}.`, { cause });
}

/** SQLite's own code of an error, without what only narrows it. */
export function codeOf(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
