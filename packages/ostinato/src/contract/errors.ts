// errors: the error classes a caller can catch, each with a code.
//
// Owns:    the list of codes. A message says what happened, where, and what to do.
// Always:  codes never change their meaning; messages may be reworded.

import { RecordedError, type Failure } from "./failure.ts";

/** What every error of this library is: an `Error` with a stable `code`. */
export abstract class OstinatoError extends Error {
  /** A stable word for programs to look at. */
  abstract readonly code: string;

  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** An argument that can never work: a bad id, name, duration or option. */
export class InvalidArgumentError extends OstinatoError {
  readonly code = "INVALID_ARGUMENT";
}

/** A value that cannot be written as a payload (or a payload that cannot be read). `path` says where in the value. */
export class PayloadError extends OstinatoError {
  readonly code = "PAYLOAD_INVALID";
  readonly path: string;

  constructor(message: string, options: { readonly path: string; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.path = options.path;
  }
}

/** A payload over the configured limit (4 MiB by default; custom status 16 KiB). */
export class PayloadTooLargeError extends OstinatoError {
  readonly code = "PAYLOAD_TOO_LARGE";
}

/** A value that its schema refused. Never retried. */
export class ValidationError extends OstinatoError {
  readonly code = "VALIDATION_FAILED";
  readonly isNonRetriable = true;
  readonly path: string;
  readonly issues: readonly { readonly path: string; readonly message: string }[];

  constructor(
    message: string,
    options: {
      readonly path: string;
      readonly issues: readonly { readonly path: string; readonly message: string }[];
      readonly cause?: unknown;
    },
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.path = options.path;
    this.issues = options.issues;
  }
}

/** There is no instance with this id. */
export class InstanceNotFoundError extends OstinatoError {
  readonly code = "INSTANCE_NOT_FOUND";
}

/** There is no schedule with this id. */
export class ScheduleNotFoundError extends OstinatoError {
  readonly code = "SCHEDULE_NOT_FOUND";
}

/** There is already an instance with this id, so it cannot be started. */
export class InstanceExistsError extends OstinatoError {
  readonly code = "INSTANCE_EXISTS";
}

/** The instance's state does not allow this operation (for example purging one that still runs). */
export class InvalidStateError extends OstinatoError {
  readonly code = "INVALID_STATE";
}

/** A wait for a result took longer than its `timeout`. The instance goes on. */
export class ResultTimeoutError extends OstinatoError {
  readonly code = "RESULT_TIMEOUT";
}

/** The orchestration whose result was asked for failed or was terminated. `cause` is the chain of errors that user code threw. */
export class OrchestrationFailedError extends OstinatoError {
  readonly code: "ORCHESTRATION_FAILED" | "ORCHESTRATION_TERMINATED";
  readonly instanceId: string;
  readonly failure: Failure | undefined;
  /** What a terminated orchestration was given as its output. */
  readonly output: unknown;

  constructor(
    message: string,
    options: { readonly instanceId: string; readonly failure?: Failure; readonly terminated?: boolean; readonly output?: unknown },
  ) {
    super(message, options.failure ? { cause: new RecordedError(options.failure) } : undefined);
    this.code = options.terminated ? "ORCHESTRATION_TERMINATED" : "ORCHESTRATION_FAILED";
    this.instanceId = options.instanceId;
    this.failure = options.failure;
    this.output = options.output;
  }
}

/** An activity or a sub-orchestration failed, as the orchestrator that called it sees it. `cause` is what its code threw. */
export class TaskFailedError extends OstinatoError {
  readonly code: "TASK_FAILED" | "ENTITY_OPERATION_FAILED" = "TASK_FAILED";
  /** The activity's or orchestrator's name. */
  readonly taskName: string;
  readonly taskId: number;
  readonly failure: Failure;
  /** Set on the error that `whenAll` throws: every failure of the group, in order of completion. */
  errors?: readonly unknown[];

