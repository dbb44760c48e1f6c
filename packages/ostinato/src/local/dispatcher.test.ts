import assert from "node:assert/strict";
import { test } from "node:test";
import { claimOf, row, running } from "../../test/engine-story.ts";
import type { Claim } from "../engine/commit.ts";
import type { Claims, ClaimRequest } from "../engine/store.ts";
import type { Clock } from "../platform/clock.ts";
import type { Wanted } from "./connected-workers.ts";
import { Dispatcher } from "./dispatcher.ts";

async function rest(): Promise<void> {
  for (let i = 0; i < 50; i++) await Promise.resolve();
}

const WANT: Wanted = {
  instances: 2,
  orchestrators: ["o"],
  entityCount: 2,
  entities: ["@e"],
  activityCount: 2,
  activities: ["a"],
  isPartial: false,
};
const NONE: Claims = { at: 1_000, instances: [], activities: [] };
const free = (number: number): Claim => ({
  number,
  id: `i${number}`,
  epoch: 1,
  attempts: 1,
  record: running({ number, epoch: 1 }),
  messages: [],
  held: false,
});

/** A dispatcher whose looks are answered by the story, one after the other; then with nothing. */
function dispatching(answers: (Claims | Error)[] = [], wants: Wanted[] = []) {
  const timers: { readonly ms: number; readonly run: () => void; cancelled: boolean }[] = [];
  const looks: ClaimRequest[] = [];
  const taken: Claims[] = [];
  const retries: number[] = [];
  let answering: Promise<void> | undefined;
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    setTimer(ms, run) {
      const timer = { ms, run, cancelled: false };
      timers.push(timer);
      return { cancel: () => void (timer.cancelled = true) };
    },
  };
  const dispatcher = new Dispatcher({
    clock,
    want: () => wants.shift() ?? WANT,
    async claim(want) {
      looks.push(want);
      await answering;
      const answer = answers.shift() ?? NONE;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    take: (claims) => void taken.push(claims),
    failed: (_error, retryMs) => void retries.push(retryMs),
  });
  return {
    dispatcher,
    timers,
    looks,
    taken,
    retries,
    /** Holds the answers until the function that it gives is called. */
    hold(): () => void {
      let go = (): void => undefined;
      answering = new Promise((resolve) => (go = resolve));
      return () => {
        answering = undefined;
        go();
      };
    },
    fire(): void {
      const due = timers.splice(0).filter((timer) => !timer.cancelled);
      for (const timer of due) timer.run();
    },
  };
}

test("D1 one look at a time; reasons to look that come meanwhile lead to one more", async () => {
  const d = dispatching();
  const go = d.hold();
  for (let i = 0; i < 5; i++) d.dispatcher.look();
  await rest();
  assert.equal(d.looks.length, 1);
  go();
  await rest();
  assert.equal(d.looks.length, 2);
});

test("D2 a look that finds nothing leads to no other, and no timer runs", async () => {
  const d = dispatching();
  d.dispatcher.look();
  await rest();
  d.dispatcher.roomFreed();
  await rest();
  assert.deepEqual([d.looks.length, d.timers.length], [1, 0]);
});

test("D2 while all that was asked for is given, it goes on asking as long as there is room for that kind", async () => {
  const twoInstances: Claims = { ...NONE, instances: [free(1), free(2)] };
  const withActivities: Claims = { ...NONE, activities: [claimOf(row(1)), claimOf(row(2))] };
  const full = dispatching([twoInstances]);
  full.dispatcher.look();
  await rest();
  assert.equal(full.looks.length, 2);

  const noRoomLeft = dispatching([twoInstances], [WANT, { ...WANT, instances: 0 }]);
  noRoomLeft.dispatcher.look();
  await rest();
  assert.equal(noRoomLeft.looks.length, 1);
  noRoomLeft.dispatcher.roomFreed();
  await rest();
  assert.equal(noRoomLeft.looks.length, 2, "freed room is a reason");

  const otherKindFull = dispatching([{ ...twoInstances, activities: withActivities.activities }], [WANT, { ...WANT, activityCount: 0 }]);
  otherKindFull.dispatcher.look();
  await rest();
  assert.equal(otherKindFull.looks.length, 2, "L7 busy activities hold up no instances");
});

