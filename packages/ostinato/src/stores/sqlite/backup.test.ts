// A copy of a file, put aside and put back; and what is said of a file's size and soundness.

import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import {
  activityOf,
  claimAll,
  commitOf,
  done,
  historyOf,
  messageTo,
  recordOf,
  startAndClaim,
  startOf,
  turnOf,
} from "../../conformance/store/stories.ts";
import type { Claim } from "../../engine/commit.ts";
import type { FileUpkeep, Store } from "../../engine/store.ts";
import { MIGRATIONS } from "../sql/schema.ts";
import { restoreFile } from "./backup.ts";
import { openSqliteStore } from "./sqlite-store.ts";
import type { SqliteStoreOptions } from "./sqlite-store.ts";

type Measurable = Store & { readonly file: FileUpkeep } & Required<Pick<Store, "sizes">>;

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-backup-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function opened(t: TestContext, options: SqliteStoreOptions): Promise<Measurable> {
  const store = openSqliteStore(options);
  await store.open();
  t.after(() => store.close());
  return store as Measurable;
}

/** Instances with histories, messages and activities. */
async function fill(store: Store, count: number, prefix = "i"): Promise<void> {
  for (let i = 0; i < count; i++) {
    const { record, messages } = await startAndClaim(store, `${prefix}${i}`, { input: "x".repeat(2_000) });
    await done(store, turnOf(record, messages, { messages: [messageTo(record.id, "m")], activities: [activityOf(record, 1)] }));
  }
}

/** Takes turn after turn of some instances until told to stop; answers how many. */
function load(store: Store, claims: readonly Claim[]): { stop(): Promise<number> } {
  let stopping = false;
  let turns = 0;
  const running = claims.map(async ({ record, messages }) => {
    let at = { record, messages };
    while (!stopping) {
      const id = `n${at.record.turn}`;
      const turn = turnOf(at.record, at.messages, { messages: [messageTo(record.id, id)] });
      const result = await done(store, turn);
      at = { record: turn.record!, messages: result.arrived };
      turns++;
    }
  });
  return {
    async stop() {
      stopping = true;
      await Promise.all(running);
      return turns;
    },
  };
}

