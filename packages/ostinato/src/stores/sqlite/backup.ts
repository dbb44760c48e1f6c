// backup: a copy of a hub's file put aside, and put back.
//
// Owns:    what stands where the copy will be: nothing, then a temporary file, then the whole copy.
// Always:  D8 a name that a user gave is either free or a whole copy: what is half done has another name, and goes when it fails.
//          Nothing is ever written over.

import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from "node:fs";
import { dirname } from "node:path";
import { InvalidStateError, OstinatoError, StoreFormatError, StoreUnavailableError } from "../../contract/errors.ts";
import type { BackupOptions, IntegrityFinding } from "../../contract/maintenance.ts";
import { createBeside, type Beside } from "./beside.ts";
import { canonicalPath, createPrivately, inspect, lockFile, messageOf } from "./database-file.ts";

/** Writes a copy of a file that is open, of this moment. */
export async function backUpFile(beside: Beside, from: string, path: string, options: BackupOptions = {}): Promise<void> {
  const to = canonicalPath(path);
  refuseExisting(to, [""], "Choose another name for the backup: none is ever written over.");
  await writeWhole(to, (partial) => beside.run("copy", { from, to: partial, shrinks: false }, options.onProgress));
}

/** Puts a backup in the place of a file that is not there. Tells what is wrong with single instances of it. */
export async function restoreFile(backupPath: string, path: string): Promise<readonly IntegrityFinding[]> {
  const from = canonicalPath(backupPath);
  const to = canonicalPath(path);
  if (!existsSync(from)) throw new StoreUnavailableError(`${from} does not exist, so it cannot be restored.`);
  refuseExisting(to, ["", "-wal", "-journal", "-shm"], "A backup is only restored to where nothing is: move what is there away first.");
  inspect(from);
  const beside = createBeside();
  const lock = lockFile(to);
  try {
    const findings = await beside.run("check", { path: from });
    const damage = findings.filter((finding) => finding.kind === "file");
    if (damage.length > 0)
      throw new StoreFormatError(
        `${from} is damaged and was not restored: ${damage.map((finding) => finding.message).join(" ")} Take another backup.`,
      );
    await writeWhole(to, (partial) => beside.run("copy", { from, to: partial, shrinks: true }));
    return findings;
  } finally {
    lock.release();
    await beside.close();
  }
}

async function writeWhole(to: string, write: (partial: string) => Promise<unknown>): Promise<void> {
  const partial = `${to}.partial`;
  refuseExisting(partial, [""], "Somebody may be writing it right now. If it is left over from a process that died, delete it.");
  createPrivately(partial);
  try {
    await write(partial);
    flush(partial);
    refuseExisting(to, [""], "It was not there when the copy was begun, and is not written over.");
    renameSync(partial, to);
    flushFolder(dirname(to));
  } catch (error) {
    for (const left of ["", "-journal", "-wal", "-shm"]) rmSync(`${partial}${left}`, { force: true });
    throw error instanceof OstinatoError
      ? error
      : new StoreUnavailableError(`${to} could not be written: ${messageOf(error)}. Nothing is left of it.`, { cause: error });
  }
}

function refuseExisting(path: string, endings: readonly string[], what: string): void {
  for (const ending of endings) if (existsSync(path + ending)) throw new InvalidStateError(`${path}${ending} exists already. ${what}`);
}

/** A name lasts when its folder was written. Where a folder cannot be opened (Windows), the system sees to it. */
function flushFolder(folder: string): void {
  try {
    flush(folder);
  } catch (error) {
    if (!["EISDIR", "EPERM", "EACCES"].includes(String((error as { code?: unknown }).code))) throw error;
  }
}

/** What was written is on the disk. */
function flush(path: string): void {
  const handle = openSync(path, "r");
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}
