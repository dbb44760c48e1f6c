// Chapter: visibility. Timers, instances that are held back, and delays.

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
  recordOf,
  refused,
  some,
  startAndClaim,
  startOf,
  turnOf,
} from "./stories.ts";

export function visibility(open: Opener): void {
  it("T1 a timer is not seen before it is due by the store's clock, not by 1 ms", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    const due = clock.now() + 1_000;
    const turn = turnOf(claim.record, claim.messages, { messages: [messageTo("a", "t", { visibleAt: due })], keep: false });
    await done(store, turn);
    clock.advance(999);
    const early = await claimAll(store);
    assert.deepEqual([early.instances, early.nextDueAt], [[], due]);
    assert.equal(await refused(store, turnOf(some(turn.record), [{ id: "t" }])), "fenced");
    clock.advance(1);
    const late = await claimOne(store);
    assert.deepEqual([idsOf(late.messages), late.messages[0]?.visibleAt], [["t"], due]);
  });

  it("T1 a held instance's timer comes when it is due, and says when that will be", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    const due = clock.now() + 1_000;
    const turn = turnOf(claim.record, claim.messages, {
      messages: [messageTo("a", "t2", { visibleAt: due + 1 }), messageTo("a", "t1", { visibleAt: due })],
    });
    assert.deepEqual((await done(store, turn)).arrived, []);
    assert.equal((await claimAll(store, { instances: 0 })).nextDueAt, due);
    clock.advance(1_000);
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["t1"]);
    clock.advance(1);
    assert.deepEqual(idsOf((await done(store, turnOf(some(turn.record), [{ id: "t1" }]))).arrived), ["t2"]);
    assert.equal((await claimAll(store)).nextDueAt, undefined);
  });

  it("T2 timers come in order of due time, merged with arrivals by when they came", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    const now = clock.now();
    const turn = turnOf(claim.record, claim.messages, {
      messages: [
        messageTo("a", "t30", { visibleAt: now + 30 }),
        messageTo("a", "t10", { visibleAt: now + 10 }),
        messageTo("a", "t0", { visibleAt: 0 }),
      ],
      keep: false,
    });
    await done(store, turn);
    for (const id of ["a20", "a21"]) {
      clock.advance(id === "a20" ? 20 : 0);
      await done(store, commitOf({ messages: [messageTo("a", id)] }));
    }
    clock.advance(20);
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["t0", "t10", "a20", "a21", "t30"]);
  });

  it("T4 a timer that was taken back never comes; taking back what is gone is fine", async (t) => {
    const { store, clock } = await open(t);
    const claim = await startAndClaim(store, "a");
    const timers = [messageTo("a", "t1", { visibleAt: 253_402_300_799_999 }), messageTo("a", "t2", { visibleAt: (clock?.now() ?? 0) + 5 })];
    const turn = turnOf(claim.record, claim.messages, { messages: timers });
    await done(store, turn);
    await done(store, turnOf(some(turn.record), [], { cancelled: ["t1", "t2", "t3"], keep: false }));
    clock?.advance(10);
    const { instances, nextDueAt } = await claimAll(store);
    assert.deepEqual([instances, nextDueAt], [[], undefined]);
  });

  it("S3 T3 the reading never goes back, whatever the clock does", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    const due = clock.now() + 10;
    await done(store, turnOf(claim.record, claim.messages, { messages: [messageTo("a", "t", { visibleAt: due })], keep: false }));
    clock.advance(20);
    const before = await store.renew(10_000);
    clock.set(due - 3_600_000);
    const after = await claimAll(store);
    assert.ok(after.at >= before.at);
    assert.deepEqual(idsOf(some(after.instances[0]).messages), ["t"]);
    clock.set(due + 86_400_000);
    assert.equal((await store.renew(10_000)).at, due + 86_400_000);
  });

  it("C1 a held instance is woken by what wakes always and by nothing else; the rest waits, in order", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await done(
      store,
      turnOf(claim.record, claim.messages, { change: { held: true, status: "SUSPENDED" }, messages: [messageTo("a", "m1")], keep: false }),
    );
    await done(store, commitOf({ messages: [messageTo("a", "m2")] }));
    assert.deepEqual((await claimAll(store)).instances, []);
    await done(store, commitOf({ messages: [messageTo("a", "resume", { wakes: "always" })] }));
    const woken = await claimOne(store);
    assert.deepEqual(idsOf(woken.messages), ["resume"]);
    await done(store, commitOf({ messages: [messageTo("a", "m3")] }));
    assert.deepEqual((await claimAll(store)).instances, []);
    const resumed = await done(store, turnOf(woken.record, woken.messages, { change: { held: false } }));
    assert.deepEqual(idsOf(resumed.arrived), ["m1", "m2", "m3"]);
  });

  it("C1 what arrives during the turn that is held back waits", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    const turn = turnOf(claim.record, claim.messages, { change: { held: true }, messages: [messageTo("a", "m1")] });
    assert.deepEqual((await done(store, turn)).arrived, []);
    await done(store, commitOf({ messages: [messageTo("a", "m2")] }));
    assert.deepEqual((await claimAll(store)).instances, []);
    await store.release([claim], 0);
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("a start for later is held by its time alone", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const due = clock.now() + 60_000;
    await done(store, startOf("a", { record: { held: true, scheduledAt: due }, message: { visibleAt: due } }));
    await done(store, commitOf({ messages: [messageTo("a", "early")] }));
    const before = await claimAll(store);
    assert.deepEqual([before.instances, before.nextDueAt], [[], due]);
    clock.advance(60_000);
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["start:a-1"]);
  });

  it("a release with a delay keeps the program away until then, but not the engine", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    const due = clock.now() + 5_000;
    await store.release([claim], 5_000);
    const early = await claimAll(store);
    assert.deepEqual([early.instances, early.nextDueAt], [[], due]);
    assert.equal((await store.read("a"))?.record.notBefore, due);
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
    assert.deepEqual((await claimAll(store)).instances, []);
    await done(store, commitOf({ messages: [messageTo("a", "terminate", { needs: "engine", wakes: "always" })] }));
    const engine = await claimOne(store, { orchestrators: [] });
    assert.deepEqual(idsOf(engine.messages), ["start:a-1", "m", "terminate"]);
    await store.release([engine], 0);
    await done(store, startOf("b"));
    clock.advance(5_000);
    assert.equal((await claimAll(store)).instances.length, 2);
  });

  it("an activity that is released with a delay is not delivered before", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const claim = await startAndClaim(store, "a");
    await done(store, turnOf(claim.record, claim.messages, { activities: [activityOf(claim.record, 1)] }));
    const [activity] = (await claimAll(store)).activities;
    await store.release([{ key: some(activity).row, epoch: some(activity).epoch }], 1_000);
    const early = await claimAll(store);
    assert.deepEqual([early.activities, early.nextDueAt], [[], clock.now() + 1_000]);
    clock.advance(1_000);
    assert.equal((await claimAll(store)).activities.length, 1);
  });

  it("S4 a claim beside 20,000 due messages of a held instance finds what is ready", async (t) => {
    const { store } = await open(t);
    await done(store, commitOf({ fences: [{ kind: "absent", id: "busy" }], record: recordOf("busy", { held: true }) }));
    await done(store, commitOf({ messages: Array.from({ length: 20_000 }, (_, i) => messageTo("busy", `m${i}`)) }));
    await done(store, startOf("a"));
    assert.deepEqual(idsOf((await claimAll(store)).instances), ["a"]);
  });

  it("S5 hints: what became ready, what becomes due, who ended", async (t) => {
    const { store } = await open(t);
    const hints: { ready: boolean; ended: readonly string[]; due: boolean }[] = [];
    const stop = store.watch((hint) => void hints.push({ ready: hint.ready, ended: hint.ended, due: hint.dueAt !== undefined }));
    const heard = async (): Promise<{ ready: boolean; ended: readonly string[]; due: boolean }> => {
      // Hints come with the group of what they are about; one more operation is certain to come after it.
      await store.read("a");
      const all = hints.splice(0);
      return { ready: all.some((hint) => hint.ready), ended: all.flatMap((hint) => hint.ended), due: all.some((hint) => hint.due) };
    };
    await done(store, startOf("a"));
    assert.deepEqual(await heard(), { ready: true, ended: [], due: false });
    const claim = await claimOne(store);
    hints.length = 0;
    const turn = turnOf(claim.record, claim.messages, { messages: [messageTo("a", "t", { visibleAt: 253_402_300_799_999 })] });
    await done(store, turn);
    assert.deepEqual(await heard(), { ready: false, ended: [], due: true });
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
    assert.equal((await heard()).ready, true);
    const end = turnOf(some(turn.record), [], { change: { status: "COMPLETED", completedAt: 1 }, cancelled: ["t", "m"], keep: false });
    await done(store, end);
    assert.deepEqual((await heard()).ended, ["a"]);
    await done(
      store,
      commitOf({ fences: [{ kind: "instance", number: claim.number, epoch: claim.epoch }], number: claim.number, drop: "everything" }),
    );
    assert.deepEqual((await heard()).ended, ["a"]);
    stop();
    await done(store, startOf("b"));
    assert.deepEqual(await heard(), { ready: false, ended: [], due: false });
  });
}
