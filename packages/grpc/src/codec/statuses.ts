// statuses: how the protocol counts statuses.
//
// Always:  S1 a number that nobody knows is no reason to stop: it stands for the nearest status that we have.

import type { InstanceStatus, TerminalStatus } from "ostinato/contract";
import { OrchestrationStatus } from "../generated/task_hub_sidecar_pb.js";

/** The status with which a program ends, as its action says it. */
export type EndingStatus = TerminalStatus | "CONTINUED_AS_NEW";

const NUMBERS: { readonly [S in InstanceStatus | EndingStatus]: OrchestrationStatus } = {
  PENDING: OrchestrationStatus.PENDING,
  RUNNING: OrchestrationStatus.RUNNING,
  SUSPENDED: OrchestrationStatus.SUSPENDED,
  COMPLETED: OrchestrationStatus.COMPLETED,
  FAILED: OrchestrationStatus.FAILED,
  TERMINATED: OrchestrationStatus.TERMINATED,
  CONTINUED_AS_NEW: OrchestrationStatus.CONTINUED_AS_NEW,
};

const ENDINGS: ReadonlyMap<number, EndingStatus> = new Map([
  [OrchestrationStatus.COMPLETED, "COMPLETED"],
  [OrchestrationStatus.FAILED, "FAILED"],
  [OrchestrationStatus.TERMINATED, "TERMINATED"],
  [OrchestrationStatus.CANCELED, "TERMINATED"],
  [OrchestrationStatus.CONTINUED_AS_NEW, "CONTINUED_AS_NEW"],
]);

const STATUSES: ReadonlyMap<number, InstanceStatus> = new Map([
  [OrchestrationStatus.PENDING, "PENDING"],
  [OrchestrationStatus.RUNNING, "RUNNING"],
  [OrchestrationStatus.SUSPENDED, "SUSPENDED"],
  [OrchestrationStatus.COMPLETED, "COMPLETED"],
  [OrchestrationStatus.FAILED, "FAILED"],
  [OrchestrationStatus.TERMINATED, "TERMINATED"],
]);

/** A status as a number. */
export function encodeStatus(status: InstanceStatus | EndingStatus): OrchestrationStatus {
  return NUMBERS[status];
}

/** The status of an instance. One that we have not is shown as the nearest: cancelled as terminated, anything else as running. */
export function decodeStatus(number: number): InstanceStatus {
  return STATUSES.get(number) ?? (decodeEnding(number) === "TERMINATED" ? "TERMINATED" : "RUNNING");
}

/** The status with which a program ends; `undefined` for one that is no end. */
export function decodeEnding(number: number): EndingStatus | undefined {
  return ENDINGS.get(number);
}

/** The statuses of a filter; `undefined` when it has none. Those that no instance of ours ever has match nothing. */
export function decodeStatuses(numbers: readonly number[]): readonly InstanceStatus[] | undefined {
  return numbers.length === 0 ? undefined : [...new Set(numbers.flatMap((number) => STATUSES.get(number) ?? []))];
}
