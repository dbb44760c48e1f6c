// Time that moves when nothing else can, over a store that takes its time.
import assert from "node:assert/strict";
import { it } from "node:test";
import { handClock } from "../../test/hand-clock.ts";
import { nextLoopTurn } from "../platform/standstill.ts";
import { createQuiet } from "./quiet.ts";
import { createVirtualClock } from "./virtual-clock.ts";

const PATIENCE_MS = 100;

async function loopTurns(): Promise<void> {
  for (let i = 0; i < 10; i++) await nextLoopTurn();
}

it("V1 time stands still while the store is asked, however long it takes", async () => {
  const quiet = createQuiet();
  const real = handClock();
  const clock = createVirtualClock(0, quiet, real);
  const asking = quiet.begin("store");
  const moved = clock.advance({ milliseconds: 1_000 });
  await loopTurns();
  await real.advance(50 * PATIENCE_MS);
  await loopTurns();
  assert.equal(clock.now(), 0);
  asking.done();
  await moved;
  assert.equal(clock.now(), 1_000);
});

it("V3 an activity that the store brought late, and that does not end, holds time for as long as any other", async () => {
  const quiet = createQuiet();
  const real = handClock();
  const clock = createVirtualClock(0, quiet, real);
  const asking = quiet.begin("store");
  const moved = clock.advance({ milliseconds: 1_000 });
  await loopTurns();
  await real.advance(2 * PATIENCE_MS);
  quiet.begin("activity");
  asking.done();
  await loopTurns();
  await real.advance(PATIENCE_MS - 1);
  await loopTurns();
  assert.equal(clock.now(), 0, "its own patience begins when there is nothing else to wait for");
  await real.advance(1);
  await moved;
  assert.equal(clock.now(), 1_000);
});
