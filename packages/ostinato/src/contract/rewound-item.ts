// rewound-item: how a rewind is shown to a worker that rewrites histories itself.
//
// Owns:    the form that the workers of the Durable Task family expect of a turn that begins with a rewind.
// Always:  RI1 the same turn, told otherwise: what is left out comes again in the turn after, since the answer takes nothing else.

import type { HistoryEvent } from "./events.ts";
import type { OrchestrationWorkItem } from "./work-items.ts";

/**
 * A turn after a rewind that nobody has answered yet, as workers expect it that answer with a new history (`rewindOrchestration`): behind them is
 * the whole history with its end, and new are the beginning of the turn and the rewind, and nothing else. Every other turn stays as it is.
 *
 * Our own worker finds the rewind in the past and goes on from there: it is shown the turn as it is.
 *
 * @example
 * const shown = asRewindRequest(item);
 * shown.newEvents.map((event) => event.kind); // ["OrchestratorStarted", "ExecutionRewound"]
 */
export function asRewindRequest(item: OrchestrationWorkItem): OrchestrationWorkItem {
  if (!("events" in item.past)) return item;
  const { events } = item.past;
  const at = events.findLastIndex((event) => event.kind === "ExecutionRewound");
  const rewound = events[at];
  const started = item.newEvents[0];
  if (rewound === undefined || started === undefined || !isUnanswered(events, at)) return item;
  return { ...item, past: { events: events.slice(0, at - 1) }, newEvents: [started, rewound] };
}

/** Before it stands the end, and behind it no turn: at most it was suspended and resumed meanwhile. */
function isUnanswered(events: readonly HistoryEvent[], at: number): boolean {
  return (
    events[at - 1]?.kind === "OrchestratorStarted" &&
    events[at - 2]?.kind === "ExecutionCompleted" &&
    events.slice(at + 1).every(({ kind }) => kind === "ExecutionSuspended" || kind === "ExecutionResumed")
  );
}
