// close-rewind: a worker has rewritten the history of an execution that was rewound, and the instance goes on under what it wrote.
//
// Owns:    the commit of a `rewindOrchestration`; what is asked for again of what the new history leaves open.
// Is told: the opened turn, the new history, what this process has room for, an execution's id in case the worker has minted none.
// Tells:   one Commit.
// Always:  CR1 the new history stands in place of the old one, in one commit with all that it leaves open: calls, timers, and children, which are
//             rewound (or started, where there is none).
//          CR2 nothing of the inbox is taken but what asked for the rewind: the worker has seen nothing else.
//          CR3 the lineage stays: idempotency keys are those of the calls that are tried again (LI1).

import type { RewindOrchestration } from "../contract/actions.ts";
import type { ExecutionRewound, ExecutionStarted, HistoryEvent } from "../contract/events.ts";
import type { ExecutionId } from "../contract/ids.ts";
import type { InstanceRecord } from "../contract/instance.ts";
import { given } from "../contract/recorded-as.ts";
import { applyAction, newDraft, type Draft, type Room } from "./action-appliers.ts";
import { EMPTY_COMMIT, type Commit, type Lease } from "./commit.ts";
import { releasesOf, withSections } from "./entity-locks.ts";
import type { OpenedTurn } from "./open-turn.ts";
import { rewoundMessage } from "./rewind.ts";
import { stillOpen } from "./still-open.ts";

/** Closes a turn that was answered with a new history. `otherwise` is the next execution's id when the worker has given it none of its own. */
export function closeRewind(lease: Lease, turn: OpenedTurn, action: RewindOrchestration, room: Room, otherwise: ExecutionId): Commit {
  const before = turn.record;
  const asked = turn.taken.filter(({ event }) => event.kind === "ExecutionRewound");
  const event = asked[0]?.event as ExecutionRewound | undefined;
  if (event === undefined) throw new Error(`A worker answered a turn of ${before.id} with a rewind that nobody had asked for.`);
  const minted = action.newHistory.find((each): each is ExecutionStarted => each.kind === "ExecutionStarted")?.executionId ?? "";
  const executionId = minted === "" || minted === before.executionId ? otherwise : minted;
  const { stall: _stall, notBefore: _notBefore, awaitedEvents: _awaited, sections, ...rest } = before;
  const record: InstanceRecord = { ...rest, executionId, generation: before.generation + 1 };
  const events = action.newHistory.map((each) => (each.kind === "ExecutionStarted" ? startOf(each, record) : each));
  const draft = newDraft(record, turn.at, room, undefined);
  askAgain(draft, events, event.reason);
  const left = new Set(turn.taken.filter((message) => !asked.includes(message)).map((message) => message.id));
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: lease.number, epoch: lease.epoch }],
    number: lease.number,
    record: {
      ...withSections(record, draft.sections),
      status: "RUNNING",
      updatedAt: turn.at,
      lastTurnAt: turn.at,
      attempts: 0,
      turn: before.turn + 1,
      historyLength: events.length,
    },
    history: { mode: "replace", events },
    consumed: turn.consumed.filter((id) => !left.has(id)),
    drop: { execution: before.executionId, generation: before.generation },
    messages: [...turn.messages, ...releasesOf(before, sections, turn.at), ...draft.messages, rewoundMessage(record, event)],
    activities: draft.activities,
    // What was handed out and is left in the inbox is handed out again.
    keep: false,
  };
}

/** The start of the execution that goes on: who waits for it stands in the record, and may be another call than at first. */
function startOf(event: ExecutionStarted, { executionId, lineage, parent }: InstanceRecord): ExecutionStarted {
  return {
    ...event,
    executionId,
    ...(lineage === executionId ? {} : { lineage }),
    ...given({ parent: event.parent && parent && { ...event.parent, executionId: parent.executionId } }),
  };
}

/** What the failed execution had asked for without an answer went with it. */
function askAgain(draft: Draft, events: readonly HistoryEvent[], reason: string | undefined): void {
  for (const event of stillOpen(events)) {
    const { eventId: id } = event;
    switch (event.kind) {
      case "TaskScheduled": {
        const { name, version, input, tags, traceContext } = event;
        applyAction(draft, { kind: "scheduleTask", id, name, attempt: 1, firstId: id, ...given({ version, input, tags, traceContext }) });
        break;
      }
      case "TimerCreated":
        applyAction(draft, { kind: "createTimer", id, fireAt: event.fireAt });
        break;
      case "SubOrchestrationInstanceCreated": {
        const { instanceId, name, version, input, tags, traceContext } = event;
        applyAction(draft, {
          kind: "createSubOrchestration",
          id,
          instanceId,
          executionId: `${draft.record.executionId}:${id.toString(16).padStart(4, "0")}`,
          name,
          ...given({ version, input, tags, traceContext }),
          rewinds: given({ reason }),
        });
        break;
      }
      case "EntityOperationCalled": {
        const { entityId, requestId, operation, input, scheduledAt, traceContext } = event;
        applyAction(draft, { kind: "callEntity", id, entityId, requestId, operation, ...given({ input, scheduledAt, traceContext }) });
        break;
      }
      case "EntityLockRequested":
        applyAction(draft, { kind: "lockEntities", id, criticalSectionId: event.criticalSectionId, lockSet: event.lockSet });
        break;
      default:
        break;
    }
  }
}
