// requests: what a client asks for, as the protocol writes it.
//
// Owns:    one writer and one reader for the request of each operation of a client.
// Always:  Q1 between ours every request comes out as it went in. Q2 what makes no sense is refused with InvalidArgumentError where it is read.
//          Q3 ids that the family's clients do not send are minted by whoever reads.

import { InvalidArgumentError, UnsupportedError } from "ostinato";
import {
  given,
  checkInstanceId,
  checkName,
  isTerminal,
  type EntityCaller,
  type ExecutionId,
  type HistoryEvent,
  type InstanceFilter,
  type InstanceId,
  type Instant,
  type ListIdsRequest,
  type Page,
  type PageRequest,
  type PurgeManyRequest,
  type PurgeRequest,
  type PurgeResult,
  type RaiseEventRequest,
  type RestartRequest,
  type RewindRequest,
  type StartRequest,
  type StoredInstance,
  type TerminateRequest,
} from "ostinato/contract";

import type {
  CreateInstanceRequest,
  GetInstanceRequest,
  HistoryChunk,
  ListInstanceIdsRequest,
  ListInstanceIdsResponse,
  PurgeInstancesRequest,
  PurgeInstancesResponse,
  QueryInstancesRequest,
  QueryInstancesResponse,
  RaiseEventRequest as RaiseEventMessage,
  RestartInstanceRequest,
  ResumeRequest,
  RewindInstanceRequest,
  StreamInstanceHistoryRequest,
  SuspendRequest,
  TerminateRequest as TerminateMessage,
} from "../generated/task_hub_sidecar_pb.js";
import { decodeEvents, encodeEvents } from "./events.ts";
import { cursorOf, encodeStatuses, isFilter, nextOf, notForFamily, tokenOf } from "./filters.ts";
import { decodeStored, encodeInstance, type Told } from "./instances.ts";
import { encodeCount } from "./numbers.ts";
import { either, fields, flag, listOf, readOwnJson, text, whole, word, type Shape } from "./own-json.ts";
import { decodePayload, decodeTags, decodeTrace, encodeTags, encodeTrace } from "./payloads.ts";
import type { Peer } from "./peer.ts";
import { decodeReuse, encodeReuse, type IgnoredStatuses } from "./reuse-policy.ts";
import { decodeStatuses } from "./statuses.ts";
import {
  decodeDue,
  decodeDuration,
  decodeInstant,
  decodeKnownInstant,
  encodeDuration,
  encodeInstant,
  encodeOptionalInstant,
} from "./timestamps.ts";

export { notForFamily };

/** Where ids come from that a request did not bring. */
export interface Minted {
  readonly newInstanceId: () => string;
  readonly newExecutionId: () => string;
}

/** A start, and from clients of old the statuses of an instance there that make it nothing to do. */
export interface DecodedStart {
  readonly request: StartRequest;
  readonly ignoredWhen?: IgnoredStatuses;
}

/** A start. @param now the time at which the client asks. */
export function encodeStart(request: StartRequest, peer: Peer, now: Instant): CreateInstanceRequest {
  return {
    $typeName: "CreateInstanceRequest",
    instanceId: request.instanceId,
    name: request.name,
    version: request.version,
    input: request.input,
    scheduledStartTimestamp: encodeOptionalInstant(request.startAt),
    orchestrationIdReusePolicy: encodeReuse(request.dedupeStatuses),
    executionId: request.executionId,
    tags: encodeTags(request.tags),
    parentTraceContext: encodeTrace(request.traceContext),
    requestTime: encodeInstant(now),
    ownValidated: peer === "ours" && request.validated === true,
  };
}

