// copy-rows: the rows of a hub from one database into another, and whether they arrived.
//
// Is told: two hubs that nobody works on, and how far their numbers are apart.
// Tells:   how far it is, after each page.
// Always:  V2 a page is one transaction; what is there already is a beginning of what there will be, so a copy goes on behind its last row.
//          V3 the copy is read back whole and compared with the source value by value; nothing is trusted that was not read.
//          No more than a page of each side is in memory.

import type { HubRows, PageLimits } from "./hub-rows.ts";
import { HUB_TABLES, keyOf, shifted, shiftedKey } from "./hub-tables.ts";
import type { HubTable, Key, Row, Shift, TableName } from "./hub-tables.ts";
import { createRowDigest } from "./row-digest.ts";

/** What is read and written at once: enough that round trips do not count, and little enough for any machine. */
export const PAGE: PageLimits = { rows: 2_000, size: 4_194_304 };

/** The numbers that are kept for the rows of a hub that is filled. */
export interface Place {
  readonly shift: Shift;
  readonly first: number;
  readonly last: number;
}

/** What a table has, and its checksum. */
export interface TableSum {
  readonly rows: number;
  /** SHA-256 over its rows in order, their numbers as they were at the source. */
  readonly checksum: string;
}

export type TableSums = Readonly<Record<TableName, TableSum>>;

/** Told after each page: how many rows it had, and of which table. */
export type OnPage = (table: TableName, rows: number) => Promise<void>;

/** Copies what is not there yet. */
export async function copyRows(
  from: HubRows,
  to: HubRows,
  { shift, first, last }: Place,
  limits: PageLimits,
  onPage: OnPage,
): Promise<void> {
  const back: Shift = { numbers: -shift.numbers, sequences: -shift.sequences };
  for (const table of HUB_TABLES) {
    const begun = await to.lastKey(table, first, last);
    const after = begun === undefined ? table.start : shiftedKey(table, begun, back);
    for await (const page of pagesOf(from, table, after, limits)) {
      await to.write(
        table,
        page.map((row) => shifted(table, row, shift)),
      );
      await onPage(table.name, page.length);
    }
  }
}

/** What a comparison finds: what each table has, or the first row that differs, in words. */
export type Comparison = { readonly sums: TableSums } | { readonly difference: string };

/** Reads both sides whole, and compares them. */
export async function compareRows(from: HubRows, to: HubRows, shift: Shift, limits: PageLimits, onPage: OnPage): Promise<Comparison> {
  const sums: Partial<Record<TableName, TableSum>> = {};
  for (const table of HUB_TABLES) {
    const found = await compareTable(from, to, table, shift, limits, onPage);
    if (typeof found === "string") return { difference: `table ${table.name}: ${found}` };
    sums[table.name] = found;
  }
  return { sums: sums as TableSums };
}

async function compareTable(
  from: HubRows,
  to: HubRows,
  table: HubTable,
  shift: Shift,
  limits: PageLimits,
  onPage: OnPage,
): Promise<TableSum | string> {
  const back: Shift = { numbers: -shift.numbers, sequences: -shift.sequences };
  const arrived = rowsOf(to, table, limits);
  const sent = createRowDigest();
  const got = createRowDigest();
  let rows = 0;
  for await (const page of pagesOf(from, table, table.start, limits)) {
    for (const row of page) {
      const { value, done } = await arrived.next();
      if (done === true) return `${named(table, row)} is not in the copy`;
      const other = shifted(table, value, back);
      const order = compareKeys(keyOf(table, row), keyOf(table, other));
      if (order < 0) return `${named(table, row)} is not in the copy`;
      if (order > 0) return `${named(table, other)} is in the copy alone`;
      const differs = table.columns.find((_, i) => row[i] !== other[i]);
      if (differs !== undefined) return `${differs} of ${named(table, row)} is not the same in the copy`;
      sent.add(row);
      got.add(other);
    }
    rows += page.length;
    await onPage(table.name, page.length);
  }
  const { value: more, done } = await arrived.next();
  if (done !== true) return `${named(table, shifted(table, more, back))} is in the copy alone`;
  const checksum = sent.end();
  return got.end() === checksum ? { rows, checksum } : "the checksums are not the same";
}

function compareKeys(a: Key, b: Key): number {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return a[i]! < b[i]! ? -1 : 1;
  return 0;
}

function named(table: HubTable, row: Row): string {
  const where = keyOf(table, row).map((value, index) => `${table.columns[index] ?? "?"} ${value}`);
  return `the row of ${where.join(", ")}`;
}

async function* pagesOf(hub: HubRows, table: HubTable, after: Key, limits: PageLimits): AsyncGenerator<readonly Row[]> {
  for (let last = after; ;) {
    const page = await hub.page(table, last, limits);
    const end = page.at(-1);
    if (end === undefined) return;
    last = keyOf(table, end);
    yield page;
  }
}

async function* rowsOf(hub: HubRows, table: HubTable, limits: PageLimits): AsyncGenerator<Row, undefined> {
  for await (const page of pagesOf(hub, table, table.start, limits)) yield* page;
  return undefined;
}
