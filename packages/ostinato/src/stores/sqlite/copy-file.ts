// copy-file: a whole copy of a database file, while others write to it.
//
// Always:  the copy is of one moment: a read transaction on a connection of its own holds that moment, so nobody who writes has to wait,
//          and it never begins anew because somebody wrote.
//          The copy is one file: its log is folded in, and it needs nothing beside it.

import { backup, DatabaseSync } from "node:sqlite";
import type { BackupProgress } from "../../contract/maintenance.ts";

/** How many pages one step copies. */
const STEP_PAGES = 512;

/** Copies `from` to `to`, an empty file. `shrinks`: free room of the copy will go back to the disk, also when that of `from` does not. */
export async function copyFile(
  { from, to, shrinks }: { readonly from: string; readonly to: string; readonly shrinks: boolean },
  onProgress: (progress: BackupProgress) => void,
): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true });
  try {
    source.exec("pragma busy_timeout = 5000; begin");
    const pageBytes = Number(source.prepare("pragma page_size").get()?.["page_size"]);
    source.prepare("select count(*) from meta").get();
    const pages = await backup(source, to, {
      rate: STEP_PAGES,
      progress: ({ totalPages, remainingPages }) =>
        onProgress({ totalBytes: totalPages * pageBytes, remainingBytes: remainingPages * pageBytes }),
    });
    onProgress({ totalBytes: pages * pageBytes, remainingBytes: 0 });
  } finally {
    source.close();
  }
  const copy = new DatabaseSync(to);
  try {
    copy.exec("pragma journal_mode = delete");
    const shrinking = Number(copy.prepare("pragma auto_vacuum").get()?.["auto_vacuum"]) === INCREMENTAL;
    if (shrinks && !shrinking) copy.exec(`pragma auto_vacuum = ${INCREMENTAL}; vacuum`);
  } finally {
    copy.close();
  }
}

/** The mode of SQLite in which free pages can be given back step by step. */
export const INCREMENTAL = 2;
