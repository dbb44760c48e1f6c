// Chapter: fencing. Two may run a turn; only the current epoch commits.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Opener } from "./conformance.ts";
import {
  activityOf,
  claimAll,
  claimOne,
  commitOf,
  done,
  idsOf,
  messageTo,
  refused,
  some,
  startAndClaim,
  startOf,
  turnOf,
} from "./stories.ts";

export function fencing(open: Opener): void {
  it("L1 only the current epoch commits", async (t) => {
    const { store } = await open(t);
    const old = await startAndClaim(store, "a");
    await store.release([old], 0);
    const current = await claimOne(store);
    assert.equal(await refused(store, turnOf(old.record, old.messages)), "fenced");
    await done(store, turnOf(current.record, current.messages));
  });

  it("L2 a stale lease releases nothing", async (t) => {
    const { store } = await open(t);
    const old = await startAndClaim(store, "a");
    await store.release([old], 0);
    await claimOne(store);
    await store.release([old], 0);
    await store.release(
      [
        { number: 999_999, epoch: 1 },
        { key: activityOf(old.record, 1), epoch: 1 },
      ],
      0,
    );
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("A3 the result of an activity is that of its current delivery; a late one changes nothing", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    await done(store, turnOf(record, messages, { activities: [activityOf(record, 1)], keep: false }));
    const [first] = (await claimAll(store)).activities;
    await store.release([{ key: some(first).row, epoch: some(first).epoch }], 0);
    const [second] = (await claimAll(store)).activities;
    const complete = (epoch: number, id: string) =>
      commitOf({
        fences: [{ kind: "activity", key: some(first).row, epoch }],
        finished: [some(first).row],
        messages: [messageTo("a", id)],
      });
    assert.equal(await refused(store, complete(some(first).epoch, "late")), "fenced");
    await done(store, complete(some(second).epoch, "result"));
    assert.equal(await refused(store, complete(some(second).epoch, "twice")), "fenced");
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["result"]);
  });

  it("an operation that raises the epoch takes the instance away from who runs it", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    const result = await store.update("a", (current) => {
      const { record } = some(current);
      const fences = [{ kind: "instance", number: record.number, epoch: record.epoch }] as const;
      return commitOf({ fences, number: record.number, record: { ...record, epoch: record.epoch + 1, status: "SUSPENDED", held: true } });
    });
    assert.ok("ok" in result && result.ok);
    assert.equal(await refused(store, turnOf(claim.record, claim.messages)), "fenced");
    await store.release([claim], 0);
    assert.equal((await store.read("a"))?.record.status, "SUSPENDED");
  });

  it("an operation that only adds messages disturbs nobody", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await store.update("a", () => commitOf({ messages: [messageTo("a", "m")] }));
    assert.deepEqual(idsOf((await done(store, turnOf(claim.record, claim.messages))).arrived), ["m"]);
  });

  it("L1 two owners share a hub: what one holds the other is not given, and takes nothing from it", async (t) => {
    const { store, connectAnother } = await open(t);
    if (connectAnother === undefined) return t.skip("one owner only");
    const other = await connectAnother();
    const mine = await startAndClaim(store, "a");
    assert.deepEqual((await claimAll(other)).instances, []);
    await done(other, commitOf({ messages: [messageTo("a", "m")] }));
    assert.deepEqual((await claimAll(other)).instances, []);
    await other.release([mine], 0);
    const more = await claimOne(store);
    assert.deepEqual([more.held, idsOf(more.messages)], [true, ["m"]]);
    await store.release([mine], 0);
    const theirs = await claimOne(other);
    assert.deepEqual([theirs.held, idsOf(theirs.messages)], [false, ["start:a-1", "m"]]);
    assert.equal(await refused(store, turnOf(mine.record, mine.messages)), "fenced");
    await done(other, turnOf(theirs.record, theirs.messages));
  });

  it("L3 what an owner held is free after it has closed; what it was doing is refused", async (t) => {
    const { store, connectAnother } = await open(t);
    if (connectAnother === undefined) return t.skip("one owner only");
    const other = await connectAnother();
    await done(other, startOf("a"));
    const theirs = await claimOne(other);
    await done(
      other,
      turnOf(theirs.record, theirs.messages, {
        activities: [activityOf(theirs.record, 1, { claimed: true })],
        messages: [messageTo("a", "m")],
      }),
    );
    await other.close();
    const { instances, activities } = await claimAll(store);
    assert.deepEqual(idsOf(some(instances[0]).messages), ["m"]);
    assert.ok(some(instances[0]).epoch > theirs.epoch);
    assert.equal(activities[0]?.delivery, 2);
  });

  it("L3 an owner that stops renewing loses what it holds, and is told", async (t) => {
    const { store, clock, connectAnother } = await open(t);
    if (connectAnother === undefined || clock === undefined) return t.skip("one owner, or a clock of its own");
    const other = await connectAnother();
    const { alive } = await other.renew(10_000);
    assert.equal(alive, true);
    if (!(await losesLeases(other, clock))) return t.skip("leases of this store do not run out");
    await other.renew(10_000);
    await done(store, startOf("a"));
    const old = await claimOne(other);
    clock.advance(9_999);
    assert.deepEqual((await claimAll(store)).instances, []);
    clock.advance(1);
    const mine = await claimOne(store);
    assert.equal(await refused(other, turnOf(old.record, old.messages)), "fenced");
    assert.equal((await other.renew(10_000)).alive, false);
    assert.equal((await other.renew(10_000)).alive, true);
    await done(store, turnOf(mine.record, mine.messages));
  });

  it("L3 an owner whose leases ran out is given nothing before it knows, and keeps nothing", async (t) => {
    const { store, clock, connectAnother } = await open(t);
    if (connectAnother === undefined || clock === undefined) return t.skip("one owner, or a clock of its own");
    const other = await connectAnother();
    await other.renew(10_000);
    if (!(await losesLeases(other, clock))) return t.skip("leases of this store do not run out");
    await other.renew(10_000);
    clock.advance(10_000);
    await store.renew(10_000);
    await done(store, startOf("a"));
    assert.deepEqual((await claimAll(other)).instances, []);
    await done(other, { ...startOf("b"), keep: true });
    clock.advance(1_000);
    const { instances } = await claimAll(store);
    assert.deepEqual(idsOf(instances).sort(), ["a", "b"]);
    assert.equal((await other.renew(10_000)).alive, false);
  });
}

async function losesLeases(
  store: { renew(leaseMs: number): Promise<{ readonly alive: boolean }> },
  clock: { advance(ms: number): void },
): Promise<boolean> {
  clock.advance(10_001);
  return !(await store.renew(10_000)).alive;
}
