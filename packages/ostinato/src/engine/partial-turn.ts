// partial-turn: a turn whose worker has taken the first of its new events, and leaves the others for the next one.
//
// Always:  PT1 what is left is where it was: a message in the inbox, a completion with its activity.
//          PT2 the turn begins as it did: its OrchestratorStarted, and the start with what it carries, are always taken.

import type { HistoryEvent } from "../contract/events.ts";
import { expiriesOf, type OpenedTurn } from "./open-turn.ts";

/** The turn with its first `count` events and nothing of the others; the turn itself when that is all of them. */
export function upTo(turn: OpenedTurn, count: number): OpenedTurn {
  const shown = turn.taken.filter(({ event }) => event.kind !== "ExecutionRewound");
  const head = turn.newEvents.length - shown.length - turn.folds.length;
  const kept = Math.max(count, head);
  if (kept >= turn.newEvents.length) return turn;
  const left = shown.slice(kept - head);
  const folds = turn.folds.slice(0, Math.max(0, kept - head - shown.length));
  const leftIds = new Set(left.map(({ id }) => id));
  const leftTasks = new Set(left.map(({ event }) => taskOf(event)));
  return {
    ...turn,
    newEvents: turn.newEvents.slice(0, kept),
    taken: turn.taken.filter(({ id }) => !leftIds.has(id)),
    consumed: turn.consumed.filter((id) => !leftIds.has(id)),
    folds,
    finished: turn.finished.filter(({ taskId }) => !leftTasks.has(taskId)),
    cancelled: expiriesOf(folds),
  };
}

function taskOf(event: HistoryEvent): number | undefined {
  return event.kind === "TaskFailed" ? event.taskScheduledId : undefined;
}
