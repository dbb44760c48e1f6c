// disk-faults: what an error of the disk means, and what is said of it.
//
// Always:  what is said tells what happened, what became of what was asked, and what to do.

import { codeOf, messageOf } from "./database-file.ts";

/** SQLite's codes of errors of the disk. */
const IO_ERROR = 10;
const CORRUPT = 11;
export const FULL = 13;
/** Ways in which only a reading has failed: what was written before is as it was. */
const READ_FAILED = 266;
const SHORT_READ = 522;

/** Whether nobody can know what a connection has written after this error: then it must be opened anew (D3). */
export function leavesDoubt(error: unknown): boolean {
  const code = (error as { errcode?: unknown }).errcode;
  return codeOf(error) === IO_ERROR && code !== READ_FAILED && code !== SHORT_READ;
}

/** An error in words for whoever runs the hub. */
export function inWords(error: unknown): string {
  switch (codeOf(error)) {
    case FULL:
      return `There is no room on the disk (${messageOf(error)}). Nothing of this was written. What was acknowledged is safe and can be read; make room, and writing goes on by itself`;
    case IO_ERROR:
      return `The disk has failed (${messageOf(error)}, code ${String((error as { errcode?: unknown }).errcode)}). Nothing of this is acknowledged; the file is opened anew before anything else is. Look after the disk`;
    case CORRUPT:
      return `The file is damaged (${messageOf(error)}). checkIntegrity() says where; restore it from a backup`;
    default:
      return messageOf(error);
  }
}
