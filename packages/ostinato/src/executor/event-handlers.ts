// event-handlers: what each kind of event does to a turn.
//
// Owns:    the exhaustive table event kind → its effect.
// Always:  E1 an event settles at most one task; what nobody waits for (unknown ids, a second start, a second completion) changes nothing.
//          E2 while suspended, or until a rewound program has its section back, everything that would move the program is held back in its order;
//             what is recorded is still compared.

import type { EventKind, HistoryEvent } from "../contract/events.ts";
import { regains } from "./critical-sections.ts";
import { attemptFailed } from "./retries.ts";
import type { Turn } from "./turn.ts";

type Handlers = { readonly [K in EventKind]: (turn: Turn, event: Extract<HistoryEvent, { kind: K }>) => void };

/** Kinds that move the program, and wait while it is suspended. */
const MOVES: ReadonlySet<EventKind> = new Set<EventKind>([
  "ExecutionStarted",
  "TaskCompleted",
  "TaskFailed",
  "TimerFired",
  "SubOrchestrationInstanceCompleted",
  "SubOrchestrationInstanceFailed",
  "EventRaised",
  "EntityOperationCompleted",
  "EntityOperationFailed",
  "EntityLockGranted",
]);

const handlers: Handlers = {
  OrchestratorStarted(turn, event) {
    if (turn.replaying) turn.endOfRecordedTurn(event);
    if (turn.difference === undefined) turn.rewinding?.turnBegins();
    if (event.timestamp > turn.clock) turn.clock = event.timestamp;
    if (!turn.replaying) turn.askForMissing();
  },
  ExecutionStarted(turn, event) {
    if (turn.started !== undefined) return;
    turn.started = event;
    turn.toBegin = event; // by run-turn, which knows whether the input is still to be checked
  },
  ExecutionCompleted(turn, event) {
    turn.endRecorded = true;
    if (turn.over || event.status !== "COMPLETED") return;
    turn.endOfRecordedTurn(event); // names what it asks for instead, if it asks for anything
    turn.differ({ recorded: { number: turn.eventsSeen, event } });
  },
  ExecutionSuspended(turn) {
    turn.suspended = true;
  },
  ExecutionResumed(turn) {
    turn.suspended = false;
  },
  ExecutionTerminated(turn, event) {
    // An end of its own stands; a next execution does not: the instance is to end.
    if (turn.over && turn.next === undefined) return;
    turn.next = undefined;
    turn.ending = { kind: "terminated", output: event.output };
    turn.endRecorded = true;
    turn.end();
  },
  ExecutionRewound(turn, event) {
    turn.rewinding?.rewind(turn, event);
  },
  TaskScheduled: recorded,
  TimerCreated: recorded,
  SubOrchestrationInstanceCreated: recorded,
  EventSent: recorded,
  EntityOperationSignaled: recorded,
  EntityOperationCalled: recorded,
  EntityLockRequested: recorded,
  EntityUnlockSent: recorded,
  TaskCompleted(turn, event) {
    const open = turn.open.get(event.taskScheduledId);
    if (open?.kind !== "activity") return;
    turn.open.delete(event.taskScheduledId);
    turn.settle(open.call.task, open.call.output, event.result, `result of activity '${open.call.name}'`);
  },
  TaskFailed(turn, event) {
    const open = turn.open.get(event.taskScheduledId);
    if (open?.kind !== "activity") return;
    turn.open.delete(event.taskScheduledId);
    attemptFailed(turn, open.call, event.failure);
  },
  TimerFired(turn, event) {
    const open = turn.open.get(event.timerId);
    if (open?.kind !== "timer") return;
    turn.open.delete(event.timerId);
    open.fired();
  },
  TimerCancelled() {
    // Written for readers: on replay the program takes its timer back again.
  },
  SubOrchestrationInstanceCompleted(turn, event) {
    const open = turn.open.get(event.taskScheduledId);
    if (open?.kind !== "child") return;
    turn.open.delete(event.taskScheduledId);
    turn.settle(open.call.task, open.call.output, event.result, `result of sub-orchestration '${open.call.name}'`);
  },
  SubOrchestrationInstanceFailed(turn, event) {
    const open = turn.open.get(event.taskScheduledId);
    if (open?.kind !== "child") return;
    turn.open.delete(event.taskScheduledId);
    attemptFailed(turn, open.call, event.failure);
  },
  EventRaised(turn, event) {
    turn.raise(event);
  },
  EntityOperationCompleted(turn, event) {
    turn.entities?.completed(event);
  },
  EntityOperationFailed(turn, event) {
    turn.entities?.failed(event);
  },
  EntityLockGranted(turn, event) {
    turn.entities?.granted(event);
  },
};

function recorded(turn: Turn, event: HistoryEvent): void {
  turn.recorded(event);
}

/** Lets an event have its effect, or holds it back while the execution is suspended. */
export function handle(turn: Turn, event: HistoryEvent): void {
  if ((turn.suspended || turn.entities !== undefined) && !turn.over && MOVES.has(event.kind) && isHeldBack(turn, event)) {
    turn.held.push(event);
    return;
  }
  (handlers[event.kind] as (turn: Turn, event: HistoryEvent) => void)(turn, event);
}

function isHeldBack(turn: Turn, event: HistoryEvent): boolean {
  if (turn.suspended) return true;
  const section = turn.entities?.section;
  return section?.state === "regaining" && !regains(section, event);
}

/** Takes what may be delivered of what is held back, when it is not suspended: all of it, or nothing but the grant that a rewound program waits for. */
export function takeHeld(turn: Turn): readonly HistoryEvent[] {
  const section = turn.entities?.section;
  if (section?.state !== "regaining") return turn.held.splice(0);
  const grant = turn.held.findIndex((event) => regains(section, event));
  return grant < 0 ? NOTHING : turn.held.splice(grant, 1);
}

const NOTHING: readonly HistoryEvent[] = [];

/** The bytes of payload that an event brings. */
export function payloadOf(event: HistoryEvent): number {
  if ("input" in event && event.input !== undefined) return event.input.length;
  if ("result" in event && event.result !== undefined) return event.result.length;
  return 0;
}
