// entity-events: what entities are asked, and what they answer, as events of the protocol.
//
// Owns:    the four forms of what goes to an entity, which stand alike in histories, in actions and in batches; the three that come back.
// Always:  EE1 to the family a history says with each call whose it is; with us it is the history's own instance, and stands nowhere.
//          EE2 who asked in the older form hears of it in that form (older-entity-form.ts).
//          EE3 from the family nothing is believed of a caller: whose turn an action is of is known from its work item (PC 5.3).

import { given } from "ostinato/contract";
import type { EntityCaller, EventKind, HistoryEvent, Instant } from "ostinato/contract";

import type { HistoryEvent as Message, OrchestrationInstance } from "../generated/task_hub_sidecar_pb.js";
import { decodeOptionalFailure, encodeFailure, unexplained } from "./failures.ts";
import { isOlder, olderRaised, olderSent } from "./older-entity-form.ts";
import { decodePayload, decodeTrace, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeDue, decodeKnownInstant, encodeOptionalInstant } from "./timestamps.ts";

/** The kinds of events that entities are about. */
export type EntityEventKind = Extract<EventKind, `Entity${string}`>;
type EventOf<K extends EventKind> = Extract<HistoryEvent, { readonly kind: K }>;
type Written = Extract<Message["eventType"], { readonly value: unknown }>;
type EntityCase = Extract<Written["case"], `entity${string}`>;
/** A message of one of the forms. */
export type ValueOf<C extends EntityCase> = Extract<Written, { readonly case: C }>["value"];

/** What every event has. */
interface Head {
  readonly eventId: number;
  readonly timestamp: Instant;
}

/** Events about entities as messages. `owner`: whose history it is, where that is to be said. */
export const ENTITY_WRITERS: {
  readonly [K in EntityEventKind]: (event: EventOf<K>, peer: Peer, owner?: EntityCaller) => Written;
} = {
  EntityOperationSignaled: (event, peer, owner) =>
    speaksOlder(event.requestId, peer) ? olderSent(event, owner) : { case: "entityOperationSignaled", value: encodeSignaled(event, peer) },
  EntityOperationCalled: (event, peer, owner) =>
    speaksOlder(event.requestId, peer)
      ? olderSent(event, owner)
      : { case: "entityOperationCalled", value: encodeCalled(event, peer, event.caller ?? ownerFor(peer, owner)) },
  EntityOperationCompleted(event, peer) {
    const { requestId, result: output } = event;
    if (speaksOlder(requestId, peer)) return olderRaised(event);
    return { case: "entityOperationCompleted", value: { $typeName: "EntityOperationCompletedEvent", requestId, output } };
  },
  EntityOperationFailed(event, peer) {
    const { requestId, failure } = event;
    if (speaksOlder(requestId, peer)) return olderRaised(event);
    const failureDetails = encodeFailure(failure, peer);
    return { case: "entityOperationFailed", value: { $typeName: "EntityOperationFailedEvent", requestId, failureDetails } };
  },
  EntityLockRequested(event, peer, owner) {
    if (speaksOlder(event.criticalSectionId, peer)) return olderSent(event, owner);
    const value = encodeLockRequest(event, event.caller ?? ownerFor(peer, owner));
    return { case: "entityLockRequested", value: { ...value, ownCaller: peer === "ours" ? encodeCaller(event.caller) : undefined } };
  },
  EntityLockGranted(event, peer) {
    const { criticalSectionId } = event;
    if (speaksOlder(criticalSectionId, peer)) return olderRaised(event);
    return { case: "entityLockGranted", value: { $typeName: "EntityLockGrantedEvent", criticalSectionId } };
  },
  EntityUnlockSent(event, peer, owner) {
    if (speaksOlder(event.criticalSectionId, peer)) return olderSent(event, owner);
    const value = encodeUnlock(event, event.caller ?? ownerFor(peer, owner));
    if (peer === "family") return { case: "entityUnlockSent", value };
    const { caller, withdraws } = event;
    const ownWithdraws: typeof value.ownWithdraws =
      withdraws === undefined ? undefined : { $typeName: "OwnWithdrawal", lockSet: [...withdraws.lockSet], position: withdraws.position };
    return { case: "entityUnlockSent", value: { ...value, ownCaller: encodeCaller(caller), ownWithdraws } };
  },
};

/** Whoever asked in the older form is told in it, too. */
function speaksOlder(id: string, peer: Peer): boolean {
  return peer === "family" && isOlder(id);
}

