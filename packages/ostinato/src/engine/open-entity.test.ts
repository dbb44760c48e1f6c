import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ADA,
  asksForLock,
  BOB,
  called,
  calledWithin,
  commits,
  entityRecord,
  holding,
  ID,
  ids,
  letsGo,
  lockedBy,
  lockOf,
  operations,
  OTHER,
  RULES,
  runs,
  signal,
  withdraws,
} from "../../test/entity-story.ts";
import { LATEST_INSTANT } from "../contract/instant.ts";
import { openEntity, type EntityRules } from "./open-entity.ts";

const CANNOT: EntityRules = { ...RULES, canRun: false };
const FAILS: EntityRules = {
  ...CANNOT,
  failsAll: true,
  failWith: { errorType: "EntityTaskNotFound", message: "nobody", nonRetriable: true },
};

// ---- operations

test("E2 operations are done in the order in which they came, whoever sent them", () => {
  const batch = runs(openEntity(holding(entityRecord(), signal("one"), called("two", ADA), signal("three")), 300, RULES));
  assert.deepEqual(operations(batch), ["one", "two", "three"]);
});

test("E2 what was handed out in another order is put in order first", () => {
  const held = holding(entityRecord(), signal("one"), signal("two"));
  const batch = runs(openEntity({ ...held, messages: held.messages.toReversed() }, 300, RULES));
  assert.deepEqual(operations(batch), ["one", "two"]);
});

test("E7 a delayed signal is done at its time or later, also where the reading of this process lags behind", () => {
  const batch = runs(openEntity(holding(entityRecord(), signal("late", { visibleAt: 310 })), 300, RULES));
  assert.equal(batch.at, 310);
});

test("a batch has at most five hundred operations; the others are next", () => {
  const arrivals = Array.from({ length: 501 }, (_, i) => signal(`${i}`));
  const opening = openEntity(holding(entityRecord(), ...arrivals), 300, RULES);
  assert.equal(runs(opening).taken.length, 500);
  assert.deepEqual(ids(opening.kind === "run" ? opening.left : []), ["m501"]);
});

test("operations wait where nobody serves the entity", () => {
  assert.equal(openEntity(holding(entityRecord(), signal("one")), 300, CANNOT).kind, "nothing");
});

test("where names that nobody serves fail, callers are told, signals are dropped and counted, and the lock is asked for afterwards", () => {
  const opening = openEntity(holding(entityRecord(), signal("one"), called("two", ADA), asksForLock(BOB)), 300, FAILS);
  const commit = commits(opening);
  assert.deepEqual(commit.consumed, ["m1", "m2"]);
  assert.equal(commit.record?.dropped, 1);
  const [answer] = commit.messages;
  assert.deepEqual([answer?.to, answer?.execution], ["ada", "ada-x"]);
  assert.equal(answer?.event.kind === "EntityOperationFailed" && answer.event.failure.errorType, "EntityTaskNotFound");
  assert.deepEqual(opening.kind === "commit" && ids(opening.left), ["bob-x:lock:s"]);
});

test("what is no entity's affair is dropped and counted", () => {
  const event = { kind: "EventRaised", eventId: -1, timestamp: 150, name: "hello" } as const;
  const commit = commits(openEntity(holding(entityRecord(), { event }, signal("one")), 300, RULES));
  assert.deepEqual([commit.consumed, commit.record?.dropped], [["m1"], 1]);
});

// ---- locks

test("E1 a request for the lock is a barrier: what came before it is done first, what came later waits", () => {
  const opening = openEntity(holding(entityRecord(), signal("before"), asksForLock(ADA), signal("after")), 300, RULES);
  assert.deepEqual(operations(runs(opening)), ["before"]);
  assert.deepEqual(opening.kind === "run" && ids(opening.left), ["ada-x:lock:s", "m3"]);
});

test("E4 the lock is taken and the request passed on in one commit, under the same id, so that a withdrawal finds it", () => {
  const commit = commits(openEntity(holding(entityRecord(), asksForLock(ADA)), 300, RULES));
  assert.deepEqual([commit.record?.held, commit.record?.lockedBy], [true, lockOf(ADA)]);
  const [passedOn] = commit.messages;
  assert.deepEqual([passedOn?.to, passedOn?.id, passedOn?.creates?.record.id], [OTHER, "ada-x:lock:s", OTHER]);
  assert.equal(passedOn?.event.kind === "EntityLockRequested" && passedOn.event.position, 1);
});

test("the last entity of a set grants the section, to the execution that asked", () => {
  const opening = openEntity(holding(entityRecord(), asksForLock(ADA, { lockSet: ["@a@a", ID], position: 1 })), 300, RULES);
  const commit = commits(opening);
  assert.deepEqual(
    commit.messages.map(({ to, execution, event }) => [to, execution, event.kind]),
    [["ada", "ada-x", "EntityLockGranted"]],
  );
  assert.deepEqual(opening.kind === "commit" && opening.counts, { locksGranted: 1 });
});

test("a lock needs no program", () => {
  assert.equal(commits(openEntity(holding(entityRecord(), asksForLock(ADA)), 300, CANNOT)).record?.held, true);
});

