import assert from "node:assert/strict";
import { test } from "node:test";
import type { WorkerInterest } from "../contract/backend.ts";
import { activityTurnedDown, ConnectedWorker } from "./connected-worker.ts";
import { ConnectedWorkers } from "./connected-workers.ts";

function worker(interest: Partial<WorkerInterest>): ConnectedWorker {
  const all = {
    orchestrators: "any",
    activities: "any",
    entities: [],
    maxConcurrentOrchestrations: 2,
    maxConcurrentActivities: 2,
    maxConcurrentEntities: 2,
    warmBytes: 0,
    warmIdleMs: 0,
  } as const;
  return new ConnectedWorker({ ...all, ...interest }, () => undefined);
}

function workers(...list: readonly ConnectedWorker[]): ConnectedWorkers {
  const connected = new ConnectedWorkers();
  for (const each of list) connected.add(each);
  return connected;
}

const KEY = { number: 1, generation: 1, taskId: 4 };

test("CW3 by name before any, not turned down before turned down, with room before without", () => {
  const any = worker({});
  const one = worker({ orchestrators: ["o"], activities: ["a"] });
  const two = worker({ orchestrators: ["o"], activities: ["a"] });
  const all = workers(any, one, two);
  assert.equal(all.forInstance({ name: "o" }, 1), one);
  assert.equal(all.forInstance({ name: "p" }, 1), any);
  one.coldTurns = 2;
  assert.equal(all.forInstance({ name: "o" }, 1), two);
  two.coldTurns = 2;
  assert.equal(all.forInstance({ name: "o" }, 1), one, "it waits for one that names it");
  one.turnDown(1);
  two.turnDown(1);
  assert.equal(all.forInstance({ name: "o" }, 1), any);
  assert.equal(all.forInstance({ name: "o" }, 2), one);
  any.turnDown(1);
  assert.equal(all.forInstance({ name: "o" }, 1), one);
  all.forgetTurnedDown(1);
  two.coldTurns = 0;
  assert.equal(all.forInstance({ name: "o" }, 1), two);

  assert.equal(all.forActivity("a", KEY), one);
  one.turnDown(activityTurnedDown(KEY));
  assert.equal(all.forActivity("a", KEY), two);
  assert.equal(all.forActivity("a", { ...KEY, taskId: 5 }), one);
  all.forgetTurnedDown(KEY);
  assert.equal(all.forActivity("a", KEY), one);
});

test("what is wanted: the names that somebody has room for; of any, but those that are only somebody's who has none", () => {
  const any = worker({});
  const one = worker({ orchestrators: ["o"], activities: ["a", "b"] });
  const two = worker({ orchestrators: ["p"], activities: ["b"] });
  assert.deepEqual(workers(one, two).want(), {
    instances: 4,
    orchestrators: ["o", "p"],
    entityCount: 4,
    entities: [],
    activityCount: 4,
    activities: ["a", "b"],
    isPartial: false,
  });
  one.coldTurns = 2;
  one.activitiesOut = 2;
  assert.deepEqual(workers(one, two).want(), {
    instances: 2,
    orchestrators: ["p"],
    entityCount: 4,
    entities: [],
    activityCount: 2,
    activities: ["b"],
    isPartial: true,
  });
  assert.deepEqual(workers(one, two, any).want(), {
    instances: 4,
    orchestrators: { anyBut: ["o"] },
    entityCount: 6,
    entities: [],
    activityCount: 4,
    activities: { anyBut: ["a"] },
    isPartial: true,
  });
  any.coldTurns = 2;
  any.activitiesOut = 2;
  assert.deepEqual(workers(two, any).want(), {
    instances: 2,
    orchestrators: ["p"],
    entityCount: 4,
    entities: [],
    activityCount: 2,
    activities: ["b"],
    isPartial: true,
  });
  two.taking = false;
  assert.deepEqual(workers(two).want().orchestrators, []);
});

test("C4 what needs only the engine is taken while nobody has room for a turn, or takes none at all", () => {
  for (const full of [worker({ orchestrators: ["o"], maxConcurrentOrchestrations: 0 }), worker({ maxConcurrentOrchestrations: 0 })]) {
    const { instances, orchestrators, isPartial } = workers(full).want();
    assert.deepEqual([instances > 0, orchestrators, isPartial], [true, [], true]);
  }
});

test("a worker that takes any leaves to the others what is theirs when its commits hand out work", () => {
  const any = worker({});
  const named = worker({ orchestrators: ["o"], activities: ["a"] });
  const all = workers(any, named);
  assert.deepEqual(all.roomOf(any, false).leftToOthers, { orchestrators: new Set(["o"]), activities: new Set(["a"]) });
  assert.equal(all.roomOf(named, false).leftToOthers, undefined);
  assert.equal(workers(any).roomOf(any, false).leftToOthers, undefined);
});

test("what was turned down is remembered within bounds, the oldest is forgotten first", () => {
  const one = worker({});
  assert.deepEqual([one.turnDown(0), one.turnDown(0)], [1, 2]);
  for (let i = 1; i <= 10_000; i++) one.turnDown(i);
  assert.deepEqual([one.turnedDown.size, one.turnedDown.has(0), one.turnedDown.has(1)], [10_000, false, true]);
});
