// still-open: what a history has asked for and has no answer to.

import type {
  EntityLockRequested,
  EntityOperationCalled,
  HistoryEvent,
  SubOrchestrationInstanceCreated,
  TaskScheduled,
  TimerCreated,
} from "../contract/events.ts";

/** An event that asked for something and is answered by another one. */
export type OpenEvent = TaskScheduled | SubOrchestrationInstanceCreated | TimerCreated | EntityOperationCalled | EntityLockRequested;

/** The events that have no answer behind them, in the order in which they asked. A number may be there more than once: its last call counts. */
export function stillOpen(events: readonly HistoryEvent[]): Iterable<OpenEvent> {
  const open = new Map<number | string, OpenEvent>();
  for (const event of events) {
    switch (event.kind) {
      case "TaskScheduled":
      case "TimerCreated":
      case "SubOrchestrationInstanceCreated":
        open.delete(event.eventId);
        open.set(event.eventId, event);
        break;
      case "TaskCompleted":
      case "TaskFailed":
      case "SubOrchestrationInstanceCompleted":
      case "SubOrchestrationInstanceFailed":
        open.delete(event.taskScheduledId);
        break;
      case "TimerFired":
      case "TimerCancelled":
        open.delete(event.timerId);
        break;
      case "EntityOperationCalled":
        open.set(event.requestId, event);
        break;
      case "EntityOperationCompleted":
      case "EntityOperationFailed":
        open.delete(event.requestId);
        break;
      case "EntityLockRequested":
        open.set(event.criticalSectionId, event);
        break;
      case "EntityLockGranted":
      // A lock that is let go before it was granted was taken back.
      case "EntityUnlockSent":
        open.delete(event.criticalSectionId);
        break;
      default:
        break;
    }
  }
  return open.values();
}
