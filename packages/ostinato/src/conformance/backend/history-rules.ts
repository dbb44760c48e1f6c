// history-rules: what is true of every history, whatever its program did.
//
// Always:  H1, H2, H3, H8, T1, T3 of each history that a story of this kit looks at.

import assert from "node:assert/strict";
import type { HistoryEvent } from "../../index.ts";

/** What closes an event that asked for something. */
const OPENED_BY: Readonly<Partial<Record<HistoryEvent["kind"], HistoryEvent["kind"]>>> = {
  TaskCompleted: "TaskScheduled",
  TaskFailed: "TaskScheduled",
  TimerFired: "TimerCreated",
  SubOrchestrationInstanceCompleted: "SubOrchestrationInstanceCreated",
  SubOrchestrationInstanceFailed: "SubOrchestrationInstanceCreated",
};

/** Refuses a history that no execution may have. */
export function assertSound(history: readonly HistoryEvent[]): void {
  const open = new Map<number, HistoryEvent>();
  let turnTime = Number.NEGATIVE_INFINITY;
  let lastId = 0;
  history.forEach((event, index) => {
    const where = `event ${index} (${event.kind}) of ${history.map((each) => each.kind).join(", ")}`;
    if (event.kind === "OrchestratorStarted") {
      assert.ok(event.timestamp >= turnTime, `T3 the time of a turn went back at ${where}`);
      turnTime = event.timestamp;
    }
    if (event.kind === "ExecutionStarted") assert.equal(index, 1, `H3 a history begins with one ExecutionStarted: ${where}`);
    if (event.kind === "ExecutionCompleted" && index < history.length - 1)
      assert.equal(history[index + 2]?.kind, "ExecutionRewound", `H3 nothing follows the end but a rewind: ${where}`);
    if (event.eventId > 0) {
      assert.ok(event.eventId > lastId, `H1 ids count up: ${event.eventId} after ${lastId} at ${where}`);
      lastId = event.eventId;
      open.set(event.eventId, event);
    }
    const opener = OPENED_BY[event.kind];
    if (opener !== undefined) {
      const id = closes(event);
      const scheduled = id === undefined ? undefined : open.get(id);
      assert.ok(scheduled, `H2, H8 ${where} ends #${id}, which is not open`);
      assert.equal(scheduled.kind, opener, `H2 ${where} ends an event of another kind`);
      open.delete(scheduled.eventId);
      if (event.kind === "TimerFired" && scheduled.kind === "TimerCreated") {
        assert.equal(event.fireAt, scheduled.fireAt, `T2 the due time of a timer is fixed: ${where}`);
        assert.ok(turnTime >= event.fireAt, `T1 a timer was early by ${event.fireAt - turnTime} ms at ${where}`);
      }
    }
  });
  if (history.length > 0) {
    assert.equal(history[0]?.kind, "OrchestratorStarted", "H3 a history begins with OrchestratorStarted");
    assert.equal(history[1]?.kind, "ExecutionStarted", "H3 ExecutionStarted comes first in a history");
  }
}

function closes(event: HistoryEvent): number | undefined {
  if ("taskScheduledId" in event) return event.taskScheduledId;
  if ("timerId" in event) return event.timerId;
  return undefined;
}
