// Chapter: what is outstanding. Activities that are not done, and what lies in an inbox, for people who ask why an instance waits.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Opener } from "./conformance.ts";
import { activityOf, claimAll, commitOf, done, messageTo, some, startAndClaim, startOf, turnOf } from "./stories.ts";

export function outstanding(open: Opener): void {
  it("O1 an activity waits, is with a worker, comes back, and is done; each of it is told, with since when", async (t) => {
    const { store, clock } = await open(t);
    const claim = await startAndClaim(store, "a");
    const activities = [
      activityOf(claim.record, 1, { attempt: 2, expiresAt: 253_402_300_000_000 }),
      activityOf(claim.record, 2, { name: "unserved" }),
    ];
    const written = await done(store, turnOf(claim.record, claim.messages, { activities, keep: false }));
    const told = async () => some(await store.outstanding("a"));
    const waiting = await told();
    assert.equal(waiting.activityCount, 2);
    const [first, second] = waiting.activities;
    assert.deepEqual(first, {
      taskId: 1,
      name: "hello",
      attempt: 2,
      deliveries: 0,
      isOut: false,
      since: written.at,
      expiresAt: 253_402_300_000_000,
    });
    assert.deepEqual([second?.name, second?.isOut, second?.expiresAt], ["unserved", false, undefined]);

    clock?.advance(50);
    const { activities: claimed, at } = await claimAll(store);
    const [out] = (await told()).activities;
    assert.deepEqual([out?.isOut, out?.deliveries, out?.since], [true, 1, at]);

    const { row, epoch } = some(claimed[0]);
    await store.release([{ key: row, epoch }], 60_000);
    const [back] = (await told()).activities;
    assert.deepEqual([back?.isOut, back?.deliveries], [false, 1]);
    assert.ok(some(back).since >= at + 60_000);

    await done(store, commitOf({ fences: [{ kind: "activity", key: row, epoch }], finished: [row] }));
    assert.deepEqual(
      (await told()).activities.map((each) => each.taskId),
      [2],
    );
  });

  it("O1 an activity that is born claimed is with a worker from the beginning", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    const { at } = await done(
      store,
      turnOf(claim.record, claim.messages, { activities: [activityOf(claim.record, 1, { claimed: true })] }),
    );
    const [born] = some(await store.outstanding("a")).activities;
    assert.deepEqual([born?.isOut, born?.deliveries, born?.since], [true, 1, at]);
  });

  it("O1 an inbox is counted: what could be taken now, since when, and what comes later", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const { at } = await done(store, startOf("a"));
    const due = at + 1_000;
    await done(store, commitOf({ messages: [messageTo("a", "t", { visibleAt: due }), messageTo("a", "u", { visibleAt: due + 1 })] }));
    const before = some(await store.outstanding("a"));
    assert.deepEqual([before.dueMessages, before.oldestDueAt, before.laterMessages, before.activityCount], [1, at, 2, 0]);
    clock.advance(1_000);
    const after = some(await store.outstanding("a"));
    assert.deepEqual([after.at, after.dueMessages, after.oldestDueAt, after.laterMessages], [due, 2, at, 1]);
  });

  it("O1 whether somebody holds it is told, and holding it back for an operator is not that", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    const claimed = async () => some(await store.outstanding("a")).isClaimed;
    assert.equal(await claimed(), false);
    const claim = some((await claimAll(store)).instances[0]);
    assert.equal(await claimed(), true);
    const change = { held: true, status: "SUSPENDED" } as const;
    await done(store, turnOf(claim.record, claim.messages, { change, messages: [messageTo("a", "m")], keep: false }));
    assert.equal(await claimed(), false);
  });

  it("O1 of an instance that there is not, nothing is outstanding; much of it is bounded", async (t) => {
    const { store } = await open(t);
    assert.equal(await store.outstanding("nobody"), undefined);
    const claim = await startAndClaim(store, "a");
    const activities = Array.from({ length: 150 }, (_, index) => activityOf(claim.record, index + 1));
    await done(store, turnOf(claim.record, claim.messages, { activities, keep: false }));
    const all = some(await store.outstanding("a"));
    assert.deepEqual([all.activityCount, all.activities.length, all.activities.at(-1)?.taskId], [150, 100, 100]);
  });
}
