// calls: the calls of the service, each with what answers it.
//
// Owns:    from a message to an operation of the Backend, and from its result to a message. No rule of the engine lives here.
// Always:  CA1 every call of the service has an entry; the compiler asks for it.
//          CA2 what cannot be done is said with the status that clients of the family look at (PC 1).
//          CA3 to one of ours an error goes as it is. To the others an operation on an instance that has ended is done, and changes nothing.

import { InvalidArgumentError, InvalidStateError } from "ostinato";
import {
  INSTANCE_STATUSES,
  isTerminal,
  refusesStart,
  type InstanceSnapshot,
  type StartRequest,
  type StoredInstance,
} from "ostinato/contract";
import { meansEntity } from "../codec/entity-ids.ts";
import { encodeGetReply } from "../codec/instances.ts";
import { replyWith, type MethodName, type ReplyOf, type RequestOf } from "../codec/messages.ts";
import { RETIRE_METADATA } from "../codec/peer.ts";
import {
  decodeGet,
  decodeListIds,
  decodePurge,
  decodeQuery,
  decodeRaiseEvent,
  decodeRestart,
  decodeResume,
  decodeRewind,
  decodeStart,
  decodeSuspend,
  decodeTerminate,
  encodeListIdsReply,
  encodePurgeReply,
  encodeQueryReply,
} from "../codec/requests.ts";
import { WireError } from "../transport/wire-error.ts";
import { mayReplaceRunning, shownTo } from "./access.ts";
import {
  abandonActivity,
  abandonEntity,
  abandonOrchestration,
  completeActivityTask,
  completeEntityTask,
  completeOrchestratorTask,
} from "./answers.ts";
import type { Answer, CallContext, StreamAnswer } from "./call-context.ts";
import { cleanEntityStorage, getEntity, queryEntities, signalEntity } from "./entity-calls.ts";
import { streamInstanceHistory } from "./histories.ts";
import { createTaskHub, deleteTaskHub, refuseLongBatch, skipGracefulTerminations } from "./operations-on-hubs.ts";
import { pagesOf } from "./pages.ts";
import { raiseOnce } from "./told-once.ts";
import { getWorkItems } from "./work-items.ts";

/** The calls that are answered by many messages. */
export type StreamName = "GetWorkItems" | "StreamInstanceHistory";
/** The calls that are answered by one message. */
export type UnaryName = Exclude<MethodName, StreamName>;

/** Says that somebody is here. From a worker of ours perhaps also that it wants nothing more: what it has it may still answer. */
async function hello(_request: RequestOf<"Hello">, { hub, caller, call, peer }: CallContext): Promise<ReplyOf<"Hello">> {
  const line = peer === "ours" ? call.metadata[RETIRE_METADATA] : undefined;
  if (line !== undefined) for (const stream of hub.streams) if (stream.line === line && stream.caller === caller.name) void stream.retire();
  return replyWith("Hello");
}

const startInstance: Answer<"StartInstance"> = async (message, { hub, peer, caller }) => {
  const newInstanceId = (): string => hub.random.id();
  const { request, ignoredWhen } = decodeStart(message, peer, { newInstanceId, newExecutionId: () => hub.random.id() });
  if (replacesRunning(request) && !mayReplaceRunning(caller))
    throw new WireError("PERMISSION_DENIED", "The token does not allow a start that replaces an instance which runs: that ends it.");
  const there = ignoredWhen === undefined ? undefined : await hub.backend.get(request.instanceId);
  if (there === undefined || !ignoredWhen!.includes(there.record.status)) await hub.backend.start(request);
  return replyWith("StartInstance", { instanceId: request.instanceId });
};

function replacesRunning({ dedupeStatuses }: StartRequest): boolean {
  return INSTANCE_STATUSES.some((status) => !isTerminal(status) && !refusesStart(status, dedupeStatuses));
}

const getInstance: Answer<"GetInstance"> = async (message, context) => {
  const { instanceId, payloads } = decodeGet(message);
  if (isHidden(instanceId, context)) return getReply(undefined, payloads, context);
  return getReply(await context.hub.backend.get(instanceId), payloads, context);
};

/** A wait ends with its caller, and with the server. */
const waiting =
  (operation: "waitForStart" | "waitForCompletion") =>
  async (message: RequestOf<"GetInstance">, context: CallContext): Promise<ReplyOf<"GetInstance">> => {
    const { hub, call, world, peer } = context;
    const { instanceId, payloads } = decodeGet(message);
    if (isHidden(instanceId, context)) return getReply(undefined, payloads, context);
    const found = await hub.backend[operation](instanceId, AbortSignal.any([call.signal, world.closing]));
    if (found === undefined && call.signal.aborted)
      throw new WireError(call.hasDeadline ? "DEADLINE_EXCEEDED" : "CANCELLED", `Nobody waits for the instance '${instanceId}' any more.`);
    if (found === undefined && world.closing.aborted)
      throw new WireError("UNAVAILABLE", "The server is closing; wait once more elsewhere.");
    // A wait of ours brings no input along; other clients look for it.
    const whole = found !== undefined && payloads && peer === "family" ? await hub.backend.get(instanceId) : undefined;
    return getReply(whole ?? found, payloads, context);
  };

const raiseEvent: Answer<"RaiseEvent"> = async (message, { hub, peer }) => {
  const request = decodeRaiseEvent(message, peer, () => hub.random.id());
  await raiseOnce(hub.backend, request);
  return replyWith("RaiseEvent");
};