test("E5 while it is locked nothing but its owner's calls is done", () => {
  const held = holding(lockedBy(ADA), signal("signal"), called("foreign", BOB), calledWithin("own", ADA), asksForLock(BOB));
  const opening = openEntity(held, 300, RULES);
  assert.deepEqual(operations(runs(opening)), ["own"]);
  assert.deepEqual(opening.kind === "run" && ids(opening.left), ["m1", "m2", "bob-x:lock:s"]);
});

test("E5 another execution of the owner's id is not the owner", () => {
  const held = holding(lockedBy(ADA), calledWithin("own", { ...ADA, executionId: "ada-later" }));
  const commit = commits(openEntity(held, 300, RULES));
  assert.deepEqual(commit.consumed, ["m1"]);
  assert.deepEqual(
    commit.messages.map(({ id, wakes }) => [id, wakes]),
    [["m1", "unless-held"]],
    "it waits with the others, so that nothing spins",
  );
});

test("a locked entity with nothing of its owner's leaves everything where it is", () => {
  const opening = openEntity(holding(lockedBy(ADA), signal("signal"), asksForLock(BOB)), 300, RULES);
  assert.deepEqual([opening.kind, ids(opening.left)], ["nothing", ["m1", "bob-x:lock:s"]]);
});

test("E1 a release comes after the calls that were sent before it", () => {
  const opening = openEntity(holding(lockedBy(ADA), calledWithin("own", ADA), letsGo(ADA), signal("signal")), 300, RULES);
  assert.deepEqual(operations(runs(opening)), ["own"]);
  assert.deepEqual(opening.kind === "run" && ids(opening.left), ["m2", "m3"]);
});

test("E1 a release that a process without the program is given waits with the calls before it, and is offered no more to who cannot do them", () => {
  const commit = commits(openEntity(holding(lockedBy(ADA), calledWithin("own", ADA), letsGo(ADA)), 300, CANNOT));
  assert.deepEqual([commit.record?.held, commit.consumed], [true, ["m2"]]);
  assert.deepEqual(
    commit.messages.map(({ id, wakes, needs }) => [id, wakes, needs]),
    [["m2", "always", "program"]],
  );
});

test("E4 a release takes the lock away, and what waited is next", () => {
  const opening = openEntity(holding(lockedBy(ADA), signal("signal"), letsGo(ADA)), 300, CANNOT);
  const commit = commits(opening);
  assert.deepEqual([commit.record?.held, commit.record?.lockedBy], [false, undefined]);
  assert.deepEqual(opening.kind === "commit" && ids(opening.left), ["m1"]);
});

test("E4 only the owner's release of the very section counts; any other is dropped and counted", () => {
  for (const strange of [letsGo(BOB), letsGo(ADA, { criticalSectionId: "t" }), letsGo({ ...ADA, executionId: "later" })]) {
    const commit = commits(openEntity(holding(lockedBy(ADA), strange), 300, RULES));
    assert.deepEqual([commit.record?.held, commit.record?.dropped], [true, 1]);
  }
  assert.equal(commits(openEntity(holding(entityRecord(), letsGo(ADA)), 300, RULES)).record?.dropped, 1);
});

test("E4 a withdrawal gives a lock that was taken back, and follows the request", () => {
  const commit = commits(openEntity(holding(lockedBy(ADA), withdraws(ADA)), 300, RULES));
  assert.equal(commit.record?.lockedBy, undefined);
  const [next] = commit.messages;
  assert.equal(next?.to, OTHER);
  assert.deepEqual(next?.event.kind === "EntityUnlockSent" && next.event.withdraws, { lockSet: [ID, OTHER], position: 1 });
});

test("E4 a withdrawal takes a request out that waits, also one that nobody sees while another owner has the entity", () => {
  const commit = commits(openEntity(holding(lockedBy(BOB), withdraws(ADA)), 300, RULES));
  assert.deepEqual([commit.cancelled, commit.record?.lockedBy], [["ada-x:lock:s"], lockOf(BOB)]);
  assert.deepEqual(
    commit.messages.map(({ to }) => to),
    [OTHER],
    "nobody saw it here, so it goes on: the lock may have been cleaned up before",
  );
  const opening = openEntity(holding(entityRecord(), signal("one"), asksForLock(ADA), withdraws(ADA)), 300, RULES);
  assert.deepEqual([commits(opening).cancelled, commits(opening).messages], [["ada-x:lock:s"], []]);
  assert.deepEqual(opening.kind === "commit" && ids(opening.left), ["m1"], "what waited behind it is next");
});

// ---- what goes wrong

test("an entity whose batches end its process is set aside, and its lock is given back all the same", () => {
  const record = { ...lockedBy(ADA), attempts: 11 };
  const aside = commits(openEntity(holding(record, calledWithin("own", ADA)), 300, RULES));
  assert.deepEqual([aside.record?.stall?.kind, aside.record?.notBefore], ["set-aside", LATEST_INSTANT]);
  const released = commits(openEntity(holding(aside.record!, letsGo(ADA)), 300, RULES));
  assert.equal(released.record?.lockedBy, undefined);
});

test("an entity that was put off is not opened for its program before its time", () => {
  const record = entityRecord({ notBefore: 400 });
  assert.equal(openEntity(holding(record, signal("one")), 399, RULES).kind, "nothing");
  assert.equal(openEntity(holding(record, signal("one")), 400, RULES).kind, "run");
});
