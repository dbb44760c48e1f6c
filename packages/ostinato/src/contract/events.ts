// events: what a history is made of.
//
// Owns:    the kinds of history events, named and shaped as the Durable Task protocol has them.
// Always:  an event is plain data; payloads (`input`, `result`) are opaque strings whose presence is kept.
//          `eventId` is -1 for what happened to an instance, and the action's id for what its program asked for.

import type { Failure } from "./failure.ts";
import type { EntityId, ExecutionId, InstanceId } from "./ids.ts";
import type { Instant } from "./instant.ts";
import type { ParentLink, Tags, TerminalStatus } from "./instance.ts";

interface EventBase {
  readonly eventId: number;
  readonly timestamp: Instant;
}

/** A turn begins. Its timestamp is the orchestrator's clock until the next one. */
export interface OrchestratorStarted extends EventBase {
  readonly kind: "OrchestratorStarted";
}

/** The first event of an execution, after OrchestratorStarted. */
export interface ExecutionStarted extends EventBase {
  readonly kind: "ExecutionStarted";
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly parent?: ParentLink;
  readonly tags?: Tags;
  readonly scheduledAt?: Instant;
  /** What idempotency keys count from (lineage.ts); this execution where it is absent. */
  readonly lineage?: ExecutionId;
  /** True when the input was checked, by the caller's contract or in the first turn, so the worker need not. False: whoever keeps the history
   *  records no checks, so the input is checked at every replay. Absent: it was not checked yet. */
  readonly validated?: boolean;
  /** The history was rewound by taking out what had failed, as servers of the family do: what the program asks for in its replay without a record
   *  is asked for by the turn that follows. Our own histories never have it. */
  readonly isCut?: boolean;
  /** After continue-as-new: events that the execution before had not consumed. Delivered right after this event, before everything else. */
  readonly carriedEvents?: readonly EventRaised[];
  readonly traceContext?: string;
}

/** The last event of a finished execution. */
export interface ExecutionCompleted extends EventBase {
  readonly kind: "ExecutionCompleted";
  readonly status: TerminalStatus;
  readonly result?: string;
  readonly failure?: Failure;
}

export interface ExecutionSuspended extends EventBase {
  readonly kind: "ExecutionSuspended";
  readonly reason?: string;
}

export interface ExecutionResumed extends EventBase {
  readonly kind: "ExecutionResumed";
  readonly reason?: string;
}

export interface ExecutionTerminated extends EventBase {
  readonly kind: "ExecutionTerminated";
  /** What becomes the instance's output. */
  readonly output?: string;
  readonly recursive: boolean;
  /** The page of children that comes next: those before it were told already (a recursion in bounded steps). */
  readonly after?: string;
}

export interface TaskScheduled extends EventBase {
  readonly kind: "TaskScheduled";
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  readonly traceContext?: string;
}

export interface TaskCompleted extends EventBase {
  readonly kind: "TaskCompleted";
  readonly taskScheduledId: number;
  readonly result?: string;
}

export interface TaskFailed extends EventBase {
  readonly kind: "TaskFailed";
  readonly taskScheduledId: number;
  readonly failure: Failure;
}

export interface TimerCreated extends EventBase {
  readonly kind: "TimerCreated";
  readonly fireAt: Instant;
}

export interface TimerFired extends EventBase {
  readonly kind: "TimerFired";
  readonly timerId: number;
  readonly fireAt: Instant;
}

/** The program took a timer back. Ours: the family's protocol leaves no trace of it. */
export interface TimerCancelled extends EventBase {
  readonly kind: "TimerCancelled";
  readonly timerId: number;
}

export interface SubOrchestrationInstanceCreated extends EventBase {
  readonly kind: "SubOrchestrationInstanceCreated";
  readonly instanceId: InstanceId;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  readonly traceContext?: string;
}

export interface SubOrchestrationInstanceCompleted extends EventBase {
  readonly kind: "SubOrchestrationInstanceCompleted";
  readonly taskScheduledId: number;
  readonly result?: string;
}

export interface SubOrchestrationInstanceFailed extends EventBase {
  readonly kind: "SubOrchestrationInstanceFailed";
  readonly taskScheduledId: number;
  readonly failure: Failure;
}

/** This instance sent an external event to another one. */
export interface EventSent extends EventBase {
  readonly kind: "EventSent";
  readonly instanceId: InstanceId;
  readonly name: string;
  readonly input?: string;
}

/** An external event reached this instance. Names are compared without regard to case. */
export interface EventRaised extends EventBase {
  readonly kind: "EventRaised";
  readonly name: string;
  readonly input?: string;
}

/**
 * A failed execution goes on. What stands before it stays as it was: the failures that ended it are taken back by the program's replay, which
 * asks again for what had failed or was still open.
 */
export interface ExecutionRewound extends EventBase {
  readonly kind: "ExecutionRewound";
  readonly reason?: string;
  /** In a message to a child, and only there: the start it is to be given when there is nothing to rewind, and who waits for it now. */
  readonly start?: ExecutionStarted;
}

