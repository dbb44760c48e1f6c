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

/** What a process was told of a clock that it cannot read itself. Readings never go back. */
export interface LastReading {
  note(at: Instant): void;
  /** The latest that was told; 0 before the first. */
  readonly latest: Instant;
  /** What the clock shows at least: the latest reading, and the time since by the monotonic clock. Unknown before the first. */
  atLeast(): Instant | undefined;
}

/** Remembers the latest reading of a store's clock. */
export function lastReading(): LastReading {
  let latest: Instant = 0;
  let notedAt = 0;
  return {
    note(at) {
      if (at < latest) return;
      latest = at;
      notedAt = performance.now();
    },
    get latest() {
      return latest;
    },
    atLeast: () => (latest === 0 ? undefined : latest + Math.floor(performance.now() - notedAt)),
  };
}
