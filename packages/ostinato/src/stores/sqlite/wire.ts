// wire: how operations and replies cross to the connection: as flat lists of numbers, texts and nulls.
//
// Owns:    the codes of operations and of answers.
// Always:  an operation is [code, its length, owner, ...]; so that one which fails can be stepped over.

import type { WantedNames } from "../../engine/store.ts";
import type { Column } from "../sql/rows.ts";
import type { ColumnReader } from "../sql/read-rows.ts";

/** A group of operations, or the answers to it. Flat, since a clone of many small objects costs more than the work. */
export type Wire = Column[];

/** What writes stands below READ. */
export const GIVE_BACK = 0;
export const OPEN = 1;
export const CLOSE = 2;
export const CLAIM = 3;
export const COMMIT = 4;
export const RELEASE = 5;
export const READ = 6;
export const PAGE_OF_HISTORY = 7;
export const QUERY = 8;
export const CLOCK = 9;
export const FINISHED = 10;
export const OUTSTANDING = 11;
export const CUT_LOG = 12;

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

/** Writes names that are wanted: how many, then each; of those that are not wanted, one more than how many, below zero. */
export function pushNames(to: Wire, names: WantedNames): void {
  if ("anyBut" in names) to.push(-1 - names.anyBut.length, ...names.anyBut);
  else to.push(names.length, ...names);
}

/** Reads what `pushNames` wrote. */
export function readNames(from: ColumnReader): WantedNames {
  const count = from.number();
  const names: string[] = [];
  for (let left = count < 0 ? -1 - count : count; left > 0; left--) names.push(from.text());
  return count < 0 ? { anyBut: names } : names;
}

/** Whether a group writes anything. */
export function writes(group: Wire): boolean {
  for (let at = 0; at < group.length; at += group[at + 1] as number) {
    const code = group[at] as number;
    if (code < READ) return true;
  }
  return false;
}

/** Whether a group asks for nothing but what is done in a moment. */
export function isShort(group: Wire): boolean {
  for (let at = 0; at < group.length; at += group[at + 1] as number) if (!SHORT.has(group[at] as number)) return false;
  return true;
}

const SHORT: ReadonlySet<number> = new Set([OPEN, CLOSE, CLAIM, COMMIT, RELEASE, READ, PAGE_OF_HISTORY, CLOCK]);

/** A group as it crosses to another thread: its numbers, with marks where texts and nulls stand, and all texts in one. */
export interface Parcel {
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: string;
}

/** Below this stand the lengths of texts: no number of ours is so small. */
const TEXT_MARK = -1e15;

/** One clone of a typed array and one of a text cost half of one of a list of as many values. */
export function pack(group: Wire): Parcel {
  const numbers = new Float64Array(group.length);
  let texts = "";
  for (let i = 0; i < group.length; i++) {
    const value = group[i];
    if (typeof value === "number") numbers[i] = value;
    else if (typeof value === "string") {
      numbers[i] = TEXT_MARK - value.length;
      texts += value;
    } else numbers[i] = Number.NaN;
  }
  return { numbers, texts };
}

/** What `pack` packed. */
export function unpack({ numbers, texts }: Parcel): Wire {
  const group: Wire = new Array<Wire[number]>(numbers.length);
  let position = 0;
  for (let i = 0; i < numbers.length; i++) {
    const value = numbers[i] as number;
    if (value <= TEXT_MARK) {
      const end = position + (TEXT_MARK - value);
      group[i] = texts.slice(position, end);
      position = end;
    } else group[i] = Number.isNaN(value) ? null : value;
  }
  return group;
}
