// names: what a schema and a hub in it may be called, and how a name gets into a statement.
//
// Owns:    the rules of both; the one place that quotes an identifier.
// Always:  a schema's name is checked before it is quoted; a hub's name is a value, and crosses as a parameter.

import { InvalidArgumentError } from "../../contract/errors.ts";
import { checkName } from "../../contract/ids.ts";

/** The schema of whoever names none. */
export const DEFAULT_SCHEMA = "ostinato";
/** The hub of whoever names none. */
export const DEFAULT_HUB = "default";

/** Longer names are cut off by PostgreSQL without a word, so two of them could be one. */
const LONGEST_IDENTIFIER = 63;
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_-]*$/;

/**
 * Refuses a schema name that could be mistaken or misread. Upper and lower case are different names, as they are between quotes.
 *
 * @throws InvalidArgumentError naming what is wrong with it.
 */
export function checkSchemaName(schema: string): void {
  const refuse = (why: string): never => {
    throw new InvalidArgumentError(`The schema name ${JSON.stringify(schema)} ${why}; write for example "orders_2".`);
  };
  if (typeof schema !== "string" || !IDENTIFIER.test(schema)) refuse("may have letters, digits, _ and -, and begins with a letter or _");
  if (schema.length > LONGEST_IDENTIFIER) refuse(`has ${schema.length} characters; ${LONGEST_IDENTIFIER} are allowed`);
  if (/^pg_/i.test(schema) || schema.toLowerCase() === "information_schema") refuse("belongs to PostgreSQL itself");
}

/**
 * Refuses a hub name that could not be stored or printed.
 *
 * @throws InvalidArgumentError naming what is wrong with it.
 */
export function checkHubName(hub: string): void {
  checkName(hub, "name of the task hub");
}

/**
 * An identifier as it stands in a statement.
 *
 * @example quotedName("orders") === '"orders"'
 */
export function quotedName(name: string): string {
  if (name === "" || name.includes("\0")) throw new InvalidArgumentError("A name in the database is empty, or has a character U+0000.");
  return `"${name.replaceAll('"', '""')}"`;
}
