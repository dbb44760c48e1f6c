// The store conformance kit on PostgreSQL: on time that the kit moves, in the order of bytes; on the database's own time, in the order of a
// language. All stories share a database, each in a task hub of its own.

import { describe } from "node:test";
import { databaseForTests, withoutPostgres } from "../../../../../scripts/postgres-for-tests.ts";
import { storeConformance } from "../../conformance/store/conformance.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { START } from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import { migratePostgres } from "./migrate.ts";
import { openPostgresStore } from "./postgres-store.ts";

describe("PostgreSQL", { skip: withoutPostgres() }, () => {
  for (const weather of ["a movable clock", "the database's clock"] as const) {
    const isMovable = weather === "a movable clock";
    let database: Promise<string> | undefined;
    let stories = 0;
    storeConformance(`postgres, ${weather}`, async () => {
      const connectionString = await (database ??= migrated(isMovable ? undefined : "en-US"));
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

async function migrated(language: string | undefined): Promise<string> {
  const connectionString = await databaseForTests(language === undefined ? {} : { language });
  await migratePostgres({ connectionString });
  return connectionString;
}