const terminateInstance: Answer<"TerminateInstance"> = async (message, { hub, peer }) => {
  await hub.backend.terminate(decodeTerminate(message, peer));
  return replyWith("TerminateInstance");
};

const suspendInstance: Answer<"SuspendInstance"> = async (message, context) => {
  const { instanceId, reason } = decodeSuspend(message, context.peer);
  await unlessEnded(context, () => context.hub.backend.suspend(instanceId, reason));
  return replyWith("SuspendInstance");
};

const resumeInstance: Answer<"ResumeInstance"> = async (message, context) => {
  const { instanceId, reason } = decodeResume(message, context.peer);
  await unlessEnded(context, () => context.hub.backend.resume(instanceId, reason));
  return replyWith("ResumeInstance");
};

const restartInstance: Answer<"RestartInstance"> = async (message, { hub, peer }) => {
  const minted = { newInstanceId: () => hub.random.id(), newExecutionId: () => hub.random.id() };
  const request = decodeRestart(message, peer, minted);
  refuseEntity(request.instanceId);
  await hub.backend.restart(request);
  return replyWith("RestartInstance", { instanceId: request.newInstanceId ?? request.instanceId });
};

const rewindInstance: Answer<"RewindInstance"> = async (message, { hub, peer }) => {
  const request = decodeRewind(message, peer, () => hub.random.id());
  refuseEntity(request.instanceId);
  await hub.backend.rewind(request);
  return replyWith("RewindInstance");
};

const queryInstances: Answer<"QueryInstances"> = async (message, context) => {
  const { hub, peer, caller } = context;
  const { filter, page, payloads } = decodeQuery(message, peer);
  const found = await pagesOf((size) => hub.backend.query(filter, size), page, payloads);
  return encodeQueryReply({ ...found, items: found.items.map((each) => shownTo(caller, each)) }, { payloads }, peer);
};

const listInstanceIds: Answer<"ListInstanceIds"> = async (message, { hub }) => {
  const { request, page } = decodeListIds(message);
  return encodeListIdsReply(await pagesOf((size) => hub.backend.listIds(request, size), page, false));
};

const purgeInstances: Answer<"PurgeInstances"> = async (message, context) => {
  const { hub, peer } = context;
  const asked = decodePurge(message, peer);
  if (asked.kind === "one") {
    const deletedCount = (await unlessRunning(context, () => hub.backend.purge(asked.request))) ?? 0;
    return encodePurgeReply({ deletedCount, isComplete: true });
  }
  const { target } = asked.request;
  if (peer === "family" && "ids" in target) refuseLongBatch(target.ids);
  return encodePurgeReply(await hub.backend.purgeMany(asked.request));
};

/** The calls that are answered by one message. */
export const CALLS: { readonly [M in UnaryName]: Answer<M> } = {
  Hello: hello,
  StartInstance: startInstance,
  GetInstance: getInstance,
  RewindInstance: rewindInstance,
  RestartInstance: restartInstance,
  WaitForInstanceStart: waiting("waitForStart"),
  WaitForInstanceCompletion: waiting("waitForCompletion"),
  RaiseEvent: raiseEvent,
  TerminateInstance: terminateInstance,
  SuspendInstance: suspendInstance,
  ResumeInstance: resumeInstance,
  QueryInstances: queryInstances,
  ListInstanceIds: listInstanceIds,
  PurgeInstances: purgeInstances,
  CompleteActivityTask: completeActivityTask,
  CompleteOrchestratorTask: completeOrchestratorTask,
  CompleteEntityTask: completeEntityTask,
  CreateTaskHub: createTaskHub,
  DeleteTaskHub: deleteTaskHub,
  SignalEntity: signalEntity,
  GetEntity: getEntity,
  QueryEntities: queryEntities,
  CleanEntityStorage: cleanEntityStorage,
  AbandonTaskActivityWorkItem: abandonActivity,
  AbandonTaskOrchestratorWorkItem: abandonOrchestration,
  AbandonTaskEntityWorkItem: abandonEntity,
  SkipGracefulOrchestrationTerminations: skipGracefulTerminations,
};

/** The calls that are answered by many. */
export const STREAMS: { readonly [M in StreamName]: StreamAnswer<M> } = {
  GetWorkItems: getWorkItems,
  StreamInstanceHistory: streamInstanceHistory,
};

function getReply(
  found: InstanceSnapshot | StoredInstance | undefined,
  payloads: boolean,
  { caller, peer }: CallContext,
): ReplyOf<"GetInstance"> {
  return encodeGetReply(found && shownTo(caller, found), { payloads }, peer);
}

/** To the family an entity is no instance (PC 1): it is looked at by calls of its own. */
function isHidden(instanceId: string, { peer }: CallContext): boolean {
  return peer === "family" && meansEntity(instanceId);
}

/** The family's clients expect no error for an instance that has ended (PC 1). */
async function unlessEnded({ peer }: CallContext, act: () => Promise<void>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (peer === "ours" || !(error instanceof InvalidStateError)) throw error;
  }
}

/** Nor for a purge of one that still runs: nothing was deleted. */
async function unlessRunning({ peer }: CallContext, purge: () => Promise<number>): Promise<number | undefined> {
  try {
    return await purge();
  } catch (error) {
    if (peer === "ours" || !(error instanceof InvalidStateError)) throw error;
    return undefined;
  }
}

function refuseEntity(instanceId: string): void {
  if (meansEntity(instanceId)) throw new InvalidArgumentError(`'${instanceId}' is an entity; this can be done to orchestrations alone.`);
}
