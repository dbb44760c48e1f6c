import assert from "node:assert/strict";
import { test } from "node:test";
import { holdProcess, sleep, sleepUntil, systemClock, type Clock } from "./clock.ts";

test("a timer runs once, not before its time by the monotonic clock", async () => {
  const started = systemClock.monotonic();
  let runs = 0;
  await new Promise<void>((resolve) => {
    systemClock.setTimer(
      5,
      () => {
        runs += 1;
        resolve();
      },
      { hold: true },
    );
  });
  assert.equal(runs, 1);
  assert.ok(systemClock.monotonic() - started >= 5);
});

test("a cancelled timer never runs, and can be cancelled again", async () => {
  let ran = false;
  const timer = systemClock.setTimer(1, () => (ran = true));
  timer.cancel();
  timer.cancel();
  await sleep(systemClock, 5, { hold: true });
  assert.equal(ran, false);
});

test("a wait longer than the platform's timers does not end at once", async () => {
  let ran = false;
  const timer = systemClock.setTimer(365 * 86_400_000, () => (ran = true));
  await sleep(systemClock, 5, { hold: true });
  timer.cancel();
  assert.equal(ran, false);
});

test("a sleep ends with the signal's reason", async () => {
  const controller = new AbortController();
  const sleeping = sleep(systemClock, 60_000, { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assert.rejects(sleeping, /enough/);
  await assert.rejects(sleep(systemClock, 60_000, { signal: controller.signal }), /enough/);
});

test("sleepUntil looks again when the wall clock was set back meanwhile", async () => {
  let wall = 1_000;
  const waits: number[] = [];
  const clock: Clock = {
    now: () => wall,
    monotonic: () => 0,
    setTimer(ms, run) {
      waits.push(ms);
      wall += waits.length === 1 ? ms - 100 : ms;
      queueMicrotask(run);
      return { cancel: () => undefined };
    },
  };
  await sleepUntil(clock, 1_500);
  assert.deepEqual(waits, [500, 100]);
});

test("the process can be held and released", () => {
  const release = holdProcess();
  release();
  release();
});
