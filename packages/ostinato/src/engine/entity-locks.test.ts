import assert from "node:assert/strict";
import { test } from "node:test";
import {
  asks,
  commits,
  end,
  EPOCH,
  held,
  inbox,
  NUMBER,
  pending,
  room,
  RULES,
  running,
  runs,
  start,
  terminate,
} from "../../test/engine-story.ts";
import { stored } from "../../test/engine-story.ts";
import type { Action } from "../contract/actions.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { CriticalSection, InstanceRecord } from "../contract/instance.ts";
import type { Message } from "../contract/messages.ts";
import { closeTurn } from "./close-turn.ts";
import type { Commit } from "./commit.ts";
import { lockOrder } from "./entity-locks.ts";
import { checkCommit } from "./invariants.ts";
import { openTurn } from "./open-turn.ts";
import { decideStart } from "./start.ts";

const A = "@counter@a";
const B = "@counter@b";
const GRANTED: CriticalSection = { id: "s", lockSet: [A, B], granted: true };
const ASKED: CriticalSection = { ...GRANTED, granted: false };
const granted: HistoryEvent = { kind: "EntityLockGranted", eventId: -1, timestamp: 150, criticalSectionId: "s" };
const raised: HistoryEvent = { kind: "EventRaised", eventId: -1, timestamp: 150, name: "e" };
const lock = (id: number, lockSet: readonly string[] = [A, B], criticalSectionId = "s"): Action => ({
  kind: "lockEntities",
  id,
  criticalSectionId,
  lockSet,
});
const unlock = (id: number, entityId: string): Action => ({ kind: "unlockEntity", id, criticalSectionId: "s", entityId });
const callOf = (id: number, entityId: string): Action => ({ kind: "callEntity", id, entityId, requestId: `r${id}`, operation: "add" });
const signalOf = (id: number, entityId: string): Action => ({ kind: "signalEntity", id, entityId, requestId: `r${id}`, operation: "add" });

function turn(record: InstanceRecord, actions: readonly Action[], ...events: readonly HistoryEvent[]): Commit {
  const opened = runs(openTurn(held(record, inbox(...(events.length > 0 ? events : [raised]))), 160, RULES));
  const commit = closeTurn({ number: NUMBER, epoch: EPOCH }, opened, asks(actions), room(), "next-x");
  assert.equal(checkCommit(commit), undefined);
  return commit;
}

/** Releases and withdrawals: to whom, and of what. */
const unlocks = (messages: readonly Message[]): string[] =>
  messages.flatMap(({ to, event }) =>
    event.kind === "EntityUnlockSent" ? [`${event.withdraws === undefined ? "release" : "withdraw"} ${to}`] : [],
  );

test("a section stands in the record from its request on, is granted by the turn that is told so, and ends with its last release", () => {
  const asked = turn(running(), [lock(6, [B, A, B])]);
  assert.deepEqual(asked.record?.sections, [ASKED]);
  assert.deepEqual([asked.messages[0]?.to, asked.messages[0]?.id], [A, "x:lock:s"]);
  const grant = turn(asked.record, [], granted);
  assert.deepEqual(grant.record?.sections, [GRANTED]);
  const first = turn(grant.record, [unlock(7, A)]);
  assert.deepEqual([unlocks(first.messages), first.record?.sections], [[`release ${A}`], [{ ...GRANTED, lockSet: [B] }]]);
  const second = turn(first.record!, [unlock(8, B)]);
  assert.deepEqual([unlocks(second.messages), second.record?.sections], [[`release ${B}`], undefined]);
});

test("E5 calls within a granted section pass its lock; those before the grant, to others, and after the release do not", () => {
  const wakes = ({ messages }: Commit): string[] =>
    messages.filter(({ event }) => event.kind === "EntityOperationCalled").map((m) => m.wakes);
  assert.deepEqual(wakes(turn(running({ sections: [ASKED] }), [callOf(7, A)], granted)), ["always"], "in the turn that is granted it");
  assert.deepEqual(wakes(turn(running({ sections: [ASKED] }), [callOf(7, A)])), ["unless-held"]);
  assert.deepEqual(wakes(turn(running({ sections: [GRANTED] }), [callOf(7, "@counter@c")])), ["unless-held"]);
  assert.deepEqual(wakes(turn(running({ sections: [GRANTED] }), [unlock(7, A), callOf(8, A), callOf(9, B)])), ["unless-held", "always"]);
});

test("E4 every end of an execution releases what it has: completed, failed, continued as new", () => {
  for (const status of ["COMPLETED", "FAILED", "TERMINATED", "CONTINUED_AS_NEW"] as const) {
    const commit = turn(running({ sections: [GRANTED] }), [end(status)]);
    assert.deepEqual([unlocks(commit.messages), commit.record?.sections], [[`release ${A}`, `release ${B}`], undefined], status);
  }
});