test("what came besides, for instances held already, is no sign of more", async () => {
  const d = dispatching([
    {
      ...NONE,
      instances: [
        { ...free(1), held: true },
        { ...free(2), held: true },
      ],
    },
  ]);
  d.dispatcher.look();
  await rest();
  assert.deepEqual([d.looks.length, d.taken.length], [1, 1]);
});

test("what was not asked for, for want of room, is asked for when room is freed", async () => {
  for (const want of [
    { ...WANT, instances: 0 },
    { ...WANT, activityCount: 0, activities: [], isPartial: true },
  ]) {
    const d = dispatching([], [want]);
    d.dispatcher.look();
    await rest();
    d.dispatcher.roomFreed();
    await rest();
    assert.equal(d.looks.length, 2);
  }
});

test("room that is freed during a look is asked for", async () => {
  const d = dispatching([], [{ ...WANT, instances: 0 }]);
  const go = d.hold();
  d.dispatcher.look();
  d.dispatcher.roomFreed();
  go();
  await rest();
  assert.equal(d.looks.length, 2);
});

test("D2 it wakes for the next thing due, for the earliest of several, once", async () => {
  const d = dispatching([{ ...NONE, nextDueAt: 5_000 }]);
  d.dispatcher.look();
  await rest();
  d.dispatcher.wakeAt(9_000, 1_000);
  d.dispatcher.wakeAt(3_000, 1_000);
  assert.deepEqual(
    d.timers.filter((timer) => !timer.cancelled).map((timer) => timer.ms),
    [2_000],
  );
  d.fire();
  await rest();
  assert.equal(d.looks.length, 2);
  d.dispatcher.wakeAt(500, 1_000);
  assert.equal(d.timers.at(-1)?.ms, 0, "what is due already is looked at at once");
});

test("a hint of what will be due leads to a look when it is sooner than the next one", async () => {
  const d = dispatching([
    { ...NONE, nextDueAt: 5_000 },
    { ...NONE, nextDueAt: 3_000 },
  ]);
  d.dispatcher.look();
  await rest();
  d.dispatcher.dueAt(7_000);
  await rest();
  assert.equal(d.looks.length, 1);
  d.dispatcher.dueAt(3_000);
  await rest();
  assert.deepEqual([d.looks.length, d.timers.filter((timer) => !timer.cancelled).map((timer) => timer.ms)], [2, [2_000]]);
});

test("D3 a look that fails is tried again, later each time, and the delay begins anew after one that works", async () => {
  const d = dispatching([...Array.from({ length: 9 }, () => new Error("gone")), NONE, new Error("again")]);
  d.dispatcher.look();
  for (let i = 0; i < 9; i++) {
    await rest();
    d.fire();
  }
  await rest();
  assert.deepEqual(d.retries, [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]);
  d.dispatcher.look();
  await rest();
  assert.equal(d.retries.at(-1), 100);
});

test("L8 after the close nothing is looked for, taken or waited for", async () => {
  const d = dispatching([
    { ...NONE, instances: [free(1)], nextDueAt: 9_000 },
    { ...NONE, instances: [free(2)] },
  ]);
  d.dispatcher.look();
  await rest();
  const go = d.hold();
  d.dispatcher.look();
  await rest();
  d.dispatcher.close();
  go();
  await rest();
  d.dispatcher.look();
  d.dispatcher.wakeAt(3_000, 1_000);
  d.fire();
  await rest();
  assert.deepEqual([d.looks.length, d.taken.length, d.timers.length], [2, 1, 0]);
});
