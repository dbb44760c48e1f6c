// Chapter: locked entities. A lock holds an entity back; what is locked or has something to do is not cleaned up.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { InstanceRecord } from "../../contract/instance.ts";
import type { Commit } from "../../engine/commit.ts";
import type { Opener } from "./conformance.ts";
import { batchOf, claimEntity, COUNTERS, entityOf, LOCK, releaseOf, signal, signalTo, VISITS } from "./entity-stories.ts";
import { claimAll, claimOne, commitOf, done, idsOf, refused, some } from "./stories.ts";

export function lockedEntities(open: Opener): void {
  locked(open);
  dropped(open);
}

// ------------------------------------------------------------------------------------------------------------ locked

function locked(open: Opener): void {
  it("E5 from the commit that locks on only what wakes always arrives; what was handed out stays so", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1", "lock", "m2");
    const { record, messages } = await claimEntity(store);
    assert.deepEqual(idsOf(messages), ["m1", "lock", "m2"]);
    await signal(store, VISITS, "m3");
    const owners = signalTo(VISITS, "call", { wakes: "always" });
    const lock = batchOf(record, messages.slice(0, 2), { change: { held: true, lockedBy: LOCK }, messages: [owners] });
    const locks = await done(store, lock);
    assert.deepEqual(idsOf(locks.arrived), ["call"]);
    await signal(store, VISITS, "m4");
    await done(store, commitOf({ messages: [releaseOf(VISITS, "release")] }));
    const { instances } = await claimAll(store, COUNTERS);
    assert.deepEqual(
      instances.map((one) => [one.held, one.record.lockedBy, idsOf(one.messages)]),
      [[true, LOCK, ["release"]]],
    );
    // Whoever has it may still do what it was handed before.
    const calls = batchOf(some(lock.record), [{ id: "call" }, { id: "m2" }]);
    assert.deepEqual((await done(store, calls)).arrived, []);
    const { lockedBy: _lockedBy, ...free } = some(calls.record);
    const unlock = batchOf(free, [{ id: "release" }], { change: { held: false } });
    assert.deepEqual(idsOf((await done(store, unlock)).arrived), ["m3", "m4"]);
    assert.deepEqual(some(await store.read(VISITS)).record, unlock.record);
  });

  it("E5 what was handed out and not done before a lock is not handed out twice after it", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "lock", "m1", "m2");
    const { record, messages } = await claimEntity(store);
    const lock = batchOf(record, messages.slice(0, 1), { change: { held: true, lockedBy: LOCK } });
    assert.deepEqual((await done(store, lock)).arrived, []);
    await signal(store, VISITS, "m3");
    const unlock = batchOf(some(lock.record), [], { change: { held: false } });
    assert.deepEqual(idsOf((await done(store, unlock)).arrived), ["m3"]);
    await store.release([record], 0);
    assert.deepEqual(idsOf((await claimEntity(store)).messages), ["m1", "m2", "m3"]);
  });

  it("E5 a locked entity that nobody holds is woken by what wakes always and by nothing else; the rest waits, in order", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "lock", "m1");
    const { record, messages } = await claimEntity(store);
    await done(store, batchOf(record, messages.slice(0, 1), { change: { held: true, lockedBy: LOCK }, keep: false }));
    await signal(store, VISITS, "m2");
    const everything = { instances: 10, entityCount: 10, entities: { anyBut: [] } };
    const idle = await claimAll(store, everything);
    assert.deepEqual([idle.instances, idle.nextDueAt], [[], undefined]);
    await done(store, commitOf({ messages: [signalTo(VISITS, "call", { wakes: "always" })] }));
    const calls = await claimEntity(store);
    assert.deepEqual(idsOf(calls.messages), ["call"]);
    await done(store, { ...batchOf(calls.record, calls.messages), keep: false });
    await done(store, commitOf({ messages: [releaseOf(VISITS, "release")] }));
    // A release needs no program: whoever is there can answer it.
    const releases = await claimOne(store, { orchestrators: [] });
    assert.deepEqual(idsOf(releases.messages), ["release"]);
    const { lockedBy: _lockedBy, ...free } = releases.record;
    await done(store, batchOf(free, releases.messages, { change: { held: false }, keep: false }));
    assert.deepEqual((await claimAll(store, { orchestrators: { anyBut: [] } })).instances, []);
    assert.deepEqual(idsOf((await claimEntity(store)).messages), ["m1", "m2"]);
  });

  it("E5 what a holder of a locked entity gives back unanswered waits for the lock's end as well", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "lock", "m1");
    const { record, messages } = await claimEntity(store);
    const lock = batchOf(record, messages.slice(0, 1), {
      change: { held: true, lockedBy: LOCK },
      messages: [signalTo(VISITS, "call", { wakes: "always" })],
    });
    assert.deepEqual(idsOf((await done(store, lock)).arrived), ["call"]);
    await store.release([record], 0);
    const again = await claimEntity(store);
    assert.deepEqual([again.attempts, idsOf(again.messages)], [1, ["call"]]);
  });

  it("E5 E7 what falls due behind a lock wakes nobody, and is there when the lock ends", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    await signal(store, VISITS, "lock");
    const { record, messages } = await claimEntity(store);
    const due = clock.now() + 1_000;
    const later = signalTo(VISITS, "later", { visibleAt: due });
    const lock = batchOf(record, messages, { change: { held: true, lockedBy: LOCK }, messages: [later] });
    assert.deepEqual((await done(store, lock)).arrived, []);
    await done(store, commitOf({ messages: [signalTo(VISITS, "later still", { visibleAt: due + 1 })] }));
    assert.equal((await claimAll(store, COUNTERS)).nextDueAt, undefined);
    clock.advance(5_000);
    assert.deepEqual((await claimAll(store, COUNTERS)).instances, []);
    await signal(store, VISITS, "m1");
    const unlock = batchOf(some(lock.record), [], { change: { held: false } });
    assert.deepEqual(idsOf((await done(store, unlock)).arrived), ["later", "later still", "m1"]);
  });
}

