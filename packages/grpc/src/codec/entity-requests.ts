// entity-requests: what a client asks of entities, as the protocol writes it.
//
// Always:  ER1 between ours every request and every answer comes out as it went in.
//          ER2 for the family an entity is there when it has a state (PC 5.7).
//          ER3 ids and their beginnings are read in whatever form the family's clients write them.

import { InvalidArgumentError } from "ostinato";
import { given } from "ostinato/contract";
import type {
  CleanEntityStorageRequest,
  CleanEntityStorageResult,
  EntityFilter,
  EntityId,
  EntitySnapshot,
  Instant,
  Page,
  PageRequest,
  SignalEntityRequest,
} from "ostinato/contract";

import type {
  CleanEntityStorageRequest as CleanMessage,
  CleanEntityStorageResponse,
  EntityMetadata,
  GetEntityRequest,
  GetEntityResponse,
  QueryEntitiesRequest,
  QueryEntitiesResponse,
  SignalEntityRequest as SignalMessage,
} from "../generated/task_hub_sidecar_pb.js";
import { decodeSchedule } from "./entity-events.ts";
import { checkOperation, readEntityId, readEntityPrefix } from "./entity-ids.ts";
import { cursorOf, nextOf, tokenOf } from "./filters.ts";
import { isStall } from "./instances.ts";
import { encodeCount } from "./numbers.ts";
import { fields, flag, readOwnJson } from "./own-json.ts";
import { decodePayload, decodeTrace, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeInstant, decodeKnownInstant, encodeInstant, encodeOptionalInstant } from "./timestamps.ts";

/** A signal. @param now the time at which the client asks. */
export function encodeSignalEntity(request: SignalEntityRequest, now: Instant): SignalMessage {
  return {
    $typeName: "SignalEntityRequest",
    instanceId: request.entityId,
    name: request.operation,
    input: request.input,
    requestId: request.requestId,
    scheduledTime: encodeOptionalInstant(request.scheduledAt),
    parentTraceContext: encodeTrace(request.traceContext),
    requestTime: encodeInstant(now),
  };
}

/** @throws InvalidArgumentError for an id, a name or a request id that cannot be. */
export function decodeSignalEntity(message: SignalMessage, peer: Peer, newRequestId: () => string): SignalEntityRequest {
  const request = { operation: message.name, requestId: message.requestId || newRequestId() };
  checkOperation(request);
  return {
    entityId: readEntityId(message.instanceId),
    ...request,
    ...given({
      input: decodePayload(message.input, peer),
      scheduledAt: decodeSchedule(message.scheduledTime, peer),
      traceContext: decodeTrace(message.parentTraceContext, peer),
    }),
  };
}

/** A question for one entity. */
export function encodeGetEntity(instanceId: EntityId, includeState: boolean): GetEntityRequest {
  return { $typeName: "GetEntityRequest", instanceId, includeState };
}

/** @throws InvalidArgumentError for an id that cannot be. */
export function decodeGetEntity({ instanceId, includeState }: GetEntityRequest): {
  readonly entityId: EntityId;
  readonly includeState: boolean;
} {
  return { entityId: readEntityId(instanceId), includeState };
}

/** The answer to it. */
export function encodeGetEntityReply(found: EntitySnapshot | undefined, peer: Peer): GetEntityResponse {
  const shown = found === undefined || (peer === "family" && !found.hasState) ? undefined : found;
  return {
    $typeName: "GetEntityResponse",
    exists: shown !== undefined,
    entity: shown === undefined ? undefined : encodeEntity(shown, peer),
  };
}

/** The entity of an answer; `undefined` when there is none. @param includeState whether its state was asked for. */
export function decodeGetEntityReply({ exists, entity }: GetEntityResponse, peer: Peer, includeState: boolean): EntitySnapshot | undefined {
  return exists && entity !== undefined ? decodeEntity(entity, peer, includeState) : undefined;
}

/** A query. */
export function encodeEntityQuery(filter: EntityFilter, { size, cursor }: PageRequest): QueryEntitiesRequest {
  return {
    $typeName: "QueryEntitiesRequest",
    query: {
      $typeName: "EntityQuery",
      instanceIdStartsWith: filter.idPrefix,
      lastModifiedFrom: encodeOptionalInstant(filter.lastModifiedFrom),
      lastModifiedTo: encodeOptionalInstant(filter.lastModifiedTo),
      includeState: filter.includeState,
      includeTransient: filter.includeTransient,
      pageSize: size === undefined ? undefined : encodeCount(size),
      continuationToken: cursor,
    },
  };
}

