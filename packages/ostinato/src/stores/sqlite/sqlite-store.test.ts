import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { storeConformance } from "../../conformance/store/conformance.ts";
import { movableClock } from "../../conformance/store/movable-clock.ts";
import { START } from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import { openSqliteStore, type SqliteStoreOptions } from "./sqlite-store.ts";

for (const weather of ["inline", "thread", "auto", "auto, changing hands after every group"] as const) {
  storeConformance(`sqlite, ${weather}`, async () => {
    const body = weather === "inline" || weather === "thread" ? weather : "auto";
    const folder = mkdtempSync(join(tmpdir(), "ostinato-test-"));
    const path = join(folder, "hub.db");
    const clock = body === "inline" ? movableClock(START) : undefined;
    const restless = weather === "auto, changing hands after every group";
    const testing: Pick<SqliteStoreOptions, "testing"> =
      clock !== undefined ? { testing: { clock } } : restless ? { testing: { restless } } : {};
    const all: Store[] = [];
    const open = async (): Promise<Store> => {
      const store = openSqliteStore({ path, body, ...testing });
      await store.open();
      all.push(store);
      return store;
    };
    const store = await open();
    return {
      store,
      ...(clock === undefined ? {} : { clock }),
      connectAnother: open,
      async reopen() {
        for (const one of all.splice(0)) await one.close();
        return open();
      },
      async dispose() {
        for (const one of all) await one.close();
        rmSync(folder, { recursive: true });
      },
    };
  });
}
