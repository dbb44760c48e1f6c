// Chapter: commits. Whole or not at all, under their own fences.

import assert from "node:assert/strict";
import { it } from "node:test";
import type { HistoryEvent } from "../../contract/events.ts";
import type { InstanceRecord } from "../../contract/instance.ts";
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
  recordOf,
  refused,
  START,
  some,
  startAndClaim,
  started,
  startOf,
  turnOf,
} from "./stories.ts";

export function commits(open: Opener): void {
  it("H5 a turn writes all of its parts at once", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    await done(store, startOf("b"));
    const turn = turnOf(record, messages, {
      events: [started(1), { kind: "TaskScheduled", eventId: 1, timestamp: START, name: "hello", input: "1" }],
      payloads: { customStatus: '"s"', output: "1" },
      activities: [activityOf(record, 1)],
      messages: [messageTo("b", "m1"), messageTo("a", "t1", { visibleAt: START + 1e12 })],
      keep: false,
    });
    await done(store, turn);
    assert.deepEqual((await store.read("a"))?.record, turn.record);
    assert.deepEqual((await store.read("a"))?.payloads, { customStatus: '"s"', output: "1" });
    assert.deepEqual(await historyOf(store, "a"), turn.history?.events);
    const { instances, activities } = await claimAll(store);
    assert.deepEqual(
      instances.map((claim) => [claim.id, idsOf(claim.messages)]),
      [["b", ["start:b-1", "m1"]]],
    );
    assert.equal(activities.length, 1);
  });

  it("every field of a record and of its payloads is kept, and so is its absence", async (t) => {
    const { store } = await open(t);
    const full: Partial<InstanceRecord> = {
      kind: "entity",
      version: "1.2",
      scheduledAt: START + 1,
      startedAt: START + 2,
      completedAt: START + 3,
      parent: { instanceId: "p", executionId: "pe", name: "pn", version: "3", taskScheduledId: 7 },
      tags: { "a b": "ü", "": "" },
      traceContext: "00-1",
      held: true,
      notBefore: START + 4,
      stall: { kind: "set-aside", reason: "because", since: START, attempts: 9 },
      awaitedEvents: ["x", "y"],
      dropped: 3,
    };
    const { number } = await done(store, commitOf({ fences: [{ kind: "absent", id: "a" }], record: recordOf("a", full) }));
    assert.deepEqual((await store.read("a"))?.record, recordOf("a", { ...full, number }));
    const failure = {
      errorType: "E",
      message: "m",
      stack: "s",
      inner: { errorType: "F", message: "" },
      nonRetriable: true,
      properties: { a: [1, null] },
    };
    const bare = recordOf("a", { number, kind: "entity", parent: some(full.parent), turn: 1, generation: 2 });
    const fences = [{ kind: "instance", number, epoch: 1 }] as const;
    await done(store, commitOf({ fences, number, record: bare, payloads: { input: "", output: "null", customStatus: "0", failure } }));
    assert.deepEqual(await store.read("a"), { record: bare, payloads: { input: "", output: "null", customStatus: "0", failure } });
    await done(store, commitOf({ fences, number, payloads: { input: null, failure: null, output: "2" } }));
    assert.deepEqual((await store.read("a"))?.payloads, { output: "2", customStatus: "0" });
  });

  it("I2 a start is refused when the id is taken, and writes nothing", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    assert.equal(await refused(store, startOf("a", { record: { executionId: "other" } })), "exists");
    assert.equal((await store.read("a"))?.record.executionId, "a-1");
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["start:a-1"]);
  });

  it("S1 a refused commit does not touch its neighbours in the batch", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("b"));
    const results = await store.commit([startOf("a"), startOf("b"), startOf("a"), startOf("c")]);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.why)),
      ["ok", "exists", "exists", "ok"],
    );
    assert.deepEqual(idsOf((await claimAll(store)).instances), ["b", "a", "c"]);
  });

  it("a batch of nothing is answered with nothing", async (t) => {
    const { store } = await open(t);
    assert.deepEqual(await store.commit([]), []);
  });

  it("S1 a commit one of whose activities is gone writes nothing, even though the others are there", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const rows = [1, 2].map((id) => activityOf(record, id, { claimed: true, epoch: 5 }));
    const turn = turnOf(record, messages, { activities: rows });
    await done(store, turn);
    await done(store, startOf("b"));
    const fold = (epochs: readonly number[]) =>
      turnOf(some(turn.record), [], {
        fences: [
          { kind: "instance", number: record.number, epoch: record.epoch },
          ...rows.map((key, i) => ({ kind: "activity", key, epoch: some(epochs[i]) }) as const),
        ],
        finished: rows,
        messages: [messageTo("b", "m")],
      });
    const results = await store.commit([startOf("c"), fold([5, 6]), startOf("d")]);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.why)),
      ["ok", "fenced", "ok"],
    );
    assert.equal((await store.read("a"))?.record.turn, 1);
    assert.deepEqual(idsOf((await claimAll(store)).instances).sort(), ["b", "c", "d"]);
    await done(store, fold([5, 5]));
    assert.equal(await refused(store, fold([5, 5])), "fenced");
  });

  it("I5 a message is consumed once: a commit that consumes one that is gone is refused", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const turn = turnOf(record, messages, { activities: [activityOf(record, 1)], messages: [messageTo("a", "m")] });
    await done(store, turn);
    assert.equal(await refused(store, turnOf(some(turn.record), messages, { activities: [activityOf(record, 2)] })), "fenced");
    assert.equal(await refused(store, turnOf(some(turn.record), [{ id: "m" }, { id: "gone" }])), "fenced");
    assert.equal((await claimAll(store)).activities.length, 1);
    await done(store, turnOf(some(turn.record), [{ id: "m" }]));
  });

  it("E2 the same message id to the same instance again is a no-op", async (t) => {
    const { store } = await open(t);
    const { number } = await done(store, startOf("a"));
    await done(store, startOf("b"));
    await done(store, commitOf({ messages: [messageTo("a", "m"), messageTo("a", "m"), messageTo("b", "m")] }));
    await done(store, commitOf({ messages: [messageTo("a", "m")] }));
    const { instances } = await claimAll(store);
    assert.deepEqual(instances.map((claim) => [claim.number === number, idsOf(claim.messages).slice(1)]).sort(), [
      [false, ["m"]],
      [true, ["m"]],
    ]);
  });

  it("a message to nobody is undelivered, the rest of its commit is done", async (t) => {
    const { store } = await open(t);
    await done(store, startOf("a"));
    const { undelivered } = await done(store, commitOf({ messages: [messageTo("x", "m1"), messageTo("a", "m2"), messageTo("y", "m3")] }));
    assert.deepEqual(undelivered, ["m1", "m3"]);
    assert.equal(await store.read("x"), undefined);
  });

  it("H1 history is appended turn by turn and read in pages, from any event on", async (t) => {
    const { store } = await open(t);
    let { record, messages } = (await startAndClaim(store, "a")) as { record: InstanceRecord; messages: readonly { id: string }[] };
    const all: HistoryEvent[] = [];
    for (let turn = 1; turn <= 700; turn++) {
      const events: HistoryEvent[] = [
        started(turn),
        { kind: "EventRaised", eventId: -1, timestamp: START, name: "e", input: "x".repeat(turn) },
        started(-turn),
      ];
      const commit = turnOf(record, messages, { events });
      await done(store, commit);
      all.push(...events);
      record = some(commit.record);
      messages = [];
    }
    assert.deepEqual(await historyOf(store, "a"), all);
    for (const from of [1, 2, 3, 1_000, all.length - 1, all.length]) assert.deepEqual(await historyOf(store, "a", from), all.slice(from));
    assert.deepEqual(await historyOf(store, "nobody"), []);
  });

  it("H9 continue-as-new: the old execution's messages and activities go, the rest stays in place and in order", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const first = turnOf(record, messages, {
      activities: [activityOf(record, 1), activityOf(record, 2, { claimed: true, epoch: 9 })],
      events: [started(1), started(1)],
    });
    await done(store, first);
    await done(
      store,
      commitOf({
        messages: [
          messageTo("a", "e1"),
          messageTo("a", "old", { execution: "a-1" }),
          messageTo("a", "e2"),
          messageTo("a", "t-old", { execution: "a-1", visibleAt: START + 1e12 }),
        ],
      }),
    );
    const next = turnOf(some(first.record), [], {
      events: [started(2)],
      history: { mode: "replace", events: [started(2)] },
      change: { executionId: "a-2", generation: 2, historyLength: 1 },
      drop: { execution: "a-1", generation: 1 },
      messages: [messageTo("a", "start:a-2", { execution: "a-2", wakes: "always" })],
      activities: [activityOf({ ...record, generation: 2, executionId: "a-2" }, 1)],
    });
    const result = await done(store, next);
    assert.deepEqual(idsOf(result.arrived), ["e1", "e2", "start:a-2"]);
    assert.deepEqual(await historyOf(store, "a"), [started(2)]);
    const late = commitOf({
      fences: [{ kind: "activity", key: activityOf(record, 2), epoch: 9 }],
      finished: [activityOf(record, 2)],
      messages: [messageTo("a", "result", { execution: "a-1" })],
    });
    assert.equal(await refused(store, late), "fenced");
    const { activities, instances } = await claimAll(store);
    assert.deepEqual(instances, []);
    assert.deepEqual(
      activities.map(({ row }) => [row.generation, row.taskId, row.executionId]),
      [[2, 1, "a-2"]],
    );
  });

  it("C5 dropping everything leaves nothing: late work finds nobody, and the id begins anew under a new number", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a", { input: "1" });
    const turn = turnOf(record, messages, {
      activities: [activityOf(record, 1), activityOf(record, 2, { claimed: true, epoch: 3 })],
      messages: [messageTo("a", "m")],
    });
    await done(store, turn);
    await done(
      store,
      commitOf({ fences: [{ kind: "instance", number: record.number, epoch: record.epoch }], number: record.number, drop: "everything" }),
    );
    assert.equal(await store.read("a"), undefined);
    assert.deepEqual(await historyOf(store, "a"), []);
    assert.deepEqual((await store.query({}, {})).items, []);
    const { instances, activities, nextDueAt } = await claimAll(store);
    assert.deepEqual([instances, activities, nextDueAt], [[], [], undefined]);
    assert.equal(await refused(store, turnOf(some(turn.record), [])), "fenced");
    assert.equal(
      await refused(
        store,
        commitOf({ fences: [{ kind: "activity", key: activityOf(record, 2), epoch: 3 }], finished: [activityOf(record, 2)] }),
      ),
      "fenced",
    );
    assert.deepEqual((await done(store, commitOf({ messages: [messageTo("a", "m2")] }))).undelivered, ["m2"]);
    const { number } = await done(store, startOf("a"));
    assert.ok(number > record.number);
    assert.equal(await refused(store, turnOf(some(turn.record), [])), "fenced");
    assert.deepEqual(idsOf((await claimOne(store)).messages), ["start:a-1"]);
    assert.deepEqual((await store.read("a"))?.payloads, {});
    assert.deepEqual(await historyOf(store, "a"), []);
  });

  it("a finished instance is replaced by a new one of the same id in one commit", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a", { input: "1" });
    const end = turnOf(record, messages, { change: { status: "COMPLETED", completedAt: START }, keep: false });
    await done(store, end);
    const fences = [{ kind: "instance", number: record.number, epoch: record.epoch }] as const;
    const again = { ...startOf("a", { record: { executionId: "a-2" } }), fences, number: record.number, drop: "everything" } as const;
    const { number } = await done(store, again);
    assert.ok(number > record.number);
    const claim = await claimOne(store);
    assert.deepEqual([claim.record.executionId, claim.number, idsOf(claim.messages)], ["a-2", number, ["start:a-2"]]);
    assert.deepEqual((await store.read("a"))?.payloads, {});
  });

  it("S1 an instance is not dropped, nor replaced, while the start of its next attempt lies in its inbox", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    await done(store, turnOf(record, messages, { change: { status: "FAILED", completedAt: START }, keep: false }));
    await done(store, commitOf({ messages: [messageTo("a", "next", { wakes: "always" })] }));
    const fences = [{ kind: "instance", number: record.number, epoch: record.epoch }] as const;
    const drop = { fences, number: record.number, drop: "everything" } as const;
    assert.equal(await refused(store, commitOf(drop)), "fenced");
    assert.equal(await refused(store, { ...startOf("a", { record: { executionId: "a-2" } }), ...drop }), "fenced");
    const claim = await claimOne(store);
    assert.deepEqual(idsOf(claim.messages), ["next"]);
    const taken = turnOf(claim.record, claim.messages, { change: { status: "FAILED", completedAt: START }, keep: false });
    await done(store, taken);
    await done(store, commitOf({ ...drop, fences: [{ kind: "instance", number: record.number, epoch: claim.epoch }] }));
    assert.equal(await store.read("a"), undefined);
  });

  it("a later attempt of a child is another call's: its execution and its number in the parent are stored, its parent stays", async (t) => {
    const { store } = await open(t);
    const parent = { instanceId: "p", executionId: "p-1", name: "family", taskScheduledId: 1 };
    const { record, messages } = await startAndClaim(store, "a", { record: { parent } });
    const later = { ...parent, executionId: "p-2", version: "2", taskScheduledId: 3 };
    await done(store, turnOf(record, messages, { change: { parent: later }, keep: false }));
    assert.deepEqual((await store.read("a"))?.record.parent, later);
    assert.deepEqual(
      (await store.query({ parent: "p" }, {})).items.map((each) => each.record.parent),
      [later],
    );
  });

  it("a commit that contradicts itself fails alone", async (t) => {
    const { store } = await open(t);
    const { record, messages } = await startAndClaim(store, "a");
    const results = await store.commit([turnOf(record, messages, { change: { epoch: record.epoch - 1 } }), startOf("b")]);
    assert.deepEqual(
      results.map((result) => (result.ok ? "ok" : result.why)),
      ["failed", "ok"],
    );
    await done(store, turnOf(record, messages));
  });

  it("H4 a record that is written again and again reads back as it was written last", async (t) => {
    const { store } = await open(t);
    let { record, messages } = (await startAndClaim(store, "a")) as { record: InstanceRecord; messages: readonly { id: string }[] };
    const changes: Partial<InstanceRecord>[] = [
      { updatedAt: START + 1 },
      { awaitedEvents: ["x"] },
      { lastTurnAt: START + 2 },
      { awaitedEvents: ["x"], dropped: 1 },
      { tags: { a: "b" } },
      {},
    ];
    for (const change of changes) {
      const commit = turnOf(record, messages, { change });
      await done(store, commit);
      record = some(commit.record);
      messages = [];
      assert.deepEqual((await store.read("a"))?.record, record);
    }
    const pending = changes.map((change) => {
      const commit = turnOf(record, [], { change });
      record = some(commit.record);
      return store.commit([commit]);
    });
    await Promise.all(pending);
    assert.deepEqual((await store.read("a"))?.record, record);
  });
}
