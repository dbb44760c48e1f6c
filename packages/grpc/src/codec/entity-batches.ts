// entity-batches: what an entity is to do, and what came of it, as the protocol writes them.
//
// Owns:    both forms of a batch: with events (the one that is written here) and the older one with bare operations (which is read, too); what a
//          worker of another SDK may leave out of its answer.
// Always:  EB1 between ours an item and an outcome come out as they went in, but for their tokens.
//          EB2 results belong to operations by their places. Fewer than operations: the others were not done. More: nothing counts.
//          EB3 a state that is absent or, from the family, empty is none any more; everything else is kept as it came, `0` and `""` in JSON too.
//          EB4 an action that cannot be done makes the whole batch one that failed, in words: it may not be left out.

import { given } from "ostinato/contract";
import {
  checkInstanceId,
  checkName,
  type EntityAction,
  type EntityOperationEvent,
  type EntityOperationResult,
  type EntityOutcome,
  type EntityWorkItem,
  type Failure,
  type Instant,
  type WorkToken,
} from "ostinato/contract";

import type {
  AbandonEntityTaskRequest,
  EntityBatchRequest,
  EntityBatchResult,
  EntityRequest,
  HistoryEvent as EventMessage,
  OperationAction,
  OperationInfo,
  OperationResult,
  WorkItem as Message,
} from "../generated/task_hub_sidecar_pb.js";
import { callerOf, decodeOperation, decodeSchedule, encodeCalled, encodeSignaled, ENTITY_READERS } from "./entity-events.ts";
import { readEntityId } from "./entity-ids.ts";
import { encodeEvents } from "./events.ts";
import { decodeFailure, encodeFailure, unexplained } from "./failures.ts";
import { decodeInt64, encodeInt64 } from "./numbers.ts";
import { bareId } from "./older-entity-form.ts";
import { decodePayload, decodeTags, decodeTrace, encodeTags, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeInstant, decodeKnownInstant, encodeInstant, encodeOptionalInstant } from "./timestamps.ts";

/** Who is told of each operation's end, as a server of the family wants it echoed. */
export type OperationInfos = readonly OperationInfo[];

// ---- the batch

/** A batch as a message, in the form with events. */
export function encodeEntityItem(item: EntityWorkItem, token: string, peer: Peer): Message {
  const value: EntityRequest = {
    $typeName: "EntityRequest",
    instanceId: item.entityId,
    executionId: item.entityId,
    entityState: item.state,
    operationRequests: peer === "ours" ? encodeEvents(item.operations, peer) : item.operations.map(encodeRequest),
    ownAt: peer === "ours" ? encodeOptionalInstant(item.at) : undefined,
  };
  return { $typeName: "WorkItem", request: { case: "entityRequestV2", value }, completionToken: token };
}

/** In a message for an entity the family names no target: whom it reached knows. Its id is a bare one, whatever form its caller speaks. */
function encodeRequest(operation: EntityOperationEvent): EventMessage {
  const event = { ...operation, requestId: bareId(operation.requestId) };
  const eventType: EventMessage["eventType"] =
    event.kind === "EntityOperationCalled"
      ? { case: "entityOperationCalled", value: { ...encodeCalled(event, "family", event.caller), targetInstanceId: undefined } }
      : { case: "entityOperationSignaled", value: { ...encodeSignaled(event, "family"), targetInstanceId: undefined } };
  return { $typeName: "HistoryEvent", eventId: -1, timestamp: encodeInstant(operation.timestamp), eventType };
}

/** A batch of a message, and what its server wants echoed; `undefined` when nothing is to be done in it, or nobody could. */
export function decodeEntityItem(
  { instanceId, entityState, operationRequests, ownAt }: EntityRequest,
  token: string,
  peer: Peer,
): DecodedEntityItem | undefined {
  const entityId = idOf(instanceId, peer);
  if (entityId === undefined) return undefined;
  const operations: EntityOperationEvent[] = [];
  const infos: OperationInfo[] = [];
  for (const message of operationRequests) {
    const operation = decodeRequest(message, entityId, peer);
    if (operation === undefined) return undefined;
    operations.push(operation);
    infos.push(infoOf(operation));
  }
  if (operations.length === 0) return undefined;
  const at = peer === "ours" ? decodeInstant(ownAt) : undefined;
  return { item: { kind: "entity", token, entityId, operations, ...given({ at, state: decodePayload(entityState, peer) }) }, infos };
}