/** Who called an entity, or asks for its lock: a running execution. */
export interface EntityCaller {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
}

/** An operation of an entity that nobody waits for. In a history: it was sent; in an entity's inbox: it is to be done. */
export interface EntityOperationSignaled extends EventBase {
  readonly kind: "EntityOperationSignaled";
  readonly entityId: EntityId;
  readonly requestId: string;
  readonly operation: string;
  readonly input?: string;
  /** Not done before. */
  readonly scheduledAt?: Instant;
  readonly traceContext?: string;
}

/** An operation of an entity whose answer its caller waits for. In a history: it was sent; in an entity's inbox: it is to be done. */
export interface EntityOperationCalled extends EventBase {
  readonly kind: "EntityOperationCalled";
  readonly entityId: EntityId;
  readonly requestId: string;
  readonly operation: string;
  readonly input?: string;
  /** Not done before. */
  readonly scheduledAt?: Instant;
  /** Who waits for the answer. Only in an inbox: in a history it is the instance itself. */
  readonly caller?: EntityCaller;
  readonly traceContext?: string;
}

/** The answer to a call. */
export interface EntityOperationCompleted extends EventBase {
  readonly kind: "EntityOperationCompleted";
  readonly requestId: string;
  readonly result?: string;
}

/** The answer to a call whose operation failed. */
export interface EntityOperationFailed extends EventBase {
  readonly kind: "EntityOperationFailed";
  readonly requestId: string;
  readonly failure: Failure;
}

/** A critical section is asked for. In a history: it was; in an inbox: the request travels from entity to entity of its set, in order. */
export interface EntityLockRequested extends EventBase {
  readonly kind: "EntityLockRequested";
  readonly criticalSectionId: string;
  /** Sorted by id, each once. */
  readonly lockSet: readonly EntityId[];
  /** Which of the set is asked now. */
  readonly position: number;
  /** Whose section it is to be. Only in an inbox. */
  readonly caller?: EntityCaller;
}

/** All entities of the set are locked: the section is its caller's. */
export interface EntityLockGranted extends EventBase {
  readonly kind: "EntityLockGranted";
  readonly criticalSectionId: string;
}

/** One entity of a section is let go. */
export interface EntityUnlockSent extends EventBase {
  readonly kind: "EntityUnlockSent";
  readonly criticalSectionId: string;
  readonly entityId: EntityId;
  /** Only in an inbox. */
  readonly caller?: EntityCaller;
  /** Only in an inbox: the section was never granted, since its caller ended before. It follows the request from entity to entity of the set. */
  readonly withdraws?: { readonly lockSet: readonly EntityId[]; readonly position: number };
}

/** What an entity is asked to do. */
export type EntityOperationEvent = EntityOperationSignaled | EntityOperationCalled;

/** One thing that happened to an instance, or that its program asked for. */
export type HistoryEvent =
  | OrchestratorStarted
  | ExecutionStarted
  | ExecutionCompleted
  | ExecutionSuspended
  | ExecutionResumed
  | ExecutionTerminated
  | ExecutionRewound
  | TaskScheduled
  | TaskCompleted
  | TaskFailed
  | TimerCreated
  | TimerFired
  | TimerCancelled
  | SubOrchestrationInstanceCreated
  | SubOrchestrationInstanceCompleted
  | SubOrchestrationInstanceFailed
  | EventSent
  | EventRaised
  | EntityOperationSignaled
  | EntityOperationCalled
  | EntityOperationCompleted
  | EntityOperationFailed
  | EntityLockRequested
  | EntityLockGranted
  | EntityUnlockSent;

/** The kinds of history events. */
export type EventKind = HistoryEvent["kind"];

/**
 * Which fields of each kind are payloads. Failures are none: they stay readable for operators.
 *
 * @example
 * const isSecret = (event: HistoryEvent, field: string) => EVENT_PAYLOADS[event.kind].some((name) => name === field);
 */
export const EVENT_PAYLOADS: { readonly [K in EventKind]: readonly (keyof Extract<HistoryEvent, { kind: K }>)[] } = {
  OrchestratorStarted: [],
  ExecutionStarted: ["input"],
  ExecutionCompleted: ["result"],
  ExecutionSuspended: [],
  ExecutionResumed: [],
  ExecutionTerminated: ["output"],
  ExecutionRewound: [],
  TaskScheduled: ["input"],
  TaskCompleted: ["result"],
  TaskFailed: [],
  TimerCancelled: [],
  TimerCreated: [],
  TimerFired: [],
  SubOrchestrationInstanceCreated: ["input"],
  SubOrchestrationInstanceCompleted: ["result"],
  SubOrchestrationInstanceFailed: [],
  EventSent: ["input"],
  EventRaised: ["input"],
  EntityOperationSignaled: ["input"],
  EntityOperationCalled: ["input"],
  EntityOperationCompleted: ["result"],
  EntityOperationFailed: [],
  EntityLockRequested: [],
  EntityLockGranted: [],
  EntityUnlockSent: [],
};
