// movable-clock: a clock that stands still until it is moved.

import type { Instant } from "../../contract/instant.ts";

/** A clock that a test moves. */
export interface MovableClock {
  now(): Instant;
  advance(ms: number): void;
  set(at: Instant): void;
}

/** A clock that begins at `start`. */
export function movableClock(start: Instant): MovableClock {
  let at = start;
  return {
    now: () => at,
    advance: (ms) => void (at += ms),
    set: (instant) => void (at = instant),
  };
}
