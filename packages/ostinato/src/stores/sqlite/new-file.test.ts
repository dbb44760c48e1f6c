// How a new file comes to be: whole, under its name, or not at all.

import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { done, startOf } from "../../conformance/store/stories.ts";
import { FORMAT, MIGRATIONS } from "../sql/schema.ts";
import type { Migration } from "../sql/schema.ts";
import { openSqliteStore } from "./sqlite-store.ts";

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-new-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function openAndClose(path: string, migrations: readonly Migration[] = MIGRATIONS): Promise<void> {
  const store = openSqliteStore({ path, body: "inline", testing: { migrations } });
  await store.open();
  await done(store, startOf("a"));
  await store.close();
}

describe("a new file", () => {
  it("D1 stands under its name when it is whole, and not before: what fails on the way leaves nothing that somebody must understand", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const bad = [...MIGRATIONS, { format: FORMAT + 1, statements: "insert into nowhere values(1)" }];
    await assert.rejects(openAndClose(path, bad));
    assert.equal(existsSync(path), false);
    await openAndClose(path);
  });

  it("D1 is made although somebody died while making it before, at whatever place", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    for (const end of ["-new", "-new-journal", "-new-wal", "-new-shm"]) writeFileSync(`${path}${end}`, "half of something");
    await openAndClose(path);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("-new")),
      [],
    );
    assert.equal(statSync(path).mode & 0o777, 0o600);
  });

  it("does not take up the log of a file that was there under its name before", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const old = new DatabaseSync(path);
    old.exec("pragma journal_mode = wal; create table old(a); insert into old values(1)");
    const log = `${path}-wal`;
    const bytes = readFileSync(log);
    old.close();
    rmSync(path);
    writeFileSync(log, bytes);
    await openAndClose(path);
    const db = new DatabaseSync(path);
    assert.equal(db.prepare("select count(*) as n from sqlite_schema where name = 'old'").get()?.["n"], 0);
    assert.equal(db.prepare("pragma integrity_check").get()?.["integrity_check"], "ok");
    db.close();
  });

  it("may be an empty file that somebody has put there", async (t) => {
    const path = join(folderOf(t), "hub.db");
    writeFileSync(path, "");
    await openAndClose(path);
    assert.ok(statSync(path).size > 0);
  });
});
