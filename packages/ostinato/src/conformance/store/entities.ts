// Chapter: entities. An address whose inbox is its queue.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { CriticalSection, InstanceRecord } from "../../contract/instance.ts";
import type { InstanceFilter } from "../../contract/queries.ts";
import type { ClaimRequest, Store } from "../../engine/store.ts";
import type { Opener } from "./conformance.ts";
import { batchOf, claimEntity, COUNTERS, entityOf, LOCK, releaseOf, signal, signalTo, VISITS } from "./entity-stories.ts";
import {
  claimAll,
  claimOne,
  commitOf,
  done,
  historyOf,
  idsOf,
  messageTo,
  recordOf,
  refused,
  some,
  START,
  startOf,
  turnOf,
} from "./stories.ts";

async function found(store: Store, filter: InstanceFilter): Promise<string[]> {
  return (await store.query(filter, {})).items.map((item) => item.record.id);
}

export function entities(open: Opener): void {
  made(open);
  claimed(open);
  written(open);
  looked(open);
}

// ------------------------------------------------------------------------------------------------------------ made

function made(open: Opener): void {
  it("E2 the first signal makes the entity; later ones, of the same commit and of others, lie at the same address, in order", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1", "m2");
    const read = some(await store.read(VISITS));
    assert.deepEqual(read, { record: entityOf(VISITS, { number: read.record.number }), payloads: {} });
    await signal(store, VISITS, "m3");
    const later = { record: entityOf(VISITS, { createdAt: START + 9, updatedAt: START + 9 }), payloads: { state: "9" }, claimed: false };
    await done(store, commitOf({ messages: [signalTo(VISITS, "m4", { creates: later })] }));
    const claim = await claimEntity(store);
    assert.deepEqual([claim.number, claim.record.createdAt, idsOf(claim.messages)], [read.record.number, START, ["m1", "m2", "m3", "m4"]]);
    assert.deepEqual(some(await store.read(VISITS)).payloads, {});
    assert.deepEqual(await historyOf(store, VISITS), []);
  });

  it("E2 signals of one batch of commits to an entity that is not there make one of it", async (t) => {
    const { store } = await open(t);
    const results = await store.commit(["m1", "m2", "m3"].map((id) => commitOf({ messages: [signalTo(VISITS, id)] })));
    assert.deepEqual(
      results.map((result) => result.ok),
      [true, true, true],
    );
    assert.deepEqual(idsOf((await claimEntity(store)).messages), ["m1", "m2", "m3"]);
    assert.deepEqual(await found(store, { kind: "entity" }), [VISITS]);
  });

  it("E2 a signal that is sent again while the first one waits is one signal", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1");
    await signal(store, VISITS, "m1");
    const claim = await claimEntity(store);
    await signal(store, VISITS, "m1");
    assert.deepEqual(idsOf(claim.messages), ["m1"]);
    assert.deepEqual((await done(store, batchOf(claim.record, claim.messages))).arrived, []);
  });

  it("an entity is made with a state, and leased to whoever makes it, when that is asked", async (t) => {
    const { store } = await open(t);
    const record = entityOf(VISITS, { attempts: 1 });
    const creates = { record, payloads: { state: "5" }, claimed: true };
    const { claims } = await done(store, commitOf({ messages: [signalTo(VISITS, "m1", { creates }), signalTo(VISITS, "m2")] }));
    const [claim] = claims;
    assert.deepEqual([some(claim).record.kind, idsOf(some(claim).messages)], ["entity", ["m1", "m2"]]);
    assert.deepEqual((await claimAll(store, COUNTERS)).instances, []);
    assert.deepEqual(some(await store.read(VISITS)).payloads, { state: "5" });
  });

  it("E7 a signal for later makes the entity now, and is not seen before its time", async (t) => {
    const { store, clock } = await open(t);
    if (clock === undefined) return t.skip("a clock of its own");
    const due = clock.now() + 1_000;
    await done(store, commitOf({ messages: [signalTo(VISITS, "m1", { visibleAt: due })] }));
    assert.equal((await store.read(VISITS))?.record.kind, "entity");
    const early = await claimAll(store, COUNTERS);
    assert.deepEqual([early.instances, early.nextDueAt], [[], due]);
    assert.equal((await claimAll(store)).nextDueAt, undefined, "who has no room for entities is not told of them");
    clock.advance(999);
    assert.deepEqual((await claimAll(store, COUNTERS)).instances, []);
    await signal(store, VISITS, "m2");
    const claim = await claimEntity(store);
    assert.deepEqual(idsOf(claim.messages), ["m2"]);
    clock.advance(1);
    assert.deepEqual(idsOf((await done(store, batchOf(claim.record, claim.messages))).arrived), ["m1"]);
  });
}