describe("backup", () => {
  it("D8 a copy made while others write is one sound file of one moment, private, and writers go on", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    const store = await opened(t, { path });
    await fill(store, 300);
    const claims = [];
    for (let i = 0; i < 8; i++) claims.push(await startAndClaim(store, `busy${i}`));
    const busy = load(store, claims);
    const seen: number[] = [];
    const backup = join(folder, "copy.db");
    await store.file.backup(backup, { onProgress: ({ totalBytes, remainingBytes }) => seen.push(remainingBytes / totalBytes) });
    assert.ok((await busy.stop()) > 0);
    assert.ok(seen.length > 0 && seen.every((part, i) => part <= (seen[i - 1] ?? 1)), String(seen));
    assert.equal(statSync(backup).mode & 0o777, 0o600);
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("copy.db")),
      ["copy.db"],
    );

    assert.deepEqual(await restoreFile(backup, join(folder, "restored.db")), []);
    const restored = await opened(t, { path: join(folder, "restored.db") });
    assert.deepEqual(await restored.file.checkIntegrity(), []);
    for (let i = 0; i < 8; i++) {
      const { record } = (await restored.read(`busy${i}`))!;
      assert.equal((await historyOf(restored, record.id)).length, record.historyLength);
      assert.ok(record.turn <= (await store.read(record.id))!.record.turn);
    }
    assert.equal((await restored.query({}, { size: 1_000 })).items.length, 308);
    const { instances, activities } = await claimAll(restored, { instances: 1_000, activityCount: 1_000 });
    assert.equal(instances.length, 308, "who owned them is dead: everything is there to be claimed");
    assert.equal(activities.length, 300);
  });

  it("nothing is written over; what is half done has another name, and goes when it fails", async (t) => {
    const folder = folderOf(t);
    const store = await opened(t, { path: join(folder, "hub.db") });
    await done(store, startOf("a"));
    writeFileSync(join(folder, "mine.txt"), "mine");
    await assert.rejects(store.file.backup(join(folder, "mine.txt")), { code: "INVALID_STATE", message: /exists already.*written over/ });
    assert.equal(readFileSync(join(folder, "mine.txt"), "utf8"), "mine");
    await assert.rejects(store.file.backup(join(folder, "nowhere", "copy.db")), { code: "STORE_UNAVAILABLE", message: /Create it first/ });
    await assert.rejects(store.file.backup(join(folder, "hub.db")), { code: "INVALID_STATE" });
    const copy = join(folder, "copy.db");
    const failing = store.file.backup(copy, {
      onProgress() {
        mkdirSync(copy, { recursive: true });
      },
    });
    await assert.rejects(failing, { code: "INVALID_STATE", message: /was not there when the copy was begun/ });
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.includes("partial")),
      [],
    );
    await store.close();
    await assert.rejects(store.file.backup(join(folder, "late.db")), { code: "HUB_CLOSED" });
  });

  it("a hub that closes cuts a backup off, and leaves nothing of it", async (t) => {
    const folder = folderOf(t);
    const store = await opened(t, { path: join(folder, "hub.db") });
    for (let i = 0; i < 40; i++) await done(store, startOf(`i${i}`, { message: { wakes: "unless-held" }, input: "x".repeat(1_000_000) }));
    const cut = assert.rejects(store.file.backup(join(folder, "copy.db")), { code: "HUB_CLOSED" });
    await store.close();
    await cut;
    assert.deepEqual(
      readdirSync(folder).filter((name) => name.startsWith("copy")),
      [],
    );
  });

  it("a hub that only reads beside the one that works can be backed up as well", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    const store = await opened(t, { path });
    await fill(store, 20);
    const reader = await opened(t, { path, readOnly: true });
    await reader.file.backup(join(folder, "copy.db"));
    assert.deepEqual(await reader.file.checkIntegrity(), []);
    assert.equal((await reader.sizes()).instances.RUNNING, 20);
    await fill(store, 5, "more");
    const copy = await opened(t, { path: join(folder, "copy.db") });
    assert.equal((await copy.query({}, {})).items.length, 20);
  });

  it("a backup is restored to where nothing is, when it is a sound task hub of a known format", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    const store = await opened(t, { path });
    await fill(store, 50);
    const backup = join(folder, "copy.db");
    await store.file.backup(backup);
    await assert.rejects(restoreFile(backup, path), { code: "INVALID_STATE", message: /move what is there away/ });
    const target = join(folder, "target.db");
    writeFileSync(`${target}-wal`, "left over");
    await assert.rejects(restoreFile(backup, target), { code: "INVALID_STATE", message: /target\.db-wal exists already/ });
    rmSync(`${target}-wal`);
    await assert.rejects(restoreFile(join(folder, "nothing.db"), target), { code: "STORE_UNAVAILABLE", message: /does not exist/ });
    writeFileSync(join(folder, "text.db"), "not a database at all, but long enough to be taken for one".repeat(100));
    await assert.rejects(restoreFile(join(folder, "text.db"), target), { code: "STORE_FORMAT" });
    const bytes = readFileSync(backup);
    bytes.fill(0x55, Math.floor(bytes.length / 2 / 4_096) * 4_096, Math.floor(bytes.length / 2 / 4_096) * 4_096 + 8_192);
    writeFileSync(join(folder, "damaged.db"), bytes);
    await assert.rejects(restoreFile(join(folder, "damaged.db"), target), {
      code: "STORE_FORMAT",
      message: /is damaged and was not restored/,
    });
    const change = new DatabaseSync(join(folder, "damaged.db"));
    change.close();
    assert.equal(existsSync(target), false);
    await restoreFile(backup, target);
    assert.equal(statSync(target).mode & 0o777, 0o600);
  });
});