/** A batch of the older form. Who called is the server's affair: it goes by the places of the results. */
export function decodeEntityBatch(
  { instanceId, entityState, operations: asked }: EntityBatchRequest,
  token: string,
  peer: Peer,
): DecodedEntityItem | undefined {
  const entityId = idOf(instanceId, peer);
  if (entityId === undefined || asked.length === 0) return undefined;
  const operations = asked.map(({ operation, requestId, input, traceContext }): EntityOperationEvent => ({
    kind: "EntityOperationSignaled",
    eventId: -1,
    timestamp: 0,
    entityId,
    requestId,
    operation,
    ...given({ input: decodePayload(input, peer), traceContext: decodeTrace(traceContext, peer) }),
  }));
  return { item: { kind: "entity", token, entityId, operations, ...given({ state: decodePayload(entityState, peer) }) }, infos: [] };
}

/** A batch as it was read. */
export interface DecodedEntityItem {
  readonly item: EntityWorkItem;
  /** Empty in the older form. */
  readonly infos: OperationInfos;
}

function decodeRequest({ eventId, timestamp, eventType }: EventMessage, entityId: string, peer: Peer): EntityOperationEvent | undefined {
  const head = { eventId, timestamp: (peer === "ours" ? decodeInstant(timestamp) : decodeKnownInstant(timestamp)) ?? 0 };
  switch (eventType.case) {
    case "entityOperationSignaled":
      return peer === "ours"
        ? (ENTITY_READERS.entityOperationSignaled(eventType.value, head, peer) as EntityOperationEvent)
        : { kind: "EntityOperationSignaled", ...head, entityId, ...decodeOperation(eventType.value, peer) };
    case "entityOperationCalled":
      return peer === "ours"
        ? (ENTITY_READERS.entityOperationCalled(eventType.value, head, peer) as EntityOperationEvent)
        : {
            kind: "EntityOperationCalled",
            ...head,
            entityId,
            ...decodeOperation(eventType.value, peer),
            ...given({ caller: callerOf(eventType.value) }),
          };
    default:
      return undefined;
  }
}

function infoOf(operation: EntityOperationEvent): OperationInfo {
  const caller = operation.kind === "EntityOperationCalled" ? operation.caller : undefined;
  return {
    $typeName: "OperationInfo",
    requestId: operation.requestId,
    responseDestination:
      caller === undefined
        ? undefined
        : { $typeName: "OrchestrationInstance", instanceId: caller.instanceId, executionId: caller.executionId || undefined },
  };
}

/** Ours writes ids in their normal form; with others the id is echoed as they write it, and read as ours. */
function idOf(instanceId: string, peer: Peer): string | undefined {
  if (peer === "ours") return instanceId;
  try {
    return readEntityId(instanceId);
  } catch {
    return undefined;
  }
}

// ---- what came of it

/** An outcome, but one that gives the batch back, as a message. */
export function encodeEntityOutcome(
  outcome: Exclude<EntityOutcome, { readonly kind: "abandoned" }>,
  { token, infos, now }: { readonly token: string; readonly infos: OperationInfos; readonly now: Instant },
  peer: Peer,
): EntityBatchResult {
  const isFailed = outcome.kind === "failed";
  return {
    $typeName: "EntityBatchResult",
    completionToken: token,
    results: isFailed ? [] : outcome.results.map((result) => encodeResult(result, peer)),
    actions: isFailed ? [] : outcome.actions.map((action, at) => encodeEntityAction(action, at, peer, now)),
    entityState: isFailed ? undefined : outcome.state,
    failureDetails: isFailed ? encodeFailure(outcome.failure, peer) : undefined,
    operationInfos: isFailed || peer === "ours" ? [] : infos.slice(0, outcome.results.length),
    requiresState: false,
  };
}

/** What a reader of an outcome has to know. */
export interface EntityContext {
  readonly token: WorkToken;
  /** How many operations the batch had. */
  readonly operations: number;
  readonly newInstanceId: () => string;
  readonly newExecutionId: () => string;
}

/** The outcome of a batch. */
export function decodeEntityOutcome(message: EntityBatchResult, peer: Peer, context: EntityContext): EntityOutcome {
  const { token, operations } = context;
  const { failureDetails, results } = message;
  const failed = (failure: Failure): EntityOutcome => ({ kind: "failed", token, failure });
  if (failureDetails !== undefined) return failed(decodeFailure(failureDetails, peer));
  // The state went along with the batch; the next one brings it again.
  if (message.requiresState) return { kind: "abandoned", token, reason: "The worker asks for the state of the entity." };
  if (results.length > operations) return failed(mistaken(`has ${results.length} results for ${operations} operations`));
  const actions: EntityAction[] = [];
  try {
    for (const action of message.actions) actions.push(decodeEntityAction(action, peer, context));
  } catch (error) {
    return failed(mistaken(`asks for what cannot be: ${error instanceof Error ? error.message : String(error)}`));
  }
  return {
    kind: "batch",
    token,
    results: results.map((result) => decodeResult(result, peer)),
    actions,
    ...given({ state: decodePayload(message.entityState, peer) }),
  };
}