// ------------------------------------------------------------------------------------------------------------ claimed

function claimed(open: Opener): void {
  it("entities are claimed beside orchestrations, each as far as there is room", async (t) => {
    const { store } = await open(t);
    for (const key of ["a", "b", "c"]) {
      await signal(store, `@counter@${key}`, "m");
      await signal(store, `@cart@${key}`, "m");
      await done(store, startOf(key));
    }
    const claimIds = async (want: Partial<ClaimRequest>) => (await claimAll(store, want)).instances.map((one) => one.id).sort();
    assert.deepEqual(await claimIds({ instances: 0, entityCount: 2, entities: ["@counter"] }), ["@counter@a", "@counter@b"]);
    assert.deepEqual(await claimIds({ instances: 1, entityCount: 2, entities: ["@counter"] }), ["@counter@c", "a"]);
    assert.deepEqual(await claimIds({ instances: 5, entityCount: 0, entities: ["@cart"] }), ["b", "c"]);
    assert.deepEqual(await claimIds({ instances: 5, entityCount: 5, entities: ["@nobody"] }), []);
    assert.deepEqual(await claimIds({ instances: 5, entityCount: 5, entities: ["@cart"] }), ["@cart@a", "@cart@b", "@cart@c"]);
  });

  it("who runs any orchestrator is never handed an entity, and who runs any entity never an orchestration", async (t) => {
    const { store } = await open(t);
    const any = { anyBut: [] };
    for (const name of ["", "0", "A", "chain", "Ω"]) await done(store, startOf(`${name}?`, { record: { name: name === "" ? "?" : name } }));
    for (const name of ["a", "A", "z", "Ω", "~"]) await signal(store, `@${name}@k`, "m");
    const nobody = { orchestrators: [], entityCount: 0, entities: any, activityCount: 0, activities: any };
    assert.deepEqual((await store.claim({ ...nobody, instances: 100 })).instances, []);
    const others = await store.claim({ ...nobody, instances: 0, orchestrators: any, entityCount: 100, entities: { anyBut: ["@z"] } });
    assert.deepEqual(others.instances.map((one) => one.id).sort(), ["@A@k", "@a@k", "@~@k", "@Ω@k"]);
    const some = await store.claim({ ...nobody, instances: 100, orchestrators: { anyBut: ["chain"] } });
    assert.deepEqual(some.instances.map((one) => one.id).sort(), ["0?", "?", "A?", "Ω?"]);
    const rest = await store.claim({ ...nobody, instances: 100, orchestrators: any, entityCount: 100 });
    assert.deepEqual(rest.instances.map((one) => one.id).sort(), ["@z@k", "chain?"]);
  });

  it("what needs only the engine is claimed among the instances, whatever its kind and its name, and once", async (t) => {
    const { store } = await open(t);
    await done(store, commitOf({ messages: [signalTo(VISITS, "m1")] }));
    await done(store, commitOf({ messages: [releaseOf(VISITS, "r1")] }));
    const { instances } = await claimAll(store, { orchestrators: [], entityCount: 10, entities: { anyBut: [] } });
    assert.deepEqual(
      instances.map((one) => [one.id, idsOf(one.messages)]),
      [[VISITS, ["m1", "r1"]]],
    );
    await store.release(instances, 0);
    const again = await claimAll(store, { orchestrators: [] });
    assert.deepEqual(
      again.instances.map((one) => one.id),
      [VISITS],
    );
  });

  it("G5 an entity's attempts are counted when it is claimed; given back with a delay it is left alone until then", async (t) => {
    const { store, clock } = await open(t);
    await signal(store, VISITS, "m1");
    const first = await claimEntity(store);
    assert.equal(first.attempts, 1);
    await store.release([first], 0);
    const second = await claimEntity(store);
    assert.deepEqual([second.attempts, second.epoch, idsOf(second.messages)], [2, first.epoch + 1, ["m1"]]);
    assert.equal(await refused(store, batchOf(first.record, first.messages)), "fenced");
    await store.release([second], 60_000);
    const claims = await claimAll(store, COUNTERS);
    assert.deepEqual(claims.instances, []);
    assert.ok(some(claims.nextDueAt) >= claims.at + 59_000);
    if (clock === undefined) return;
    clock.advance(60_000);
    assert.equal((await claimEntity(store)).attempts, 3);
  });

  it("S4 a claim beside 20,000 due messages of a locked entity finds what is ready", async (t) => {
    const { store } = await open(t);
    const busy = entityOf(VISITS, { held: true, lockedBy: LOCK });
    await done(store, commitOf({ fences: [{ kind: "absent", id: VISITS }], record: busy }));
    await signal(store, VISITS, ...Array.from({ length: 20_000 }, (_, i) => `m${i}`));
    await signal(store, "@counter@free", "m");
    assert.equal((await claimEntity(store)).id, "@counter@free");
  });
}

