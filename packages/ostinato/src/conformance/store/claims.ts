// Chapter: claims. What is handed out, to whom, how often.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { Commit } from "../../engine/commit.ts";
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

export function claims(open: Opener): void {
  it("I1 a start that was accepted is there at once, and is claimed", async (t) => {
    const { store } = await open(t);
    const { number } = await done(store, startOf("a", { input: "{}" }));
    assert.ok(number > 0);
    const read = await store.read("a");
    assert.deepEqual(read?.record, recordOf("a", { number }));
    assert.deepEqual(read?.payloads, { input: "{}" });
    const claim = await claimOne(store);
    assert.equal(claim.number, number);
    assert.equal(claim.id, "a");
    assert.equal(claim.held, false);
    assert.deepEqual(idsOf(claim.messages), ["start:a-1"]);
    assert.equal(claim.messages[0]?.event.kind, "ExecutionStarted");
    assert.equal(claim.messages[0]?.to, "a");
    assert.equal(claim.messages[0]?.number, number);
  });

  it("S2 a claim raises the epoch and counts the attempt, durably (G5)", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    assert.equal(claim.epoch, 2);
    assert.equal(claim.attempts, 1);
    assert.equal(claim.record.epoch, 2);
    await store.release([claim], 0);
    const again = await claimOne(store);
    assert.equal(again.epoch, 3);
    assert.equal(again.attempts, 2);
    assert.deepEqual((await store.read("a"))?.record, again.record);
  });

  it("A2 what is leased is not handed out a second time", async (t) => {
    const { store } = await open(t);
    await startAndClaim(store, "a");
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("L9 instances of names that nobody asks for are not claimed", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    assert.deepEqual((await claimAll(store, { orchestrators: ["other"] })).instances, []);
    assert.deepEqual((await claimAll(store, { orchestrators: [] })).instances, []);
    assert.equal((await claimAll(store, { orchestrators: ["other", "chain"] })).instances.length, 1);
  });

  it("what only the engine can answer makes an instance claimable by any process", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    await done(store, commitOf({ messages: [messageTo("a", "terminate", { needs: "engine", wakes: "always" })] }));
    const claim = await claimOne(store, { orchestrators: [] });
    assert.deepEqual(idsOf(claim.messages), ["start:a-1", "terminate"]);
  });

  it("a finished instance with messages is claimed like any other, whatever its name", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await done(
      store,
      turnOf(claim.record, claim.messages, { change: { status: "COMPLETED", completedAt: claim.record.createdAt }, keep: false }),
    );
    assert.deepEqual((await claimAll(store)).instances, []);
    await done(store, commitOf({ messages: [messageTo("a", "late")] }));
    assert.deepEqual(idsOf((await claimOne(store, { orchestrators: [] })).messages), ["late"]);
  });

  it("hands out no more instances than there is room for, the earliest first", async (t) => {
    const { store, clock } = await open(t);
    for (const id of ["a", "b", "c"]) {
      await done(store, startOf(id));
      clock?.advance(1);
    }
    assert.deepEqual(idsOf((await claimAll(store, { instances: 2 })).instances), ["a", "b"]);
    assert.deepEqual((await claimAll(store, { instances: 0 })).instances, []);
    assert.deepEqual(idsOf((await claimAll(store, { instances: 2 })).instances), ["c"]);
  });

  it("what comes for a held instance is handed out once, beside the room for others", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await done(store, commitOf({ messages: [messageTo("a", "m1"), messageTo("a", "m2")] }));
    const more = await claimOne(store, { instances: 0 });
    assert.equal(more.held, true);
    assert.equal(more.epoch, claim.epoch);
    assert.deepEqual(idsOf(more.messages), ["m1", "m2"]);
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("a turn that keeps its lease is told what has arrived meanwhile", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await done(store, commitOf({ messages: [messageTo("a", "m1")] }));
    const turn = await done(store, turnOf(claim.record, claim.messages));
    assert.deepEqual(idsOf(turn.arrived), ["m1"]);
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("H8 what was handed out and not consumed is handed out to the next holder", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await done(store, commitOf({ messages: [messageTo("a", "m1")] }));
    await done(store, turnOf(claim.record, claim.messages, { keep: false }));
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["m1"]);
  });

  it("G9 messages come in order of arrival, at most 1,000 at once, each once", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await store.release([claim], 0);
    const names = Array.from({ length: 2_500 }, (_, i) => `m${i}`);
    await done(store, commitOf({ messages: names.map((name) => messageTo("a", name)) }));
    const first = await claimOne(store);
    assert.deepEqual(idsOf(first.messages), ["start:a-1", ...names.slice(0, 999)]);
    const second = await claimOne(store);
    assert.equal(second.held, true);
    assert.deepEqual(idsOf(second.messages), names.slice(999, 1_999));
    const third = await done(store, turnOf(first.record, first.messages));
    assert.deepEqual(idsOf(third.arrived), names.slice(1_999));
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("what the engine answers is not held up behind 1,000 others", async (t) => {
    const { store } = await open(t);
    const claim = await startAndClaim(store, "a");
    await store.release([claim], 0);
    await done(store, commitOf({ messages: Array.from({ length: 1_200 }, (_, i) => messageTo("a", `m${i}`)) }));
    await done(store, commitOf({ messages: [messageTo("a", "terminate", { needs: "engine", wakes: "always" })] }));
    const { messages } = await claimOne(store, { orchestrators: [] });
    assert.equal(messages.length, 1_000);
    assert.equal(messages.at(-1)?.id, "terminate");
  });

  it("activities are claimed by name and count; each claim raises the epoch and counts the delivery", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const rows = [1, 2, 3].map((id) =>
      activityOf(record, id, {
        epoch: 10,
        input: `${id}`,
        version: "1",
        tags: { a: "b" },
        attemptTimeoutMs: 5,
        expiresAt: 6,
        traceContext: "t",
      }),
    );
    await done(store, turnOf(record, messages, { activities: [...rows, activityOf(record, 4, { name: "other" })] }));
    const first = await claimAll(store, { activityCount: 2 });
    assert.deepEqual(
      first.activities.map(({ row, epoch, delivery }) => ({ row, epoch, delivery })),
      rows.slice(0, 2).map((row) => ({ row, epoch: 11, delivery: 1 })),
    );
    assert.equal(first.activities[0]?.at, first.at);
    await store.release([{ key: some(rows[0]), epoch: 11 }], 0);
    const second = await claimAll(store);
    assert.deepEqual(second.activities.map(({ row, epoch, delivery }) => [row.taskId, epoch, delivery]).sort(), [
      [1, 12, 2],
      [3, 11, 1],
    ]);
    assert.deepEqual((await claimAll(store, { activities: [] })).activities, []);
  });

  it("L9 who takes any name is given what is there, but what is excepted, and is told when the next is due", async (t) => {
    const { store, clock } = await open(t);
    for (const [id, name] of [
      ["a", "chain"],
      ["b", "fan"],
      ["c", "other"],
    ] as const)
      await done(store, startOf(id, { record: { name } }));
    await done(store, commitOf({ messages: [messageTo("c", "terminate", { needs: "engine", wakes: "always" })] }));
    const but = await claimAll(store, { orchestrators: { anyBut: ["chain", "other", "gone"] } });
    assert.deepEqual(idsOf(but.instances).sort(), ["b", "c"], "what needs only the engine is nobody's name");
    const any = await claimAll(store, { orchestrators: { anyBut: [] } });
    assert.deepEqual(idsOf(any.instances), ["a"]);
    const { record, messages } = some(any.instances[0]);
    const rows = ["hello", "bye", "later"].map((name, i) => activityOf(record, i, { name }));
    await done(
      store,
      turnOf(record, messages, { activities: rows, keep: false, messages: [messageTo("a", "due", { visibleAt: any.at + 60_000 })] }),
    );
    const first = await claimAll(store, { activities: { anyBut: ["bye"] }, activityCount: 1, orchestrators: { anyBut: [] } });
    assert.equal(first.activities.length, 1);
    assert.equal(first.nextDueAt, any.at + 60_000);
    const rest = await claimAll(store, { activities: { anyBut: ["bye"] }, orchestrators: { anyBut: ["chain"] } });
    assert.deepEqual([...first.activities, ...rest.activities].map(({ row }) => row.name).sort(), ["hello", "later"]);
    assert.equal(rest.nextDueAt, undefined, "nobody who takes this waits for it");
    await store.release([{ key: some(rest.activities[0]).row, epoch: some(rest.activities[0]).epoch }], 5_000);
    const waiting = await claimAll(store, { instances: 0, activities: { anyBut: ["bye"] } });
    assert.deepEqual([waiting.activities, some(waiting.nextDueAt) >= waiting.at + (clock === undefined ? 1 : 5_000)], [[], true]);
  });

  it("of any names the earliest come first, and no more than there is room for", async (t) => {
    const { store, clock } = await open(t);
    for (let i = 0; i < 6; i++) {
      await done(store, startOf(`i${i}`, { record: { name: `n${(i * 5) % 7}` } }));
      clock?.advance(1);
    }
    const want = { orchestrators: { anyBut: [] } };
    const all = [];
    for (let i = 0; i < 3; i++) all.push(...idsOf((await claimAll(store, { ...want, instances: 2 })).instances));
    assert.deepEqual(clock === undefined ? all.sort() : all, ["i0", "i1", "i2", "i3", "i4", "i5"]);
  });

  it("A2 an activity that is scheduled under the key of one that is done in the same commit is there", async (t) => {
    const { store } = await open(t);
    const { record, messages, epoch, number } = await startAndClaim(store, "a");
    const first = activityOf(record, 1, { epoch: 10, claimed: true });
    await done(store, turnOf(record, messages, { activities: [first] }));
    const second = activityOf(record, 1, { epoch: 20, attempt: 2 });
    await done(
      store,
      turnOf({ ...record, turn: 1, historyLength: 1 }, [], {
        fences: [
          { kind: "instance", number, epoch },
          { kind: "activity", key: first, epoch: 10 },
        ],
        finished: [first],
        activities: [second],
      }),
    );
    const [claim] = (await claimAll(store)).activities;
    assert.deepEqual([claim?.row, claim?.epoch, claim?.delivery], [second, 21, 1]);
  });

  it("A3 an activity that is scheduled under a key that is there takes its place: what comes of the first is late", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    await done(store, turnOf(record, messages, { activities: [activityOf(record, 1, { epoch: 10 })] }));
    const [first] = (await claimAll(store)).activities;
    const again = activityOf(record, 1, { epoch: 20, input: "again" });
    await done(store, turnOf({ ...record, turn: 1, historyLength: 1 }, [], { activities: [again] }));
    const late = commitOf({
      fences: [{ kind: "activity", key: some(first).row, epoch: some(first).epoch }],
      number: record.number,
      finished: [some(first).row],
    });
    assert.equal(await refused(store, late), "fenced");
    await store.release([{ key: some(first).row, epoch: some(first).epoch }], 0);
    const { activities } = await claimAll(store);
    assert.deepEqual(
      activities.map(({ row, delivery }) => [row, delivery]),
      [[again, 1]],
    );
    assert.deepEqual((await claimAll(store)).activities, []);
  });

  it("a claim of an activity that is given back undone does not count as a delivery, and its epoch rises all the same", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    await done(store, turnOf(record, messages, { activities: [activityOf(record, 1, { epoch: 10 })] }));
    for (const epoch of [11, 12, 13]) {
      const [claim] = (await claimAll(store)).activities;
      assert.deepEqual([claim?.epoch, claim?.delivery], [epoch, 1]);
      await store.release([{ key: some(claim).row, epoch, undone: true }], 0);
    }
    const [begun] = (await claimAll(store)).activities;
    await store.release([{ key: some(begun).row, epoch: 14 }], 0);
    assert.equal((await claimAll(store)).activities[0]?.delivery, 2);
  });

  it("R4 an activity that is put aside is nobody's until it is offered again, and counts as handed out so often then", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const rows = [1, 2, 3].map((taskId) => activityOf(record, taskId, { epoch: 10 }));
    const turn = turnOf(record, messages, { activities: rows, keep: false });
    const { number } = await done(store, turn);
    const epochOf = async (): Promise<number> => some(await store.read("a")).record.epoch;
    const change = async (parts: Partial<Commit>): Promise<Commit> => {
      const before = some(await store.read("a")).record;
      const { fences = [], ...rest } = parts;
      return commitOf({
        fences: [{ kind: "instance", number, epoch: before.epoch }, ...fences],
        number,
        record: { ...before, epoch: before.epoch + 1 },
        ...rest,
      });
    };
    const claimed = (await claimAll(store)).activities;
    assert.equal(claimed.length, 3);
    const [first, second] = claimed.map(({ row: { generation, taskId } }) => ({ number, generation, taskId }));
    const [one, two] = [some(first), some(second)];

    const early = await change({ fences: [{ kind: "activity", key: one, epoch: 10 }], aside: { key: one, delivery: 7 } });
    assert.equal(await refused(store, early), "fenced");
    for (const [key, delivery] of [
      [one, 7],
      [two, 0],
    ] as const)
      await done(store, await change({ fences: [{ kind: "activity", key, epoch: 11 }], aside: { key, delivery } }));
    await store.release([{ key: one, epoch: 11 }], 0);
    const none = await claimAll(store);
    assert.deepEqual([none.activities, none.nextDueAt], [[], undefined]);
    const isOut = async (): Promise<unknown> => (await store.outstanding("a"))?.activities.map((each) => each.isOut);
    assert.deepEqual(await isOut(), [false, false, true], "the third is with whoever has claimed it");

    const epoch = await epochOf();
    const stale = { ...(await change({ offersAside: true })), fences: [{ kind: "instance", number, epoch: epoch - 1 }] as const };
    assert.equal(await refused(store, stale), "fenced");
    assert.deepEqual((await claimAll(store)).activities, []);
    await done(store, await change({ offersAside: true }));
    const again = (await claimAll(store)).activities.toSorted((a, b) => a.row.taskId - b.row.taskId);
    assert.deepEqual(
      again.map(({ row, epoch, delivery }) => [row.taskId, epoch, delivery]),
      [
        [one.taskId, 12, 8],
        [two.taskId, 12, 1],
      ],
    );
    await done(store, await change({ offersAside: true }));
    assert.deepEqual((await claimAll(store)).activities, [], "what is with somebody stays there");
    await store.release([{ key: one, epoch: 12 }], 60_000);
    await done(store, await change({ offersAside: true }));
    assert.deepEqual((await claimAll(store)).activities, [], "what was given back for a while was not put aside");
  });

  it("an activity that is born claimed is nobody else's until it is released", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const row = activityOf(record, 1, { epoch: 10, claimed: true });
    await done(store, turnOf(record, messages, { activities: [row] }));
    assert.deepEqual((await claimAll(store)).activities, []);
    await store.release([{ key: row, epoch: 9 }], 0);
    assert.deepEqual((await claimAll(store)).activities, []);
    await store.release([{ key: row, epoch: 10 }], 0);
    const [claim] = (await claimAll(store)).activities;
    assert.deepEqual([claim?.epoch, claim?.delivery, claim?.row], [11, 2, row]);
  });

  it("a start that is born claimed comes back with its lease and its messages", async (t) => {
    const { store } = await open(t);
    const { arrived, number } = await done(store, startOf("a", { keep: true }));
    assert.deepEqual(idsOf(arrived), ["start:a-1"]);
    assert.equal(arrived[0]?.number, number);
    assert.deepEqual((await claimAll(store)).instances, []);
    const record = recordOf("a", { number, attempts: 1 });
    await done(store, turnOf(record, arrived));
  });

  it("a commit that keeps an instance without changing its record leases it", async (t) => {
    const { store } = await open(t);
    const { number } = await done(store, startOf("a"));
    const kept = await done(store, commitOf({ fences: [{ kind: "instance", number, epoch: 1 }], number, keep: true }));
    assert.deepEqual(idsOf(kept.arrived), ["start:a-1"]);
    assert.deepEqual((await claimAll(store)).instances, []);
    await done(store, turnOf(recordOf("a", { number }), kept.arrived));
    await store.release([{ number, epoch: 1 }], 0);
    assert.deepEqual((await claimAll(store)).instances, []);
  });

  it("a message that creates its addressee makes it once, claimed when asked", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const child = (id: string, claimed: boolean) => ({
      creates: { record: recordOf(id, { attempts: claimed ? 1 : 0 }), payloads: { input: id }, claimed },
    });
    const result = await done(
      store,
      turnOf(record, messages, {
        messages: [
          messageTo("b", "b1", child("b", true)),
          messageTo("c", "c1", child("c", false)),
          messageTo("b", "b2", child("b", true)),
          messageTo("nobody", "n1"),
        ],
      }),
    );
    assert.deepEqual(result.undelivered, ["n1"]);
    assert.deepEqual(
      result.claims.map((claim) => [claim.id, claim.epoch, claim.attempts, claim.held, idsOf(claim.messages)]),
      [["b", 1, 1, false, ["b1", "b2"]]],
    );
    const claim = await claimOne(store);
    assert.deepEqual([claim.id, idsOf(claim.messages)], ["c", ["c1"]]);
    assert.deepEqual((await store.read("b"))?.payloads, { input: "b" });
    await done(store, turnOf(some(result.claims[0]).record, some(result.claims[0]).messages));
    const more = await done(store, commitOf({ messages: [messageTo("c", "c2", child("c", true))] }));
    assert.deepEqual(more.claims, []);
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["c2"]);
  });
}