/** An outcome that gives the batch back, as a message. */
export function encodeEntityAbandon(outcome: EntityOutcome, token: string, peer: Peer): AbandonEntityTaskRequest {
  const { delayMs, reason } = outcome.kind === "abandoned" && peer === "ours" ? outcome : {};
  return { $typeName: "AbandonEntityTaskRequest", completionToken: token, ownDelayMs: encodeInt64(delayMs), ownReason: reason };
}

/** The outcome of a batch that was given back. */
export function decodeEntityAbandon(
  { ownDelayMs, ownReason }: AbandonEntityTaskRequest,
  peer: Peer,
  token: WorkToken,
): Extract<EntityOutcome, { readonly kind: "abandoned" }> {
  const delayMs = peer === "ours" && ownDelayMs !== undefined ? Math.max(decodeInt64(ownDelayMs) ?? 0, 0) : undefined;
  return { kind: "abandoned", token, ...given({ delayMs, reason: peer === "ours" ? ownReason : undefined }) };
}

function encodeResult(result: EntityOperationResult, peer: Peer): OperationResult {
  return {
    $typeName: "OperationResult",
    resultType:
      result.kind === "succeeded"
        ? { case: "success", value: { $typeName: "OperationResultSuccess", result: result.result } }
        : { case: "failure", value: { $typeName: "OperationResultFailure", failureDetails: encodeFailure(result.failure, peer) } },
  };
}

function decodeResult({ resultType }: OperationResult, peer: Peer): EntityOperationResult {
  if (resultType.case === "success") return { kind: "succeeded", ...given({ result: decodePayload(resultType.value.result, peer) }) };
  const details = resultType.case === "failure" ? resultType.value.failureDetails : undefined;
  return {
    kind: "failed",
    failure: details === undefined ? unexplained("The operation failed and gave no reason.") : decodeFailure(details, peer),
  };
}

function encodeEntityAction(action: EntityAction, id: number, peer: Peer, now: Instant): OperationAction {
  const common = {
    input: action.input,
    scheduledTime: encodeOptionalInstant(action.scheduledAt),
    requestTime: peer === "family" ? encodeInstant(now) : undefined,
    parentTraceContext: encodeTrace(action.traceContext),
  };
  const operationActionType: OperationAction["operationActionType"] =
    action.kind === "signalEntity"
      ? {
          case: "sendSignal",
          value: { $typeName: "SendSignalAction", instanceId: action.entityId, name: action.operation, ...common },
        }
      : {
          case: "startNewOrchestration",
          value: {
            $typeName: "StartNewOrchestrationAction",
            instanceId: action.instanceId,
            name: action.name,
            version: action.version,
            ...common,
            own:
              peer === "ours"
                ? {
                    $typeName: "OwnEntityStart",
                    executionId: action.executionId,
                    tags: encodeTags(action.tags),
                    validated: action.validated,
                  }
                : undefined,
          },
        };
  return { $typeName: "OperationAction", id, operationActionType };
}

/** @throws InvalidArgumentError for what nobody could do. */
function decodeEntityAction({ operationActionType: type }: OperationAction, peer: Peer, context: EntityContext): EntityAction {
  switch (type.case) {
    case "sendSignal": {
      const { instanceId, name, input, scheduledTime, parentTraceContext } = type.value;
      checkName(name, "operation name");
      return {
        kind: "signalEntity",
        entityId: readEntityId(instanceId),
        operation: name,
        ...given({
          input: decodePayload(input, peer),
          scheduledAt: decodeSchedule(scheduledTime, peer),
          traceContext: decodeTrace(parentTraceContext, peer),
        }),
      };
    }
    case "startNewOrchestration": {
      const { name, version, input, scheduledTime, parentTraceContext } = type.value;
      const own = peer === "ours" ? type.value.own : undefined;
      const instanceId = type.value.instanceId || context.newInstanceId();
      checkInstanceId(instanceId);
      checkName(name, "orchestrator name");
      return {
        kind: "startOrchestration",
        instanceId,
        executionId: own?.executionId || context.newExecutionId(),
        name,
        ...given({
          version,
          input: decodePayload(input, peer),
          tags: own === undefined ? undefined : decodeTags(own.tags),
          scheduledAt: decodeSchedule(scheduledTime, peer),
          validated: own?.validated,
          traceContext: decodeTrace(parentTraceContext, peer),
        }),
      };
    }
    case undefined:
      throw new Error("an action of a kind that nobody knows");
  }
}

function mistaken(what: string): Failure {
  return { errorType: "InvalidEntityBatchResult", message: `The worker's answer for the entity ${what}. Nothing of it was done.` };
}
