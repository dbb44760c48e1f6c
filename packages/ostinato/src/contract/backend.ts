// backend: the first seam. Client and worker know it, never which body stands behind it.
//
// Owns:    the operations of the Durable Task sidecar service, as plain values, plus fields of our own that every body may ignore.
// Always:  an operation that resolved is durable (I3). What a caller can expect comes as a coded error.

import type { HistoryEvent } from "./events.ts";
import type { EntityId, ExecutionId, InstanceId } from "./ids.ts";
import type { Instant } from "./instant.ts";
import type { FileOperations, HubSizes } from "./maintenance.ts";
import type { InstanceStatus, Stall, StoredInstance, Tags, TerminalStatus } from "./instance.ts";
import type { Outstanding } from "./outstanding.ts";
import type { InstanceFilter, Page, PageRequest } from "./queries.ts";
import type { ActivityOutcome, EntityOutcome, OrchestrationOutcome, WorkItem } from "./work-items.ts";

/** What is needed to start an instance. */
export interface StartRequest {
  readonly instanceId: InstanceId;
  /** Minted by the client; the same one again is the same request, answered the same (I2). */
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  /** Not before this instant. */
  readonly startAt?: Instant;
  /** The client's contract has checked the input. */
  readonly validated?: boolean;
  readonly traceContext?: string;
  /** Statuses of an instance under this id that refuse the start. Absent: all do. See contract/reuse.ts. */
  readonly dedupeStatuses?: readonly InstanceStatus[];
}

/** What is needed to run an instance once more from its beginning. */
export interface RestartRequest {
  readonly instanceId: InstanceId;
  /** The id of the new one; absent: the same. */
  readonly newInstanceId?: InstanceId;
  /** Minted by the client; the same one again is the same request, answered the same. */
  readonly executionId: ExecutionId;
}

/** What is needed to let a failed instance try again what failed. */
export interface RewindRequest {
  readonly instanceId: InstanceId;
  readonly reason?: string;
  /** Minted by the client; the same one again is the same request, answered the same. */
  readonly executionId: ExecutionId;
}

/** What a reader is told of an instance: payloads only when asked for. */
export interface InstanceSnapshot extends StoredInstance {
  /** In words: what the instance waits for; empty when it is finished. */
  readonly waitingFor: readonly string[];
  /** Its activities that are not done and its inbox; absent when it is finished, or where a body does not know. */
  readonly outstanding?: Outstanding;
}

export interface RaiseEventRequest {
  readonly instanceId: InstanceId;
  readonly name: string;
  readonly input?: string;
  /** Minted by the client: the same one again is a no-op. */
  readonly messageId: string;
}

export interface TerminateRequest {
  readonly instanceId: InstanceId;
  readonly output?: string;
  readonly recursive: boolean;
}

export interface PurgeRequest {
  readonly instanceId: InstanceId;
  readonly recursive: boolean;
}

/** Which instances are purged, and for how long. */
export interface PurgeManyRequest {
  /** Those of a filter, or these ids. Of either only the finished ones go. */
  readonly target: { readonly filter: InstanceFilter } | { readonly ids: readonly InstanceId[] };
  /** Finished descendants go as well. */
  readonly recursive: boolean;
  /** After so long it stops, with what is left still there. */
  readonly timeoutMs?: number;
}

/** What a purge of many has done. */
export interface PurgeResult {
  readonly deletedCount: number;
  /** False when the time was over before everything had gone. */
  readonly isComplete: boolean;
}

/** Which finished instances are listed, by the time of their completion and then by id. */
export interface ListIdsRequest {
  readonly statuses?: readonly TerminalStatus[];
  /** Completed at or after. */
  readonly completedFrom?: Instant;
  /** Completed before. */
  readonly completedTo?: Instant;
}

/** What is needed to signal an entity. */
export interface SignalEntityRequest {
  readonly entityId: EntityId;
  readonly operation: string;
  readonly input?: string;
  /** Minted by the client: the same one again is a no-op while the first one is not done yet. */
  readonly requestId: string;
  /** Not done before this instant. */
  readonly scheduledAt?: Instant;
  readonly traceContext?: string;
}

/** What a reader is told of an entity. */
export interface EntitySnapshot {
  readonly entityId: EntityId;
  /** When it was last written by an operation, a lock or a release. */
  readonly lastModifiedAt: Instant;
  /** Operations that wait, those for later not counted. */
  readonly backlogQueueSize: number;
  /** The id of the orchestration that has it to itself. */
  readonly lockedBy?: InstanceId;
  /** Whether it has a state, asked for or not. */
  readonly hasState: boolean;
  /** Absent where there is none, or it was not asked for. */
  readonly state?: string;
  /** Why it has operations that nobody does. */
  readonly stall?: Stall;
}

/** Which entities are listed. All that is given must hold. */
export interface EntityFilter {
  /** The beginning of the id, in its normal form: `@name@...`. */
  readonly idPrefix?: string;
  /** Last modified at or after. */
  readonly lastModifiedFrom?: Instant;
  /** Last modified before. */
  readonly lastModifiedTo?: Instant;
  readonly includeState: boolean;
  /** Those without a state, too. */
  readonly includeTransient: boolean;
}

/** What is to be cleaned up. */
export interface CleanEntityStorageRequest {
  /** Entities without state, lock and anything to do go. */
  readonly removeEmptyEntities: boolean;
  /** Locks whose owners do not run any more are released. */
  readonly releaseOrphanedLocks: boolean;
}

/** What was cleaned up. */
export interface CleanEntityStorageResult {
  readonly emptyEntitiesRemoved: number;
  readonly orphanedLocksReleased: number;
}

