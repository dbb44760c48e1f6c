// ostinato/contract: the words of the first seam, for those who build a backend, a transport or a tool: plain data and the few pure functions
// that define it. The error classes are at the main door.

export type {
  Action,
  ActionKind,
  CallEntity,
  CancelTimer,
  CompleteOrchestration,
  CreateSubOrchestration,
  CreateTimer,
  LockEntities,
  RewindOrchestration,
  ScheduleTask,
  SendEvent,
  SignalEntity,
  TerminateOrchestration,
  UnlockEntity,
} from "./contract/actions.ts";
export type {
  Backend,
  BackendCounters,
  CleanEntityStorageRequest,
  CleanEntityStorageResult,
  ClientOperations,
  EntityFilter,
  EntitySnapshot,
  InstanceSnapshot,
  ListIdsRequest,
  PurgeManyRequest,
  PurgeRequest,
  PurgeResult,
  RaiseEventRequest,
  RestartRequest,
  RewindRequest,
  SignalEntityRequest,
  StartRequest,
  TerminateRequest,
  WorkerConnection,
  WorkerInterest,
  WorkerOperations,
} from "./contract/backend.ts";
export type {
  EntityCaller,
  EntityLockGranted,
  EntityLockRequested,
  EntityOperationCalled,
  EntityOperationCompleted,
  EntityOperationEvent,
  EntityOperationFailed,
  EntityOperationSignaled,
  EntityUnlockSent,
  EventKind,
  EventRaised,
  EventSent,
  ExecutionCompleted,
  ExecutionResumed,
  ExecutionRewound,
  ExecutionStarted,
  ExecutionSuspended,
  ExecutionTerminated,
  HistoryEvent,
  OrchestratorStarted,
  SubOrchestrationInstanceCompleted,
  SubOrchestrationInstanceCreated,
  SubOrchestrationInstanceFailed,
  TaskCompleted,
  TaskFailed,
  TaskScheduled,
  TimerCancelled,
  TimerCreated,
  TimerFired,
} from "./contract/events.ts";
export { EVENT_PAYLOADS } from "./contract/events.ts";
export { RecordedError, toFailure, type Failure } from "./contract/failure.ts";
export {
  checkInstanceId,
  checkName,
  childInstanceId,
  entityId,
  entityRecordName,
  isEntityId,
  MAX_ID_LENGTH,
  partsOfEntityId,
  type EntityId,
  type ExecutionId,
  type InstanceId,
  type InstanceKind,
  type InstanceNumber,
  type MessageId,
} from "./contract/ids.ts";
export {
  isTerminal,
  type CriticalSection,
  type EntityLock,
  type InstancePayloads,
  type InstanceRecord,
  type InstanceStatus,
  type ParentLink,
  type Stall,
  type StoredInstance,
  type Tags,
  type TerminalStatus,
} from "./contract/instance.ts";
export { durationMs, LATEST_INSTANT, type Duration, type DurationParts, type DurationText, type Instant } from "./contract/instant.ts";
export { byDelivery, dueTime, type InboxMessage, type Message, type NewInstance } from "./contract/messages.ts";
export { partsOf, type BackendParts } from "./hub/parts-of.ts";
export { sleep, sleepUntil, systemClock, type Clock, type ClockTimer, type TimerOptions } from "./platform/clock.ts";
export {
  createLogger,
  silentLogger,
  type Logger,
  type LoggerOptions,
  type LogLevel,
  type LogRecord,
  type LogSink,
} from "./platform/logger.ts";
export { jittered, seededRandom, systemRandom, type Random } from "./platform/random.ts";
export type { Outstanding, OutstandingActivity } from "./contract/outstanding.ts";
export type { InstanceFilter, Page, PageRequest } from "./contract/queries.ts";
export { given, recordedAs } from "./contract/recorded-as.ts";
export { INSTANCE_STATUSES, refusesItself, refusesStart } from "./contract/reuse.ts";
export { asRewindRequest } from "./contract/rewound-item.ts";
export { servedNames, takes, type Served } from "./contract/served.ts";
export {
  chooseVersion,
  compareVersions,
  versionMismatch,
  type VersionFailureStrategy,
  type VersionMatchStrategy,
} from "./contract/versions.ts";
export type {
  ActivityOutcome,
  ActivityWorkItem,
  CancelNotice,
  EntityAction,
  EntityOperationResult,
  EntityOutcome,
  EntityWorkItem,
  ForgetNotice,
  OrchestrationOutcome,
  OrchestrationWorkItem,
  Past,
  WorkItem,
  WorkToken,
} from "./contract/work-items.ts";