/** @throws InvalidArgumentError for an id or a name that cannot be, and for a reuse policy that contradicts itself. */
export function decodeStart(message: CreateInstanceRequest, peer: Peer, { newInstanceId, newExecutionId }: Minted): DecodedStart {
  const instanceId = message.instanceId || newInstanceId();
  checkInstanceId(instanceId);
  checkName(message.name, "orchestrator name");
  const { dedupeStatuses, ignoredWhen } = decodeReuse(message.orchestrationIdReusePolicy, peer);
  const scheduled = message.scheduledStartTimestamp;
  const request: StartRequest = {
    instanceId,
    executionId: message.executionId || newExecutionId(),
    name: message.name,
    ...given({
      version: message.version,
      input: decodePayload(message.input, peer),
      tags: decodeTags(message.tags),
      // Some clients write the beginning of 1970 for "at once".
      startAt: peer === "family" && decodeKnownInstant(scheduled) === undefined ? undefined : decodeDue(scheduled),
      validated: peer === "ours" && message.ownValidated ? true : undefined,
      traceContext: decodeTrace(message.parentTraceContext, peer),
      dedupeStatuses,
    }),
  };
  return { request, ...given({ ignoredWhen }) };
}

/** A question for one instance, or a wait for it. */
export function encodeGet(instanceId: InstanceId, { payloads }: Told): GetInstanceRequest {
  return { $typeName: "GetInstanceRequest", instanceId, getInputsAndOutputs: payloads };
}

/** Which instance is asked for. */
export function decodeGet({ instanceId, getInputsAndOutputs }: GetInstanceRequest): Told & { readonly instanceId: InstanceId } {
  return { instanceId, payloads: getInputsAndOutputs };
}

/** An external event. */
export function encodeRaiseEvent({ instanceId, name, input, messageId }: RaiseEventRequest, peer: Peer): RaiseEventMessage {
  return { $typeName: "RaiseEventRequest", instanceId, name, input, ownMessageId: peer === "ours" ? messageId : "" };
}

/** @throws InvalidArgumentError for a name that cannot be. */
export function decodeRaiseEvent(message: RaiseEventMessage, peer: Peer, newMessageId: () => string): RaiseEventRequest {
  const { instanceId, name, input, ownMessageId } = message;
  checkName(name, "event name");
  const messageId = (peer === "ours" ? ownMessageId : "") || newMessageId();
  return { instanceId, name, messageId, ...given({ input: decodePayload(input, peer) }) };
}

/** A terminate. */
export function encodeTerminate({ instanceId, output, recursive }: TerminateRequest, _peer: Peer): TerminateMessage {
  return { $typeName: "TerminateRequest", instanceId, output, recursive };
}

/** What is terminated, and with which output. */
export function decodeTerminate({ instanceId, output, recursive }: TerminateMessage, peer: Peer): TerminateRequest {
  return { instanceId, recursive, ...given({ output: decodePayload(output, peer) }) };
}

/** Which instance, and why. */
export interface Reasoned {
  readonly instanceId: InstanceId;
  readonly reason?: string;
}

/** A suspend. */
export function encodeSuspend(instanceId: InstanceId, reason?: string): SuspendRequest {
  return { $typeName: "SuspendRequest", instanceId, reason };
}

/** What is suspended. */
export function decodeSuspend({ instanceId, reason }: SuspendRequest, peer: Peer): Reasoned {
  return { instanceId, ...given({ reason: decodePayload(reason, peer) }) };
}

/** A resume. */
export function encodeResume(instanceId: InstanceId, reason?: string): ResumeRequest {
  return { $typeName: "ResumeRequest", instanceId, reason };
}

/** What is resumed. */
export function decodeResume({ instanceId, reason }: ResumeRequest, peer: Peer): Reasoned {
  return { instanceId, ...given({ reason: decodePayload(reason, peer) }) };
}

/** A restart. To the family it cannot be said which new id: its server makes one, and answers it. */
export function encodeRestart({ instanceId, newInstanceId, executionId }: RestartRequest, peer: Peer): RestartInstanceRequest {
  return {
    $typeName: "RestartInstanceRequest",
    instanceId,
    restartWithNewInstanceId: newInstanceId !== undefined,
    own: peer === "ours" ? { $typeName: "OwnRestart", executionId, newInstanceId } : undefined,
  };
}