describe("sizes", () => {
  it("tells bytes and counts of what is there, and what is free", async (t) => {
    const path = join(folderOf(t), "hub.db");
    const store = await opened(t, { path });
    await fill(store, 200);
    await done(store, startOf("waits"));
    await done(
      store,
      commitOf({ fences: [{ kind: "absent", id: "over" }], record: recordOf("over", { status: "COMPLETED", completedAt: 1 }) }),
    );
    const sizes = await store.sizes();
    assert.ok(sizes.fileBytes > 200 * 2_000 && sizes.walBytes > 0);
    assert.equal(sizes.shrinks, true);
    assert.equal(sizes.entities, 0);
    assert.deepEqual(sizes.instances, { PENDING: 1, RUNNING: 200, SUSPENDED: 0, COMPLETED: 1, FAILED: 0, TERMINATED: 0 });
    assert.deepEqual([sizes.messages, sizes.activities, sizes.historyRows], [201, 200, 200]);
    assert.ok(sizes.historyBytes > 200 && sizes.historyBytes < 200 * 10_000);
    assert.equal(sizes.longestHistories.length, 10);
    assert.equal(sizes.longestHistories[0]?.events, (await store.read("i0"))?.record.historyLength);
  });

  it("room goes back to the disk in bounded steps, some stays; a file of the first format learns it when it is restored", async (t) => {
    const folder = folderOf(t);
    const path = join(folder, "hub.db");
    const store = await opened(t, { path });
    const dropped: { readonly number: number; readonly epoch: number }[] = [];
    for (let i = 0; i < 100; i++) {
      const { number } = await done(store, startOf(`i${i}`, { message: { wakes: "unless-held" }, input: "x".repeat(200_000) }));
      dropped.push({ number, epoch: 1 });
    }
    const before = await store.sizes();
    for (const { number, epoch } of dropped)
      await done(store, commitOf({ fences: [{ kind: "instance", number, epoch }], number, drop: "everything" }));
    let steps = 0;
    for (let more = true; more; steps++) {
      const step = await store.file.giveBack();
      assert.ok(step.bytes <= 256 * 4_096);
      more = step.more;
    }
    const after = await store.sizes();
    assert.ok(steps > 5);
    assert.ok(before.fileBytes - after.fileBytes > 10_000_000, `${before.fileBytes} -> ${after.fileBytes}`);
    assert.ok(after.freeBytes >= 1_000 * 4_096, "what a hub will use again stays");
    assert.equal(after.walBytes, 0);
    assert.equal(statSync(path).size, after.fileBytes);

    const old = join(folder, "old.db");
    const first = new DatabaseSync(old);
    const row = "1, 1, 'before', 0, 'chain', 5, 1, 1, 1, 5, 5, 0, 3, 'e', 'e', 7, 1, 0, 0, 1";
    const columns =
      "number, hub, id, kind, name, created_at, epoch, turn, history_length, updated_at, last_turn_at, attempts, status, execution_id, lineage, completed_at, generation, held, dropped, format";
    first.exec(`pragma journal_mode = wal; ${MIGRATIONS[0]!.statements}; pragma application_id = ${0x6f737469}; pragma user_version = 1`);
    first.exec(`insert into hubs(name) values('default'); insert into instances(${columns}) values(${row})`);
    first.exec("update meta set value = 2 where key = 'next_number'");
    first.exec("update instances set history_length = 0");
    first.close();
    await assert.rejects(opened(t, { path: old, readOnly: true }), {
      code: "STORE_FORMAT",
      message: /older format 1.*without \{ readOnly: true \}/,
    });
    const aged = await opened(t, { path: old });
    assert.equal(existsSync(`${old}.format-1.backup`), true);
    assert.deepEqual(
      (await aged.finished({ size: 10 })).instances.map((one) => one.id),
      ["before"],
    );
    await fill(aged, 10);
    assert.equal((await aged.sizes()).shrinks, false);
    assert.deepEqual(await aged.file.giveBack(), { bytes: 0, more: false });
    assert.deepEqual(await aged.file.checkIntegrity(), []);
    await aged.file.backup(join(folder, "aged-copy.db"));
    await restoreFile(join(folder, "aged-copy.db"), join(folder, "young.db"));
    const young = await opened(t, { path: join(folder, "young.db") });
    assert.equal((await young.sizes()).shrinks, true);
    assert.equal((await young.query({}, {})).items.length, 11);
  });
});
