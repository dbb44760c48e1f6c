// A file of format 3, from before hubs could be closed: its hubs are open, and it takes the mark of one that was moved.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { it } from "node:test";
import { done, startOf } from "../../conformance/store/stories.ts";
import { MIGRATIONS } from "../sql/schema.ts";
import { openFileHubRows } from "./file-hub-rows.ts";
import { openSqliteStore } from "./sqlite-store.ts";

const FORMAT_3 = MIGRATIONS.filter(({ format }) => format <= 3);

it("G11 a file of format 3 is brought to format 4 after a copy was put aside; its hubs are open, until one is closed", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-format-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, "hub.db");
  const db = new DatabaseSync(path);
  db.exec("pragma auto_vacuum = incremental; pragma journal_mode = wal");
  for (const { statements } of FORMAT_3) db.exec(statements);
  db.exec(`pragma application_id = ${0x6f737469}; pragma user_version = 3; insert into hubs(name) values('default'), ('other')`);
  db.close();
  const store = openSqliteStore({ path, body: "inline" });
  await store.open();
  assert.ok(existsSync(`${path}.format-3.backup`));
  await done(store, startOf("a"));
  await store.close();

  const rows = openFileHubRows({ path, create: false });
  await rows.setMark({ closed: "The task hub was moved to the moon.", note: undefined });
  await rows.close();
  for (const readOnly of [false, true])
    await assert.rejects(openSqliteStore({ path, readOnly }).open(), {
      code: "STORE_UNAVAILABLE",
      message: /hub\.db: .*moved to the moon/,
    });
  const other = openSqliteStore({ path, hub: "other", body: "inline" });
  await other.open();
  await done(other, startOf("a"));
  await other.close();
});
