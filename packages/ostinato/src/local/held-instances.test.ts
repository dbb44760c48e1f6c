import assert from "node:assert/strict";
import { test } from "node:test";
import { fold, inbox, raised, running } from "../../test/engine-story.ts";
import { HeldInstances, type Held } from "./held-instances.ts";

/** Holds an instance of this number, idle since `readAt`, with a program of so many bytes. */
function hold(all: HeldInstances, number: number, bytes = 0, readAt = number): Held {
  const held = all.add(running({ number, id: `i${number}` }), 3, [], 1_000, readAt);
  all.keep(held, bytes);
  return held;
}

test("an instance that is taken up is idle, and is found by number and by id", () => {
  const all = new HeldInstances();
  const held = all.add(running(), 3, inbox(raised("e")), 1_000, 5);
  assert.deepEqual([held.state, held.epoch, held.messages.length, held.keptBytes, held.at, held.readAt], ["idle", 3, 1, 0, 1_000, 5]);
  assert.deepEqual([all.get(7), all.withId("i"), all.size], [held, held, 1]);
});

test("what has come is taken once; what comes later is for the next turn, in its order", () => {
  const all = new HeldInstances();
  const held = hold(all, 1);
  all.addMessages(held, inbox(raised("a")));
  all.addMessages(held, []);
  all.addMessages(held, inbox(raised("b"), raised("c")));
  all.addFold(held, fold(1));
  all.addFold(held, fold(2));
  const taken = all.take(held);
  assert.deepEqual([taken.messages.map(({ event }) => "name" in event && event.name), taken.folds.length], [["a", "b", "c"], 2]);
  assert.deepEqual(all.take(held), { messages: [], folds: [] });
  const other = hold(all, 2);
  all.addMessages(held, inbox(raised("d")));
  all.addFold(held, fold(3));
  assert.deepEqual([other.messages, other.folds, taken.messages.length, taken.folds.length], [[], [], 3, 2], "nobody shares a list");
});

test("H3 the bytes of kept programs are counted as they come, change and go", () => {
  const all = new HeldInstances();
  const [one, two] = [hold(all, 1, 100), hold(all, 2, 50)];
  assert.equal(all.keptBytes, 150);
  all.keep(one, 70);
  assert.equal(all.keptBytes, 120);
  all.remove(two);
  all.remove(two);
  assert.deepEqual([all.keptBytes, two.state, two.keptBytes], [70, "gone", 0]);
  all.keep(two, 1_000);
  assert.deepEqual([all.keptBytes, all.size], [70, 1], "what has gone counts no more, whatever is said of it");
  all.keep(one, 0);
  assert.equal(all.keptBytes, 0);
});

test("H3 the idle ones with a program are told from the one that has been so for longest", () => {
  const all = new HeldInstances();
  const [late, early, busy] = [hold(all, 1, 10, 30), hold(all, 2, 10, 20), hold(all, 3, 10, 10)];
  hold(all, 4, 0, 1);
  busy.state = "working";
  assert.deepEqual(all.idleLongest(), [early, late]);
});

test("a lease that goes takes nothing of the one that came after it", () => {
  const all = new HeldInstances();
  const before = hold(all, 1, 10);
  all.remove(before);
  const after = hold(all, 1, 20);
  all.remove(before);
  assert.deepEqual([all.get(1), all.withId("i1"), all.keptBytes], [after, after, 20]);
});

test("a walk over them may give them back on the way", () => {
  const all = new HeldInstances();
  for (const number of [1, 2, 3]) hold(all, number, 10);
  const seen: number[] = [];
  for (const held of all) {
    seen.push(held.number);
    all.remove(held);
  }
  assert.deepEqual([seen, all.size, all.keptBytes], [[1, 2, 3], 0, 0]);
});
