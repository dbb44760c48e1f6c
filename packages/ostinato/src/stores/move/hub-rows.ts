// hub-rows: the seam over which a task hub moves: the rows of one hub, as they stand in a database.
//
// Owns:    what a database has to do for a move, and the note that it keeps of one.
// Always:  rows are read and written as they are; what they mean is nobody's affair here.
//          Each writing operation is whole or not at all, and lasts when it has resolved.

import type { HubTable, Key, Row, Shift, TableName } from "./hub-tables.ts";

/** What a database notes about the move of one of its hubs, beside the hub. */
export interface MoveNote {
  /** Made once for each move: both hubs have the same. */
  readonly id: string;
  readonly role: "source" | "target";
  /**
   * `moving`: until all is there and was compared. `moved`: it is. `returning`: a target that is compared, to be given back if nothing was done in it.
   * `emptying`: its rows go.
   */
  readonly state: "moving" | "moved" | "returning" | "emptying";
  /** Where the other hub is, without credentials. */
  readonly other: string;
  /** Of a target: how its numbers came to be, and which of them are kept for it. */
  readonly shift?: Shift;
  readonly first?: number;
  readonly last?: number;
}

/** What is said of a hub as a whole. */
export interface HubMark {
  /** Why nobody works on it, in words; absent: it is open. */
  readonly closed: string | undefined;
  readonly note: MoveNote | undefined;
}

/** Somebody who works on a hub right now. */
export interface LiveOwner {
  readonly label: string;
  /** For how long at most without another sign of life. */
  readonly forMs: number;
}

/** How large a page may be. */
export interface PageLimits {
  readonly rows: number;
  /** Characters of the column that may be large: what goes over it begins the next page, unless it is the first. */
  readonly size: number;
}

/** The numbers that a database will give next. */
export interface NextNumbers {
  readonly number: number;
  readonly sequence: number;
}

/** The rows of one hub in one database. */
export interface HubRows {
  /** The hub's URL for people: no credentials in it. */
  readonly shown: string;
  /** What is said of the hub; `undefined` when there is none of its name. */
  mark(): Promise<HubMark | undefined>;
  /** Says it. A hub that is not there is made. When it has resolved, everybody who works on the hub has been told, or is not in the middle of anything. */
  setMark(mark: HubMark): Promise<void>;
  /** Takes the hub's name away; its rows have gone before. */
  removeHub(): Promise<void>;
  /** Who works on it right now. */
  liveOwners(): Promise<readonly LiveOwner[]>;
  /** Tells everybody that their leases are over. */
  dismissOwners(): Promise<void>;
  /** Ends all leases of a closed hub: what was claimed is anybody's, under higher epochs. Can be done again. */
  rest(): Promise<void>;
  next(): Promise<NextNumbers>;
  /** Keeps as many numbers as this for a hub that is filled; what the first of each is. */
  reserve(counts: NextNumbers): Promise<NextNumbers>;
  /** How many rows of a table are the hub's; or, of a hub that is being filled, those for instances of these numbers. */
  count(table: HubTable, between?: { readonly first: number; readonly last: number }): Promise<number>;
  /** Rows behind a key, in the order of keys. None: it is the end. */
  page(table: HubTable, after: Key, limits: PageLimits): Promise<readonly Row[]>;
  /** The last key that a table has for instances of these numbers, be they there or not. */
  lastKey(table: HubTable, first: number, last: number): Promise<Key | undefined>;
  write(table: HubTable, rows: readonly Row[]): Promise<void>;
  /** One bounded step of removing rows of a table for instances of these numbers; false when none was left. */
  removeSome(table: TableName, first: number, last: number): Promise<boolean>;
  /** One bounded step of removing instances of the hub with all that is theirs; false when none was left. */
  removeSomeInstances(): Promise<boolean>;
  /** After much was written: what a database should know of it. */
  settle(): Promise<void>;
  close(): Promise<void>;
}