/** @throws InvalidArgumentError for a new id that cannot be. */
export function decodeRestart(message: RestartInstanceRequest, peer: Peer, { newInstanceId, newExecutionId }: Minted): RestartRequest {
  const own = peer === "ours" ? message.own : undefined;
  const newId = own === undefined ? (message.restartWithNewInstanceId ? newInstanceId() : undefined) : own.newInstanceId;
  if (newId !== undefined) checkInstanceId(newId);
  return { instanceId: message.instanceId, executionId: own?.executionId || newExecutionId(), ...given({ newInstanceId: newId }) };
}

/** A rewind. */
export function encodeRewind({ instanceId, reason, executionId }: RewindRequest, peer: Peer): RewindInstanceRequest {
  return { $typeName: "RewindInstanceRequest", instanceId, reason, ownExecutionId: peer === "ours" ? executionId : "" };
}

/** What is rewound. */
export function decodeRewind(message: RewindInstanceRequest, peer: Peer, newExecutionId: () => string): RewindRequest {
  const { instanceId, reason, ownExecutionId } = message;
  const executionId = (peer === "ours" ? ownExecutionId : "") || newExecutionId();
  return { instanceId, executionId, ...given({ reason: decodePayload(reason, peer) }) };
}

/** Which instances, which page of them, and whether with their payloads. */
export interface DecodedQuery extends Told {
  readonly filter: InstanceFilter;
  readonly page: PageRequest;
}

/** A query. What `notForFamily` names is not said to the family: whoever asks has to look at the answers. */
export function encodeQuery(filter: InstanceFilter, page: PageRequest, { payloads }: Told, peer: Peer): QueryInstancesRequest {
  return {
    $typeName: "QueryInstancesRequest",
    query: {
      $typeName: "InstanceQuery",
      runtimeStatus: encodeStatuses(filter.status),
      createdTimeFrom: encodeOptionalInstant(filter.createdFrom),
      createdTimeTo: encodeOptionalInstant(filter.createdTo),
      taskHubNames: [],
      maxInstanceCount: encodeCount(page.size),
      continuationToken: page.cursor,
      instanceIdPrefix: filter.idPrefix,
      fetchInputsAndOutputs: payloads,
      ownFilter: peer === "ours" ? JSON.stringify(filter) : "",
    },
  };
}

/** @throws InvalidArgumentError for a filter or a token that is none. */
export function decodeQuery({ query }: QueryInstancesRequest, peer: Peer): DecodedQuery {
  const page = pageOf(query?.maxInstanceCount ?? 0, query?.continuationToken);
  const payloads = query?.fetchInputsAndOutputs === true;
  if (peer === "ours" && query !== undefined && query.ownFilter !== "")
    return { filter: understood<InstanceFilter>(query.ownFilter, isFilter, "filter"), page, payloads };
  return {
    filter: {
      kind: "orchestration",
      ...given({
        status: decodeStatuses(query?.runtimeStatus ?? []),
        createdFrom: decodeKnownInstant(query?.createdTimeFrom),
        createdTo: decodeKnownInstant(query?.createdTimeTo),
        idPrefix: query?.instanceIdPrefix || undefined,
      }),
    },
    page,
    payloads,
  };
}

/** A page of instances. */
export function encodeQueryReply({ items, next }: Page<StoredInstance>, told: Told, peer: Peer): QueryInstancesResponse {
  return {
    $typeName: "QueryInstancesResponse",
    orchestrationState: items.map((item) => encodeInstance(item, told, peer)),
    continuationToken: tokenOf(next),
  };
}

/** The page of an answer. */
export function decodeQueryReply({ orchestrationState, continuationToken }: QueryInstancesResponse, peer: Peer): Page<StoredInstance> {
  return { items: orchestrationState.map((state) => decodeStored(state, peer)), ...nextOf(continuationToken) };
}

