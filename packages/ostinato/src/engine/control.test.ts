import assert from "node:assert/strict";
import { test } from "node:test";
import { accepted, claimOf, EPOCH, finished, NUMBER, PARENT, pending, row, running, stored } from "../../test/engine-story.ts";
import type { StoredInstance } from "../contract/instance.ts";
import { LATEST_INSTANT } from "../contract/instant.ts";
import type { Commit, Refusal } from "./commit.ts";
import { decideAside, decidePurge, decideRaise, decideResume, decideStall, decideSuspend, decideTerminate } from "./control.ts";
import { checkCommit } from "./invariants.ts";

const ENDS = ["COMPLETED", "FAILED", "TERMINATED"] as const;
const OPERATIONS: Readonly<Record<string, (current: StoredInstance | undefined) => Commit | Refusal>> = {
  raise: (current) => decideRaise({ id: "r", name: "e" }, current, 300),
  terminate: (current) => decideTerminate({ id: "t", recursive: false }, current, 300),
  suspend: (current) => decideSuspend(undefined, current, 300),
  resume: (current) => decideResume(undefined, current, 300),
  stall: (current) => decideStall({ kind: "version", reason: "", since: 1, attempts: 1 }, current),
  "put an activity aside": (current) => decideAside(claimOf(row(1)), { maxClaims: 1, reason: "" }, current, 300),
};
const word = (decided: Commit | Refusal): string => ("refused" in decided ? decided.refused : "accepted");

test("of what does not exist nothing can be asked", () => {
  for (const [name, operation] of Object.entries({ ...OPERATIONS, purge: decidePurge }))
    assert.equal(word(operation(undefined)), "not-found", name);
});

test("K2 a finished instance is never changed, only purged", () => {
  for (const status of ENDS) {
    for (const [name, operation] of Object.entries(OPERATIONS))
      assert.equal(word(operation(stored(finished(status)))), "finished", `${name} of ${status}`);
    const purge = accepted(decidePurge(stored(finished(status))));
    assert.deepEqual(
      [purge.drop, purge.fences, purge.record, checkCommit(purge)],
      ["everything", [{ kind: "instance", number: NUMBER, epoch: EPOCH }], undefined, undefined],
    );
  }
});

test("C5 what still runs is not purged, and the refusal says what to do", () => {
  for (const record of [pending(), running(), running({ status: "SUSPENDED", held: true })]) {
    const refused = decidePurge(stored(record));
    assert.ok("refused" in refused && refused.refused === "not-finished" && /Terminate it first/.test(refused.message));
  }
});

test("C3 a recursive terminate is accepted by a finished instance, for children that run", () => {
  assert.equal(word(decideTerminate({ id: "t", recursive: true }, stored(finished("COMPLETED")), 300)), "accepted");
});

test("K1 an event only adds a message: no fence, no record, no lease; it waits while its instance is held", () => {
  const commit = accepted(decideRaise({ id: "r", name: "go", input: "1" }, stored(running({ status: "SUSPENDED", held: true })), 300));
  assert.deepEqual([commit.fences, commit.record, commit.keep], [[], undefined, false]);
  assert.deepEqual(commit.messages, [
    {
      id: "r",
      to: "i",
      wakes: "unless-held",
      needs: "program",
      event: { kind: "EventRaised", eventId: -1, timestamp: 300, name: "go", input: "1" },
    },
  ]);
});

test("K1 a terminate only adds a message, which wakes always and needs no program", () => {
  const commit = accepted(
    decideTerminate({ id: "t", output: '"o"', recursive: true }, stored(running({ status: "SUSPENDED", held: true })), 300),
  );
  assert.deepEqual([commit.fences, commit.record], [[], undefined]);
  assert.deepEqual(commit.messages, [
    {
      id: "t",
      to: "i",
      wakes: "always",
      needs: "engine",
      event: { kind: "ExecutionTerminated", eventId: -1, timestamp: 300, recursive: true, output: '"o"' },
    },
  ]);
});

test("C1 suspend raises the epoch, so that a turn in flight is refused, and holds the instance", () => {
  const commit = accepted(decideSuspend("why", stored(running()), 300));
  assert.deepEqual(
    [commit.record?.status, commit.record?.held, commit.record?.epoch, commit.record?.turn, commit.record?.historyLength],
    ["SUSPENDED", true, EPOCH + 1, 3, 6],
  );
  assert.deepEqual(commit.history, {
    mode: "append",
    events: [{ kind: "ExecutionSuspended", eventId: -1, timestamp: 300, reason: "why" }],
  });
  assert.equal(checkCommit(commit), undefined);
  assert.equal(word(decideSuspend(undefined, stored(commit.record!), 310)), "no-change");
});

