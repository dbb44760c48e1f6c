// start: how an instance comes to be.
//
// Owns:    the record of a new instance; whether an id is taken, for a client's request; restarts. (For a child's start the target's own turn decides.)
// Is told: the request, what stands under the id now, the store's reading.
// Tells:   a Commit, or why not.
// Always:  T1 the same execution id again is the same request: answered the same, never a second run (I2), also when the instance has
//             continued as new or was rewound since.
//          T2 what gives way to a start goes whole, in the commit that writes the new one, which has an address of its own: nothing that was
//             meant for the old one finds it (C7).

import type { ExecutionStarted } from "../contract/events.ts";
import { isEntityId, type ExecutionId, type MessageId } from "../contract/ids.ts";
import { isTerminal, type InstanceRecord, type StoredInstance } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";
import type { RestartRequest, StartRequest } from "../contract/backend.ts";
import { comesFrom } from "../contract/lineage.ts";
import { given } from "../contract/recorded-as.ts";
import { refusesStart } from "../contract/reuse.ts";
import { EMPTY_COMMIT, type Commit, type Refusal } from "./commit.ts";
import { refusedForEntity } from "./control.ts";
import { releasesOf } from "./entity-locks.ts";
import { tellParent } from "./tell-parent.ts";

/** How a start is to be written. */
export interface StartPlacement {
  /** Written already leased to this process, which will run it at once. */
  readonly claimed: boolean;
  /** Nobody serves the name and the hub fails such work: the engine alone answers it. */
  readonly needs: "program" | "engine";
}

/** Decides a client's start. */
export function decideStart(
  request: StartRequest,
  placement: StartPlacement,
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  const { instanceId } = request;
  if (isEntityId(instanceId)) return refusedForEntity(instanceId, "started as an orchestration");
  if (current !== undefined) {
    const { record } = current;
    if (comesFrom(record.lineage, request.executionId)) return { refused: "same-request", message: "This very start was accepted before." };
    if (refusesStart(record.status, request.dedupeStatuses)) {
      return {
        refused: "exists",
        message: `There is already an instance '${request.instanceId}' (${record.status}, orchestrator '${record.name}'). Choose another id, purge it first, or start with dedupeStatuses: an instance in a status that is not among them gives way.`,
      };
    }
  }
  return started(request, placement, current?.record, at);
}

/** Decides a client's restart of an instance under its own id. `validated`: what its history says of its input. */
export function decideRestart(
  request: RestartRequest,
  placement: StartPlacement,
  validated: Validated | undefined,
  current: StoredInstance | undefined,
  at: Instant,
): Commit | Refusal {
  if (current === undefined) return { refused: "not-found", message: "There is no such instance." };
  const { record } = current;
  if (record.kind === "entity") return refusedForEntity(record.id, "restarted");
  if (comesFrom(record.lineage, request.executionId)) return { refused: "same-request", message: "This very restart was accepted before." };
  if (!isTerminal(record.status)) {
    return {
      refused: "not-finished",
      message: `The instance '${record.id}' is ${record.status}; only finished instances can be restarted under their own id. Terminate it first, or restart it under a new one.`,
    };
  }
  return started(restartOf(current, request, validated), placement, record, at);
}

/** Whether an execution's input was checked when it began. By its lineage: a rewind goes on under another id, with the input that it had. */
export interface Validated {
  readonly lineage: ExecutionId;
  readonly validated: boolean;
}

/** The start that does once more what an instance did: same name, input, version and tags; no parent, and at once. */
export function restartOf({ record, payloads }: StoredInstance, request: RestartRequest, validated: Validated | undefined): StartRequest {
  return {
    instanceId: request.newInstanceId ?? record.id,
    executionId: request.executionId,
    name: record.name,
    ...given({
      version: record.version,
      input: payloads.input,
      tags: record.tags,
      validated: validated?.lineage === record.lineage && validated.validated ? true : undefined,
    }),
  };
}

/** A new instance, in place of the one that has its id. One that runs ends with it: its parent is told. */
function started(request: StartRequest, placement: StartPlacement, replaced: InstanceRecord | undefined, at: Instant): Commit {
  const later = request.startAt !== undefined && request.startAt > at;
  const claimed = placement.claimed && !later;
  const event: ExecutionStarted = {
    kind: "ExecutionStarted",
    eventId: -1,
    timestamp: at,
    instanceId: request.instanceId,
    executionId: request.executionId,
    name: request.name,
    ...given({
      version: request.version,
      input: request.input,
      tags: request.tags,
      traceContext: request.traceContext,
      validated: request.validated,
      scheduledAt: later ? request.startAt : undefined,
    }),
  };
  const record = newInstanceRecord(event, at, claimed);
  return {
    ...EMPTY_COMMIT,
    fences:
      replaced === undefined
        ? [{ kind: "absent", id: request.instanceId }]
        : [{ kind: "instance", number: replaced.number, epoch: replaced.epoch }],
    ...(replaced === undefined ? {} : { number: replaced.number, drop: "everything" as const }),
    record: later ? { ...record, notBefore: request.startAt } : record,
    ...(request.input === undefined ? {} : { payloads: { input: request.input } }),
    messages: [
      startMessage(event, placement.needs),
      ...(replaced === undefined || isTerminal(replaced.status)
        ? []
        : [...releasesOf(replaced, replaced.sections, at), ...tellParent(replaced, "TERMINATED", {}, at)]),
    ],
    keep: claimed,
  };
}

/** The record of an instance that has been started and has had no turn yet. Its number is 0: the store mints one. */
export function newInstanceRecord(event: ExecutionStarted, at: Instant, claimed: boolean): InstanceRecord {
  return {
    number: 0,
    id: event.instanceId,
    kind: "orchestration",
    name: event.name,
    executionId: event.executionId,
    lineage: event.lineage ?? event.executionId,
    status: "PENDING",
    createdAt: at,
    updatedAt: at,
    epoch: claimed ? 1 : 0,
    turn: 0,
    generation: 1,
    historyLength: 0,
    lastTurnAt: 0,
    attempts: claimed ? 1 : 0,
    held: false,
    dropped: 0,
    ...given({
      version: event.version,
      parent: event.parent,
      tags: event.tags,
      traceContext: event.traceContext,
      scheduledAt: event.scheduledAt,
    }),
  };
}

function startMessageId(execution: ExecutionId): MessageId {
  return `${execution}:start`;
}

/** The start of an instance that was suspended before its first turn: the same, but it waits until the instance is resumed. */
export function heldStartMessageId(execution: ExecutionId): MessageId {
  return `${execution}:start:held`;
}

/** Whatever message the start of an execution may lie in. */
export function startMessageIds(execution: ExecutionId): readonly MessageId[] {
  return [startMessageId(execution), heldStartMessageId(execution)];
}

/** The message that carries a start to its instance. */
export function startMessage(event: ExecutionStarted, needs: "program" | "engine"): Message {
  return {
    id: startMessageId(event.executionId),
    to: event.instanceId,
    wakes: "unless-held",
    needs,
    ...(event.scheduledAt === undefined ? {} : { visibleAt: event.scheduledAt }),
    event,
  };
}
