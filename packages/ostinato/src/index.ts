// ostinato: durable orchestrations in TypeScript. This is the author's door: everything a program is written with.

export { activity, externalEvent, orchestrator } from "./authoring/define.ts";
export type {
  Activity,
  ActivityContract,
  ActivityDefinition,
  ActivityRef,
  ActivitySpec,
  CallArguments,
  EventRef,
  InputOf,
  Orchestrator,
  OrchestratorBody,
  OrchestratorContract,
  OrchestratorDefinition,
  OrchestratorRef,
  OrchestratorSpec,
  OutputOf,
} from "./authoring/define.ts";
export { entity } from "./authoring/entity.ts";
export type {
  Entity,
  EntityBuilder,
  EntityClass,
  EntityClassOptions,
  EntityDefinition,
  EntityOperation,
  EntityOptions,
  EntityRef,
  OperationSpec,
  OperationsFrom,
  OperationsOf,
  OperationsOfClass,
  StateOf,
} from "./authoring/entity.ts";
export type { EntityContext, EntitySignaller, EntityStartOptions } from "./authoring/entity-context.ts";
export type { EntityProxy, EntitySignals, NamedOperations, SignalOptions } from "./authoring/entity-proxy.ts";
export type { ActivityContext, ProgramLogger } from "./authoring/activity-context.ts";
export type {
  CallOptions,
  ContinueAsNewOptions,
  CriticalSection,
  LockableEntity,
  LockTask,
  MapOptions,
  OrchestratorContext,
  ParentInfo,
  SubOrchestratorOptions,
  TryError,
  TryResult,
} from "./authoring/orchestrator-context.ts";
export type { EventTask, First, Settled, Task, TaskResults, TimerTask, Winner } from "./authoring/task.ts";
export type { CallTimeout, RetryContext, RetryDecision, RetryHandler, RetryPolicy } from "./authoring/retry.ts";
export { defaultConverter, type ClassOf, type PayloadConverter } from "./authoring/payload.ts";
export type { InOf, OutOf, Schema, StandardSchemaV1 } from "./authoring/schema.ts";

export { openTaskHub, type HubLimits, type HubOptions } from "./hub/open-task-hub.ts";
export type { PostgresOptions } from "./hub/postgres-hub.ts";
export type { RemoteOptions, RemoteTls } from "./hub/remote-hub.ts";
export type { Hub } from "./hub/hub.ts";
export type { PayloadCodec } from "./hub/codec.ts";
export type { Client, FinishedQuery, InstanceQuery, PurgeManyOptions, StartArgs, StartOptions } from "./client/client.ts";
export type { CleanEntityStorageOptions, EntityClient, EntityHandle, EntityMetadata, EntityQuery } from "./client/entity-handle.ts";
export type { CleanEntityStorageResult, PurgeResult } from "./contract/backend.ts";
export type {
  EventArgs,
  OrchestrationHandle,
  PurgeOptions,
  RestartOptions,
  TerminateOptions,
  WaitOptions,
} from "./client/orchestration-handle.ts";
export type {
  DetailedStatus,
  OrchestrationStatus,
  OutstandingActivityStatus,
  OutstandingStatus,
  StallStatus,
} from "./client/orchestration-status.ts";
export type { Listing, ListingPage, PagedListing } from "./client/listing.ts";
export type { StopOptions, WarmOptions, Worker, WorkerCounters, WorkerOptions, WorkerVersioning } from "./worker/worker.ts";
export type { OrchestratorFilter, WorkItemFilters } from "./worker/work-item-filters.ts";
export type { Concurrency } from "./worker/slots.ts";
export { jsonLineOf, type LogLevel, type LogRecord, type LogSink, type Logger, type LoggerOptions } from "./platform/logger.ts";

export type { BackupOptions, BackupProgress, EstimatedSize, HubSizes, IntegrityFinding, TableSizes } from "./contract/maintenance.ts";
export type { Retention, RetentionByOutcome } from "./contract/retention.ts";
export type { Duration, DurationParts, DurationText, Instant } from "./contract/instant.ts";
export type { InstanceStatus, Tags, TerminalStatus } from "./contract/instance.ts";
export type { HistoryEvent } from "./contract/events.ts";
export type { Failure } from "./contract/failure.ts";
export { compareVersions, type VersionFailureStrategy, type VersionMatchStrategy } from "./contract/versions.ts";
export {
  AccessDeniedError,
  ActivityTimeoutError,
  CriticalSectionError,
  EntityOperationFailedError,
  FileLockedError,
  HistoryFormatError,
  HubClosedError,
  HubUnreachableError,
  InstanceExistsError,
  InstanceNotFoundError,
  InvalidArgumentError,
  InvalidStateError,
  NonDurableWaitError,
  NonRetriableError,
  OrchestrationFailedError,
  OstinatoError,
  PayloadError,
  PayloadTooLargeError,
  ReplayError,
  ResultTimeoutError,
  StoreFormatError,
  StoreUnavailableError,
  TaskCancelledError,
  TaskFailedError,
  TaskPendingError,
  TurnLimitError,
  UnsupportedError,
  ValidationError,
} from "./contract/errors.ts";