test("resume lets it go on, and is nothing to what is not suspended", () => {
  const commit = accepted(decideResume(undefined, stored(running({ status: "SUSPENDED", held: true })), 300));
  assert.deepEqual([commit.record?.status, commit.record?.held, commit.record?.epoch], ["RUNNING", false, EPOCH + 1]);
  assert.deepEqual(
    commit.history?.events.map((event) => event.kind),
    ["ExecutionResumed"],
  );
  assert.equal(checkCommit(commit), undefined);
  for (const record of [pending(), running()]) assert.equal(word(decideResume(undefined, stored(record), 300)), "no-change");
});

test("H3 before the first turn suspend and resume leave no event: ExecutionStarted stays the first", () => {
  const suspended = accepted(decideSuspend(undefined, stored(pending({ parent: PARENT })), 300));
  assert.deepEqual([suspended.history, suspended.record?.historyLength, suspended.record?.turn], [undefined, 0, 0]);
  const resumed = accepted(decideResume(undefined, stored(suspended.record!), 300));
  assert.deepEqual([resumed.history, resumed.record?.status, checkCommit(resumed)], [undefined, "RUNNING", undefined]);
});

test("R4 a resume forgets what set an instance aside, before its first turn too; the time it is to start at stays", () => {
  const stall = { kind: "set-aside", reason: "", since: 1, attempts: 10 } as const;
  const aside = { status: "SUSPENDED", held: true, attempts: 11, stall, notBefore: LATEST_INSTANT } as const;
  for (const record of [running(aside), pending(aside)]) {
    const resumed = accepted(decideResume(undefined, stored(record), 300)).record;
    assert.deepEqual([resumed?.stall, resumed?.notBefore, resumed?.attempts], [undefined, undefined, 0]);
  }
  const scheduled = pending({ status: "SUSPENDED", held: true, scheduledAt: 900, notBefore: 900 });
  assert.equal(accepted(decideResume(undefined, stored(scheduled), 300)).record?.notBefore, 900);
});

test("R4 an activity is put aside with the mark of it, under the fence of both, and comes back when the mark goes", () => {
  const claim = { ...claimOf(row(1)), epoch: 15, delivery: 5 };
  const rules = { maxClaims: 2, reason: "it dies" };
  const { number, generation, taskId } = claim.row;
  const key = { number, generation, taskId };
  const put = accepted(decideAside(claim, rules, stored(running()), 300));
  assert.deepEqual(put.aside, { key, delivery: 1 }, "whoever claims it next has the last try that is allowed");
  assert.deepEqual(put.record?.stall, { kind: "set-aside", reason: "it dies", since: 300, attempts: 4 });
  assert.deepEqual(put.fences[1], { kind: "activity", key, epoch: claim.epoch });
  assert.equal(checkCommit(put), undefined);
  assert.match(checkCommit({ ...put, fences: put.fences.slice(0, 1) }) ?? "", /^R4/);
  assert.match(checkCommit({ ...put, record: running({ epoch: EPOCH + 1 }) }) ?? "", /^R4/);
  assert.match(checkCommit({ ...put, aside: { key: { ...key, taskId: 2 }, delivery: 1 } }) ?? "", /^R4/);
  const resumed = accepted(decideResume(undefined, stored(running({ status: "SUSPENDED", held: true })), 300));
  assert.equal(resumed.offersAside, true);
  assert.match(checkCommit({ ...resumed, record: { ...resumed.record!, stall: put.record.stall } }) ?? "", /^R4/);
  assert.equal(word(decideAside(claim, rules, stored(running({ number: number + 1 })), 300)), "not-found", "its address is gone");
  assert.equal(word(decideAside(claim, rules, undefined, 300)), "not-found");
});

test("a stall is marked and taken away by raising the epoch; where there is none, taking it away changes nothing", () => {
  const stall = { kind: "non-determinism", reason: "", since: 1, attempts: 2 } as const;
  const marked = accepted(decideStall(stall, stored(running())));
  assert.deepEqual([marked.record?.stall, marked.record?.epoch, checkCommit(marked)], [stall, EPOCH + 1, undefined]);
  const freed = accepted(decideStall(undefined, stored(running({ stall, notBefore: 900, attempts: 3 })))).record;
  assert.deepEqual([freed?.stall, freed?.notBefore, freed?.attempts, freed?.epoch], [undefined, undefined, 0, EPOCH + 1]);
  assert.equal(word(decideStall(undefined, stored(running()))), "no-change", "a turn in flight is not refused for nothing");
});
