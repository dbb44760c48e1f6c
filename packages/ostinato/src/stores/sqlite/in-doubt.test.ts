// A COMMIT that was written, and of which an error is told: nobody can say what became of it, until the file is opened anew.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { describe, it } from "node:test";
import type { TestContext } from "node:test";
import { claimAll, commitOf, done, idsOf, messageTo, refused, startAndClaim, startOf } from "../../conformance/store/stories.ts";
import type { Store } from "../../engine/store.ts";
import { openSqliteStore } from "./sqlite-store.ts";

/** A store on a disk whose next COMMIT, once told to, is written and then said to have failed. */
async function doubtful(t: TestContext): Promise<{ readonly store: Store; readonly failNext: () => void; readonly looks: () => number }> {
  const folder = mkdtempSync(join(tmpdir(), "ostinato-doubt-"));
  let failing = false;
  const beforeCommit = (db: DatabaseSync): void => {
    if (!failing) return;
    failing = false;
    db.exec("commit");
    throw Object.assign(new Error("disk I/O error"), { errcode: 1_034 });
  };
  const store = openSqliteStore({ path: join(folder, "hub.db"), body: "inline", testing: { beforeCommit } });
  await store.open();
  let looks = 0;
  store.watch((hint) => {
    if (hint.ready) looks += 1;
  });
  t.after(async () => {
    await store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { store, failNext: () => void (failing = true), looks: () => looks };
}

describe("a COMMIT in doubt", () => {
  it("L6 an instance that it made, leased to who asked, can be claimed afterwards, and somebody is told to look", async (t) => {
    const { store, failNext, looks } = await doubtful(t);
    failNext();
    assert.equal(await refused(store, startOf("a", { keep: true })), "exists");
    assert.equal(looks(), 1);
    const { instances } = await claimAll(store);
    assert.deepEqual(
      instances.map((one) => [one.id, one.held, idsOf(one.messages)]),
      [["a", false, ["start:a-1"]]],
    );
  });

  it("L6 a message that it brought to a leased instance is handed out afterwards", async (t) => {
    const { store, failNext } = await doubtful(t);
    const claim = await startAndClaim(store, "a");
    failNext();
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
    const { instances } = await claimAll(store);
    assert.deepEqual(
      instances.map((one) => [one.id, one.held, one.epoch > claim.epoch, idsOf(one.messages)]),
      [["a", false, true, ["start:a-1", "m"]]],
    );
  });

  it("L6 an instance that it leased to who asked, without an answer, can be claimed again", async (t) => {
    const { store, failNext } = await doubtful(t);
    await done(store, startOf("a"));
    failNext();
    const first = await claimAll(store);
    const again = first.instances.length > 0 ? first : await claimAll(store);
    assert.deepEqual(
      again.instances.map((one) => one.id),
      ["a"],
    );
  });

  it("D3 an instance that it gave back can be claimed again, and the file is not lost to who holds it", async (t) => {
    const { store, failNext } = await doubtful(t);
    const claim = await startAndClaim(store, "a");
    failNext();
    await store.release([claim], 0);
    const { instances } = await claimAll(store);
    assert.deepEqual(
      instances.map((one) => [one.id, one.epoch > claim.epoch, idsOf(one.messages)]),
      [["a", true, ["start:a-1"]]],
    );
  });
});
