import assert from "node:assert/strict";
import { test } from "node:test";
import { claimOf, done, row } from "../../test/engine-story.ts";
import { closeActivity, completionEvent } from "./close-activity.ts";
import { checkCommit } from "./invariants.ts";

test("AC1 A3 the row goes and the message comes in one commit, under the epoch of the claim", () => {
  const commit = closeActivity({ ...claimOf(row(4)), epoch: 8_195 }, done(4));
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual(commit.fences, [{ kind: "activity", key: row(4), epoch: 8_195 }]);
  assert.deepEqual(commit.finished, [row(4)]);
  assert.deepEqual(commit.messages, [{ id: "x:d4:8195", to: "i", execution: "x", wakes: "unless-held", needs: "program", event: done(4) }]);
  assert.deepEqual([commit.record, commit.keep, commit.cancelled], [undefined, false, []], "it touches no lease and no record");
});

test("H2 a call with a total time-out has its expiry taken back with its completion", () => {
  assert.deepEqual(closeActivity(claimOf(row(4, { expiresAt: 900 })), done(4)).cancelled, ["x:x4"]);
});

test("two deliveries of one call have messages of different names", () => {
  const id = (epoch: number): string | undefined => closeActivity({ ...claimOf(row(4)), epoch }, done(4)).messages[0]?.id;
  assert.notEqual(id(1), id(2));
});

test("an outcome is an event that keeps what is there, and adds nothing", () => {
  assert.deepEqual(completionEvent(4, { kind: "completed", token: "1", result: "" }, 300), {
    kind: "TaskCompleted",
    eventId: -1,
    timestamp: 300,
    taskScheduledId: 4,
    result: "",
  });
  assert.deepEqual(completionEvent(4, { kind: "completed", token: "1" }, 300), {
    kind: "TaskCompleted",
    eventId: -1,
    timestamp: 300,
    taskScheduledId: 4,
  });
  const failure = { errorType: "E", message: "m", nonRetriable: true };
  assert.deepEqual(completionEvent(4, { kind: "failed", token: "1", failure }, 300), {
    kind: "TaskFailed",
    eventId: -1,
    timestamp: 300,
    taskScheduledId: 4,
    failure,
  });
});
