import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADA,
  batchEnd,
  called,
  entityRecord,
  EPOCH,
  failed,
  holding,
  NUMBER,
  outcome,
  RULES,
  runs,
  signal,
  sound,
  succeeded,
} from "../../test/entity-story.ts";
import { brokenBatch, closeEntityBatch, closeEntityFailed } from "./close-entity-batch.ts";
import { openEntity, type OpenedBatch } from "./open-entity.ts";

const LEASE = { number: NUMBER, epoch: EPOCH };
const batchOf = (...arrivals: Parameters<typeof holding> extends [unknown, ...infer A] ? A : never): OpenedBatch =>
  runs(openEntity(holding(entityRecord(), ...arrivals), 300, RULES));

test("E3 state, answers and messages of a batch are one commit", () => {
  const batch = batchOf(signal("one"), called("two", ADA), called("three", ADA));
  const results = [succeeded(), succeeded("7"), failed("no")];
  const actions = [
    { kind: "signalEntity", entityId: "@Total@all", operation: "add", input: "1", scheduledAt: 900 },
    { kind: "startOrchestration", instanceId: "audit", executionId: "audit-x", name: "o", input: '"x"' },
  ] as const;
  const commit = sound(closeEntityBatch(LEASE, batch, outcome(results, { actions, state: "8" }), batchEnd()));
  assert.deepEqual(commit.consumed, ["m1", "m2", "m3"]);
  assert.deepEqual(commit.payloads, { state: "8" });
  assert.deepEqual([commit.record?.turn, commit.record?.updatedAt, commit.record?.attempts], [5, 300, 0]);
  const [two, three, sent, started] = commit.messages;
  assert.deepEqual(
    [two, three].map((each) => [each?.to, each?.execution, each?.event.kind]),
    [
      ["ada", "ada-x", "EntityOperationCompleted"],
      ["ada", "ada-x", "EntityOperationFailed"],
    ],
  );
  assert.deepEqual([sent?.to, sent?.visibleAt, sent?.creates?.record.name], ["@total@all", 900, "@total"]);
  assert.deepEqual([started?.to, started?.creates?.record.status, started?.creates?.payloads.input], ["audit", "PENDING", '"x"']);
  assert.equal(new Set(commit.messages.map(({ id }) => id)).size, 4);
});

test("E2 fewer results than operations consume as many messages", () => {
  const batch = batchOf(signal("one"), signal("two"), signal("three"));
  assert.deepEqual(sound(closeEntityBatch(LEASE, batch, outcome([succeeded()]), batchEnd())).consumed, ["m1"]);
});

test("a state that is gone empties its slot; one that is as before is not written", () => {
  const batch = batchOf(signal("one"));
  assert.deepEqual(closeEntityBatch(LEASE, batch, outcome([succeeded()]), batchEnd({ before: "1" })).payloads, { state: null });
  assert.equal(closeEntityBatch(LEASE, batch, outcome([succeeded()], { state: "1" }), batchEnd({ before: "1" })).payloads, undefined);
  assert.deepEqual(closeEntityBatch(LEASE, batch, outcome([succeeded()], { state: "0" }), batchEnd({ before: "1" })).payloads, {
    state: "0",
  });
});

test("what is sent to where nobody can be is dropped and counted", () => {
  const actions = [
    { kind: "signalEntity", entityId: "total", operation: "add" },
    { kind: "startOrchestration", instanceId: "@total@all", executionId: "x", name: "o" },
  ] as const;
  const commit = sound(closeEntityBatch(LEASE, batchOf(signal("one")), outcome([succeeded()], { actions }), batchEnd()));
  assert.deepEqual([commit.messages, commit.record?.dropped], [[], 2]);
});

test("nonsense of a worker is refused in words", () => {
  const batch = batchOf(signal("one"));
  assert.match(brokenBatch(batch, outcome([succeeded(), succeeded()])) ?? "", /answered 2 operations where 1 were asked for/);
  assert.match(brokenBatch(batch, outcome([])) ?? "", /did none of the operations/);
  const actions = [{ kind: "signalEntity", entityId: "@a@b", operation: "add" }] as const;
  assert.equal(brokenBatch(batch, outcome([failed("no")], { actions })), undefined);
  const commit = sound(closeEntityBatch(LEASE, batch, outcome([failed("no")], { actions }), batchEnd()));
  assert.deepEqual([commit.messages, commit.record?.dropped], [[], 1], "E3 what failed has sent nothing, whatever its worker says");
});

test("a batch of which nothing counts is offered again, each time later, up to half a minute", () => {
  let record = entityRecord();
  const delays: number[] = [];
  for (let i = 0; i < 7; i++) {
    const commit = sound(closeEntityFailed(LEASE, record, "no code", 1_000));
    assert.deepEqual([commit.consumed, commit.payloads], [[], undefined]);
    record = commit.record!;
    delays.push(record.notBefore! - 1_000);
  }
  assert.deepEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(record.updatedAt, 200, "readers see no change");
  const after = sound(closeEntityBatch(LEASE, { ...batchOf(signal("one")), record }, outcome([succeeded()]), batchEnd()));
  assert.deepEqual([after.record?.stall, after.record?.notBefore], [undefined, undefined]);
});
