// store-clock: the reading that every claim and every commit carries.
//
// Always:  a reading never goes back while its store is open, whatever the clock behind it does; a jump forward is followed.

import type { Instant } from "../contract/instant.ts";

/** Where a store reads the time. It may step back; the store rides over it. */
export interface StoreClock {
  now(): Instant;
}

/** A clock whose readings never go back: a step back of `clock` is held until it has been made up for. */
export function risingClock(clock: StoreClock): StoreClock {
  let last = Number.NEGATIVE_INFINITY;
  return {
    now() {
      const reading = clock.now();
      if (reading > last) last = reading;
      return last;
    },
  };
}

/** The machine's clock, from a reading that was made already; while it is set back, time goes on by the monotonic one. */
export function machineClock(from = 0): StoreClock {
  let last = Math.max(Date.now(), from);
  let lastElapsed = performance.now();
  return {
    now() {
      const elapsed = performance.now();
      const reading = Math.max(Date.now(), last + Math.floor(elapsed - lastElapsed));
      if (reading > last) {
        last = reading;
        lastElapsed = elapsed;
      }
      return last;
    },
  };
}