  constructor(message: string, options: { readonly taskName: string; readonly taskId: number; readonly failure: Failure }) {
    super(message, { cause: new RecordedError(options.failure) });
    this.taskName = options.taskName;
    this.taskId = options.taskId;
    this.failure = options.failure;
  }
}

/** An operation of an entity failed, as the orchestrator that called it sees it. The entity is as it was before the operation. */
export class EntityOperationFailedError extends TaskFailedError {
  override readonly code = "ENTITY_OPERATION_FAILED";
  readonly entityId: string;
  readonly operation: string;

  constructor(options: { readonly entityId: string; readonly operation: string; readonly taskId: number; readonly failure: Failure }) {
    const { entityId, operation, taskId, failure } = options;
    super(`Operation '${operation}' of entity '${entityId}' failed: ${failure.message}`, { taskName: operation, taskId, failure });
    this.entityId = entityId;
    this.operation = operation;
  }
}

/** A rule of critical sections was broken: an entity outside of the lock was called, a locked one signalled, a section begun within another. */
export class CriticalSectionError extends OstinatoError {
  readonly code = "CRITICAL_SECTION";
}

/** `task.result` was read before the task completed. Await it first. */
export class TaskPendingError extends OstinatoError {
  readonly code = "TASK_PENDING";
}

/** A task was cancelled, and then awaited. */
export class TaskCancelledError extends OstinatoError {
  readonly code = "TASK_CANCELLED";
}

/** Throw it (or any error with `isNonRetriable: true`) when trying again cannot help. */
export class NonRetriableError extends OstinatoError {
  readonly code = "NON_RETRIABLE";
  readonly isNonRetriable = true;
}

/** An orchestrator waits for something that is not durable (a fetch, a timer of the platform, ...), so no replay could go on from there. */
export class NonDurableWaitError extends OstinatoError {
  readonly code = "NON_DURABLE_WAIT";
  readonly isNonRetriable = true;
}

/** A turn asked for more actions than `limits.actionsPerTurn`. The instance fails. */
export class TurnLimitError extends OstinatoError {
  readonly code = "TURN_LIMIT";
  readonly isNonRetriable = true;
}

/** An activity took longer than its `timeout`. A failure like any other: it is retried as its policy says. */
export class ActivityTimeoutError extends OstinatoError {
  readonly code = "ACTIVITY_TIMEOUT";
}

/** The hub or worker was closed while (or before) this was asked. */
export class HubClosedError extends OstinatoError {
  readonly code = "HUB_CLOSED";
}

/** The file is held by another process, whose pid the message names. */
export class FileLockedError extends OstinatoError {
  readonly code = "FILE_LOCKED";
}

/** The file or schema is no task hub, is damaged, or is of another version. It was not touched. */
export class StoreFormatError extends OstinatoError {
  readonly code = "STORE_FORMAT";
}

/** The store could not write (disk full, I/O error), or its database cannot be reached. What had been acknowledged is safe; this was not acknowledged. */
export class StoreUnavailableError extends OstinatoError {
  readonly code = "STORE_UNAVAILABLE";
}

/** An exported history cannot be read: it is damaged, is none, or was written in a newer format. */
export class HistoryFormatError extends OstinatoError {
  readonly code = "HISTORY_FORMAT";
  /** The file. */
  readonly file: string;

  constructor(message: string, options: { readonly file: string; readonly cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.file = options.file;
  }
}

/** Recorded histories do not replay to the same with today's code. The message lists what differs. */
export class ReplayError extends OstinatoError {
  readonly code = "REPLAY_DIFFERENT";
}

/** The server of a remote task hub cannot be reached, or did not answer in time. What was asked may have been done all the same. */
export class HubUnreachableError extends OstinatoError {
  readonly code = "HUB_UNREACHABLE";
}

/** The server of a remote task hub, or a database, does not let whoever asks do this: no credentials, wrong ones, or ones that are for less. */
export class AccessDeniedError extends OstinatoError {
  readonly code = "ACCESS_DENIED";
}

/** The backend behind this hub does not have the feature. */
export class UnsupportedError extends OstinatoError {
  readonly code = "UNSUPPORTED";
}