/** A list of ids. */
export function encodeListIds(request: ListIdsRequest, { size, cursor }: PageRequest, _peer: Peer): ListInstanceIdsRequest {
  return {
    $typeName: "ListInstanceIdsRequest",
    runtimeStatus: encodeStatuses(request.statuses),
    completedTimeFrom: encodeOptionalInstant(request.completedFrom),
    completedTimeTo: encodeOptionalInstant(request.completedTo),
    pageSize: encodeCount(size),
    lastInstanceKey: cursor,
  };
}

/** @throws InvalidArgumentError for a token that is none. */
export function decodeListIds(message: ListInstanceIdsRequest): { readonly request: ListIdsRequest; readonly page: PageRequest } {
  return {
    request: given({
      statuses: decodeStatuses(message.runtimeStatus)?.filter(isTerminal),
      completedFrom: decodeInstant(message.completedTimeFrom),
      completedTo: decodeInstant(message.completedTimeTo),
    }),
    page: pageOf(message.pageSize, message.lastInstanceKey),
  };
}

/** A page of ids. */
export function encodeListIdsReply({ items, next }: Page<InstanceId>): ListInstanceIdsResponse {
  return { $typeName: "ListInstanceIdsResponse", instanceIds: [...items], lastInstanceKey: tokenOf(next) };
}

/** The page of an answer. */
export function decodeListIdsReply({ instanceIds, lastInstanceKey }: ListInstanceIdsResponse): Page<InstanceId> {
  return { items: instanceIds, ...nextOf(lastInstanceKey) };
}

/** A purge: of one instance, refused while it runs; or of many, of which only the finished ones go. */
export type DecodedPurge =
  { readonly kind: "one"; readonly request: PurgeRequest } | { readonly kind: "many"; readonly request: PurgeManyRequest };

/** A purge of one instance. */
export function encodePurge(request: PurgeRequest, peer: Peer): PurgeInstancesRequest {
  return purgeMessage({ case: "instanceId", value: request.instanceId }, { kind: "one", request }, peer);
}

/** @throws UnsupportedError for a filter with parts that cannot be said to the family: left out they would delete more than was meant. */
export function encodePurgeMany(request: PurgeManyRequest, peer: Peer): PurgeInstancesRequest {
  const { target, timeoutMs } = request;
  const decoded: DecodedPurge = { kind: "many", request };
  if ("ids" in target)
    return purgeMessage({ case: "instanceBatch", value: { $typeName: "InstanceBatch", instanceIds: [...target.ids] } }, decoded, peer);
  const { filter } = target;
  const unsaid = peer === "family" ? notForFamily(filter, "purge") : [];
  if (unsaid.length > 0)
    throw new UnsupportedError(
      `The server of this task hub cannot purge by ${unsaid.join(", ")}. Query the instances, and purge them by their ids.`,
    );
  return purgeMessage(
    {
      case: "purgeInstanceFilter",
      value: {
        $typeName: "PurgeInstanceFilter",
        createdTimeFrom: encodeOptionalInstant(filter.createdFrom),
        createdTimeTo: encodeOptionalInstant(filter.createdTo),
        runtimeStatus: encodeStatuses(filter.status),
        timeout: timeoutMs === undefined ? undefined : encodeDuration(timeoutMs),
      },
    },
    decoded,
    peer,
  );
}

