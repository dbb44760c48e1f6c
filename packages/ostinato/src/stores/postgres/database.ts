// database: statements on their way to the server and back.
//
// Owns:    the pool (ours, or the user's own), and what an error of the server or of the way to it means.
// Always:  R2 at most so many connections. What was asked and not answered is unknown, and said so.
//          Values cross as parameters only; names are checked and quoted before they come here.

import { HubClosedError, StoreUnavailableError, UnsupportedError } from "../../contract/errors.ts";
import { HUB_IS_CLOSED, STEP_IS_REFUSED } from "./functions.ts";

/** A row as an object. */
export type PostgresRow = Readonly<Record<string, unknown>>;

/** What a connection is asked. */
export interface PostgresQuery {
  readonly text: string;
  readonly values?: unknown[];
  readonly name?: string;
}

/** A connection of a pool, as the package `pg` has it. */
export interface PostgresPoolClient {
  query(query: PostgresQuery): Promise<{ readonly rows: readonly PostgresRow[] }>;
  release(error?: Error | boolean): void;
  on(event: "error", listener: (error: Error) => void): unknown;
  on(event: "end", listener: () => void): unknown;
  on(event: "notification", listener: (message: { readonly channel: string; readonly payload?: string | undefined }) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** A pool of connections, as the package `pg` has it: one of your own may be handed in. */
export interface PostgresPool {
  connect(): Promise<PostgresPoolClient>;
  query(query: PostgresQuery): Promise<{ readonly rows: readonly PostgresRow[] }>;
  end(): Promise<void>;
  on(event: "error", listener: (error: Error) => void): unknown;
  removeListener(event: "error", listener: (error: Error) => void): unknown;
}

/** How the server said no: its SQLSTATE, when it was the server that did. */
export function sqlState(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | undefined)?.code;
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code) && !/^E[A-Z]{4}$/.test(code) ? code : undefined;
}

/** Somebody else was faster, or two waited for each other: nothing was written, and asking again is right. */
export function isLostRace(error: unknown): boolean {
  const state = sqlState(error);
  return state === "40001" || state === "40P01";
}

/** The server or the way to it is not there: what was asked may have been done or not. */
export function isConnectionLost(error: unknown): boolean {
  const state = sqlState(error);
  // 08 connection, 57P01-57P05 shutdown and timeouts of the session, 53300 too many connections, 25006 a server that only reads.
  return (
    state === undefined || state.startsWith("08") || state.startsWith("57P") || state === "53300" || state === "25006" || state === "57014"
  );
}

const UNIQUE_VIOLATION = "23505";

/** What a group of steps was sent back with: nothing of it is written, and the longer call says why. */
export function isRefusedStep(error: unknown): boolean {
  const state = sqlState(error);
  return state === STEP_IS_REFUSED || state === UNIQUE_VIOLATION;
}

/** An open way to a database. */
export interface Database {
  readonly pool: PostgresPool;
  /** Asks once. */
  ask(query: PostgresQuery): Promise<readonly PostgresRow[]>;
  close(): Promise<void>;
}

/** How a way to a database is opened. */
export interface DatabaseOptions {
  readonly connectionString?: string | undefined;
  readonly pool?: PostgresPool | undefined;
  readonly connections: number;
  readonly label: string;
}

/**
 * Opens a pool, or takes the one that is handed in. Nothing is connected before the first question.
 *
 * @throws UnsupportedError when the package `pg` is not there.
 */
export async function openDatabase({ connectionString, pool: given, connections, label }: DatabaseOptions): Promise<Database> {
  const pool = given ?? (await makePool(connectionString ?? "", connections, label));
  let closed = false;
  // A connection that dies while nobody asks is replaced; whoever asks is told by the question's own error.
  const onIdleError = (): void => undefined;
  pool.on("error", onIdleError);
  return {
    pool,
    async ask(query) {
      if (closed) throw new HubClosedError("The store is closed.");
      try {
        return (await pool.query(query)).rows;
      } catch (error) {
        if (sqlState(error) === HUB_IS_CLOSED) throw new StoreUnavailableError((error as Error).message, { cause: error });
        throw isConnectionLost(error) ? unavailable(error) : error;
      }
    },
    async close() {
      closed = true;
      // A pool of ours is listened to for ever: a connection may die while it ends.
      if (given === undefined) await pool.end();
      else pool.removeListener("error", onIdleError);
    },
  };
}

function unavailable(error: unknown): Error {
  const { message, code } = error as Error & { code?: string };
  return new StoreUnavailableError(`PostgreSQL cannot be asked: ${message || String(code)}.`, { cause: error });
}

async function makePool(connectionString: string, connections: number, label: string): Promise<PostgresPool> {
  const { Pool } = await importPg();
  return new Pool({
    connectionString,
    max: connections,
    application_name: label.slice(0, 63),
    connectionTimeoutMillis: 5_000,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    query_timeout: 30_000,
  });
}

/** Uses one connection of a pool, so that statements follow one another. One on which something has failed does not go back: it may have a transaction open. */
export async function withPooledConnection<T>(
  connect: () => Promise<PostgresPoolClient>,
  use: (connection: PostgresPoolClient) => Promise<T>,
): Promise<T> {
  const client = await connect();
  // While it is lent out nobody else listens: a connection that dies is told by the question that it leaves without an answer.
  const onError = (): void => undefined;
  client.on("error", onError);
  let failed = true;
  try {
    const answer = await use(client);
    failed = false;
    return answer;
  } finally {
    client.removeListener("error", onError);
    client.release(failed);
  }
}

/** What is needed of the package: named here, since a program that has no such package has no types of it either. */
export interface PgPackage {
  readonly Pool: new (config: object) => PostgresPool;
  readonly Client: new (config: object) => PgClient;
}

/** A connection that is in no pool. */
export interface PgClient extends Omit<PostgresPoolClient, "release"> {
  connect(): Promise<unknown>;
  end(): Promise<void>;
}

const PACKAGE = "pg";

// By a name that is no literal: compilers and bundlers take nothing along that a program may not have.
const importPackage = (): Promise<unknown> => import(PACKAGE);

/**
 * The package `pg`, when it is first needed.
 *
 * @throws UnsupportedError saying how to install it.
 */
export async function importPg(load: () => Promise<unknown> = importPackage): Promise<PgPackage> {
  try {
    return ((await load()) as { readonly default: PgPackage }).default;
  } catch (cause) {
    const { code, message } = cause as { readonly code?: unknown; readonly message?: unknown };
    if (code !== "ERR_MODULE_NOT_FOUND" || !String(message).includes(`'${PACKAGE}'`)) throw cause;
    throw new UnsupportedError('A task hub in PostgreSQL needs the package "pg": install it with `npm install pg`.', { cause });
  }
}
