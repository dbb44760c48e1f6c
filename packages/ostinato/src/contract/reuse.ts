// reuse: whether an id that is taken may be taken again by a start.
//
// Owns:    what a list of refusing statuses means. A transport that lists the replaceable ones instead turns its list around.
// Always:  RU1 without a list every status refuses; with one, an instance that runs is terminated first, one that has ended gives way.
//          RU2 a list cannot refuse what it makes itself: whoever replaces instances that run has to replace terminated ones, too.

import { isTerminal, type InstanceStatus } from "./instance.ts";

/** All statuses, in the order of a life. */
export const INSTANCE_STATUSES: readonly InstanceStatus[] = ["PENDING", "RUNNING", "SUSPENDED", "COMPLETED", "FAILED", "TERMINATED"];

/**
 * Whether a start is refused by an instance that has this status.
 *
 * @example refusesStart("COMPLETED", ["PENDING", "RUNNING", "SUSPENDED"]) === false
 */
export function refusesStart(status: InstanceStatus, dedupeStatuses: readonly InstanceStatus[] | undefined): boolean {
  return dedupeStatuses === undefined || dedupeStatuses.includes(status);
}

/**
 * Whether a list contradicts itself: it refuses terminated instances, and lets some that run be replaced, which terminates them.
 *
 * @example refusesItself(["TERMINATED"]) === true
 */
export function refusesItself(dedupeStatuses: readonly InstanceStatus[]): boolean {
  return (
    dedupeStatuses.includes("TERMINATED") && INSTANCE_STATUSES.some((status) => !isTerminal(status) && !dedupeStatuses.includes(status))
  );
}
