// commit: the most important value of the house. A turn, a start, a control operation is one Commit, written whole or not at all.
//
// Owns:    Commit, Claim, Lease: the values that cross the store seam.
// Always:  a Commit says everything that will be written; whoever writes it decides nothing.

import type { HistoryEvent } from "../contract/events.ts";
import type { Failure } from "../contract/failure.ts";
import type { ExecutionId, InstanceId, InstanceNumber, MessageId } from "../contract/ids.ts";
import type { InstanceRecord, Tags } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InboxMessage, Message } from "../contract/messages.ts";

/** Names an activity row: within an instance number and generation no two rows with one task id exist at the same time. One that is scheduled
 *  under a key that is there takes its place, and has another epoch. */
export interface ActivityKey {
  readonly number: InstanceNumber;
  readonly generation: number;
  readonly taskId: number;
}

/** An activity to be run. */
export interface ActivityRow extends ActivityKey {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  readonly attempt: number;
  readonly idempotencyKey: string;
  readonly attemptTimeoutMs?: number;
  readonly expiresAt?: Instant;
  readonly traceContext?: string;
  /** The first epoch; made from the turn's number so that a row that reuses a key never repeats one. A claim adds 1. */
  readonly epoch: number;
  /** Written already leased to the process that commits (delivery 1, at `epoch`). */
  readonly claimed: boolean;
}

/** What must hold for a commit to be written. */
export type Fence =
  | { readonly kind: "absent"; readonly id: InstanceId }
  | { readonly kind: "instance"; readonly number: InstanceNumber; readonly epoch: number }
  | { readonly kind: "activity"; readonly key: ActivityKey; readonly epoch: number };

/** Payloads to write: `undefined` leaves a slot as it is, `null` empties it. */
export interface PayloadChanges {
  readonly input?: string | null;
  readonly output?: string | null;
  readonly customStatus?: string | null;
  readonly failure?: Failure | null;
  readonly state?: string | null;
}

/** The most important value of the house: all that one decision writes. */
export interface Commit {
  /** All hold, or nothing of this commit is written. The instance fence, if any, comes first. */
  readonly fences: readonly Fence[];
  /** The instance this commit is about. `0` when its address is still to be made (with an `absent` fence), or when it is about none. */
  readonly number: InstanceNumber;
  /** Absent: unchanged. Its `number` is `0` for a new address. */
  readonly record?: InstanceRecord;
  readonly payloads?: PayloadChanges;
  /** One row: the events of `record.turn`. `replace`: the rows of earlier turns go. */
  readonly history?: { readonly mode: "append" | "replace"; readonly events: readonly HistoryEvent[] };
  /** Messages of this instance that the turn has taken: removed by id. One that is gone, or a timer that is not due by the store's clock, refuses the commit. */
  readonly consumed: readonly MessageId[];
  /** Activities that are done: their rows go. */
  readonly finished: readonly ActivityKey[];
  /** Messages of this instance that are taken back (timers); gone already is fine. */
  readonly cancelled: readonly MessageId[];
  /** `execution`: what is addressed to this execution goes, its activities too. `everything`: the address itself goes, with all that hangs on it;
   *  a record beside it (number 0) is another instance of the same id, under an address of its own. Refused as by a fence while a message lies
   *  there that wakes always and needs a program: the start of a next attempt, which somebody waits for (S1).
   *  `if-idle` (an entity): as `everything`, refused as by a fence while any message lies there, due or not (E6). */
  readonly drop?: { readonly execution: ExecutionId; readonly generation: number } | "everything" | "if-idle";
  readonly messages: readonly Message[];
  readonly activities: readonly ActivityRow[];
  /** An activity of this instance, fenced, that nobody is handed from now on, as if it had been handed out so often. */
  readonly aside?: { readonly key: ActivityKey; readonly delivery: number };
  /** What was put aside of this instance may be handed out again, at once. */
  readonly offersAside?: true;
  /** The lease stays with (or, for a new address, goes to) the process that commits; false gives it back. Concerns the instance of the `instance`
   *  or `absent` fence: a commit without one (a message, an activity's completion) touches no lease and no record. */
  readonly keep: boolean;
}

/** A lease on an instance. */
export interface Lease {
  readonly number: InstanceNumber;
  readonly epoch: number;
}

/** A lease on an activity. */
export interface ActivityLease {
  readonly key: ActivityKey;
  readonly epoch: number;
  /** Given back by a worker that has not begun it: the claim does not count as a delivery. */
  readonly undone?: boolean;
}

/** An instance handed out, with the due messages that were not handed out before. */
export interface Claim {
  readonly number: InstanceNumber;
  readonly id: InstanceId;
  readonly epoch: number;
  /** Claims since the last committed turn, this one included. */
  readonly attempts: number;
  readonly record: InstanceRecord;
  /** In order of delivery, at most 1,000. */
  readonly messages: readonly InboxMessage[];
  /** True when this process held the lease already: only new messages come with it. */
  readonly held: boolean;
  /** What could not be read of its rows, in words: the messages concerned are missing here, so the instance must be set aside. */
  readonly damage?: string;
}

/** An activity handed out. */
export interface ActivityClaim {
  readonly row: ActivityRow;
  /** The epoch of this claim (not the row's first). */
  readonly epoch: number;
  /** Claims of this attempt, this one included. */
  readonly delivery: number;
  /** When it was claimed, by the store's clock. */
  readonly at: Instant;
}

/** What became of a commit. */
export type CommitResult =
  | {
      readonly ok: true;
      /** The store's reading. */
      readonly at: Instant;
      /** The number of the instance (new ones are minted here). */
      readonly number: InstanceNumber;
      /** Due messages of the kept instance that have not been handed out yet, now handed out. */
      readonly arrived: readonly InboxMessage[];
      /** Messages whose addressee does not exist: not written. */
      readonly undelivered: readonly MessageId[];
      /** Instances that messages of this commit made and that were asked to be leased to this process. */
      readonly claims: readonly Claim[];
    }
  | { readonly ok: false; readonly why: "fenced" | "exists" | "failed"; readonly failure?: Failure };

/** A decision's answer when nothing is to be written. */
export interface Refusal {
  readonly refused: "not-found" | "exists" | "same-request" | "finished" | "not-finished" | "not-failed" | "no-change";
  readonly message: string;
}

/** A commit that writes nothing: what the makers of commits start from. */
export const EMPTY_COMMIT: Commit = {
  fences: [],
  number: 0,
  consumed: [],
  finished: [],
  cancelled: [],
  messages: [],
  activities: [],
  keep: false,
};

/** How many claims an attempt's epochs leave room for before the next turn's begin. */
export const EPOCHS_PER_TURN = 4_096;
