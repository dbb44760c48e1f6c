// wire: how operations and replies cross to the connection: as flat lists of numbers, texts and nulls.
//
// Owns:    the codes of operations and of answers.
// Always:  an operation is [code, its length, owner, ...]; so that one which fails can be stepped over.

import type { Column } from "../sql/rows.ts";

/** A group of operations, or the answers to it. Flat, since a clone of many small objects costs more than the work. */
export type Wire = Column[];

export const OPEN = 1;
export const CLOSE = 2;
export const CLAIM = 3;
export const COMMIT = 4;
export const RELEASE = 5;
export const READ = 6;
export const PAGE_OF_HISTORY = 7;
export const QUERY = 8;
export const CLOCK = 9;

/** Answers. For a commit: done, done with something to tell, refused by a fence, refused since the id is taken. For all: failed. */
export const DONE = 0;
export const DONE_WITH = 1;
export const FENCED = 2;
export const EXISTS = 3;
export const FAILED = 4;

/** Answers to a page of history. */
export const HISTORY_NONE = 0;
export const HISTORY_PAGE = 1;
export const HISTORY_REPLACED = 2;

/** Writes one operation into a group; what throws midway leaves nothing behind. */
export function pushOperation(group: Wire, code: number, owner: number, write: (to: Wire) => void): void {
  const start = group.length;
  group.push(code, 0, owner);
  try {
    write(group);
  } catch (error) {
    group.length = start;
    throw error;
  }
  group[start + 1] = group.length - start;
}

/** Whether a group writes anything. */
export function writes(group: Wire): boolean {
  for (let at = 0; at < group.length; at += group[at + 1] as number) {
    const code = group[at] as number;
    if (code < READ) return true;
  }
  return false;
}
