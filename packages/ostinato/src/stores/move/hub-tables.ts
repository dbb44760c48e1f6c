// hub-tables: which tables a task hub consists of, and their columns, the same in every SQL database.
//
// Owns:    the order in which tables are copied, what of a column is renumbered, and the order of rows within a table.
// Always:  V1 instances come last: rows of an instance that is not there yet are nobody's, so whoever recovers a database passes them by.
//          Keys begin with the instance's number and order rows alike in every database.

import { RECORD_COLUMNS } from "../sql/rows.ts";
import type { Column } from "../sql/rows.ts";

/** A row: its columns, in the order of its table's. */
export type Row = readonly Column[];

/** The first columns of a row, by which rows are ordered. */
export type Key = readonly (string | number)[];

export type TableName = "payloads" | "history" | "messages" | "activities" | "ready" | "instances";

/** One table of a hub. */
export interface HubTable {
  readonly name: TableName;
  /** Its columns: the key first. */
  readonly columns: readonly string[];
  /** How many columns are its key. */
  readonly keyWidth: number;
  /** Those that hold text; the others hold whole numbers. */
  readonly texts: ReadonlySet<string>;
  /** The column that may be large, by which a page is measured. */
  readonly large: string;
  /** Whether its rows say of which hub they are; others are of the hub of their instance. */
  readonly hasHub: boolean;
  /** Below the key of every row. */
  readonly start: Key;
}

const RECORD_NUMBERS: ReadonlySet<string> = new Set([
  "number",
  "kind",
  "created_at",
  "epoch",
  "turn",
  "history_length",
  "updated_at",
  "last_turn_at",
  "attempts",
  "status",
  "scheduled_at",
  "started_at",
  "completed_at",
  "generation",
  "held",
  "not_before",
  "dropped",
  "parent_task",
  "format",
]);

/** The last table: when it is there, all is. */
export const INSTANCES: HubTable = {
  name: "instances",
  columns: RECORD_COLUMNS,
  keyWidth: 1,
  texts: new Set(RECORD_COLUMNS.filter((column) => !RECORD_NUMBERS.has(column))),
  large: "tags",
  hasHub: true,
  start: [0],
};

/** The tables, in the order in which they are copied. */
export const HUB_TABLES: readonly HubTable[] = [
  {
    name: "payloads",
    columns: ["number", "slot", "value"],
    keyWidth: 2,
    texts: new Set(["value"]),
    large: "value",
    hasHub: false,
    start: [0, -1],
  },
  {
    name: "history",
    columns: ["number", "turn", "first", "count", "format", "body"],
    keyWidth: 2,
    texts: new Set(["body"]),
    large: "body",
    hasHub: false,
    start: [0, -1],
  },
  {
    name: "messages",
    columns: ["number", "lane", "due_at", "sequence", "id", "execution", "visible_at", "arrived_at", "format", "body"],
    keyWidth: 4,
    texts: new Set(["id", "execution", "body"]),
    large: "body",
    hasHub: false,
    start: [0, -1, 0, 0],
  },
  {
    name: "activities",
    columns: [
      "number",
      "generation",
      "task_id",
      "name",
      "execution_id",
      "version",
      "input",
      "tags",
      "attempt",
      "idempotency_key",
      "attempt_timeout_ms",
      "expires_at",
      "trace_context",
      "epoch",
      "delivery",
      "born",
      "visible_at",
    ],
    keyWidth: 3,
    texts: new Set(["name", "execution_id", "version", "input", "tags", "idempotency_key", "trace_context"]),
    large: "input",
    hasHub: true,
    start: [0, -1, 0],
  },
  { name: "ready", columns: ["number", "name", "at"], keyWidth: 2, texts: new Set(["name"]), large: "name", hasHub: true, start: [0, ""] },
  INSTANCES,
];

/** How far the numbers of a hub's instances and the places of its messages are apart in two databases. */
export interface Shift {
  readonly numbers: number;
  readonly sequences: number;
}

export const NO_SHIFT: Shift = { numbers: 0, sequences: 0 };

/** A row as it stands on the other side of a shift. */
export function shifted({ name, columns }: HubTable, row: Row, by: Shift): Row {
  if (by.numbers === 0 && by.sequences === 0) return row;
  const moved = [...row];
  moved[0] = Number(row[0]) + by.numbers;
  if (name === "messages") {
    const place = columns.indexOf("sequence");
    moved[place] = Number(row[place]) + by.sequences;
  }
  return moved;
}

/** The key of a row. */
export function keyOf({ keyWidth }: HubTable, row: Row): Key {
  return row.slice(0, keyWidth) as Key;
}

/** The key of a row as it stands on the other side of a shift. */
export function shiftedKey(table: HubTable, key: Key, by: Shift): Key {
  return shifted(table, key, by) as Key;
}
