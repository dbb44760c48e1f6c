// close-activity: one activity's outcome becomes a message for its instance.
//
// Is told: the claim, the outcome as an event, the time.
// Always:  AC1 the row goes and the message comes in one commit, fenced by the claim's epoch: a late result is refused and changes nothing (A3).

import type { TaskCompleted, TaskFailed } from "../contract/events.ts";
import type { MessageId } from "../contract/ids.ts";
import type { ActivityOutcome } from "../contract/work-items.ts";
import type { Instant } from "../contract/instant.ts";
import { EMPTY_COMMIT, type ActivityClaim, type ActivityRow, type Commit } from "./commit.ts";

/** The event that an activity's outcome is for its orchestration. */
export function completionEvent(
  taskId: number,
  outcome: Exclude<ActivityOutcome, { kind: "abandoned" }>,
  timestamp: Instant,
): TaskCompleted | TaskFailed {
  if (outcome.kind === "failed") return { kind: "TaskFailed", eventId: -1, timestamp, taskScheduledId: taskId, failure: outcome.failure };
  return outcome.result === undefined
    ? { kind: "TaskCompleted", eventId: -1, timestamp, taskScheduledId: taskId }
    : { kind: "TaskCompleted", eventId: -1, timestamp, taskScheduledId: taskId, result: outcome.result };
}

/** The commit that turns a completion into a message: used whenever it could not be folded into a turn. */
export function closeActivity(claim: ActivityClaim, event: TaskCompleted | TaskFailed): Commit {
  const { row } = claim;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "activity", key: row, epoch: claim.epoch }],
    number: row.number,
    finished: [row],
    cancelled: row.expiresAt === undefined ? [] : [expiryMessageId(row)],
    messages: [
      {
        id: `${row.executionId}:d${row.taskId}:${claim.epoch}`,
        to: row.instanceId,
        execution: row.executionId,
        wakes: "unless-held",
        needs: "program",
        event,
      },
    ],
  };
}

/** The id of the message that makes a call fail when all its attempts together took too long. */
export function expiryMessageId(row: Pick<ActivityRow, "executionId" | "taskId">): MessageId {
  return `${row.executionId}:x${row.taskId}`;
}

/** The id of the message that a timer is. */
export function timerMessageId(executionId: string, timerId: number): MessageId {
  return `${executionId}:t${timerId}`;
}
