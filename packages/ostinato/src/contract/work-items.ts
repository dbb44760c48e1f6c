// work-items: what a backend hands a worker, and what comes back.
//
// Owns:    WorkItem and Outcome, the two values that cross the Backend seam.
// Always:  plain data; each can be printed, kept in a test, sent on a wire. A token is echoed, never read.

import type { Action } from "./actions.ts";
import type { EntityOperationEvent, HistoryEvent } from "./events.ts";
import type { Failure } from "./failure.ts";
import type { EntityId, ExecutionId, InstanceId } from "./ids.ts";
import type { Instant } from "./instant.ts";
import type { Stall, Tags } from "./instance.ts";

/** What names one hand-out of a work item. Opaque to the worker, which echoes it. */
export type WorkToken = string | number;

/** The events of the execution so far, or how many of them the worker's kept program has already seen. */
export type Past = { readonly events: readonly HistoryEvent[] } | { readonly kept: number };

/** One turn of an orchestration. */
export interface OrchestrationWorkItem {
  readonly kind: "orchestration";
  readonly token: WorkToken;
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly name: string;
  readonly version?: string;
  readonly past: Past;
  /** Never empty; begins with OrchestratorStarted, whose time is the turn's. */
  readonly newEvents: readonly HistoryEvent[];
}

/** One delivery of one attempt of an activity. */
export interface ActivityWorkItem {
  readonly kind: "activity";
  readonly token: WorkToken;
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly taskId: number;
  readonly name: string;
  readonly version?: string;
  readonly input?: string;
  readonly tags?: Tags;
  /** By the retry policy, from 1. */
  readonly attempt: number;
  /** Claims of this attempt, from 1. */
  readonly delivery: number;
  readonly idempotencyKey: string;
  /** How long this delivery may run. */
  readonly timeoutMs?: number;
  readonly traceContext?: string;
}

/** Operations of one entity, to be done one after the other. No other batch of it is out at the same time. */
export interface EntityWorkItem {
  readonly kind: "entity";
  readonly token: WorkToken;
  readonly entityId: EntityId;
  /** When it was handed out, by the clock of the task hub. Absent where the hub does not say it: the worker's own clock is all there is then. */
  readonly at?: Instant;
  /** Absent: it has none. */
  readonly state?: string;
  /** Never empty; in the order in which they came. */
  readonly operations: readonly EntityOperationEvent[];
}

/** The worker must forget a kept program: its instance was taken away, changed by an operator, or is idle. */
export interface ForgetNotice {
  readonly kind: "forget";
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
}

/** The worker should abort a running activity: nobody waits for its result any more. */
export interface CancelNotice {
  readonly kind: "cancel";
  readonly token: WorkToken;
  readonly reason: "terminated" | "timed-out" | "lease-lost" | "draining";
}

/** What a backend hands a worker. */
export type WorkItem = OrchestrationWorkItem | ActivityWorkItem | EntityWorkItem | ForgetNotice | CancelNotice;

/** What became of a turn. */
export type OrchestrationOutcome =
  | {
      readonly kind: "turn";
      readonly token: WorkToken;
      /** In the order asked for; a completion comes last. */
      readonly actions: readonly Action[];
      /** Set when the program set it in this turn; `null` clears it. */
      readonly customStatus?: string | null;
      /** The input as its schema returned it, when this turn validated it. */
      readonly acceptedInput?: string;
      /** The external events the program waits for at the end of the turn. */
      readonly awaitedEvents?: readonly string[];
      /** The worker keeps the program; the bytes it counts for. Absent: it does not. */
      readonly keptBytes?: number;
      /** How many of the new events the turn has taken, OrchestratorStarted among them; the others are new once more in the next. Absent: all. */
      readonly eventsProcessed?: number;
    }
  | { readonly kind: "needs-history"; readonly token: WorkToken }
  | { readonly kind: "stalled"; readonly token: WorkToken; readonly stall: Pick<Stall, "kind" | "reason"> }
  | { readonly kind: "abandoned"; readonly token: WorkToken; readonly reason?: string };

/** What became of one delivery of an activity. */
export type ActivityOutcome =
  | { readonly kind: "completed"; readonly token: WorkToken; readonly result?: string }
  | { readonly kind: "failed"; readonly token: WorkToken; readonly failure: Failure }
  | {
      readonly kind: "abandoned";
      readonly token: WorkToken;
      /** Offered again after so long; absent: after a second, doubling to thirty. */
      readonly delayMs?: number;
      /** The worker has not begun it (it has no code that fits, or had no time): it does not count as a delivery. */
      readonly undone?: boolean;
    };

/** What became of one operation: its result, or why it failed. Of a failed one neither the state nor any message is left (E3). */
export type EntityOperationResult =
  { readonly kind: "succeeded"; readonly result?: string } | { readonly kind: "failed"; readonly failure: Failure };

/** What an operation sends out with the commit of its batch. */
export type EntityAction =
  | {
      readonly kind: "signalEntity";
      readonly entityId: EntityId;
      readonly operation: string;
      readonly input?: string;
      readonly scheduledAt?: Instant;
      readonly traceContext?: string;
    }
  | {
      /** Nothing happens when there is an instance with this id, whatever its status. */
      readonly kind: "startOrchestration";
      readonly instanceId: InstanceId;
      readonly executionId: ExecutionId;
      readonly name: string;
      readonly version?: string;
      readonly input?: string;
      readonly tags?: Tags;
      readonly scheduledAt?: Instant;
      /** The worker has checked the input by the orchestrator's contract. */
      readonly validated?: boolean;
      readonly traceContext?: string;
    };

/** What became of a batch of an entity's operations. */
export type EntityOutcome =
  | {
      readonly kind: "batch";
      readonly token: WorkToken;
      /** In the order of the operations; fewer: the others are offered again, first. */
      readonly results: readonly EntityOperationResult[];
      /** Of those that succeeded, in the order in which they were asked for. */
      readonly actions: readonly EntityAction[];
      /** The state afterwards; absent: it has none any more. */
      readonly state?: string;
    }
  /** Nothing of it counts; it is offered again, each time later. */
  | { readonly kind: "failed"; readonly token: WorkToken; readonly failure: Failure }
  | { readonly kind: "abandoned"; readonly token: WorkToken; readonly delayMs?: number; readonly reason?: string };
