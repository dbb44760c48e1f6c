// The backend conformance kit on PostgreSQL: on time that the kit moves and on the database's own, with processes that end without a goodbye.
// With all other tests in part, with `STORE=postgres npm test` whole. All stories share a database, each in a task hub of its own.

import { describe } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../scripts/postgres-for-tests.ts";
import { backendConformance } from "../src/conformance/backend/index.ts";
import { POSTGRES_LEASE_MS } from "../src/hub/postgres-hub.ts";
import { migratePostgres } from "../src/stores/postgres/migrate.ts";
import { openPostgresStore } from "../src/stores/postgres/postgres-store.ts";
import { createQuiet } from "../src/testing/quiet.ts";
import { createVirtualClock } from "../src/testing/virtual-clock.ts";
import { mortalHub } from "./mortal-hub.ts";

const isWhole = process.env["STORE"] === "postgres";

let database: Promise<string> | undefined;
let stories = 0;

async function freshDatabase(): Promise<string> {
  const connectionString = await databaseForTests({ language: "en-US" });
  await migratePostgres({ connectionString });
  return connectionString;
}

describe("PostgreSQL", { skip: withoutPostgres() }, () => {
  backendConformance(
    "postgres, virtual time",
    async (request) => {
      const connectionString = await (database ??= freshDatabase());
      const hub = `story ${++stories}`;
      const quiet = createQuiet();
      const clock = createVirtualClock(Date.UTC(2025, 0, 1), quiet);
      const connect = () => openPostgresStore({ connectionString, hub, connections: 2, testing: { clock } });
      // Whoever waits at a shared store looks now and then.
      return { ...(await mortalHub({ connect, virtual: { clock, quiet } }, request)), heartbeats: true };
    },
    isWhole ? undefined : ["events"],
  );

  backendConformance(
    "postgres, the database's time",
    async (request) => {
      const connectionString = await (database ??= freshDatabase());
      const hub = `story ${++stories}`;
      const connect = () => openPostgresStore({ connectionString, hub, connections: 2 });
      return mortalHub({ connect, leaseMs: POSTGRES_LEASE_MS }, request);
    },
    isWhole ? undefined : ["activities"],
  );
});
