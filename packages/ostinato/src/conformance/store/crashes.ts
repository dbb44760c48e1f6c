// Chapter: crashes. What was answered is there after the store has gone and come back; leases are not.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Opener } from "./conformance.ts";
import {
  activityOf,
  claimAll,
  claimOne,
  commitOf,
  done,
  historyOf,
  idsOf,
  messageTo,
  refused,
  START,
  some,
  startAndClaim,
  started,
  startOf,
  turnOf,
} from "./stories.ts";

export function crashes(open: Opener): void {
  it("D1 I4 everything that was answered is there after a crash", async (t) => {
    const { store, reopen } = await open(t);
    if (reopen === undefined) return t.skip("does not outlive its process");
    const claim = await startAndClaim(store, "a", { input: "1" });
    const turn = turnOf(claim.record, claim.messages, {
      activities: [activityOf(claim.record, 1)],
      messages: [messageTo("a", "t", { visibleAt: START + 1e12 })],
      payloads: { output: "2" },
    });
    await done(store, turn);
    const after = await reopen();
    const read = await after.read("a");
    const { epoch = 0 } = read?.record ?? {};
    assert.ok(epoch >= claim.epoch);
    assert.deepEqual(read, { record: { ...turn.record, epoch }, payloads: { input: "1", output: "2" } });
    assert.deepEqual(await historyOf(after, "a"), [started(1)]);
    const { instances, activities } = await claimAll(after);
    assert.deepEqual([instances, activities.length], [[], 1]);
  });

  it("L3 G5 leases of the process that crashed are void, attempts stay counted, epochs rise on", async (t) => {
    const { store, reopen } = await open(t);
    if (reopen === undefined) return t.skip("does not outlive its process");
    const claim = await startAndClaim(store, "a");
    const turn = turnOf(claim.record, claim.messages, {
      activities: [activityOf(claim.record, 1, { claimed: true, epoch: 7 })],
      messages: [messageTo("a", "m")],
    });
    await done(store, turn);
    await done(store, startOf("b", { keep: true }));
    const after = await reopen();
    const { instances, activities } = await claimAll(after);
    const [a, b] = [...instances].sort((one, other) => (one.id < other.id ? -1 : 1));
    assert.deepEqual([a?.id, a?.attempts, a?.held, idsOf(a?.messages ?? [])], ["a", 1, false, ["m"]]);
    assert.deepEqual([b?.id, b?.attempts, b?.held, idsOf(b?.messages ?? [])], ["b", 2, false, ["start:b-1"]]);
    assert.ok(some(a).epoch > claim.epoch && some(b).epoch > 1);
    assert.deepEqual([activities[0]?.epoch, activities[0]?.delivery], [8, 2]);
    assert.equal(await refused(after, turnOf(some(turn.record), [])), "fenced");
  });

  it("C5 S2 a number is never used again, not even after a purge and a crash", async (t) => {
    const { store, reopen } = await open(t);
    if (reopen === undefined) return t.skip("does not outlive its process");
    const { number } = await done(store, startOf("a", { message: { wakes: "unless-held" } }));
    await done(store, commitOf({ fences: [{ kind: "instance", number, epoch: 1 }], number, drop: "everything" }));
    const after = await reopen();
    const again = await done(after, startOf("a"));
    assert.ok(again.number > number);
    const claim = await claimOne(after);
    assert.equal(claim.number, again.number);
  });

  it("T2 a timer that fell due while nobody was there fires once", async (t) => {
    const { store, reopen, clock } = await open(t);
    if (reopen === undefined || clock === undefined) return t.skip("does not outlive its process, or has a clock of its own");
    const claim = await startAndClaim(store, "a");
    await done(store, turnOf(claim.record, claim.messages, { messages: [messageTo("a", "t", { visibleAt: clock.now() + 1_000 })] }));
    clock.advance(5_000);
    const after = await reopen();
    assert.deepEqual(idsOf((await claimOne(after)).messages), ["t"]);
    assert.deepEqual((await claimAll(after)).instances, []);
  });
}
