// tally: what was done to a world, and what it went through: a run that proves nothing must not look like one that does.
import type { AnyFaultClass } from "./setup.ts";

/** What should happen in some seed of many. */
export const GOALS = [
  "a zombie's commit was refused",
  "an unknown commit was written after all",
  "an event crossed a continue-as-new",
  "an unread message crossed a continue-as-new",
  "a late completion was refused",
  "an activity was delivered again",
  "a completion was folded",
  "a completion was written as a message",
  "a start was asked for again and answered the same",
  "a suspend overtook a turn",
  "an instance was terminated while suspended",
  "a purged id was used again",
  "a message was for an execution that was over",
  "a child was tried again under its id",
  "a turn was turned down for its version",
  "leases were lost and noticed",
  "a child was born with its lease",
  "a timer was overdue at a restart",
  "an event was dropped and counted",
  "a commit was doubled and refused",
  "a cold history was read",
  "a lock was granted",
  "a request for a lock was taken back",
  "a section ended with its execution",
  "a section went with a terminated owner",
  "something waited while an entity was locked",
  "an operation of an entity failed",
  "a signal for later was done",
  "an empty entity was cleaned up",
  "an entity started an orchestration",
] as const;

/** What should happen besides in some seed of many that have a wire. */
export const WIRE_GOALS = [
  "a token was refused",
  "a stale token was accepted, as an answer given before",
  "a server saw a completion twice",
  "a server saw a completion of work that it did not know",
  "an outcome was sent again",
  "a call was made again",
  "a stream of work was lost",
  "a silent stream was given up",
  "a server said that it is alive",
  "an event was brought twice",
] as const;

export type Goal = (typeof GOALS)[number] | (typeof WIRE_GOALS)[number];

/** Counts of one world, or of many. */
export interface Tally {
  readonly faults: Map<AnyFaultClass, number>;
  readonly goals: Map<Goal, number>;
  /** What the product counted: refusals and drops among it. */
  readonly counters: Map<string, number>;
  readonly calls: Map<string, number>;
}

export function newTally(): Tally {
  return { faults: new Map(), goals: new Map(), counters: new Map(), calls: new Map() };
}

/** Counts one more. */
export function count<K>(counts: Map<K, number>, what: K, amount = 1): void {
  counts.set(what, (counts.get(what) ?? 0) + amount);
}

/** Adds the counts of a world to those of many. */
export function addTally(to: Tally, from: Tally): void {
  for (const [what, amount] of from.faults) count(to.faults, what, amount);
  for (const [what, amount] of from.goals) count(to.goals, what, amount);
  for (const [what, amount] of from.counters) count(to.counters, what, amount);
  for (const [what, amount] of from.calls) count(to.calls, what, amount);
}
