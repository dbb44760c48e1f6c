// observer: what can be seen of a task hub at work, by somebody who is never asked to decide.
//
// Owns:    the words of Observer.
// Always:  O1 whatever an observer does, throws or forgets, the run is the same: it is told after the fact, or beside it.

import type { Action } from "../contract/actions.ts";
import type { RaiseEventRequest, SignalEntityRequest, StartRequest } from "../contract/backend.ts";
import type { HistoryEvent } from "../contract/events.ts";
import type { ExecutionId, InstanceId } from "../contract/ids.ts";
import type { ActivityOutcome, ActivityWorkItem } from "../contract/work-items.ts";

/** Which execution something belongs to, and the trace it was started in (a W3C `traceparent`), if any. */
export interface ExecutionFacts {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly traceContext?: string;
}

/** An operation that is under way. */
export interface Operation {
  /** What goes along with the request, as a W3C `traceparent`. */
  readonly traceContext?: string;
  /** It was accepted, or this came of it. */
  ended(error?: unknown): void;
}

/** A body of an activity that runs. */
export interface ActivityRun {
  /** Runs the body where spans that it makes belong to it. */
  within<T>(body: () => T): T;
  ended(outcome: ActivityOutcome, durationMs: number): void;
}

/** An execution whose last turn is committed: its whole log, and the execution that follows it after continue-as-new. */
export interface EndedExecution extends ExecutionFacts {
  readonly name: string;
  readonly version?: string;
  readonly events: readonly HistoryEvent[];
  readonly next?: ExecutionId;
}

/**
 * What watches a task hub. `openTelemetry()` of `ostinato/opentelemetry` makes one.
 *
 * @example
 * const hub = await openTaskHub("sqlite:orders.db", { telemetry: openTelemetry() });
 */
export interface Observer {
  /** A client starts an instance. */
  starting(request: StartRequest): Operation;
  /** A client raises an event. */
  raising(request: RaiseEventRequest): Operation;
  /** A client signals an entity. */
  signalling(request: SignalEntityRequest): Operation;
  /** A turn asks for these: the same actions, perhaps with the trace context that their calls belong to. */
  calling(execution: ExecutionFacts, actions: readonly Action[]): readonly Action[];
  /** A body of an activity begins. */
  running(item: ActivityWorkItem): ActivityRun;
  /** Whether the log of such an execution is wanted: reading it costs something. */
  wants(execution: ExecutionFacts): boolean;
  /** An execution has ended. */
  executionEnded(execution: EndedExecution): void;
  /** Where the hub's counters can be read. Returns how to stop reading them. */
  counting(read: () => Readonly<Record<string, number>>): () => void;
}
