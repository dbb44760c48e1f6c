// rewind: a failed instance goes on as another execution.
//
// Owns:    what becomes of the record; what a child does whose parent was rewound.
// Is told: the instance, the id of the execution to come, the store's reading.
// Tells:   a Commit, or why not. What failed is found and asked for again by the program's replay (executor/rewinding.ts): the history is
//          appended to, and nothing of it is rewritten.
// Always:  RE1 only a failed instance is rewound, and only once by one request.
//          RE2 a tree is rewound from its root downwards, by messages: each step is one commit, so that a crash between two loses nothing.
//          RE3 what succeeded tells its result again, and does not run again (C6).

//          RE4 a child that is rewound on its own, and not by its parent, answers no call a second time (H2).
import type { ExecutionRewound, ExecutionStarted } from "../contract/events.ts";
import type { ExecutionId, MessageId } from "../contract/ids.ts";
import type { InstancePayloads, InstanceRecord, ParentLink, StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { InboxMessage, Message } from "../contract/messages.ts";
import { given } from "../contract/recorded-as.ts";
import { EMPTY_COMMIT, type Commit, type Lease, type Refusal } from "./commit.ts";
import { refusedForEntity } from "./control.ts";
import { answered, tellParent } from "./tell-parent.ts";

/** Decides a client's rewind. */
export function decideRewind(
  request: { readonly executionId: ExecutionId; readonly reason?: string },
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  if (current === undefined) return { refused: "not-found", message: "There is no such instance." };
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "rewound");
  if (record.executionId === request.executionId) return { refused: "same-request", message: "This very rewind was accepted before." };
  if (record.status !== "FAILED") {
    return {
      refused: "not-failed",
      message: `The instance '${record.id}' is ${record.status}; only failed instances can be rewound.`,
    };
  }
  // Whoever called it was told of its failure. A parent that is rewound asks again, by a call of its own.
  const parent = record.parent && answered(record.parent);
  return rewound({ ...record, epoch: record.epoch + 1 }, record, { ...request, ...given({ parent }) }, [], at);
}

/** The failed execution gives way to the next one. It is recorded at once; the message is there to wake the program. */
function rewound(
  before: InstanceRecord,
  lease: Lease,
  next: { readonly executionId: ExecutionId; readonly reason?: string; readonly parent?: ParentLink },
  consumed: readonly MessageId[],
  at: Instant,
): Commit {
  const { completedAt: _completed, ...rest } = before;
  const turnAt = Math.max(at, before.lastTurnAt);
  const event: ExecutionRewound = { kind: "ExecutionRewound", eventId: -1, timestamp: turnAt, ...given({ reason: next.reason }) };
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: lease.number, epoch: lease.epoch }],
    number: lease.number,
    record: {
      ...rest,
      ...given({ parent: next.parent ?? before.parent }),
      status: "RUNNING",
      executionId: next.executionId,
      generation: before.generation + 1,
      updatedAt: Math.max(at, before.updatedAt),
      lastTurnAt: turnAt,
      attempts: 0,
      turn: before.turn + 1,
      historyLength: before.historyLength + 2,
    },
    payloads: { output: null, failure: null },
    history: { mode: "append", events: [{ kind: "OrchestratorStarted", eventId: -1, timestamp: turnAt }, event] },
    consumed,
    drop: { execution: before.executionId, generation: before.generation },
    messages: [rewoundMessage({ id: before.id, executionId: next.executionId }, event)],
  };
}

/** What wakes the program of an execution that was rewound. That it was stands in its history. */
export function rewoundMessage({ id: to, executionId }: Pick<InstanceRecord, "id" | "executionId">, event: ExecutionRewound): Message {
  return { id: `${executionId}:rewound`, to, execution: executionId, wakes: "unless-held", needs: "program", event };
}

/** The message by which a parent that was rewound asks a child to go on, or to begin where there is none. */
export function rewindMessage(start: ExecutionStarted, reason: string | undefined): Message {
  return {
    id: `${start.executionId}:start`,
    to: start.instanceId,
    wakes: "always",
    needs: "program",
    event: { kind: "ExecutionRewound", eventId: -1, timestamp: start.timestamp, ...given({ reason }), start },
  };
}

/** What a child does whose parent was rewound. */
export type ChildRewind =
  | { readonly kind: "commit"; readonly commit: Commit }
  /** It has completed: ask again with its payloads, since its result is to be told once more. */
  | { readonly kind: "needs-output" };

/** Answers a parent that was rewound; `undefined` when its message is a start like any other. */
export function rewindChild(
  lease: Lease & { readonly record: InstanceRecord },
  message: InboxMessage,
  at: Instant,
  payloads: InstancePayloads | undefined,
): ChildRewind | undefined {
  const { start, reason } = message.event as ExecutionRewound;
  const { record } = lease;
  if (start?.parent === undefined || start.executionId === record.executionId) return undefined;
  if (record.parent?.instanceId !== start.parent.instanceId || record.name !== start.name) return undefined;
  if (record.status === "TERMINATED") return undefined;
  if (record.status === "FAILED") {
    const next = { executionId: start.executionId, parent: start.parent, ...given({ reason }) };
    return { kind: "commit", commit: rewound(record, lease, next, [message.id], at) };
  }
  if (record.status === "COMPLETED" && payloads === undefined) return { kind: "needs-output" };
  // It runs, or has run: from now on its end is for the call that asks now.
  // The epoch rises although no turn is written: whoever decides on the record as it was would write the old call back.
  const known: InstanceRecord = {
    ...record,
    parent: start.parent,
    attempts: 0,
    updatedAt: Math.max(at, record.updatedAt),
    epoch: record.epoch + 1,
  };
  const told = record.status === "COMPLETED" ? tellParent(known, "COMPLETED", given({ output: payloads?.output }), at) : [];
  return {
    kind: "commit",
    commit: {
      ...EMPTY_COMMIT,
      fences: [{ kind: "instance", number: lease.number, epoch: lease.epoch }],
      number: lease.number,
      record: known,
      consumed: [message.id],
      messages: told.map((each) => ({ ...each, id: `${start.executionId}:end` })),
    },
  };
}

/** A message that rewinds nothing is the start that it carries. */
export function asStart(message: InboxMessage): InboxMessage {
  const { event } = message;
  return event.kind === "ExecutionRewound" && event.start !== undefined ? { ...message, event: event.start } : message;
}

/** Whether a message is that of a parent which was rewound. */
export function isChildRewind(message: InboxMessage): boolean {
  return message.event.kind === "ExecutionRewound" && message.event.start !== undefined;
}
