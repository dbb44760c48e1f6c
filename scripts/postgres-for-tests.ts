// postgres-for-tests: databases for test files.
//
// Owns:    which server they are on: OSTINATO_TEST_POSTGRES names it (test.ts starts one for the whole run), else a file that runs alone starts its own.
// Always:  each call gives an empty database. A server of our own ends with the process; nobody has to remember.
//          Nothing is passed over in silence: `withoutPostgres` is the reason that a skipped test prints.
import { freshDatabaseOn, startPostgres, whyNoPostgres } from "./throw-away-postgres.ts";
import type { FreshDatabaseOptions } from "./throw-away-postgres.ts";

/** The variable that names the server: a URL whose user may make databases. */
export const TEST_SERVER = "OSTINATO_TEST_POSTGRES";

/**
 * Why tests on PostgreSQL cannot run here; false when they can.
 *
 * @example
 * describe("postgres store", { skip: withoutPostgres() }, () => { ... });
 */
export function withoutPostgres(): string | false {
  return process.env[TEST_SERVER] === undefined ? (whyNoPostgres() ?? false) : false;
}

/** An empty database for tests. Nothing of it has to be cleaned up, but connections to it. */
export async function databaseForTests(options?: FreshDatabaseOptions): Promise<string> {
  return freshDatabaseOn(await serverForTests(), options);
}

let own: Promise<string> | undefined;

function serverForTests(): Promise<string> {
  const named = process.env[TEST_SERVER];
  if (named !== undefined) return Promise.resolve(named);
  return (own ??= startPostgres({ fsync: false }).then((server) => server.url));
}
