// counters: every drop, refusal and fence, counted under a name that an operator can read (O2).

import type { BackendCounters } from "../contract/backend.ts";

/** What is counted, and what it means to whoever reads it. The guide to operating a file has the same table. */
export const COUNTERS = {
  turnsCommitted: "Turns that were written.",
  turnsFenced:
    "Turns that were refused since their instance was changed or claimed by somebody else meanwhile. Nothing of them was written.",
  turnsFailedToWrite: "Turns that the store could not write. They are tried again, later each time.",
  callsRefused: "Calls of clients (start, raise, suspend, ...) that the store could not write. Each of them was told.",
  turnsStalled: "Turns whose code asked for something else than the history has, or waited for something that is not durable.",
  turnsAbandoned: "Turns that a worker turned down, for their version as a rule.",
  activitiesAbandoned: "Activities that a worker gave back. They are offered again, to others first.",
  coldLoads: "Turns for which the whole history was read, since no program was kept.",
  completionsFolded: "Results of activities that went straight into the next turn.",
  completionsAsMessages: "Results of activities that were written as messages of their own.",
  completionsLate: "Results of activities that came after somebody else's: dropped.",
  completionsUnknown: "Outcomes for work that was not out (any longer): dropped.",
  entityBatchesCommitted: "Batches of operations of entities that were written.",
  entityOperationsDone: "Operations of entities that were done.",
  entityOperationsFailed: "Operations of entities that failed. Nothing is left of them; who called was told.",
  entityBatchesPutOff: "Batches of entities that came to nothing at a worker. They are offered again, later each time.",
  locksGranted: "Critical sections that were granted.",
  locksReleased: "Entities that the owner of a critical section has let go.",
  locksWithdrawn: "Critical sections that were taken back before they were granted, their owner having ended.",
  messagesUndelivered: "Messages to instances that do not exist: dropped.",
  eventsDropped: "Events to instances that had ended: dropped.",
  instancesSetAside:
    "Instances that are not run any longer until an operator has looked: claimed too often without a result, or damaged. `stall` says why.",
  instancesReplaced: "Finished or running instances whose place a start or a restart has taken.",
  instancesRewound: "Failed instances that were rewound.",
  instancesPurged: "Instances that were purged by a list or a filter.",
  activitiesSetAside: "Activities that were claimed too often without a result.",
  invariantsBroken: "Rules of the engine that would have been broken: nothing was written. Please report it.",
  instancesRetired: "Finished instances that were removed, their retention being over.",
  sweepsFailed: "Looks for instances to remove that failed. They are tried again, later each time.",
  instancesUnreadable: "Claims of instances whose rows cannot be read. Their instance is set aside.",
  activitiesUnreadable: "Claims of activities whose rows cannot be read. Their instance is set aside.",
  rowsLeftOut: "Rows that a query left out since they cannot be read.",
  programsForgotten: "Kept programs that were given up: idle, over the budget, or no longer certain.",
  instancesLetGo:
    "Instances that had something to do while all slots were taken, let go for another process that had said that it has room.",
  leasesLost: "Times at which the leases of this process had run out, so that all it held was given up.",
  looksFailed: "Looks for work that failed. They are tried again, later each time.",
  operationsFailed: "Operations in the background that the store refused.",
} as const;

/** What is counted. */
export type CounterName = keyof typeof COUNTERS;

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