/** @throws InvalidArgumentError when it does not say what is purged. */
export function decodePurge(message: PurgeInstancesRequest, peer: Peer): DecodedPurge {
  if (peer === "ours" && message.own !== undefined) return understood<DecodedPurge>(message.own.request, isPurge, "purge");
  const { request: asked, recursive } = message;
  const many = (target: PurgeManyRequest["target"], timeoutMs?: number): DecodedPurge => ({
    kind: "many",
    request: { target, recursive, ...given({ timeoutMs }) },
  });
  switch (asked.case) {
    case "instanceId":
      return many({ ids: [asked.value] });
    case "instanceBatch":
      return many({ ids: asked.value.instanceIds });
    case "purgeInstanceFilter": {
      const { createdTimeFrom, createdTimeTo, runtimeStatus, timeout } = asked.value;
      const filter: InstanceFilter = {
        kind: "orchestration",
        ...given({
          status: decodeStatuses(runtimeStatus),
          createdFrom: decodeKnownInstant(createdTimeFrom),
          createdTo: decodeKnownInstant(createdTimeTo),
        }),
      };
      return many({ filter }, decodeDuration(timeout) || undefined);
    }
    case undefined:
      throw new InvalidArgumentError("The purge names neither an instance, nor a list of them, nor a filter.");
  }
}

/** What a purge has done. Clients take a missing "is complete" for a no. */
export function encodePurgeReply({ deletedCount, isComplete }: PurgeResult): PurgeInstancesResponse {
  return { $typeName: "PurgeInstancesResponse", deletedInstanceCount: deletedCount, isComplete };
}

/** What a purge has done. Servers that leave out whether it is complete have done all of it. */
export function decodePurgeReply({ deletedInstanceCount, isComplete }: PurgeInstancesResponse): PurgeResult {
  return { deletedCount: deletedInstanceCount, isComplete: isComplete ?? true };
}

/** Which history. */
export interface HistoryQuestion {
  readonly instanceId: InstanceId;
  readonly executionId?: ExecutionId;
  /** The past of a turn that is out, as it was when the turn was handed out. */
  readonly forWorkItem: boolean;
}

/** A question for a history. */
export function encodeHistoryRequest(
  instanceId: InstanceId,
  { executionId, forWorkItem = false }: Partial<Omit<HistoryQuestion, "instanceId">> = {},
): StreamInstanceHistoryRequest {
  return { $typeName: "StreamInstanceHistoryRequest", instanceId, executionId, forWorkItemProcessing: forWorkItem };
}

/** Which history is asked for. */
export function decodeHistoryRequest({ instanceId, executionId, forWorkItemProcessing }: StreamInstanceHistoryRequest): HistoryQuestion {
  return { instanceId, forWorkItem: forWorkItemProcessing, ...given({ executionId: executionId || undefined }) };
}

/** A part of a history. @param owner whose it is. */
export function encodeHistoryChunk(events: readonly HistoryEvent[], peer: Peer, owner?: EntityCaller): HistoryChunk {
  return { $typeName: "HistoryChunk", events: encodeEvents(events, peer, owner) };
}

/** The events of a part of a history. */
export function decodeHistoryChunk({ events }: HistoryChunk, peer: Peer): HistoryEvent[] {
  return decodeEvents(events, peer);
}

const isPurge = either(
  fields({ kind: word(["one"]), request: fields({ instanceId: text, recursive: flag }) }),
  fields({
    kind: word(["many"]),
    request: fields({ target: either(fields({ filter: isFilter }), fields({ ids: listOf(text) })), recursive: flag }, { timeoutMs: whole }),
  }),
);

function purgeMessage(request: PurgeInstancesRequest["request"], decoded: DecodedPurge, peer: Peer): PurgeInstancesRequest {
  return {
    $typeName: "PurgeInstancesRequest",
    request,
    recursive: decoded.request.recursive,
    isOrchestration: true,
    own: peer === "ours" ? { $typeName: "OwnPurge", request: JSON.stringify(decoded) } : undefined,
  };
}

/** A page as it is asked for: 0 is as many as the reader likes. */
function pageOf(size: number, token: string | undefined): PageRequest {
  return given({ size: size > 0 ? size : undefined, cursor: cursorOf(token) });
}

function understood<T>(json: string, shape: Shape, what: string): T {
  const value = readOwnJson<T>(json, shape);
  if (value === undefined)
    throw new InvalidArgumentError(`The ${what} of the request cannot be read. Is the client of a later version than this server?`);
  return value;
}
