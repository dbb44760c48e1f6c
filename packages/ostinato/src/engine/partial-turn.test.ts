import assert from "node:assert/strict";
import { test } from "node:test";
import { asks, done, fold, held, inbox, kinds, raised, room, RULES, running, runs, start } from "../../test/engine-story.ts";
import { pending } from "../../test/engine-story.ts";
import { closeTurn } from "./close-turn.ts";
import { expiryMessageId } from "./close-activity.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn } from "./open-turn.ts";
import { upTo } from "./partial-turn.ts";

test("PT1 messages behind the count stay in the inbox, and completions with their activities", () => {
  const turn = runs(openTurn(held(running(), inbox(raised("a"), raised("b")), [fold(1, { expiresAt: 900 }), fold(2)]), 300, RULES));
  assert.equal(turn.newEvents.length, 5);
  assert.equal(upTo(turn, 5), turn);
  assert.equal(upTo(turn, 99), turn);
  const one = upTo(turn, 2);
  assert.deepEqual(
    [kinds(one.newEvents), one.consumed, one.folds, one.cancelled],
    [["OrchestratorStarted", "EventRaised"], ["m1"], [], []],
  );
  const three = upTo(turn, 4);
  assert.deepEqual([three.consumed, three.folds, three.cancelled], [["m1", "m2"], [turn.folds[0]], ["x:x1"]]);
  const lease = held(running(), []);
  const commit = closeTurn(lease, turn, asks([], { eventsProcessed: 4, keptBytes: 9 }), room(), "x2");
  assert.equal(checkCommit(commit), undefined);
  assert.deepEqual([commit.keep, commit.finished.length, commit.fences.length], [false, 1, 2]);
  assert.deepEqual(closeTurn(lease, turn, asks([], { eventsProcessed: 5, keptBytes: 9 }), room(), "x2").keep, true);
});

test("PT1 a call whose time is up keeps its row while that is not taken", () => {
  const expiry = { ...done(3), kind: "TaskFailed" as const, failure: { errorType: "E", message: "" } };
  const id = expiryMessageId({ executionId: "x", taskId: 3 });
  const turn = runs(openTurn(held(running(), inbox(raised("a"), { id, execution: "x", event: expiry })), 300, RULES));
  assert.deepEqual([turn.finished.length, upTo(turn, 2).finished.length, upTo(turn, 3).finished.length], [1, 0, 1]);
});

test("PT2 the start is taken with what it carries, whatever the count", () => {
  const carried = raised("carried") as Extract<ReturnType<typeof raised>, { kind: "EventRaised" }>;
  const turn = runs(openTurn(held(pending(), inbox(start({ carriedEvents: [carried] }), raised("a"))), 300, RULES));
  for (const count of [0, 1, 3]) {
    const cut = upTo(turn, count);
    assert.deepEqual(kinds(cut.newEvents), ["OrchestratorStarted", "ExecutionStarted", "EventRaised"]);
    assert.deepEqual(cut.consumed, ["m1"]);
  }
});
