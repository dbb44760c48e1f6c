// hand-timers: timers that a test moves by hand.

import type { Timers } from "../src/transport/timers.ts";

export interface HandTimers extends Timers {
  /** Runs what is due within so many milliseconds, in order. */
  advance(ms: number): void;
  readonly waiting: number;
}

export function handTimers(): HandTimers {
  let now = 0;
  const timers = new Set<{ due: number; run: () => void }>();
  return {
    setTimer(ms, run) {
      const timer = { due: now + ms, run };
      timers.add(timer);
      return { cancel: () => void timers.delete(timer) };
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const due = [...timers].filter((timer) => timer.due <= until).sort((one, other) => one.due - other.due)[0];
        if (due === undefined) break;
        now = due.due;
        timers.delete(due);
        due.run();
      }
      now = until;
    },
    get waiting() {
      return timers.size;
    },
  };
}