// ------------------------------------------------------------------------------------------------------------ written

function written(open: Opener): void {
  it("S1 G1 a batch is one commit: its state, what it sends and what it has done are there together, or nothing of them is", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("caller", { record: { held: true }, message: { wakes: "unless-held" } }));
    await signal(store, VISITS, "m1", "m2");
    const claim = await claimEntity(store);
    const batch = batchOf(claim.record, claim.messages, {
      payloads: { state: "2" },
      messages: [messageTo("caller", "answer"), signalTo("@counter@other", "m1")],
    });
    const stale = { ...batch, fences: [{ kind: "instance", number: claim.number, epoch: claim.epoch - 1 }] } as const;
    assert.equal(await refused(store, stale), "fenced");
    assert.equal(await refused(store, { ...batch, consumed: ["m1", "m2", "m0"] }), "fenced");
    assert.equal(await store.read("@counter@other"), undefined);
    assert.deepEqual([some(await store.read(VISITS)).record.turn, (await store.read(VISITS))?.payloads], [0, {}]);
    await done(store, batch);
    const read = some(await store.read(VISITS));
    assert.deepEqual(read, { record: { ...claim.record, turn: 1, attempts: 0 }, payloads: { state: "2" } });
    assert.equal(some(await store.outstanding("caller")).dueMessages, 2);
    assert.deepEqual(idsOf((await claimEntity(store)).messages), ["m1"]);
    assert.equal(await refused(store, batch), "fenced");
  });

  it("a state is kept until it is changed or taken away, whatever is written beside it", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1");
    const { record, messages } = await claimEntity(store);
    const stateNow = async () => some(await store.read(VISITS)).payloads;
    const states: [string | null | undefined, object][] = [
      ["", { state: "" }],
      ['{"ü":"😀"}', { state: '{"ü":"😀"}' }],
      [undefined, { state: '{"ü":"😀"}' }],
      [null, {}],
      [undefined, {}],
      ["null", { state: "null" }],
    ];
    let turn = record;
    for (const [state, expected] of states) {
      const batch = batchOf(turn, turn === record ? messages : [], state === undefined ? {} : { payloads: { state } });
      await done(store, batch);
      turn = some(batch.record);
      assert.deepEqual(await stateNow(), expected);
    }
    const [item] = (await store.query({ kind: "entity" }, {})).items;
    assert.deepEqual(item?.payloads, { state: "null" });
  });

  it("E4 what a record says of sections and locks is there in every reading, until it is written anew", async (t) => {
    const { store, reopen } = await open(t);
    const sections: readonly CriticalSection[] = [
      { id: "s", lockSet: ["@a@1", "@b@2"], granted: true },
      { id: "s2", lockSet: [], granted: false },
    ];
    await done(store, startOf("transfer"));
    const claim = await claimOne(store);
    const first = turnOf(claim.record, claim.messages, { change: { sections } });
    await done(store, first);
    // A turn that changes nothing of it.
    const second = turnOf(some(first.record), [], { messages: [messageTo("transfer", "m")], keep: false });
    await done(store, second);
    await done(store, commitOf({ fences: [{ kind: "absent", id: VISITS }], record: entityOf(VISITS, { held: true, lockedBy: LOCK }) }));
    await done(store, commitOf({ messages: [releaseOf(VISITS, "r")] }));
    const after = (await reopen?.()) ?? store;
    assert.deepEqual(some(await after.read("transfer")).record.sections, sections);
    assert.deepEqual((await after.query({ locked: true }, {})).items[0]?.record.lockedBy, LOCK);
    const { instances } = await claimAll(after, { entityCount: 10, entities: ["@counter"] });
    assert.deepEqual(instances.map((one) => [one.id, one.record.sections, one.record.lockedBy]).sort(), [
      [VISITS, undefined, LOCK],
      ["transfer", sections, undefined],
    ]);
    for (const { record, messages } of instances) {
      const { sections: _sections, lockedBy: _lockedBy, ...rest } = record;
      await done(after, { ...batchOf(record, messages), record: { ...rest, turn: record.turn + 1 } });
      const read = some(await after.read(record.id)).record;
      assert.deepEqual([read.turn, "sections" in read, "lockedBy" in read], [record.turn + 1, false, false]);
    }
  });
}

