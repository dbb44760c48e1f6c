// The store conformance kit on PostgreSQL: on time that the kit moves, and with `STORE=postgres npm test` on the database's own as well. The database
// sorts texts as a language does, so that what relies on the order of bytes shows. All stories share it, each in a task hub of its own.

import { describe } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { storeConformance } from "../../conformance/store/conformance.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { START } from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import { migratePostgres } from "./migrate.ts";
import { openPostgresStore } from "./postgres-store.ts";

describe("PostgreSQL", { skip: withoutPostgres() }, () => {
  for (const weather of process.env["STORE"] === "postgres"
    ? (["a movable clock", "the database's clock"] as const)
    : (["a movable clock"] as const)) {
    const isMovable = weather === "a movable clock";
    let database: Promise<string> | undefined;
    let stories = 0;
    storeConformance(`postgres, ${weather}`, async () => {
      const connectionString = await (database ??= migrated());
      const hub = `story ${++stories}`;
      const clock = isMovable ? movableClock(START) : undefined;
      const all: Store[] = [];
      const open = async (): Promise<Store> => {
        const store = openPostgresStore({ connectionString, hub, connections: 2, ...(clock === undefined ? {} : { testing: { clock } }) });
        await store.open();
        all.push(store);
        return store;
      };
      const store = await open();
      const close = async (): Promise<void> => {
        for (const one of all.splice(0)) await one.close();
      };
      return {
        store,
        ...(clock === undefined ? {} : { clock }),
        connectAnother: open,
        async reopen() {
          await close();
          return open();
        },
        dispose: close,
      };
    });
  }
});

async function migrated(): Promise<string> {
  const connectionString = await databaseForTests({ language: "en-US" });
  await migratePostgres({ connectionString });
  return connectionString;
}
