// entity-messages: what lies in the inbox of an entity: operations, requests for its lock, releases.
//
// Owns:    their ids, their lanes, and the bare record that the first of them makes.
// Always:  EM1 everything that may be the first thing an entity hears of makes its address: nobody has to be there before (E2).
//          EM2 a request for a lock has the same id in every inbox of its set, made from the execution and the section: whoever takes it back
//             need not have seen it.
//          EM3 what is for later is visible later and never early (E7); what is due already stands where it arrives.

import { InvalidArgumentError } from "../contract/errors.ts";
import type { EntityCaller, EntityLockRequested, EntityOperationEvent, EntityUnlockSent, HistoryEvent } from "../contract/events.ts";
import { entityId, entityRecordName, partsOfEntityId, type EntityId, type ExecutionId, type MessageId } from "../contract/ids.ts";
import type { EntityLock, InstanceRecord } from "../contract/instance.ts";
import type { Instant } from "../contract/instant.ts";
import type { Message } from "../contract/messages.ts";

/** The id as entities are known by it; `undefined` where no entity can have it. A foreign worker may send any text. */
export function knownEntityId(id: string): EntityId | undefined {
  const parts = partsOfEntityId(id);
  if (parts === undefined) return undefined;
  try {
    return entityId(parts.name, parts.key);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}

/** The record of an entity that has done nothing yet. Its number is 0: the store mints one. */
export function newEntityRecord(id: EntityId, at: Instant): InstanceRecord {
  return {
    number: 0,
    id,
    kind: "entity",
    name: entityRecordName(id),
    executionId: id,
    lineage: id,
    status: "RUNNING",
    createdAt: at,
    updatedAt: at,
    epoch: 0,
    turn: 0,
    generation: 1,
    historyLength: 0,
    lastTurnAt: 0,
    attempts: 0,
    held: false,
    dropped: 0,
  };
}

/** How an operation reaches its entity. */
export interface OperationLane {
  /** From within a section that has the entity: it is done although the entity is locked. */
  readonly fromOwner: boolean;
  /** Nobody serves the entity and the hub fails such work: the engine alone answers it. */
  readonly needs: "program" | "engine";
}

/** The message that an operation is. */
export function operationMessage(id: MessageId, event: EntityOperationEvent, at: Instant, { fromOwner, needs }: OperationLane): Message {
  const { scheduledAt } = event;
  return {
    id,
    to: event.entityId,
    creates: newEntity(event.entityId, at),
    wakes: fromOwner ? "always" : "unless-held",
    needs,
    ...(scheduledAt !== undefined && scheduledAt > at ? { visibleAt: scheduledAt } : {}),
    event,
  };
}

/** The request for a lock, in the inbox of the entity whose turn it is. */
export function lockMessage(
  request: Omit<EntityLockRequested, "caller"> & { readonly caller: EntityCaller },
  at: Instant,
  needs: "program" | "engine",
): Message {
  const to = request.lockSet[request.position]!;
  return {
    id: lockMessageId(request.caller.executionId, request.criticalSectionId),
    to,
    creates: newEntity(to, at),
    wakes: "unless-held",
    needs,
    event: request,
  };
}

/** The id of a request for a lock, wherever it lies. */
export function lockMessageId(execution: ExecutionId, criticalSectionId: string): MessageId {
  return `${execution}:lock:${criticalSectionId}`;
}

/** What lets an entity go. It makes no address: a lock that nobody has needs no release. */
export function unlockMessage(
  id: MessageId,
  to: EntityId,
  owner: EntityLock,
  at: Instant,
  withdraws?: EntityUnlockSent["withdraws"],
): Message {
  const event: HistoryEvent = {
    kind: "EntityUnlockSent",
    eventId: -1,
    timestamp: at,
    criticalSectionId: owner.criticalSectionId,
    entityId: to,
    caller: { instanceId: owner.instanceId, executionId: owner.executionId },
    ...(withdraws === undefined ? {} : { withdraws }),
  };
  return { id, to, wakes: "always", needs: "engine", event };
}

function newEntity(id: EntityId, at: Instant): NonNullable<Message["creates"]> {
  return { record: newEntityRecord(id, at), payloads: {}, claimed: false };
}
