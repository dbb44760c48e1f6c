// recorded-as: what an action is written as.
//
// Owns:    the one correspondence between what a program asks for and what its history says. The engine writes with it; the executor
//          checks a replay with it, so that the two can never disagree.
// Always:  the event's id is the action's id; the event's time is the turn's.

import type { Action } from "./actions.ts";
import type { HistoryEvent, TaskScheduled } from "./events.ts";
import type { Instant } from "./instant.ts";

/** The event that records an action; `undefined` for what leaves none of its own: a completion's is written last, a rewind replaces them all. */
export function recordedAs(action: Action, timestamp: Instant): HistoryEvent | undefined {
  const eventId = action.id;
  switch (action.kind) {
    case "scheduleTask": {
      // The hot one: written without a detour.
      const event: Writable<TaskScheduled> = { kind: "TaskScheduled", eventId, timestamp, name: action.name };
      if (action.version !== undefined) event.version = action.version;
      if (action.input !== undefined) event.input = action.input;
      if (action.tags !== undefined) event.tags = action.tags;
      if (action.traceContext !== undefined) event.traceContext = action.traceContext;
      return event;
    }
    case "createSubOrchestration": {
      const { instanceId, name, version, input, tags, traceContext } = action;
      return {
        kind: "SubOrchestrationInstanceCreated",
        eventId,
        timestamp,
        instanceId,
        name,
        ...given({ version, input, tags, traceContext }),
      };
    }
    case "createTimer":
      return { kind: "TimerCreated", eventId, timestamp, fireAt: action.fireAt };
    case "sendEvent":
      return { kind: "EventSent", eventId, timestamp, instanceId: action.instanceId, name: action.name, ...given({ input: action.input }) };
    case "signalEntity":
    case "callEntity": {
      const { entityId, requestId, operation, input, scheduledAt, traceContext } = action;
      return {
        kind: action.kind === "callEntity" ? "EntityOperationCalled" : "EntityOperationSignaled",
        eventId,
        timestamp,
        entityId,
        requestId,
        operation,
        ...given({ input, scheduledAt, traceContext }),
      };
    }
    case "lockEntities":
      return {
        kind: "EntityLockRequested",
        eventId,
        timestamp,
        criticalSectionId: action.criticalSectionId,
        lockSet: action.lockSet,
        position: 0,
      };
    case "unlockEntity":
      return { kind: "EntityUnlockSent", eventId, timestamp, criticalSectionId: action.criticalSectionId, entityId: action.entityId };
    case "cancelTimer":
      return { kind: "TimerCancelled", eventId: -1, timestamp, timerId: action.id };
    case "terminateOrchestration":
    case "rewindOrchestration":
    case "completeOrchestration":
      return undefined;
  }
}

/** A value in the making: its fields can still be set. */
export type Writable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * The fields that have a value: with `exactOptionalPropertyTypes` an absent field is left out, never set to `undefined`.
 *
 * @example
 * given({ version: undefined, input: "1" }); // { input: "1" }
 */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const kept: Partial<Record<keyof T, unknown>> = {};
  for (const key in fields) if (fields[key] !== undefined) kept[key] = fields[key];
  return kept as { [K in keyof T]?: Exclude<T[K], undefined> };
}
