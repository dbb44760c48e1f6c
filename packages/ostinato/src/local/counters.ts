// counters: every drop, refusal and fence, counted under a name that an operator can read (O2).

import type { BackendCounters } from "../contract/backend.ts";

/** What is counted. */
export type CounterName =
  | "turnsCommitted"
  | "turnsFenced"
  | "turnsFailedToWrite"
  | "turnsStalled"
  | "turnsAbandoned"
  | "coldLoads"
  | "completionsFolded"
  | "completionsAsMessages"
  | "completionsLate"
  | "completionsUnknown"
  | "messagesUndelivered"
  | "eventsDropped"
  | "instancesSetAside"
  | "activitiesSetAside"
  | "invariantsBroken"
  | "programsForgotten";

/** The counters of one backend. */
export class Counters {
  readonly #values = new Map<CounterName, number>();

  /** Adds to a counter. */
  add(name: CounterName, amount = 1): void {
    this.#values.set(name, (this.#values.get(name) ?? 0) + amount);
  }

  /** A copy of all counters that have counted anything. */
  read(): BackendCounters {
    return Object.fromEntries(this.#values);
  }
}
