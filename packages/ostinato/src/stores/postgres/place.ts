// place: where a database is, for those who need one connection for a while, and for messages.
//
// Owns:    what is said of a server that cannot be reached.
// Always:  a pool that was handed in is never ended here. No message has a password in it.

import { InvalidArgumentError, OstinatoError, StoreUnavailableError } from "../../contract/errors.ts";
import { importPg, sqlState, withPooledConnection } from "./database.ts";
import type { PostgresPool, PostgresPoolClient } from "./database.ts";

/**
 * Where a database is: one of the two has to be there.
 *
 * @example
 * const place: PostgresPlace = { connectionString: "postgres://localhost/orders" };
 */
export interface PostgresPlace {
  /** A task hub's URL will do. */
  readonly connectionString?: string | undefined;
  /** A pool of the caller's own. It is not ended. */
  readonly pool?: PostgresPool | undefined;
}

/**
 * Refuses a place that leads nowhere.
 *
 * @throws InvalidArgumentError saying what is missing.
 */
export function checkPlace({ connectionString, pool }: PostgresPlace): void {
  if (connectionString === undefined && pool === undefined)
    throw new InvalidArgumentError('PostgreSQL needs { connectionString: "postgres://host/database" }, or a { pool } of yours.');
}

/** A connection, as long as somebody uses it. */
export type Connection = Pick<PostgresPoolClient, "query">;

/**
 * Uses one connection, so that statements follow one another.
 *
 * @throws StoreUnavailableError when there is none to be had.
 */
export async function withConnection<T>(place: PostgresPlace, use: (connection: Connection) => Promise<T>): Promise<T> {
  const { pool } = place;
  if (pool === undefined) return withOwnConnection(place, use);
  return withPooledConnection(() => pool.connect().catch((error: unknown) => unreachable(error, place)), use);
}

async function withOwnConnection<T>(place: PostgresPlace, use: (connection: Connection) => Promise<T>): Promise<T> {
  checkPlace(place);
  const { connectionString } = place;
  const { Client } = await importPg();
  const client = attempted(() => new Client({ connectionString, application_name: "ostinato", connectionTimeoutMillis: 10_000 }), place);
  // A connection that ends is told by the question that it leaves without an answer.
  client.on("error", () => undefined);
  try {
    await client.connect().catch((error: unknown) => unreachable(error, place));
    return await use(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** A text that is no connection string is refused without being repeated. */
function attempted<T>(make: () => T, place: PostgresPlace): T {
  try {
    return make();
  } catch (error) {
    return unreachable(error, place);
  }
}

/**
 * Host, port and database, for messages: nobody's name and no password.
 *
 * @example placeName({ connectionString: "postgres://ada:secret@db:5432/orders" }) === 'PostgreSQL at db:5432 (database "orders")'
 */
export function placeName({ connectionString }: PostgresPlace): string {
  if (connectionString === undefined) return "PostgreSQL (by the pool that was handed in)";
  // Up to the last @ everything may be a password, also one that was not written as URLs want it.
  const afterUser = connectionString.replace(/^[a-z]+:\/\//i, "").replace(/^.*@/s, "");
  const [, authority = "", database = ""] = /^([^/?#]*)(?:\/([^?#]*))?/.exec(afterUser) ?? [];
  const host = /[?&]host=([^&#]*)/.exec(afterUser)?.[1];
  const where = host === undefined ? authority : decoded(host);
  return `PostgreSQL${where === "" ? "" : ` at ${where}`}${database === "" ? "" : ` (database ${JSON.stringify(decoded(database))})`}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

const REMEDIES: Readonly<Record<string, string>> = {
  ECONNREFUSED: "Nothing listens there: check host and port, and that the server runs.",
  ENOTFOUND: "There is no such host.",
  "3D000": "Create the database first: a task hub makes its schema, and no database.",
  "28P01": "Check user and password.",
  "28000": "Check user and password, and the server's pg_hba.conf.",
  "53300": "The server has no connection left: raise max_connections, or put a pooler in front of it.",
};

/** @throws StoreUnavailableError saying in words why no connection could be made. */
export function unreachable(error: unknown, place: PostgresPlace): never {
  if (error instanceof OstinatoError) throw error;
  const { code, message } = error as { readonly code?: string; readonly message?: string };
  // What cannot be read is repeated by those who try, with all that is in it.
  const isUnreadable = code === "ERR_INVALID_URL" || error instanceof URIError;
  const told = isUnreadable ? "the connection string cannot be read" : (message || (code ?? "there was no answer")).replace(/\.$/, "");
  const remedy = REMEDIES[sqlState(error) ?? code ?? ""];
  throw new StoreUnavailableError(
    `${placeName(place)} cannot be reached: ${told}.${remedy === undefined ? "" : ` ${remedy}`}`,
    isUnreadable ? undefined : { cause: error },
  );
}
