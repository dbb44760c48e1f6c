// actions: what a turn may ask for.
//
// Owns:    the kinds of actions. An orchestrator changes the world by no other way.
// Always:  AC1 our programs count from 1 in each execution; each call that can be recorded takes a number. A cancelled timer keeps its own.
//          AC2 whoever receives actions relies on none of it: workers of other SDKs count from 0, send everything under -1, or ask for the
//          next attempt of a call under the number of the first.

import type { Failure } from "./failure.ts";
import type { EntityId, ExecutionId, InstanceId } from "./ids.ts";
import type { Instant } from "./instant.ts";
import type { Tags } from "./instance.ts";
import type { EventRaised, HistoryEvent } from "./events.ts";

/** Run an activity. */
export interface ScheduleTask {
  readonly kind: "scheduleTask";
  readonly id: number;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  /** Which attempt of its call this is, by the retry policy, from 1. */
  readonly attempt: number;
  /** The id of the call's first attempt: idempotency keys count by it. */
  readonly firstId: number;
  /** How long one delivery of this attempt may run. */
  readonly attemptTimeoutMs?: number;
  /** When the whole call (all attempts) has taken too long, by the orchestrator's clock. */
  readonly expiresAt?: Instant;
  readonly traceContext?: string;
}

/** Start a child instance; its end comes back as an event. */
export interface CreateSubOrchestration {
  readonly kind: "createSubOrchestration";
  readonly id: number;
  readonly instanceId: InstanceId;
  /** The child's first execution id: minted by the parent's turn, so that a repeated commit starts the same child. */
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  readonly traceContext?: string;
  /** The caller was rewound: a child that failed is rewound too, one that completed tells its result again, one that is gone is started. */
  readonly rewinds?: { readonly reason?: string };
}

/** Fire once, not before `fireAt`. */
export interface CreateTimer {
  readonly kind: "createTimer";
  readonly id: number;
  readonly fireAt: Instant;
}

/** Take back a timer of this execution that has not fired. */
export interface CancelTimer {
  readonly kind: "cancelTimer";
  /** The timer's own id. */
  readonly id: number;
}

/** Raise an external event at another instance. */
export interface SendEvent {
  readonly kind: "sendEvent";
  readonly id: number;
  readonly instanceId: InstanceId;
  readonly name: string;
  readonly input?: string;
}

/** Let an entity do something, and wait for nothing. */
export interface SignalEntity {
  readonly kind: "signalEntity";
  readonly id: number;
  readonly entityId: EntityId;
  /** Deterministic; unique among all requests. A UUID, as workers of other SDKs read it as one. */
  readonly requestId: string;
  readonly operation: string;
  readonly input?: string;
  /** Not done before. */
  readonly scheduledAt?: Instant;
  readonly traceContext?: string;
}

/** Let an entity do something; its answer comes back as an event with the same request id. */
export interface CallEntity {
  readonly kind: "callEntity";
  readonly id: number;
  readonly entityId: EntityId;
  readonly requestId: string;
  readonly operation: string;
  readonly input?: string;
  readonly scheduledAt?: Instant;
  readonly traceContext?: string;
}

/** Ask for a critical section; that it is granted comes back as an event. */
export interface LockEntities {
  readonly kind: "lockEntities";
  readonly id: number;
  /** A UUID, deterministic. */
  readonly criticalSectionId: string;
  /** Sorted by id, each once, at least one. */
  readonly lockSet: readonly EntityId[];
}

/** Let one entity of a section go. */
export interface UnlockEntity {
  readonly kind: "unlockEntity";
  readonly id: number;
  readonly criticalSectionId: string;
  readonly entityId: EntityId;
}

/** Terminate another instance. */
export interface TerminateOrchestration {
  readonly kind: "terminateOrchestration";
  readonly id: number;
  readonly instanceId: InstanceId;
  /** What becomes its output. */
  readonly reason?: string;
  /** Its children, and theirs, go with it. */
  readonly recursive: boolean;
}

/**
 * The worker's answer to an ExecutionRewound behind the end of its execution: the history without what failed, under which the instance goes on.
 * Our own programs append instead, and say with every call again which of them is tried anew.
 */
export interface RewindOrchestration {
  readonly kind: "rewindOrchestration";
  readonly id: number;
  /** All that is kept. Its ExecutionStarted has the id of the execution that goes on. */
  readonly newHistory: readonly HistoryEvent[];
}

/** The program has ended, or begins anew. */
export interface CompleteOrchestration {
  readonly kind: "completeOrchestration";
  readonly id: number;
  readonly status: "COMPLETED" | "FAILED" | "TERMINATED" | "CONTINUED_AS_NEW";
  /** The output; for CONTINUED_AS_NEW the next execution's input. */
  readonly result?: string;
  readonly failure?: Failure;
  /** CONTINUED_AS_NEW only: the next execution's version, when it changes. */
  readonly newVersion?: string;
  /** CONTINUED_AS_NEW only: the next execution's tags, when they change. None at all leaves them as they are. */
  readonly tags?: Tags;
  /** CONTINUED_AS_NEW only: buffered events that no wait has taken, in order of arrival. */
  readonly carriedEvents?: readonly EventRaised[];
  /** CONTINUED_AS_NEW only: how many buffered events were dropped since the program said so. */
  readonly droppedEvents?: number;
}

/** One thing that a turn asks for. */
export type Action =
  | ScheduleTask
  | CreateSubOrchestration
  | CreateTimer
  | CancelTimer
  | SendEvent
  | SignalEntity
  | CallEntity
  | LockEntities
  | UnlockEntity
  | TerminateOrchestration
  | RewindOrchestration
  | CompleteOrchestration;

/** The kinds of actions. */
export type ActionKind = Action["kind"];
