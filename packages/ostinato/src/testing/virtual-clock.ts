// virtual-clock: time that moves when nothing else can.
//
// Owns:    the test's time, and when it moves.
// Is told: what is under way, by Quiet; who waits, by the test hub.
// Always:  V1 time moves from one due timer to the next, in the order in which they are due, and stands still while any of it is worked on.
//          V2 by itself it moves only while somebody waits for an instance; otherwise by `advance` alone.
//          V3 what is under way in the real world (an activity that reads a file) holds it.

import { durationMs, type Duration } from "../contract/instant.ts";
import { systemClock, type Clock, type ClockTimer } from "../platform/clock.ts";
import type { Doing, Quiet } from "./quiet.ts";

/**
 * The clock of a test hub.
 *
 * @example
 * await hub.clock.advance("25h");
 */
export interface TestClock {
  /** What time it is in the test. */
  readonly date: Date;
  /**
   * Moves the time on, from timer to timer, and resolves when everything that became due has been worked off.
   *
   * @example
   * await hub.clock.advance("2d");
   */
  advance(duration: Duration): Promise<void>;
}

/** The same clock, as the house sees it. */
export interface VirtualClock extends Clock, TestClock {
  /** Lets time move by itself until the wait is over. `stuck` is called when nothing has happened for long, and nothing is due. */
  moveWhileWaiting(stuck: () => void): () => void;
  /** A part of the clock whose timers can all be cancelled at once: a process that dies takes its timers with it. */
  lifetime(): { readonly clock: Clock; readonly end: () => void };
}

interface Timer extends ClockTimer {
  readonly due: number;
  readonly run: () => void;
}

/** So long, in real time, `advance` waits for activities that do not end before it moves on over them. */
const PATIENCE_MS = 100;
/** So many timers may fire with nothing coming of it before time stops moving by itself: nothing is going to happen. */
const FUTILE_TIMERS = 1_000;
/** So long, in real time, nothing happens before those who wait are told that nothing will. */
const STUCK_MS = 3_000;

/** Makes a clock that starts at an instant. Patience is had by the `real` one. */
export function createVirtualClock(start: number, quiet: Quiet, real: Clock = systemClock): VirtualClock {
  let now = start;
  /** In the order in which they are due; of equals, in the order in which they were set. */
  const timers: Timer[] = [];
  const waiting = new Set<() => void>();
  let moving = false;
  let advancing = 0;

  const setTimer = (ms: number, run: () => void): ClockTimer => {
    const due = now + Math.max(0, Number.isNaN(ms) ? 0 : ms);
    const timer: Timer = {
      due,
      run,
      cancel() {
        const at = timers.indexOf(timer);
        if (at >= 0) timers.splice(at, 1);
      },
    };
    let at = timers.length;
    while (at > 0 && (timers[at - 1]?.due ?? 0) > due) at -= 1;
    timers.splice(at, 0, timer);
    quiet.nudge();
    return timer;
  };

  const fireNext = (until: number): boolean => {
    const next = timers[0];
    if (next === undefined || next.due > until) return false;
    timers.shift();
    now = Math.max(now, next.due);
    next.run();
    return true;
  };

  /** Moves the time on while somebody waits. One at a time. */
  const move = async (): Promise<void> => {
    if (moving) return;
    moving = true;
    let futile = 0;
    let achieved = quiet.achieved;
    while (waiting.size > 0) {
      await quiet.quiet();
      if (waiting.size === 0) break;
      if (quiet.achieved !== achieved) futile = 0;
      achieved = quiet.achieved;
      if (advancing > 0) await quiet.changed();
      else if (futile < FUTILE_TIMERS && fireNext(Number.POSITIVE_INFINITY)) futile += 1;
      else if (await nothingFor(STUCK_MS)) for (const stuck of waiting) stuck();
      else futile = 0;
    }
    moving = false;
  };

  /** Whether nothing happens for so long in real time. */
  const nothingFor = async (ms: number): Promise<boolean> => {
    let timer: ClockTimer | undefined;
    const patience = new Promise<boolean>((resolve) => {
      timer = real.setTimer(ms, () => resolve(true), { hold: true });
    });
    const nothing = await Promise.race([patience, quiet.changed().then(() => false)]);
    timer?.cancel();
    return nothing;
  };

  /** Quiet, but for activities that do not end in a while in which there is nothing else to wait for. A store may be slower than any patience. */
  const quietOrPatient = async (over: Set<Doing>): Promise<void> => {
    for (;;) {
      await quiet.quiet("activities");
      const running = [...quiet.activities()].filter((activity) => !over.has(activity));
      if (running.length === 0) return;
      let timer: ClockTimer | undefined;
      const patience = new Promise<boolean>((resolve) => {
        timer = real.setTimer(PATIENCE_MS, () => resolve(false), { hold: true });
      });
      const isCalm = await Promise.race([quiet.quiet(over).then(() => true), patience]);
      timer?.cancel();
      if (isCalm) return;
      for (const activity of running) over.add(activity);
    }
  };

  return {
    now: () => now,
    monotonic: () => now,
    setTimer,
    get date() {
      return new Date(now);
    },
    async advance(duration) {
      const target = now + durationMs(duration);
      const over = new Set<Doing>();
      advancing += 1;
      try {
        do await quietOrPatient(over);
        while (fireNext(target));
        now = Math.max(now, target);
      } finally {
        advancing -= 1;
        quiet.nudge();
      }
    },
    moveWhileWaiting(stuck) {
      const tell = (): void => stuck();
      waiting.add(tell);
      void move();
      return () => {
        waiting.delete(tell);
        quiet.nudge();
      };
    },
    lifetime() {
      const own = new Set<ClockTimer>();
      let over = false;
      const clock: Clock = {
        now: () => now,
        monotonic: () => now,
        setTimer(ms, run) {
          if (over) return { cancel: () => undefined };
          const timer = setTimer(ms, () => {
            own.delete(timer);
            run();
          });
          own.add(timer);
          return {
            cancel() {
              own.delete(timer);
              timer.cancel();
            },
          };
        },
      };
      return {
        clock,
        end() {
          over = true;
          for (const timer of own) timer.cancel();
        },
      };
    },
  };
}
