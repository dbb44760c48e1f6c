// control: suspend, resume, terminate, raise and purge, each a pure decision.
//
// Owns:    what a control operation means in each status.
// Is told: the operation, the instance as it stands, the store's reading.
// Tells:   a Commit, or why not.
// Always:  K1 what only adds a message touches no record and disturbs nobody; what changes the record raises the epoch, so that a turn in
//             flight is refused (C1).
//          K2 an entity is none of this: it is signalled and called, and only taken up again when it was set aside.
//          K3 a finished instance is never changed here, only purged. (It gives way to a start or a restart, and a failed one is rewound:
//             start.ts, rewind.ts.)
//          K4 what is put aside is marked in its instance by the same commit, and comes back with the commit that takes the mark away.

import type { HistoryEvent } from "../contract/events.ts";
import type { MessageId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord, type StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import { given } from "../contract/recorded-as.ts";
import { EMPTY_COMMIT, type ActivityClaim, type Commit, type Refusal } from "./commit.ts";

/** Raises an external event. */
export function decideRaise(
  event: { readonly id: MessageId; readonly name: string; readonly input?: string },
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "sent external events");
  if (isTerminal(record.status))
    return {
      refused: "finished",
      message: `The instance '${record.id}' has ended (${record.status}); the event '${event.name}' was dropped.`,
    };
  return {
    ...EMPTY_COMMIT,
    messages: [
      {
        id: event.id,
        to: record.id,
        wakes: "unless-held",
        needs: "program",
        event: { kind: "EventRaised", eventId: -1, timestamp: at, name: event.name, ...given({ input: event.input }) },
      },
    ],
  };
}

/** Ends an instance from outside. The instance's next turn closes it, whatever its code would say. */
export function decideTerminate(
  request: { readonly id: MessageId; readonly output?: string; readonly recursive: boolean },
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "terminated");
  // A finished parent still passes a recursive terminate on to children that run.
  if (isTerminal(record.status) && !request.recursive)
    return { refused: "finished", message: `The instance '${record.id}' has ended already (${record.status}).` };
  return {
    ...EMPTY_COMMIT,
    messages: [
      {
        id: request.id,
        to: record.id,
        wakes: "always",
        needs: "engine",
        event: {
          kind: "ExecutionTerminated",
          eventId: -1,
          timestamp: at,
          recursive: request.recursive,
          ...given({ output: request.output }),
        },
      },
    ],
  };
}

/** Holds an instance: no turn runs, everything that comes waits in its inbox. */
export function decideSuspend(reason: string | undefined, current: StoredInstance | undefined, at: Instant): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "suspended");
  if (isTerminal(record.status))
    return { refused: "finished", message: `The instance '${record.id}' has ended (${record.status}) and cannot be suspended.` };
  if (record.status === "SUSPENDED") return { refused: "no-change", message: `The instance '${record.id}' is suspended already.` };
  return changed(
    record,
    { status: "SUSPENDED", held: true },
    { kind: "ExecutionSuspended", eventId: -1, timestamp: at, ...given({ reason }) },
    at,
  );
}

/** Lets a suspended instance go on: what has gathered in its inbox is applied once, in order of arrival (C2). */
export function decideResume(reason: string | undefined, current: StoredInstance | undefined, at: Instant): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  // What is not done of it is tried again.
  if (record.kind === "entity") return decideStall(undefined, current);
  if (isTerminal(record.status))
    return { refused: "finished", message: `The instance '${record.id}' has ended (${record.status}) and cannot be resumed.` };
  if (record.status !== "SUSPENDED") return { refused: "no-change", message: `The instance '${record.id}' is not suspended.` };
  // Resuming is an operator's word that it may be tried again: what set it aside is forgotten.
  const { stall: _stall, notBefore: _notBefore, ...rest } = record;
  const fresh: InstanceRecord = {
    ...rest,
    attempts: 0,
    ...(record.startedAt === undefined ? given({ notBefore: record.scheduledAt }) : {}),
  };
  const event: HistoryEvent = { kind: "ExecutionResumed", eventId: -1, timestamp: at, ...given({ reason }) };
  return { ...changed(fresh, { status: "RUNNING", held: false }, event, at), offersAside: true };
}

/** Removes a finished instance with all that hangs on it. */
export function decidePurge(current: StoredInstance | undefined): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "purged");
  if (!isTerminal(record.status)) {
    return {
      refused: "not-finished",
      message: `The instance '${record.id}' is ${record.status}; only finished instances can be purged. Terminate it first.`,
    };
  }
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    drop: "everything",
  };
}

/** Marks an instance as not being run, with the reason an operator reads; `undefined` takes the mark away and lets it be tried at once. */
export function decideStall(stall: InstanceRecord["stall"], current: StoredInstance | undefined): Commit | Refusal {
  if (current === undefined) return notFound();
  const { record } = current;
  if (isTerminal(record.status)) return { refused: "finished", message: `The instance '${record.id}' has ended (${record.status}).` };
  if (stall === undefined && record.stall === undefined)
    return { refused: "no-change", message: `The instance '${record.id}' is not stalled.` };
  const { stall: _stall, notBefore: _notBefore, ...rest } = record;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record: stall === undefined ? { ...rest, attempts: 0, epoch: record.epoch + 1 } : { ...record, stall, epoch: record.epoch + 1 },
  };
}

/** Puts an activity aside that was handed out too often, and says so in its instance, in one: whoever resumes it then gives it one more try. */
export function decideAside(
  claim: ActivityClaim,
  rules: { readonly maxClaims: number; readonly reason: string },
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  const { number, generation, taskId } = claim.row;
  const key = { number, generation, taskId };
  if (current?.record.number !== number) return notFound();
  const decided = decideStall({ kind: "set-aside", reason: rules.reason, since: at, attempts: claim.delivery - 1 }, current);
  if ("refused" in decided) return decided;
  return {
    ...decided,
    fences: [...decided.fences, { kind: "activity", key, epoch: claim.epoch }],
    // The next claim is the last one that is allowed, however many died before they could write this.
    aside: { key, delivery: rules.maxClaims - 1 },
  };
}

/** A change of the record by an operator. Before the first turn it leaves no event: ExecutionStarted stays the first of its history (H3). */
function changed(record: InstanceRecord, change: Pick<InstanceRecord, "status" | "held">, event: HistoryEvent, at: Instant): Commit {
  const begun = record.historyLength > 0;
  return {
    ...EMPTY_COMMIT,
    fences: [{ kind: "instance", number: record.number, epoch: record.epoch }],
    number: record.number,
    record: {
      ...record,
      ...change,
      updatedAt: at,
      epoch: record.epoch + 1,
      ...(begun ? { turn: record.turn + 1, historyLength: record.historyLength + 1 } : {}),
    },
    ...(begun ? { history: { mode: "append" as const, events: [event] } } : {}),
  };
}

/** What is asked of an orchestration has no meaning for an entity. */
export function refusedForEntity(id: string, what: string): Refusal {
  return {
    refused: "not-finished",
    message: `'${id}' is an entity and cannot be ${what}. Entities are signalled and called; their operation 'delete' clears the state, and cleanEntityStorage takes away what is empty.`,
  };
}

function notFound(): Refusal {
  return { refused: "not-found", message: "There is no such instance." };
}