/** @throws InvalidArgumentError for a token that is none. */
export function decodeEntityQuery(
  { query }: QueryEntitiesRequest,
  peer: Peer,
): { readonly filter: EntityFilter; readonly page: PageRequest } {
  const at = peer === "ours" ? decodeInstant : decodeKnownInstant;
  const size = query?.pageSize ?? 0;
  return {
    filter: {
      includeState: query?.includeState === true,
      includeTransient: query?.includeTransient === true,
      ...given({
        idPrefix: peer === "ours" ? query?.instanceIdStartsWith : readEntityPrefix(query?.instanceIdStartsWith),
        lastModifiedFrom: at(query?.lastModifiedFrom),
        lastModifiedTo: at(query?.lastModifiedTo),
      }),
    },
    page: given({ size: size > 0 ? size : undefined, cursor: cursorOf(query?.continuationToken) }),
  };
}

/** A page of entities. */
export function encodeEntityQueryReply({ items, next }: Page<EntitySnapshot>, peer: Peer): QueryEntitiesResponse {
  return {
    $typeName: "QueryEntitiesResponse",
    entities: items.map((each) => encodeEntity(each, peer)),
    continuationToken: tokenOf(next),
  };
}

/** The page of an answer. */
export function decodeEntityQueryReply(
  { entities, continuationToken }: QueryEntitiesResponse,
  peer: Peer,
  includeState: boolean,
): Page<EntitySnapshot> {
  return { items: entities.map((each) => decodeEntity(each, peer, includeState)), ...nextOf(continuationToken) };
}

/** What is to be cleaned up; with a server of the family from where the last answer left off. */
export function encodeCleanEntityStorage(request: CleanEntityStorageRequest, continuationToken?: string): CleanMessage {
  const { removeEmptyEntities, releaseOrphanedLocks } = request;
  return { $typeName: "CleanEntityStorageRequest", continuationToken, removeEmptyEntities, releaseOrphanedLocks };
}

/** @throws InvalidArgumentError for a token: this server does all of it at once, and gives none. */
export function decodeCleanEntityStorage(message: CleanMessage): CleanEntityStorageRequest {
  const { removeEmptyEntities, releaseOrphanedLocks, continuationToken } = message;
  if (cursorOf(continuationToken) !== undefined)
    throw new InvalidArgumentError(`${JSON.stringify(continuationToken)} is no token of this server: it cleans everything in one call.`);
  return { removeEmptyEntities, releaseOrphanedLocks };
}

/** What was cleaned up. */
export function encodeCleanEntityStorageReply(result: CleanEntityStorageResult): CleanEntityStorageResponse {
  return { $typeName: "CleanEntityStorageResponse", ...result };
}

/** What was cleaned up, and where a server of the family goes on. */
export function decodeCleanEntityStorageReply({
  emptyEntitiesRemoved,
  orphanedLocksReleased,
  continuationToken,
}: CleanEntityStorageResponse): CleanEntityStorageResult & { readonly next?: string } {
  return { emptyEntitiesRemoved, orphanedLocksReleased, ...nextOf(continuationToken) };
}

const isOwnEntity = fields({ hasState: flag }, { stall: isStall });

function encodeEntity(entity: EntitySnapshot, peer: Peer): EntityMetadata {
  const { hasState, stall } = entity;
  return {
    $typeName: "EntityMetadata",
    instanceId: entity.entityId,
    lastModifiedTime: encodeInstant(entity.lastModifiedAt),
    backlogQueueSize: encodeCount(entity.backlogQueueSize),
    lockedBy: entity.lockedBy,
    serializedState: entity.state,
    ownEntity: peer === "ours" ? JSON.stringify({ hasState, stall }) : "",
  };
}

/** Where a server does not say whether there is a state that was not asked for, what it lists at all is taken to have one. */
function decodeEntity(message: EntityMetadata, peer: Peer, includeState: boolean): EntitySnapshot {
  const own =
    peer === "ours" && message.ownEntity !== ""
      ? readOwnJson<Pick<EntitySnapshot, "hasState" | "stall">>(message.ownEntity, isOwnEntity)
      : undefined;
  const state = decodePayload(message.serializedState, peer);
  return {
    entityId: message.instanceId,
    lastModifiedAt: (peer === "ours" ? decodeInstant : decodeKnownInstant)(message.lastModifiedTime) ?? 0,
    backlogQueueSize: message.backlogQueueSize,
    hasState: own?.hasState ?? (!includeState || state !== undefined),
    ...given({ lockedBy: decodePayload(message.lockedBy, peer), state, stall: own?.stall }),
  };
}
