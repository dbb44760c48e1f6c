// messages: the calls of the service, and their messages as bytes.
//
// Owns:    the table of calls: which message goes in, which comes back, and whether one or many.
// Always:  M1 bytes that are no such message are refused with a status; nesting is bounded, so that no message can exhaust the stack.
//          M2 what these bytes mean is said by the other files of this folder; nobody outside of it touches a generated message but to pass it on.

import { create, fromBinary, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { EmptySchema } from "@bufbuild/protobuf/wkt";

import * as wire from "../generated/task_hub_sidecar_pb.js";
import { WireError } from "../transport/wire-error.ts";

/** How a call goes: one message back, or many. */
export type CallKind = "unary" | "stream";

/** One call of the service. */
export interface Call<Request extends DescMessage = DescMessage, Reply extends DescMessage = DescMessage> {
  readonly kind: CallKind;
  readonly request: Request;
  readonly reply: Reply;
}

const unary = <Q extends DescMessage, P extends DescMessage>(request: Q, reply: P): Call<Q, P> => ({ kind: "unary", request, reply });
const stream = <Q extends DescMessage, P extends DescMessage>(request: Q, reply: P): Call<Q, P> => ({ kind: "stream", request, reply });

/** The calls of the service, by name. */
export const METHODS = {
  Hello: unary(EmptySchema, EmptySchema),
  StartInstance: unary(wire.CreateInstanceRequestSchema, wire.CreateInstanceResponseSchema),
  GetInstance: unary(wire.GetInstanceRequestSchema, wire.GetInstanceResponseSchema),
  RewindInstance: unary(wire.RewindInstanceRequestSchema, wire.RewindInstanceResponseSchema),
  RestartInstance: unary(wire.RestartInstanceRequestSchema, wire.RestartInstanceResponseSchema),
  WaitForInstanceStart: unary(wire.GetInstanceRequestSchema, wire.GetInstanceResponseSchema),
  WaitForInstanceCompletion: unary(wire.GetInstanceRequestSchema, wire.GetInstanceResponseSchema),
  RaiseEvent: unary(wire.RaiseEventRequestSchema, wire.RaiseEventResponseSchema),
  TerminateInstance: unary(wire.TerminateRequestSchema, wire.TerminateResponseSchema),
  SuspendInstance: unary(wire.SuspendRequestSchema, wire.SuspendResponseSchema),
  ResumeInstance: unary(wire.ResumeRequestSchema, wire.ResumeResponseSchema),
  QueryInstances: unary(wire.QueryInstancesRequestSchema, wire.QueryInstancesResponseSchema),
  ListInstanceIds: unary(wire.ListInstanceIdsRequestSchema, wire.ListInstanceIdsResponseSchema),
  PurgeInstances: unary(wire.PurgeInstancesRequestSchema, wire.PurgeInstancesResponseSchema),
  GetWorkItems: stream(wire.GetWorkItemsRequestSchema, wire.WorkItemSchema),
  CompleteActivityTask: unary(wire.ActivityResponseSchema, wire.CompleteTaskResponseSchema),
  CompleteOrchestratorTask: unary(wire.OrchestratorResponseSchema, wire.CompleteTaskResponseSchema),
  CompleteEntityTask: unary(wire.EntityBatchResultSchema, wire.CompleteTaskResponseSchema),
  StreamInstanceHistory: stream(wire.StreamInstanceHistoryRequestSchema, wire.HistoryChunkSchema),
  CreateTaskHub: unary(wire.CreateTaskHubRequestSchema, wire.CreateTaskHubResponseSchema),
  DeleteTaskHub: unary(wire.DeleteTaskHubRequestSchema, wire.DeleteTaskHubResponseSchema),
  SignalEntity: unary(wire.SignalEntityRequestSchema, wire.SignalEntityResponseSchema),
  GetEntity: unary(wire.GetEntityRequestSchema, wire.GetEntityResponseSchema),
  QueryEntities: unary(wire.QueryEntitiesRequestSchema, wire.QueryEntitiesResponseSchema),
  CleanEntityStorage: unary(wire.CleanEntityStorageRequestSchema, wire.CleanEntityStorageResponseSchema),
  AbandonTaskActivityWorkItem: unary(wire.AbandonActivityTaskRequestSchema, wire.AbandonActivityTaskResponseSchema),
  AbandonTaskOrchestratorWorkItem: unary(wire.AbandonOrchestrationTaskRequestSchema, wire.AbandonOrchestrationTaskResponseSchema),
  AbandonTaskEntityWorkItem: unary(wire.AbandonEntityTaskRequestSchema, wire.AbandonEntityTaskResponseSchema),
  SkipGracefulOrchestrationTerminations: unary(
    wire.SkipGracefulOrchestrationTerminationsRequestSchema,
    wire.SkipGracefulOrchestrationTerminationsResponseSchema,
  ),
} as const;

/** A call's name: `"StartInstance"`. */
export type MethodName = keyof typeof METHODS;
/** The message that a call is made with. */
export type RequestOf<M extends MethodName> = MessageShape<(typeof METHODS)[M]["request"]>;
/** The message that it is answered with; of a stream each of them. */
export type ReplyOf<M extends MethodName> = MessageShape<(typeof METHODS)[M]["reply"]>;
/** The fields of an answer, as far as they are set. */
export type ReplyFields<M extends MethodName> = MessageInitShape<(typeof METHODS)[M]["reply"]>;
/** The fields of a request, as far as they are set. */
export type RequestFields<M extends MethodName> = MessageInitShape<(typeof METHODS)[M]["request"]>;

/** Whether there is such a call. */
export function isMethod(name: string): name is MethodName {
  return Object.hasOwn(METHODS, name);
}

/** An answer with these fields: `replyWith("SuspendInstance")` where it has none. */
export function replyWith<M extends MethodName>(method: M, fields?: ReplyFields<M>): ReplyOf<M> {
  return create(METHODS[method].reply as DescMessage, fields as Record<string, unknown> | undefined) as ReplyOf<M>;
}

/** A request with these fields: `requestWith("Hello")` where it has none. */
export function requestWith<M extends MethodName>(method: M, fields?: RequestFields<M>): RequestOf<M> {
  return create(METHODS[method].request as DescMessage, fields as Record<string, unknown> | undefined) as RequestOf<M>;
}

/** A request as bytes. */
export function writeRequest<M extends MethodName>(method: M, message: RequestOf<M>): Uint8Array {
  return toBinary(METHODS[method].request as DescMessage, message);
}

/** @throws WireError INVALID_ARGUMENT when these bytes are no such request. */
export function readRequest<M extends MethodName>(method: M, bytes: Uint8Array): RequestOf<M> {
  return read(METHODS[method].request, bytes, "INVALID_ARGUMENT", `These bytes are no request of ${method}`) as RequestOf<M>;
}

/** An answer as bytes; of a stream one of its messages. */
export function writeReply<M extends MethodName>(method: M, message: ReplyOf<M>): Uint8Array {
  return toBinary(METHODS[method].reply as DescMessage, message);
}

/** @throws WireError INTERNAL when these bytes are no such answer. */
export function readReply<M extends MethodName>(method: M, bytes: Uint8Array): ReplyOf<M> {
  return read(METHODS[method].reply, bytes, "INTERNAL", `The server's answer to ${method} cannot be read`) as ReplyOf<M>;
}

function read(schema: DescMessage, bytes: Uint8Array, status: "INVALID_ARGUMENT" | "INTERNAL", what: string): unknown {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw new WireError(status, `${what}: ${error instanceof Error ? error.message : String(error)}.`);
  }
}
