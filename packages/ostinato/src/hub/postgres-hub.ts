// postgres-hub: a task hub in a PostgreSQL database.
//
// Owns:    what may be said of one beyond its URL; how long the leases of its processes are.
// Always:  the driver and the store are asked for when a URL needs them, and not before.

import { InvalidArgumentError } from "../contract/errors.ts";
import { checkOptions, checkWord, type OptionNames } from "../contract/options.ts";
import { given } from "../contract/recorded-as.ts";
import type { Logger } from "../platform/logger.ts";
import type { PostgresPool } from "../stores/postgres/database.ts";
import type { openPostgresStore } from "../stores/postgres/postgres-store.ts";
import type { HubAddress } from "./hub-url.ts";

/**
 * How a task hub in PostgreSQL is reached and watched over.
 *
 * @example
 * const hub = await openTaskHub("postgres:?hub=orders", { postgres: { pool: new Pool({ connectionString }) } });
 */
export interface PostgresOptions {
  /**
   * A `Pool` of `pg` of your own, in place of one for the hub; it is never ended here. With a URL that leads to no database (`"postgres:?hub=orders"`)
   * leases are renewed in the main loop, since a thread cannot use your pool. Whatever parsers of types you have set: JSON, booleans and arrays of text
   * have to be read as `pg` does.
   */
  readonly pool?: PostgresPool;
  /** Connections of the hub's own pool at most; 4 by default. One that listens and one that renews leases come besides. */
  readonly connections?: number;
  /** Where leases are renewed: on a thread with a connection of its own (the default where the URL leads to a database), or in the main loop. */
  readonly renewal?: "thread" | "main";
  /** When the main loop has stood still for so long, its process is given up and others take its work over; 60 s by default. */
  readonly maxBlockedMs?: number;
  /** Whether work is heard of by LISTEN (the default). Otherwise it is looked for now and then: for poolers that give a connection to each transaction. */
  readonly listen?: boolean;
}

const OPTIONS: OptionNames<PostgresOptions> = { pool: true, connections: true, renewal: true, maxBlockedMs: true, listen: true };

/** How long others wait for a process that says nothing before they take over from it. */
export const POSTGRES_LEASE_MS = 30_000;

/**
 * The store behind such a URL.
 *
 * @throws InvalidArgumentError for options that are misspelt or mean nothing; UnsupportedError, at opening, where `pg` is not installed.
 */
export async function postgresStore(
  address: Extract<HubAddress, { readonly scheme: "postgres" }>,
  options: PostgresOptions | undefined,
  { log, readOnly }: { readonly log: Logger; readonly readOnly: boolean | undefined },
): Promise<ReturnType<typeof openPostgresStore>> {
  checkPostgresOptions(options);
  const { connectionString, hub, schema } = address;
  const { pool, connections, renewal, maxBlockedMs, listen } = options ?? {};
  if (connectionString === undefined && pool === undefined)
    throw new InvalidArgumentError(
      'The task hub URL leads to no database: write "postgres://host/database", or hand a pool in: { postgres: { pool } }.',
    );
  if (connectionString === undefined && renewal === "thread")
    throw new InvalidArgumentError(
      'postgres.renewal "thread" needs a connection of its own: write the whole URL, "postgres://host/database".',
    );
  const store = await import("../stores/postgres/postgres-store.ts");
  return store.openPostgresStore({
    log,
    ...given({ connectionString, hub, schema, readOnly, pool, connections, renewal, maxBlockedMs, listen }),
  });
}

function checkPostgresOptions(options: PostgresOptions | undefined): void {
  checkOptions(options, OPTIONS, "postgres");
  checkWord(options?.renewal, ["thread", "main"], "postgres.renewal");
  for (const name of ["connections", "maxBlockedMs"] as const) {
    const value = options?.[name];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 1))
      throw new InvalidArgumentError(`postgres.${name} must be a whole number of at least 1; got ${String(value)}.`);
  }
  if (options?.listen !== undefined && typeof options.listen !== "boolean")
    throw new InvalidArgumentError("postgres.listen must be true or false.");
  if (options?.pool !== undefined && typeof (options.pool as { connect?: unknown }).connect !== "function")
    throw new InvalidArgumentError("postgres.pool must be a Pool of the package pg, or have its methods.");
}
