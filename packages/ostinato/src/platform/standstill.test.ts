import assert from "node:assert/strict";
import { test } from "node:test";
import { createStandstill } from "./standstill.ts";

test("settle waits for every microtask, however many each one makes", async () => {
  const { settle } = createStandstill();
  let done = 0;
  const chain = async (): Promise<void> => {
    for (let i = 0; i < 1_000; i++) await Promise.resolve();
    done += 1;
  };
  void chain();
  void chain();
  await settle();
  assert.equal(done, 2);
});

test("callers of one moment share one drain", async () => {
  const { settle } = createStandstill();
  const [first, second] = [settle(), settle()];
  assert.equal(first, second);
  await first;
  assert.notEqual(settle(), first);
});

test("a platform timer that is due does not run before the one who settles goes on", async () => {
  // After 4 ms the event loop gets its turn (P3): a machine that was away for so long has shown nothing, and is asked again.
  for (let isShown = false; !isShown;) {
    const { settle, breathe } = createStandstill();
    await new Promise<void>((resolve) => setImmediate(resolve)); // tidy: allow timers because what is tested is the order against the platform's own
    while (breathe() !== undefined) await breathe();
    const begun = performance.now(); // tidy: allow timers because what is tested is the order against the platform's own
    let timerRan = false;
    setTimeout(() => (timerRan = true), 0); // tidy: allow timers because what is tested is the order against the platform's own
    for (let i = 0; i < 100; i++) await settle();
    const ran = timerRan;
    isShown = performance.now() - begun < 4; // tidy: allow timers because what is tested is the order against the platform's own
    if (isShown) assert.equal(ran, false);
  }
});

test("the event loop gets its turn during long work", async () => {
  const { settle } = createStandstill();
  let turns = 0;
  let working = true;
  const count = (): void => {
    turns += 1;
    if (working) setImmediate(count); // tidy: allow timers because what is tested is that the loop turns
  };
  setImmediate(count); // tidy: allow timers because what is tested is that the loop turns
  const until = performance.now() + 40; // tidy: allow timers because what is tested is time itself
  // tidy: allow timers because what is tested is time itself
  while (performance.now() < until) await settle();
  working = false;
  assert.ok(turns >= 3, `the loop turned ${turns} times in 40 ms`);
});