// ------------------------------------------------------------------------------------------------------------ looked at

function looked(open: Opener): void {
  it("C8 entities are found by kind, name, key, state, lock and time of their last writing", async (t) => {
    const { store } = await open(t);
    const make = async (record: InstanceRecord, state?: string) =>
      done(
        store,
        commitOf({ fences: [{ kind: "absent", id: record.id }], record, ...(state === undefined ? {} : { payloads: { state } }) }),
      );
    await make(recordOf("a", { updatedAt: START + 10 }));
    await make(entityOf("@counter@a", { updatedAt: START + 10 }), "1");
    await make(entityOf("@counter@b", { updatedAt: START + 20, held: true, lockedBy: LOCK }));
    await make(entityOf("@cart@a", { updatedAt: START + 30 }), "");
    const cases: [InstanceFilter, string[]][] = [
      [{}, ["a", "@counter@a", "@counter@b", "@cart@a"]],
      [{ kind: "orchestration" }, ["a"]],
      [{ kind: "entity" }, ["@counter@a", "@counter@b", "@cart@a"]],
      [{ kind: "entity", name: "@counter" }, ["@counter@a", "@counter@b"]],
      [{ kind: "entity", idPrefix: "@cart@" }, ["@cart@a"]],
      [{ hasState: true }, ["@counter@a", "@cart@a"]],
      [{ kind: "entity", hasState: false }, ["@counter@b"]],
      [{ locked: true }, ["@counter@b"]],
      [{ kind: "entity", locked: false }, ["@counter@a", "@cart@a"]],
      [{ kind: "entity", hasState: false, locked: false }, []],
      [{ updatedFrom: START + 20 }, ["@counter@b", "@cart@a"]],
      [{ kind: "entity", updatedTo: START + 11 }, ["@counter@a"]],
      [{ updatedFrom: START + 20, updatedTo: START + 21 }, ["@counter@b"]],
      [{ kind: "entity", updatedFrom: START + 21, updatedTo: START + 30 }, []],
    ];
    for (const [filter, ids] of cases) assert.deepEqual(await found(store, filter), ids, JSON.stringify(filter));
  });

  it("C9 pages of entities meet each one once, however many orchestrations are among them", async (t) => {
    const { store } = await open(t);
    for (let i = 0; i < 60; i++) {
      await signal(store, `@counter@${i}`, "m");
      await done(store, startOf(`o${i}`));
    }
    const met: string[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.query({ kind: "entity" }, { size: 7, ...(cursor === undefined ? {} : { cursor }) });
      met.push(...page.items.map((item) => item.record.id));
      cursor = page.next;
    } while (cursor !== undefined);
    assert.deepEqual(
      met,
      Array.from({ length: 60 }, (_, i) => `@counter@${i}`),
    );
  });

  it("O1 the backlog of an entity is what lies in its inbox, behind a lock and in somebody's hands too", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "lock", "m1");
    const { record, messages } = await claimEntity(store);
    const visibleAt = 253_402_300_799_999;
    const parts = { change: { held: true, lockedBy: LOCK }, messages: [signalTo(VISITS, "later", { visibleAt })] };
    await done(store, batchOf(record, messages.slice(0, 1), parts));
    await signal(store, VISITS, "m2");
    const backlog = async () => {
      const { dueMessages, laterMessages, isClaimed } = some(await store.outstanding(VISITS));
      return { dueMessages, laterMessages, isClaimed };
    };
    assert.deepEqual(await backlog(), { dueMessages: 2, laterMessages: 1, isClaimed: true });
    await store.release([record], 0);
    assert.deepEqual(await backlog(), { dueMessages: 2, laterMessages: 1, isClaimed: false });
  });

  it("C8 no entity is among what has finished", async (t) => {
    const { store } = await open(t);
    await signal(store, VISITS, "m1");
    const { record, messages } = await claimEntity(store);
    await done(store, batchOf(record, messages, { payloads: { state: "1" }, keep: false }));
    assert.deepEqual((await store.finished({ size: 10 })).instances, []);
  });
}
