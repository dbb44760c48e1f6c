// memory-store: what a test hub has its instances in while the tests run on PostgreSQL (preload.ts).
//
// Always:  the time is the test's. A process that begins finds the one before it gone, as it does in memory.
import { randomUUID } from "node:crypto";
import type { Store } from "../../packages/ostinato/src/engine/store.ts";
import { openPostgresStore } from "../../packages/ostinato/src/stores/postgres/postgres-store.ts";
import type { StoreClock } from "../../packages/ostinato/src/stores/store-clock.ts";

/** A new task hub in the database of this run. */
export function createMemoryHub({ clock }: { readonly clock: StoreClock }): { connect(owner: string): Store } {
  const connectionString = process.env["OSTINATO_TEST_DATABASE"] ?? "";
  const hub = randomUUID();
  let closing: Promise<unknown> = Promise.resolve();
  return {
    connect(owner) {
      const { shared, ...store } = openPostgresStore({ connectionString, hub, connections: 2, label: owner, testing: { clock } });
      return {
        ...store,
        async open() {
          await closing;
          await store.open();
        },
        close() {
          const closed = store.close();
          closing = Promise.all([closing, closed]);
          return closed;
        },
      };
    },
  };
}
