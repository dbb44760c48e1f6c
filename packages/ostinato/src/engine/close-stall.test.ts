import assert from "node:assert/strict";
import { test } from "node:test";
import { EPOCH, held, inbox, NUMBER, raised, running } from "../../test/engine-story.ts";
import type { ExecutionStarted } from "../contract/events.ts";
import type { InstanceRecord, Stall } from "../contract/instance.ts";
import { closeStall } from "./close-stall.ts";
import { checkCommit } from "./invariants.ts";

const stall = (kind: Stall["kind"]): Pick<Stall, "kind" | "reason"> => ({ kind, reason: "because" });

/** The delays of so many stalls in a row, each tried at once when it may be. */
function delays(kind: Stall["kind"], times: number): number[] {
  let record: InstanceRecord = running();
  let at = 1_000;
  return Array.from({ length: times }, () => {
    record = closeStall(held(record, []), stall(kind), at).record!;
    const delay = record.notBefore! - at;
    at = record.notBefore!;
    return delay;
  });
}

test("ST1 nothing is consumed and no history is written; the lease goes back, the reason stands in the record", () => {
  const commit = closeStall(held(running({ attempts: 3 }), inbox(raised("e"))), stall("non-determinism"), 1_000);
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(
    [commit.consumed, commit.history, commit.keep, commit.fences],
    [[], undefined, false, [{ kind: "instance", number: NUMBER, epoch: EPOCH }]],
  );
  assert.deepEqual(commit.record?.stall, { kind: "non-determinism", reason: "because", since: 1_000, attempts: 1 });
  assert.deepEqual([commit.record?.status, commit.record?.attempts], ["RUNNING", 0], "a stall is no crash: it is not counted as one");
});

test("it is tried again later each time, up to five minutes; what a worker turned down, up to thirty seconds", () => {
  assert.deepEqual(delays("non-determinism", 11), [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 64_000, 128_000, 256_000, 300_000, 300_000]);
  assert.deepEqual(delays("version", 7), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
});

test("another reason begins anew, the same one keeps since when", () => {
  const first = closeStall(held(running(), []), stall("non-determinism"), 1_000).record!;
  assert.deepEqual(closeStall(held(first, []), stall("non-determinism"), 5_000).record?.stall, {
    kind: "non-determinism",
    reason: "because",
    since: 1_000,
    attempts: 2,
  });
  assert.deepEqual(closeStall(held(first, []), stall("version"), 5_000).record?.stall, {
    kind: "version",
    reason: "because",
    since: 5_000,
    attempts: 1,
  });
});

test("I6 the record's time does not go back when the clock has", () => {
  assert.equal(closeStall(held(running({ updatedAt: 2_000 }), []), stall("version"), 1_000).record?.updatedAt, 2_000);
});

test("C4 H4 a child's later attempt that stalls makes way for itself: what has ended never waits for anything", () => {
  const parent = { instanceId: "p", executionId: "pe", name: "parent", taskScheduledId: 2 };
  const record = running({ status: "FAILED", completedAt: 900, parent });
  const start: ExecutionStarted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: 950,
    instanceId: record.id,
    executionId: "second",
    name: record.name,
    parent,
  };
  const commit = closeStall(held(record, []), stall("version"), 1_000, start);
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(
    [commit.record?.status, commit.record?.executionId, commit.record?.generation],
    ["PENDING", "second", record.generation + 1],
  );
  assert.deepEqual([commit.record?.stall?.kind, commit.record?.notBefore, commit.consumed], ["version", 2_000, []]);
});
