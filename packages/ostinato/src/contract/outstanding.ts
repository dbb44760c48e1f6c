// outstanding: what stands in an instance's name beside its history: activities that are not done, messages that nobody has taken.
//
// Owns:    the shape of that answer. It is for people who ask why an instance waits: nothing is decided by it.
// Always:  no payload is in it; it is bounded, however much there is.

import type { Instant } from "./instant.ts";

/** An activity of an instance that is not done. */
export interface OutstandingActivity {
  readonly taskId: number;
  readonly name: string;
  /** By the retry policy, from 1. */
  readonly attempt: number;
  /** How often this attempt was handed to a worker; 0: not yet. */
  readonly deliveries: number;
  /** Whether it is with a worker. After a process has died this stays until the next one opens the task hub. */
  readonly isOut: boolean;
  /** With a worker since then; else to be had from then on. */
  readonly since: Instant;
  /** When its call has to be done. */
  readonly expiresAt?: Instant;
}

/** What stands in an instance's name beside its history. */
export interface Outstanding {
  /** The store's clock when it looked. */
  readonly at: Instant;
  /** The first hundred, by task. */
  readonly activities: readonly OutstandingActivity[];
  readonly activityCount: number;
  /** Messages whose time has come and that are not done: those that somebody was handed, and those that wait for an instance that is held back
   *  (an entity that is locked) to be let go. */
  readonly dueMessages: number;
  /** When the first of them came, or was due. */
  readonly oldestDueAt?: Instant;
  /** Messages that are to be seen later: timers. */
  readonly laterMessages: number;
  /** Whether a process holds the instance, as far as the store can tell. */
  readonly isClaimed: boolean;
}

/** How many activities are listed. */
export const OUTSTANDING_ACTIVITIES = 100;
