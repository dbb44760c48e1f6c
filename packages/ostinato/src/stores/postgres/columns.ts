// columns: rows on their way into the database, as one array for each of their columns.
//
// Always:  what a column holds is text, number or null; the text that an array becomes is read back by PostgreSQL as exactly that.

import { InvalidArgumentError } from "../../contract/errors.ts";
import type { Column } from "../sql/rows.ts";

/** Rows of one kind: a list for each column. */
export class Columns {
  readonly #width: number;
  /** Made for the first row: most groups have rows of few kinds. */
  #lists: Column[][] = NO_LISTS;

  constructor(width: number) {
    this.#width = width;
  }

  get size(): number {
    return this.#lists[0]?.length ?? 0;
  }

  push(...row: readonly Column[]): void {
    if (this.#lists.length === 0) this.#lists = Array.from({ length: this.#width }, () => []);
    for (let i = 0; i < this.#width; i++) this.#lists[i]!.push(row[i] ?? null);
  }

  /** What stands in one column. */
  list(column: number): readonly Column[] {
    return this.#lists[column] ?? [];
  }

  /** Its arrays from a column on, in order or with the rows in another one. A column without any value is null. */
  arrays(from = 0, order?: readonly number[]): (string | null)[] {
    const texts: (string | null)[] = [];
    for (let i = from; i < this.#width; i++) {
      const list = this.#lists[i];
      const isEmpty = list === undefined || list.every((value) => value === null);
      texts.push(isEmpty ? null : arrayOf(order === undefined ? list : order.map((row) => list[row] ?? null)));
    }
    return texts;
  }
}

const NO_LISTS: Column[][] = [];

/**
 * An array as PostgreSQL reads it.
 *
 * @throws InvalidArgumentError for a text that no database of this kind can hold.
 */
export function arrayOf(list: readonly Column[]): string {
  let text = "{";
  for (let i = 0; i < list.length; i++) {
    const value = list[i];
    if (i > 0) text += ",";
    if (value === null || value === undefined) text += "NULL";
    else if (typeof value === "number") text += value;
    else text += quoted(value);
  }
  return text + "}";
}

function quoted(value: string): string {
  if (value.includes("\0") || !value.isWellFormed())
    throw new InvalidArgumentError(
      `PostgreSQL cannot hold the text ${JSON.stringify(value.slice(0, 200))}: it has the character U+0000, or half of a surrogate pair.`,
    );
  if (!value.includes('"') && !value.includes("\\")) return `"${value}"`;
  return `"${value.replace(/["\\]/g, "\\$&")}"`;
}
