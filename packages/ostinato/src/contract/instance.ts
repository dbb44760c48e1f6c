// instance: what is known of an instance beside its history.
//
// Owns:    the record's fields and the statuses.
// Always:  the record equals the fold of the history at each commit (H4). It stays narrow: payloads live beside it.

import type { Failure } from "./failure.ts";
import type { EntityId, ExecutionId, InstanceId, InstanceKind, InstanceNumber } from "./ids.ts";
import type { Instant } from "./instant.ts";

/** The statuses of an instance that has ended. */
export type TerminalStatus = "COMPLETED" | "FAILED" | "TERMINATED";
/** The status of an instance: PENDING, then RUNNING or SUSPENDED, then one that is terminal. */
export type InstanceStatus = "PENDING" | "RUNNING" | "SUSPENDED" | TerminalStatus;

/** Names and values that a caller attaches to an instance or a call. */
export type Tags = Readonly<Record<string, string>>;

/** Who started a child, and under which of its actions. */
export interface ParentLink {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  /** The action's number; -1 when that call has had its answer, and the child was rewound on its own since. */
  readonly taskScheduledId: number;
}

/** Why an instance that has work to do is not being run. */
export interface Stall {
  readonly kind: "non-determinism" | "non-durable-wait" | "set-aside" | "not-registered" | "version";
  /** In words: what happened, where, and what to do. */
  readonly reason: string;
  readonly since: Instant;
  /** How often it was tried. */
  readonly attempts: number;
}

/** A critical section that an orchestration has, or has asked for. */
export interface CriticalSection {
  readonly id: string;
  /** What is not let go yet, sorted. */
  readonly lockSet: readonly EntityId[];
  /** False while the request is on its way. */
  readonly granted: boolean;
}

/** Who has an entity to itself. */
export interface EntityLock {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly criticalSectionId: string;
}

/** The record of an instance: narrow, written with every turn. An entity's: its name is `@name`, it is RUNNING all its life, it has no history;
 *  its id stands for its executions'. */
export interface InstanceRecord {
  readonly number: InstanceNumber;
  readonly id: InstanceId;
  readonly kind: InstanceKind;
  readonly name: string;
  readonly version?: string;
  readonly executionId: ExecutionId;
  /** What idempotency keys count from: the execution that was started, and how often it continued as new (lineage.ts). */
  readonly lineage: ExecutionId;
  readonly status: InstanceStatus;
  readonly createdAt: Instant;
  readonly scheduledAt?: Instant;
  readonly startedAt?: Instant;
  readonly updatedAt: Instant;
  readonly completedAt?: Instant;
  readonly parent?: ParentLink;
  readonly tags?: Tags;
  readonly traceContext?: string;
  /** Rises with every claim, and with every control operation that changes the record. */
  readonly epoch: number;
  /** Turns committed in the instance's whole life: the key of its history rows. */
  readonly turn: number;
  /** Executions so far: 1, and one more with every continue-as-new and rewind. */
  readonly generation: number;
  /** Events in the history of the current execution. */
  readonly historyLength: number;
  /** The time of the last turn; the next one's is not before it (T3). */
  readonly lastTurnAt: Instant;
  /** Claims since the last committed turn. */
  readonly attempts: number;
  /** Suspended, or (an entity) locked: only messages that wake always make it ready. */
  readonly held: boolean;
  /** Not claimed for its program before this (a delayed retry after an abandon or a stall). */
  readonly notBefore?: Instant;
  readonly stall?: Stall;
  /** The external events that its program waits for right now. */
  readonly awaitedEvents?: readonly string[];
  /** An orchestration's critical sections that are not let go yet: what its end, whatever it is, releases (E4). */
  readonly sections?: readonly CriticalSection[];
  /** Who has this entity to itself: nothing but its calls is done meanwhile (E5). */
  readonly lockedBy?: EntityLock;
  /** Messages that were dropped, counted over the instance's life. */
  readonly dropped: number;
}

/** The payloads of an instance, beside its record. */
export interface InstancePayloads {
  readonly input?: string;
  readonly output?: string;
  readonly customStatus?: string;
  readonly failure?: Failure;
  /** An entity's. Absent: for its users it does not exist. */
  readonly state?: string;
}

/** Record and payloads together, as a reader gets them. */
export interface StoredInstance {
  readonly record: InstanceRecord;
  readonly payloads: InstancePayloads;
}

/** Whether a status is one that an instance never leaves (but by rewind or restart). */
export function isTerminal(status: InstanceStatus): status is TerminalStatus {
  return status === "COMPLETED" || status === "FAILED" || status === "TERMINATED";
}