/** The events of such messages. */
export const ENTITY_READERS: {
  readonly [C in EntityCase]: (value: ValueOf<C>, head: Head, peer: Peer) => HistoryEvent;
} = {
  entityOperationSignaled: (value, head, peer) => ({
    kind: "EntityOperationSignaled",
    ...head,
    entityId: value.targetInstanceId ?? "",
    ...decodeOperation(value, peer),
  }),
  entityOperationCalled: (value, head, peer) => ({
    kind: "EntityOperationCalled",
    ...head,
    entityId: value.targetInstanceId ?? "",
    ...decodeOperation(value, peer),
    ...given({ caller: peer === "ours" ? callerOf(value) : undefined }),
  }),
  entityOperationCompleted: ({ requestId, output }, head, peer) => ({
    kind: "EntityOperationCompleted",
    ...head,
    requestId,
    ...given({ result: decodePayload(output, peer) }),
  }),
  entityOperationFailed: ({ requestId, failureDetails }, head, peer) => ({
    kind: "EntityOperationFailed",
    ...head,
    requestId,
    failure: decodeOptionalFailure(failureDetails, peer) ?? unexplained("The operation failed and gave no reason."),
  }),
  entityLockRequested: ({ criticalSectionId, lockSet, position, ownCaller }, head, peer) => ({
    kind: "EntityLockRequested",
    ...head,
    criticalSectionId,
    lockSet: [...lockSet],
    position,
    ...given({ caller: peer === "ours" ? decodeCaller(ownCaller) : undefined }),
  }),
  entityLockGranted: ({ criticalSectionId }, head) => ({ kind: "EntityLockGranted", ...head, criticalSectionId }),
  entityUnlockSent: ({ criticalSectionId, targetInstanceId, ownCaller, ownWithdraws }, head, peer) => ({
    kind: "EntityUnlockSent",
    ...head,
    criticalSectionId,
    entityId: targetInstanceId ?? "",
    ...given({
      caller: peer === "ours" ? decodeCaller(ownCaller) : undefined,
      withdraws:
        peer === "ours" && ownWithdraws !== undefined ? { lockSet: [...ownWithdraws.lockSet], position: ownWithdraws.position } : undefined,
    }),
  }),
};

/** What a signal, and an action that sends one, say. */
export function encodeSignaled(
  event: Omit<EventOf<"EntityOperationSignaled">, "kind" | keyof Head>,
  peer: Peer,
): ValueOf<"entityOperationSignaled"> {
  return {
    $typeName: "EntityOperationSignaledEvent",
    requestId: event.requestId,
    operation: event.operation,
    scheduledTime: encodeOptionalInstant(event.scheduledAt),
    input: event.input,
    targetInstanceId: event.entityId,
    ownTraceContext: peer === "ours" ? encodeTrace(event.traceContext) : undefined,
  };
}

/** What a call, and an action that makes one, say. */
export function encodeCalled(
  event: Omit<EventOf<"EntityOperationCalled">, "kind" | "caller" | keyof Head>,
  peer: Peer,
  caller: EntityCaller | undefined,
): ValueOf<"entityOperationCalled"> {
  return {
    $typeName: "EntityOperationCalledEvent",
    requestId: event.requestId,
    operation: event.operation,
    scheduledTime: encodeOptionalInstant(event.scheduledAt),
    input: event.input,
    parentInstanceId: caller?.instanceId,
    parentExecutionId: caller?.executionId,
    targetInstanceId: event.entityId,
    ownTraceContext: peer === "ours" ? encodeTrace(event.traceContext) : undefined,
  };
}

/** What the request for a lock, and the action that makes it, say. */
export function encodeLockRequest(
  { criticalSectionId, lockSet, position }: Pick<EventOf<"EntityLockRequested">, "criticalSectionId" | "lockSet" | "position">,
  caller: EntityCaller | undefined,
): ValueOf<"entityLockRequested"> {
  return {
    $typeName: "EntityLockRequestedEvent",
    criticalSectionId,
    lockSet: [...lockSet],
    position,
    parentInstanceId: caller?.instanceId,
  };
}

/** What a release, and the action that sends it, say. */
export function encodeUnlock(
  { criticalSectionId, entityId }: Pick<EventOf<"EntityUnlockSent">, "criticalSectionId" | "entityId">,
  caller: EntityCaller | undefined,
): ValueOf<"entityUnlockSent"> {
  return {
    $typeName: "EntityUnlockSentEvent",
    criticalSectionId,
    parentInstanceId: caller?.instanceId,
    targetInstanceId: entityId,
  };
}

/** What a signal and a call have in common, but for whom they are. */
export function decodeOperation(
  message: ValueOf<"entityOperationSignaled"> | ValueOf<"entityOperationCalled">,
  peer: Peer,
): Pick<EventOf<"EntityOperationSignaled">, "requestId" | "operation" | "input" | "scheduledAt" | "traceContext"> {
  const { requestId, operation, input, ownTraceContext } = message;
  return {
    requestId,
    operation,
    ...given({
      input: decodePayload(input, peer),
      scheduledAt: decodeSchedule(message.scheduledTime, peer),
      traceContext: peer === "ours" ? decodeTrace(ownTraceContext, peer) : undefined,
    }),
  };
}

/** When something is to be done: the beginning of 1970 is how some of the family write "at once". */
export function decodeSchedule(time: ValueOf<"entityOperationSignaled">["scheduledTime"], peer: Peer): Instant | undefined {
  return peer === "family" && decodeKnownInstant(time) === undefined ? undefined : decodeDue(time);
}

/** Who made a call, as its message says it; `undefined` where it does not. */
export function callerOf({ parentInstanceId, parentExecutionId }: ValueOf<"entityOperationCalled">): EntityCaller | undefined {
  return parentInstanceId === undefined ? undefined : { instanceId: parentInstanceId, executionId: parentExecutionId ?? "" };
}

function ownerFor(peer: Peer, owner: EntityCaller | undefined): EntityCaller | undefined {
  return peer === "family" ? owner : undefined;
}

function encodeCaller(caller: EntityCaller | undefined): OrchestrationInstance | undefined {
  return caller === undefined ? undefined : { $typeName: "OrchestrationInstance", ...caller };
}

function decodeCaller(message: OrchestrationInstance | undefined): EntityCaller | undefined {
  return message === undefined ? undefined : { instanceId: message.instanceId, executionId: message.executionId ?? "" };
}