// ------------------------------------------------------------------------------------------------------------ dropped

function dropped(open: Opener): void {
  const dropOf = ({ number, epoch }: Pick<InstanceRecord, "number" | "epoch">): Commit =>
    commitOf({ fences: [{ kind: "instance", number, epoch }], number, drop: "if-idle" });

  it("E6 an entity goes only while nothing lies in its inbox: not what is due, later, behind a lock, or handed out", async (t) => {
    const { store } = await open(t);
    const there = async () => (await store.read(VISITS)) !== undefined;
    await signal(store, VISITS, "m1");
    const { record } = some(await store.read(VISITS));
    assert.equal(await refused(store, dropOf(record)), "fenced");
    const claim = await claimEntity(store);
    assert.equal(await refused(store, dropOf(claim)), "fenced");

    const visibleAt = 253_402_300_799_999;
    const lock = batchOf(claim.record, claim.messages, {
      change: { held: true, lockedBy: LOCK },
      messages: [signalTo(VISITS, "later", { visibleAt })],
      payloads: { state: "1" },
    });
    await done(store, lock);
    assert.equal(await refused(store, dropOf(claim)), "fenced");
    await signal(store, VISITS, "behind");
    await done(store, batchOf(some(lock.record), [], { cancelled: ["later"], keep: false }));
    assert.equal(await refused(store, dropOf(claim)), "fenced");
    assert.ok(await there());

    await done(
      store,
      batchOf(
        { ...some(lock.record), turn: 2 },
        ["behind"].map((id) => ({ id })),
        { change: { held: false }, keep: false },
      ),
    );
    assert.equal(await refused(store, dropOf({ ...claim, epoch: claim.epoch - 1 })), "fenced");
    await done(store, dropOf(claim));
    assert.ok(!(await there()));
    assert.equal(await store.outstanding(VISITS), undefined);
    assert.equal(await refused(store, dropOf(claim)), "fenced");
  });

  it("E6 a signal and a clean-up at the same time: whichever is first, the signal is there", async (t) => {
    const { store } = await open(t);
    const idle = commitOf({ fences: [{ kind: "absent", id: VISITS }], record: entityOf(VISITS) });
    const { number } = await done(store, idle);
    const drop = dropOf({ number, epoch: 1 });
    const signals = commitOf({ messages: [signalTo(VISITS, "m1")] });
    const [first, second] = await store.commit([signals, drop]);
    assert.deepEqual([first?.ok, second], [true, { ok: false, why: "fenced" }]);
    const claim = await claimEntity(store);
    await done(store, batchOf(claim.record, claim.messages, { keep: false }));
    const results = await store.commit([dropOf(claim), commitOf({ messages: [signalTo(VISITS, "m2")] })]);
    assert.deepEqual(
      results.map((result) => result.ok),
      [true, true],
    );
    const next = await claimEntity(store);
    assert.deepEqual(idsOf(next.messages), ["m2"]);
    assert.ok(next.number > number, "S2 a number is never used again");
  });

  it("E6 what went leaves nothing: neither a state nor a lease", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1");
    const claim = await claimEntity(store);
    await done(store, batchOf(claim.record, claim.messages, { payloads: { state: "1" } }));
    await done(store, dropOf(claim));
    assert.equal(await refused(store, batchOf({ ...claim.record, turn: 1 }, [], { payloads: { state: "2" } })), "fenced");
    await signal(store, VISITS, "m1");
    assert.deepEqual(some(await store.read(VISITS)).payloads, {});
    assert.deepEqual(idsOf((await claimEntity(store)).messages), ["m1"]);
  });
}