test("E4 a section that is still asked for is withdrawn by one message, from the first entity on", () => {
  for (const status of ["COMPLETED", "FAILED", "CONTINUED_AS_NEW"] as const) {
    const { messages } = turn(running({ sections: [ASKED] }), [end(status)]);
    assert.deepEqual(unlocks(messages), [`withdraw ${A}`], status);
    const [event] = messages.flatMap((message) => (message.event.kind === "EntityUnlockSent" ? [message.event] : []));
    assert.deepEqual(
      [event?.withdraws, event?.caller],
      [
        { lockSet: [A, B], position: 0 },
        { instanceId: "i", executionId: "x" },
      ],
    );
  }
});

test("E4 a grant that comes with the end's own turn is released like any other", () => {
  assert.deepEqual(unlocks(turn(running({ sections: [ASKED] }), [end("COMPLETED")], granted).messages), [`release ${A}`, `release ${B}`]);
});

test("E4 terminating an instance releases its sections", () => {
  for (const [section, expected] of [
    [GRANTED, [`release ${A}`, `release ${B}`]],
    [ASKED, [`withdraw ${A}`]],
  ] as const) {
    const commit = commits(openTurn(held(running({ sections: [section] }), inbox(terminate())), 160, RULES));
    assert.equal(checkCommit(commit), undefined);
    assert.deepEqual([unlocks(commit.messages), commit.record?.sections], [expected, undefined]);
  }
});

test("E4 a running instance that gives way to a start releases its sections", () => {
  const request = { instanceId: "i", executionId: "y", name: "o", dedupeStatuses: [] };
  const decided = decideStart(request, { claimed: false, needs: "program" }, stored(running({ sections: [GRANTED] })), 160);
  assert.ok(!("refused" in decided));
  assert.equal(checkCommit(decided), undefined);
  assert.deepEqual(unlocks(decided.messages), [`release ${A}`, `release ${B}`]);
});

test("E4 an ending turn asks for no lock; its signals and calls go out", () => {
  const { messages, record } = turn(running(), [lock(6), signalOf(7, A), callOf(8, B), end("COMPLETED")]);
  assert.deepEqual(
    messages.map(({ event }) => event.kind),
    ["EntityOperationSignaled", "EntityOperationCalled"],
  );
  assert.equal(record?.sections, undefined);
});

test("E4 what the ending turn itself has let go is released once", () => {
  assert.deepEqual(unlocks(turn(running({ sections: [GRANTED] }), [unlock(7, A), unlock(8, B), end("COMPLETED")]).messages), [
    `release ${A}`,
    `release ${B}`,
  ]);
});

test("letting go of a section that was not granted yet takes its whole request back; of one that there is none nothing is sent", () => {
  const { messages, record } = turn(running({ sections: [ASKED] }), [unlock(7, A), unlock(8, B)]);
  assert.deepEqual([unlocks(messages), record?.sections], [[`withdraw ${A}`], undefined]);
  assert.deepEqual(unlocks(turn(running(), [unlock(7, A)]).messages), []);
});

test("a set is locked in the order of its ids, each once, whatever the worker sends; nothing at all is granted at once", () => {
  assert.deepEqual(lockOrder(["@B@x", "@a@y", "@b@x", "nonsense", "@a@Y"]), ["@a@Y", "@a@y", "@b@x"]);
  const { messages, record } = turn(running(), [lock(6, [])]);
  assert.deepEqual([messages.map(({ to, event }) => [to, event.kind]), record?.sections], [[["i", "EntityLockGranted"]], undefined]);
});

test("two sections at once are two requests", () => {
  const { record, messages } = turn(running(), [lock(6, [A]), lock(7, [B], "t"), lock(8, [B], "t")]);
  assert.deepEqual(
    record?.sections?.map(({ id }) => id),
    ["s", "t"],
  );
  assert.deepEqual(
    messages.map(({ to }) => to),
    [A, B],
  );
});

test("a call to an id that no entity has is answered with the reason, so that nobody waits for ever", () => {
  const { messages } = turn(running(), [callOf(6, "nonsense"), signalOf(7, "nonsense")]);
  assert.deepEqual(
    messages.map(({ to, event }) => [to, event.kind]),
    [["i", "EntityOperationFailed"]],
  );
});

test("E7 a delayed signal is visible at its time; one whose time is over stands where it arrives", () => {
  const at = (scheduledAt: number): Action => ({ kind: "signalEntity", id: 6, entityId: A, requestId: "r", operation: "add", scheduledAt });
  assert.equal(turn(running(), [at(5_000)]).messages[0]?.visibleAt, 5_000);
  assert.equal(turn(running(), [at(1)]).messages[0]?.visibleAt, undefined);
});

test("an orchestration that was never started has no sections to release", () => {
  const opened = runs(openTurn(held(pending(), inbox(start())), 160, RULES));
  const commit = closeTurn({ number: NUMBER, epoch: EPOCH }, opened, asks([end("COMPLETED")]), room(), "next-x");
  assert.deepEqual(commit.messages, []);
});