/** What a client may ask. */
export interface ClientOperations {
  /** @throws InstanceExistsError when the id is taken in a status that refuses the start, unless by this very request. */
  start(request: StartRequest): Promise<void>;
  get(id: InstanceId): Promise<InstanceSnapshot | undefined>;
  /** Resolves when the instance has left PENDING (or ended); `undefined` when the id is unknown, is purged meanwhile, or `signal` aborts. */
  waitForStart(id: InstanceId, signal?: AbortSignal): Promise<StoredInstance | undefined>;
  /** Resolves when the instance has ended; `undefined` when the id is unknown, is purged meanwhile, or `signal` aborts. */
  waitForCompletion(id: InstanceId, signal?: AbortSignal): Promise<StoredInstance | undefined>;
  /** @throws InstanceNotFoundError for an unknown id; to a finished one it is accepted, dropped and counted. */
  raiseEvent(request: RaiseEventRequest): Promise<void>;
  /** Of a finished instance it changes nothing; a recursive one still reaches children that run. @throws InstanceNotFoundError for an unknown id. */
  terminate(request: TerminateRequest): Promise<void>;
  /** @throws InvalidStateError for a finished instance; one that is suspended already is left as it is. */
  suspend(id: InstanceId, reason?: string): Promise<void>;
  /** @throws InvalidStateError for a finished instance; one that is not suspended is left as it is. */
  resume(id: InstanceId, reason?: string): Promise<void>;
  /** The instance once more from its beginning: same name, input, version and tags, no parent.
   *  @throws InvalidStateError when it has not ended and no other id is given; InstanceExistsError when the other id is taken. */
  restart(request: RestartRequest): Promise<void>;
  /** Lets a failed instance go on: what failed is tried again, what succeeded is not. @throws InvalidStateError unless it is FAILED. */
  rewind(request: RewindRequest): Promise<void>;
  /** How many instances were removed. One that still runs is refused with InvalidStateError. */
  purge(request: PurgeRequest): Promise<number>;
  /** Removes all finished instances of a filter or a list. Those that still run are left alone. */
  purgeMany(request: PurgeManyRequest): Promise<PurgeResult>;
  /** The ids of finished instances, page by page. */
  listIds(request: ListIdsRequest, page: PageRequest): Promise<Page<InstanceId>>;
  /** Orchestrations, unless the filter says `kind: "entity"`. */
  query(filter: InstanceFilter, page: PageRequest): Promise<Page<StoredInstance>>;
  /** Accepted, whether anybody serves the entity or not. */
  signalEntity(request: SignalEntityRequest): Promise<void>;
  /** `undefined` for one that nobody ever addressed, or that was cleaned up. */
  getEntity(id: EntityId, includeState: boolean): Promise<EntitySnapshot | undefined>;
  /** Entities, page by page, in the order in which they came to be. */
  queryEntities(filter: EntityFilter, page: PageRequest): Promise<Page<EntitySnapshot>>;
  /** Takes away what is not needed. It may be asked for at any time, and again when it was cut off. */
  cleanEntityStorage(request: CleanEntityStorageRequest): Promise<CleanEntityStorageResult>;
  /** The history of the current execution; in pages. Nothing for an unknown id. */
  history(id: InstanceId): AsyncIterable<readonly HistoryEvent[]>;
}

/** What a worker can run, and how much at once. */
export interface WorkerInterest {
  /** By name; `"any"`: whatever there is (a worker of another process that says only when it sees the work whether it can do it). Who names a
   *  thing is preferred to who takes any. */
  readonly orchestrators: readonly string[] | "any";
  readonly activities: readonly string[] | "any";
  /** Entity names, in lower case and without `@`. */
  readonly entities: readonly string[] | "any";
  /** Of these orchestrators only instances of one of these versions (`""`: without one). */
  readonly orchestratorVersions?: Readonly<Record<string, readonly string[]>>;
  readonly maxConcurrentOrchestrations: number;
  readonly maxConcurrentActivities: number;
  /** Batches of entities at once. */
  readonly maxConcurrentEntities: number;
  /** The bytes of programs that the worker would keep warm, and for how long without a turn; 0 bytes: it keeps none. */
  readonly warmBytes: number;
  readonly warmIdleMs: number;
}

/** A worker's line to the backend. */
export interface WorkerConnection {
  /** Hands over an outcome. Resolves when the backend has taken charge of it: it is durable, will be with the next turn, or the work has become
   *  somebody else's. Never rejects for a lost lease. */
  completeOrchestration(outcome: OrchestrationOutcome): Promise<void>;
  completeActivity(outcome: ActivityOutcome): Promise<void>;
  completeEntity(outcome: EntityOutcome): Promise<void>;
  /** No new work from now on (first stage of a drain); what was handed out may still be completed. */
  stopTaking(): void;
  /** Gives back everything that is still out. */
  close(): Promise<void>;
}

/** What a worker may ask. */
export interface WorkerOperations {
  connectWorker(interest: WorkerInterest, deliver: (items: readonly WorkItem[]) => void): Promise<WorkerConnection>;
}

/** Counters that an operator can read: every drop, refusal and fence is counted (O2). */
export interface BackendCounters {
  readonly [name: string]: number;
}

/** Seam 1: one task hub. */
export interface Backend extends ClientOperations, WorkerOperations {
  /** Pending waits and started workers hold the process; an open backend alone does not. */
  counters(): BackendCounters;
  close(): Promise<void>;
  /** Where somebody can say how large it is. */
  readonly sizes?: () => Promise<HubSizes>;
  /** Where the task hub is a file. */
  readonly file?: FileOperations;
}
