// kept-pasts: the histories of instances that workers of other SDKs run, kept between their turns.
//
// Owns:    for one stream: the events of each execution so far. Such a worker keeps nothing, and is sent its past with every turn; from here it
//          needs no read of the store.
// Is told: items as the backend hands them out, outcomes, notices.
// Always:  KP1 the past that is sent has exactly the events that the item says it has; where they are not here, the backend is asked for them.
//          KP2 after a turn the past grows by what the engine writes for it: the new events, then what each action is recorded as.
//          KP3 forgetting is always safe. All streams together keep no more than the budget, beside what is out right now.

import {
  recordedAs,
  type Action,
  type ExecutionId,
  type HistoryEvent,
  type InstanceId,
  type OrchestrationOutcome,
  type OrchestrationWorkItem,
} from "ostinato/contract";
import { weightOf } from "./weight.ts";

/** What all streams of a server may keep, and do. */
export interface PastBudget {
  readonly bytes: number;
  used: number;
}

/** The past of an execution, as it stands for one turn. */
export interface TurnPast {
  readonly instanceId: InstanceId;
  readonly executionId: ExecutionId;
  readonly events: HistoryEvent[];
  bytes: number;
  /** A turn is out that goes on from it. */
  busy: boolean;
  /** Still the newest that is known of its instance. */
  current: boolean;
}

/** The pasts that one stream keeps. */
export interface KeptPasts {
  /** The past of an item; `undefined` when it is not here. */
  take(item: OrchestrationWorkItem): TurnPast | undefined;
  /** After the item's outcome: the bytes that the past counts for, or `undefined` when it is not kept. */
  advance(past: TurnPast, newEvents: readonly HistoryEvent[], outcome: OrchestrationOutcome): number | undefined;
  forget(instanceId: InstanceId): void;
  clear(): void;
  readonly size: number;
}

/** Keeps the pasts of a stream. */
export function createKeptPasts(budget: PastBudget): KeptPasts {
  // In the order of their last turns.
  const kept = new Map<InstanceId, TurnPast>();

  const drop = (past: TurnPast): void => {
    past.current = false;
    budget.used -= past.bytes;
    if (kept.get(past.instanceId) === past) kept.delete(past.instanceId);
  };
  const forget = (instanceId: InstanceId): void => {
    const past = kept.get(instanceId);
    if (past !== undefined) drop(past);
  };
  const makeRoom = (): void => {
    for (const past of kept.values()) {
      if (budget.used <= budget.bytes) return;
      if (!past.busy) drop(past);
    }
  };

  return {
    take(item) {
      const known = kept.get(item.instanceId);
      if ("kept" in item.past) {
        if (known === undefined || known.busy || known.executionId !== item.executionId || known.events.length !== item.past.kept) {
          forget(item.instanceId);
          return undefined;
        }
        known.busy = true;
        return known;
      }
      forget(item.instanceId);
      const events = [...item.past.events];
      const { instanceId, executionId } = item;
      const past: TurnPast = { instanceId, executionId, events, bytes: weightOf(events), busy: true, current: true };
      kept.set(instanceId, past);
      budget.used += past.bytes;
      return past;
    },
    advance(past, newEvents, outcome) {
      past.busy = false;
      if (!past.current) return undefined;
      if (outcome.kind !== "turn" || !goesOn(outcome)) {
        drop(past);
        return undefined;
      }
      const at = newEvents[0]!.timestamp;
      const written = [...newEvents, ...outcome.actions.flatMap((action) => recordedAs(action, at) ?? [])];
      const bytes = weightOf(written);
      // Not into the same list: a part of the old one may be on its way to a worker right now.
      const next: TurnPast = { ...past, events: past.events.concat(written), bytes: past.bytes + bytes, busy: false };
      drop(past);
      if (next.bytes > budget.bytes) return undefined;
      kept.set(next.instanceId, next);
      budget.used += next.bytes;
      makeRoom();
      return kept.get(next.instanceId) === next ? next.bytes : undefined;
    },
    forget,
    clear() {
      for (const past of [...kept.values()]) drop(past);
    },
    get size() {
      return kept.size;
    },
  };
}

/** Whether the same history goes on in the next turn, and the turn has taken all that was new, as it was. */
function goesOn({ actions, eventsProcessed, acceptedInput }: Extract<OrchestrationOutcome, { kind: "turn" }>): boolean {
  // An input that was accepted is recorded in place of the one that came.
  return eventsProcessed === undefined && acceptedInput === undefined && !actions.some(endsHistory);
}

function endsHistory({ kind }: Action): boolean {
  return kind === "completeOrchestration" || kind === "rewindOrchestration";
}
